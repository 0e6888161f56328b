// Exchanges the key of the link for a token, and opens the chat with it. The token is kept for this tab, so that the page can
// be reloaded.
import "/interactor/static/interactor-chat.js";

const REFUSED = "This link was already used, or the command has ended. Run interactor chat --web again.";
const STORED = "interactor-chat";

async function signIn(key) {
  const answer = await fetch("/session", { method: "POST", headers: { Authorization: `Bearer ${key}` } });
  if (answer.ok) sessionStorage.setItem(STORED, await answer.text());
}

const key = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
// A new link in the same tab loads no page by itself.
addEventListener("hashchange", () => location.reload());
if (key) await signIn(key);
const session = JSON.parse(sessionStorage.getItem(STORED));
if (session) {
  const chat = document.querySelector("interactor-chat");
  chat.headers = () => ({ Authorization: `Bearer ${session.token}` });
  chat.texts = { errors: { AUTH_ERROR: REFUSED } };
  chat.assistantName = session.assistant;
  chat.room = session.room;
  chat.hidden = false;
  chat.focus();
} else {
  document.getElementById("refused").textContent = REFUSED;
}
