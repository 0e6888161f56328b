// The page: asks for what there is each second and shows it.

import { at, element, fill, fillRows, report } from "./dom.js";
import { showControl, startControl } from "./control.js";
import { filters, showRequests, startRequests } from "./requests.js";
import { showRooms, startRooms } from "./rooms.js";
import { attemptKey, credentialRow, deliveryRow, flowRow, tell, webhookRow } from "./rows.js";
import { afterActions, perform, read, send } from "./server.js";
import { showWorkflows } from "./workflows.js";

const EVERY = 1000;
const COUNTED = ["rooms", "instances", "credentials", "deliveries", "requests"];
const SECTIONS = [...COUNTED, "control"];

// "" is all namespaces, "=" with a name one of them: the name itself may be empty.
const shown = { section: "rooms", namespace: "", room: "", instance: "" };
let newest = 0;
let isPaused = false;

async function refresh() {
  const number = ++newest;
  const query = new URLSearchParams({ room: shown.room, instance: shown.instance, ...filters() });
  if (shown.namespace) query.set("namespace", shown.namespace.slice(1));
  try {
    const state = await read(`state?${query}`);
    // An answer that was overtaken by a later one is old news.
    if (number === newest) show(state);
  } catch (error) {
    report(at("status"), `not connected (${error.message})`, "bad");
  }
}

function show(state) {
  report(at("status"), isPaused ? "paused" : "live", isPaused ? "" : "good");
  showNamespaces(state.namespaces);
  for (const name of COUNTED) at(`${name}-count`).textContent = state.counts[name].all;
  showRooms(state);
  showWorkflows(state);
  showRequests(state);
  showControl(state);
  rows("flows", "flow-list", state, (flow) => flow.id, flowRow, "No OAuth flow is under way.");
  rows("credentials", "credential-list", state, (credential) => credential.id, credentialRow, "No credentials yet.");
  rows("webhooks", "webhook-list", state, (webhook) => webhook.id, webhookRow, "No webhooks yet.");
  rows("deliveries", "delivery-list", state, attemptKey, attemptRow, "Nothing was delivered yet.");
}

function rows(name, list, state, keyOf, make, empty) {
  tell(name, state[name].length, state.counts[name]);
  fillRows(at(list), state[name], keyOf, make, empty);
}

function attemptRow(delivery) {
  return deliveryRow(delivery, () => perform(() => send("POST", "page/redeliver", { delivery_id: delivery.id })));
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

function navigate() {
  const [section, id] = location.hash.slice(1).split("/");
  shown.section = SECTIONS.includes(section) ? section : "rooms";
  if (id && section === "rooms") shown.room = id;
  if (id && section === "instances") shown.instance = id;
  for (const name of SECTIONS) at(name).hidden = name !== shown.section;
  for (const anchor of at("sections").children) {
    const isHere = anchor.getAttribute("href") === `#${shown.section}`;
    if (isHere) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
    if (isHere) document.title = `${anchor.firstChild.textContent.trim()} · Interactor sandbox`;
  }
  refresh();
}

afterActions(refresh);
startRooms(refresh);
startRequests(refresh);
startControl().catch((error) => report(at("problem"), error.message, "bad"));
at("namespace").addEventListener("change", () => {
  shown.namespace = at("namespace").value;
  refresh();
});
at("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  at("pause").textContent = isPaused ? "Resume" : "Pause";
  refresh();
});
// The address tells the section, so the skip link leaves it as it is.
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});
addEventListener("hashchange", navigate);
const renew = () => document.hidden || isPaused || refresh();
document.addEventListener("visibilitychange", renew);
setInterval(renew, EVERY);
navigate();
