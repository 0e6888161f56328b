// The page: asks for what there is each second and shows it.

import { at, element, fill, fillRows, report } from "./dom.js";
import { showControl, startControl } from "./control.js";
import { filters, showRequests, startRequests } from "./requests.js";
import { showRooms, startRooms } from "./rooms.js";
import { attemptKey, attemptRow } from "./deliveries.js";
import { assistantRow, credentialRow, dataSourceRow, flowRow, startAt, tell, toolRow, webhookRow } from "./rows.js";
import { afterActions, read } from "./server.js";
import { showWorkflows } from "./workflows.js";

const EVERY = 1000;
const COUNTED = ["rooms", "instances", "assistants", "credentials", "deliveries", "requests"];
// The lists of a section that page by page show older entries.
const LISTS = { assistants: ["assistants", "tools", "data_sources"], credentials: ["flows", "credentials"] };
LISTS.deliveries = ["webhooks", "deliveries"];
const WINDOW = 100;
const SECTIONS = [...COUNTED, "control"];

// "" is all namespaces, "=" with a name one of them: the name itself may be empty.
const shown = { section: "rooms", namespace: "", room: "", instance: "", delivery: "", skip: 0 };
let newest = 0;
let waiting = 0;
let isPaused = false;

async function refresh() {
  const number = ++newest;
  const { room, instance, delivery, skip } = shown;
  const query = new URLSearchParams({ room, instance, delivery, skip, ...filters() });
  if (shown.namespace) query.set("namespace", shown.namespace.slice(1));
  waiting += 1;
  try {
    const state = await read(`state?${query}`);
    // An answer that was overtaken by a later one is old news.
    if (number === newest) show(state);
  } catch (error) {
    report(at("status"), `not connected (${error.message})`, "bad");
  } finally {
    waiting -= 1;
  }
}

function show(state) {
  report(at("status"), isPaused ? "paused" : "live", isPaused ? "" : "good");
  showNamespaces(state.namespaces);
  startAt(shown.skip);
  showPager(state.counts);
  at("one-delivery").hidden = shown.delivery === "";
  for (const name of COUNTED) at(`${name}-count`).textContent = state.counts[name].all;
  showRooms(state);
  showWorkflows(state);
  showRequests(state);
  showControl(state);
  rows("flows", "flow-list", state, (flow) => flow.id, flowRow, "No pending OAuth flows.");
  rows("credentials", "credential-list", state, (credential) => credential.id, credentialRow, "No credentials yet.");
  rows("webhooks", "webhook-list", state, (webhook) => webhook.id, webhookRow, "No webhooks yet.");
  rows("deliveries", "delivery-list", state, attemptKey, attemptRow, "No deliveries yet.");
  rows("assistants", "assistant-list", state, (assistant) => assistant.id, assistantRow, "No assistants yet.");
  rows("tools", "tool-list", state, (tool) => tool.id, toolRow, "No tools yet.");
  rows("data_sources", "data-source-list", state, (source) => source.id, dataSourceRow, "No data sources yet.");
}

function showPager(counts) {
  const lists = (LISTS[shown.section] ?? [shown.section]).map((name) => counts[name]).filter(Boolean);
  const longest = Math.max(0, ...lists.map(({ all, matching = all }) => matching));
  at("older").disabled = shown.skip + WINDOW >= longest;
  at("newer").disabled = shown.skip === 0;
  at("pager").hidden = at("older").disabled && at("newer").disabled;
}

function page(step) {
  shown.skip = Math.max(0, shown.skip + step);
  refresh();
}

/** Show the newest again, as of another list. */
function restart() {
  shown.skip = 0;
  refresh();
}

function rows(name, list, state, keyOf, make, empty) {
  tell(name, state[name].length, state.counts[name]);
  fillRows(at(list), state[name], keyOf, make, empty);
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
  shown.delivery = section === "deliveries" ? (id ?? "") : "";
  if (at(shown.section).hidden) shown.skip = 0;
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
startRequests(restart);
at("older").addEventListener("click", () => page(WINDOW));
at("newer").addEventListener("click", () => page(-WINDOW));
startControl().catch((error) => report(at("problem"), error.message, "bad"));
at("namespace").addEventListener("change", () => {
  shown.namespace = at("namespace").value;
  restart();
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
// Answers that take longer than a second would all be overtaken.
setInterval(() => waiting || renew(), EVERY);
navigate();
