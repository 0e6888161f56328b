// Rooms: the list, the open conversation, and the words of its answer as they come.

import { at, element, fill, passage, pretty } from "./dom.js";
import { FollowedEnd } from "./interactor-chat-end.js";
import { created, link, mark, tally, tell } from "./rows.js";
import { call, perform } from "./server.js";

let words = null;
let end = null;
/** What was typed and not sent, by its room. */
const drafts = new Map();
let shown = "";
let renewPage = () => {};

/** Listen to the form. `renew` gets the page's state again. */
export function startRooms(renew) {
  renewPage = renew;
  end = new FollowedEnd(at("messages"));
  at("compose").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { content: at("content").value, stream: true };
    const room = shown;
    if (!(await perform(() => call("send_message", at("compose").dataset.namespace, { room_id: room }, body)))) return;
    drafts.delete(room);
    if (room !== shown) return;
    at("compose").reset();
    end.resume();
  });
  at("content").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    at("compose").requestSubmit();
  });
}

export function showRooms({ rooms, room, counts }) {
  tell("rooms", rooms.length, counts.rooms);
  fill(at("room-list"), rooms, (each) => each.id, roomLink);
  at("room").hidden = room === null;
  at("no-room").hidden = room !== null;
  follow(room?.id ?? "");
  if (room === null) return;
  mark("room-list", `#rooms/${room.id}`);
  const facts = { ...room, messages: undefined, messages_shown: room.messages.length };
  fill(at("room-facts"), [facts], () => room.id, roomFacts);
  at("compose").dataset.namespace = room.namespace;
  const draft = words?.text ? [{ id: "draft", role: "assistant", content: words.text, draft: true }] : [];
  fill(at("messages"), [...room.messages, ...draft], (message) => message.id, bubble);
  end.follow();
}

function roomLink(room) {
  return link("rooms", room.id, room.assistant ?? "(assistant deleted)", room.namespace, created(room));
}

function roomFacts(room) {
  const [id, space] = [room.id, room.namespace || "(none)"].map((text) => element("code", {}, text));
  const hasMetadata = Object.keys(room.metadata ?? {}).length > 0;
  const metadata = hasMetadata ? passage(pretty(room.metadata), "Metadata") : null;
  const count = element("p", { class: "tally" }, tally(room.messages_shown, { all: room.message_count }));
  const title = element("h2", {}, room.assistant ?? "(assistant deleted)");
  return element("div", {}, title, element("p", {}, id, " in ", space), metadata, count);
}

function bubble(message) {
  const kind = ["user", "assistant"].includes(message.role) ? message.role : "other";
  const node = element("article", { class: `message ${kind}${message.draft ? " draft" : ""}` });
  node.append(element("p", { class: "who" }, message.role, message.created_at ? created(message) : " is writing"));
  if (message.content) node.append(element("p", { class: "content" }, message.content));
  if (message.tool_calls?.length) node.append(...toolCalls(message.tool_calls));
  return node;
}

function toolCalls(calls) {
  const waits = Array.isArray(calls) && calls.some((each) => each.status === "pending");
  const answer = waits ? element("a", { href: "#control" }, "Answer the tool call") : "";
  return [element("pre", {}, pretty(calls)), answer];
}

/** Listen to one room's stream. What was said before is in the state already. */
function follow(room) {
  if (room !== shown) {
    drafts.set(shown, at("content").value);
    at("content").value = drafts.get(room) ?? "";
    end.isFollowing = true;
    shown = room;
  }
  if (words?.room === room) return;
  words?.source?.close();
  words = { room, text: "", source: null };
  if (room === "") return;
  const mine = words;
  mine.source = new EventSource(`/_sandbox/page/rooms/${encodeURIComponent(room)}/stream`);
  mine.source.addEventListener("message", ({ data }) => {
    const event = JSON.parse(data);
    if (event.type === "message.delta") {
      mine.text += event.content;
      showDraft(mine.text);
      return;
    }
    if (event.type === "message.complete") mine.text = "";
    renewPage();
  });
  // The browser gives up on a stream that is answered with an error, as after a reset; the next look tries again.
  mine.source.addEventListener("error", () => {
    if (mine.source.readyState === EventSource.CLOSED && words === mine) words = null;
  });
}

function showDraft(text) {
  const draft = at("messages").querySelector(".draft .content");
  if (draft) draft.textContent = text;
  else renewPage();
  end.follow();
}
