// The page: asks for what there is each second and shows it; the open room's words come over its own stream.

import { diagram } from "./diagram.js";
import { element, fill, pretty } from "./dom.js";
import { eventButtons, question } from "./answer.js";
import { attemptKey, clock, created, credentialRow, deliveryRow, flowRow, requestRow, webhookRow } from "./rows.js";

const EVERY = 1000;
const SECTIONS = ["rooms", "instances", "credentials", "deliveries", "requests"];
const FINISHED = ["completed", "failed", "cancelled"];

const at = (id) => document.getElementById(id);
// "" is all namespaces, "=" with a name one of them: the name itself may be empty.
const shown = { section: "rooms", namespace: "", room: "", instance: "" };
let newest = 0;
let words = null;

async function refresh() {
  const number = ++newest;
  const query = new URLSearchParams({ room: shown.room, instance: shown.instance });
  if (shown.namespace) query.set("namespace", shown.namespace.slice(1));
  try {
    const response = await fetch(`/_sandbox/page/state?${query}`);
    if (!response.ok) throw new Error(`status ${response.status}`);
    const state = await response.json();
    // An answer that was overtaken by a later one is old news.
    if (number === newest) show(state);
  } catch (error) {
    report(at("status"), `not connected (${error.message})`, "bad");
  }
}

async function act(path, body) {
  at("problem").hidden = true;
  try {
    const headers = { "Content-Type": "application/json", "X-Sandbox-Page": "1" };
    const response = await fetch(`/_sandbox/page/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error((await response.json()).error.message);
  } catch (error) {
    at("problem").hidden = false;
    report(at("problem"), error.message, "bad");
    return false;
  } finally {
    await refresh();
  }
  return true;
}

function call(operation, namespace, path, body) {
  return act("act", { operation, namespace, path, body });
}

function show(state) {
  report(at("status"), `live, ${clock(state.time)}`, "good");
  showNamespaces(state.namespaces);
  for (const name of SECTIONS) at(`${name}-count`).textContent = state[name].length;
  fill(at("room-list"), state.rooms, (room) => room.id, roomLink);
  fill(at("instance-list"), state.instances, (instance) => instance.id, instanceLink);
  showRoom(state.room);
  showInstance(state.instance);
  showRows("flow-list", state.flows, (flow) => flow.id, flowRow, "No OAuth flow is under way.");
  showRows("credential-list", state.credentials, (credential) => credential.id, credentialRow, "No credentials yet.");
  showRows("webhook-list", state.webhooks, (webhook) => webhook.id, webhookRow, "No webhooks yet.");
  showRows("delivery-list", state.deliveries, attemptKey, attemptRow, "Nothing was delivered yet.");
  showRows("request-list", state.requests, (request) => request.request_id, requestRow, "Nothing was asked yet.");
}

function showRows(id, items, keyOf, make, empty) {
  if (items.length > 0) fill(at(id), items, keyOf, make);
  else fill(at(id), [empty], () => "empty", (text) => element("li", { class: "empty" }, text));
}

function attemptRow(delivery) {
  return deliveryRow(delivery, () => act("redeliver", { delivery_id: delivery.id }));
}

function showNamespaces(namespaces) {
  const named = namespaces.map((name) => ({ value: `=${name}`, text: name || "(none)" }));
  const options = [{ value: "", text: "all" }, ...named];
  // One that was chosen and has nothing any more stays, so that the choice is not lost at a reset.
  if (!options.some((option) => option.value === shown.namespace)) {
    options.push({ value: shown.namespace, text: shown.namespace.slice(1) });
  }
  fill(at("namespace"), options, (option) => option.value, ({ value, text }) => element("option", { value }, text));
  at("namespace").value = shown.namespace;
}

function roomLink(room) {
  return link("rooms", room.id, room.assistant ?? "(assistant deleted)", room.namespace, created(room));
}

function instanceLink(instance) {
  const badge = element("span", { class: `badge ${instance.status}` }, instance.status);
  return link("instances", instance.id, instance.workflow ?? "(workflow deleted)", instance.namespace, badge);
}

function link(section, id, title, namespace, end) {
  const line = element("span", { class: "line" }, element("span", { class: "space" }, namespace || "(none)"), end);
  const parts = [element("strong", {}, title), element("code", {}, id), line];
  return element("li", {}, element("a", { href: `#${section}/${id}` }, ...parts));
}

function showRoom(room) {
  at("room").hidden = room === null;
  at("no-room").hidden = room !== null;
  follow(room?.id ?? "");
  if (room === null) return;
  mark("room-list", `#rooms/${room.id}`);
  fill(at("room-facts"), [{ ...room, messages: undefined }], () => room.id, roomFacts);
  at("compose").dataset.namespace = room.namespace;
  const log = at("messages");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const draft = words?.text ? [{ id: "draft", role: "assistant", content: words.text, draft: true }] : [];
  fill(log, [...room.messages, ...draft], (message) => message.id, bubble);
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function roomFacts(room) {
  const where = element("p", {}, element("code", {}, room.id), " in ", element("code", {}, room.namespace || "(none)"));
  const hasMetadata = Object.keys(room.metadata ?? {}).length > 0;
  const metadata = hasMetadata ? element("pre", { class: "metadata" }, pretty(room.metadata)) : null;
  return element("div", {}, element("h2", {}, room.assistant ?? "(assistant deleted)"), where, metadata);
}

function bubble(message) {
  const kind = ["user", "assistant"].includes(message.role) ? message.role : "other";
  const node = element("article", { class: `message ${kind}${message.draft ? " draft" : ""}` });
  node.append(element("p", { class: "who" }, message.role, message.created_at ? created(message) : " is answering"));
  if (message.content) node.append(element("p", { class: "content" }, message.content));
  if (message.tool_calls?.length) node.append(element("pre", {}, pretty(message.tool_calls)));
  return node;
}

/** Listen to one room's stream. What was said before is in the state already. */
function follow(room) {
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
    } else if (event.type === "message.complete") {
      mine.text = "";
      refresh();
    } else {
      refresh();
    }
  });
  // The browser gives up on a stream that is answered with an error, as after a reset; the next look tries again.
  mine.source.addEventListener("error", () => {
    if (mine.source.readyState === EventSource.CLOSED && words === mine) words = null;
  });
}

function showDraft(text) {
  const log = at("messages");
  const draft = log.querySelector(".draft .content");
  if (draft) draft.textContent = text;
  else refresh();
  log.scrollTop = log.scrollHeight;
}

let drawn = "";
function showInstance(instance) {
  at("instance").hidden = instance === null;
  at("no-instance").hidden = instance !== null;
  if (instance === null) return;
  mark("instance-list", `#instances/${instance.id}`);
  at("context").textContent = pretty(instance.context);
  // Not made anew without need: somebody may be writing an answer.
  const key = JSON.stringify([instance.id, instance.current_state, instance.status, instance.updated_at]);
  if (key === drawn) return;
  drawn = key;
  at("instance-facts").replaceChildren(instanceFacts(instance));
  at("diagram").replaceChildren(diagram(instance.states, instance.current_state));
  at("answer").replaceChildren(...answers(instance));
}

function instanceFacts(instance) {
  const [id, space] = [instance.id, instance.namespace || "(none)"].map((text) => element("code", {}, text));
  const badge = element("span", { class: `badge ${instance.status}` }, instance.status);
  const where = element("p", {}, id, " in ", space, " is at ", element("b", {}, instance.current_state), " ", badge);
  const reason = typeof instance.error === "string" ? element("p", { class: "bad" }, instance.error) : null;
  return element("div", {}, element("h2", {}, instance.workflow ?? "(workflow deleted)"), where, reason);
}

function answers(instance) {
  if (FINISHED.includes(instance.status)) return [];
  const path = { instance_id: instance.id };
  const send = (input) => call("submit_workflow_input", instance.namespace, path, input);
  const trigger = (event) => call("trigger_workflow_event", instance.namespace, path, { event });
  const here = instance.states.find((state) => state.name === instance.current_state);
  const named = (here?.transitions ?? []).map((transition) => transition.event).filter(Boolean);
  const events = [...new Set(named)];
  if (instance.presentation) return [question(instance.presentation, events, { send, trigger })];
  if (events.length === 0) return [];
  return [element("p", { class: "buttons" }, "Events: ", ...eventButtons(events, trigger))];
}

function mark(list, href) {
  for (const anchor of at(list).querySelectorAll("a")) {
    if (anchor.getAttribute("href") === href) anchor.setAttribute("aria-current", "true");
    else anchor.removeAttribute("aria-current");
  }
}

function report(node, text, kind) {
  node.textContent = text;
  node.className = kind;
}

function navigate() {
  const [section, id] = location.hash.slice(1).split("/");
  shown.section = SECTIONS.includes(section) ? section : "rooms";
  if (id && section === "rooms") shown.room = id;
  if (id && section === "instances") shown.instance = id;
  for (const name of SECTIONS) at(name).hidden = name !== shown.section;
  for (const anchor of at("sections").children) {
    if (anchor.getAttribute("href") === `#${shown.section}`) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  refresh();
}

at("namespace").addEventListener("change", () => {
  shown.namespace = at("namespace").value;
  refresh();
});
at("compose").addEventListener("submit", async (event) => {
  event.preventDefault();
  const content = at("content").value;
  const path = { room_id: words.room };
  if (await call("send_message", at("compose").dataset.namespace, path, { content, stream: true })) {
    at("compose").reset();
    at("messages").scrollTop = at("messages").scrollHeight;
  }
});
at("content").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("compose").requestSubmit();
});
addEventListener("hashchange", navigate);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || refresh(), EVERY);
navigate();
