// Requests: filters, a row for each, and its headers and bodies, which are asked for when the row is unfolded.

import { asCurl, asPython } from "./copies.js";
import { outcome } from "./deliveries.js";
import { at, button, element, fill, fillRows, passage, pretty, report } from "./dom.js";
import { badge, clock, created, space, tell } from "./rows.js";
import { read } from "./server.js";
import { part, unfold } from "./unfold.js";

/** Listen to the filters. `renew` gets the page's state again. */
export function startRequests(renew) {
  at("filters").addEventListener("input", renew);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
}

/** What the filters ask for, as a query of the state. */
export function filters() {
  const [path, body] = ["filter-path", "filter-body"].map((id) => at(id).value.trim());
  return { status: at("filter-status").value, path, body };
}

export function showRequests({ requests, counts, schedule }) {
  at("schedule").hidden = schedule.length === 0;
  fill(at("schedule-list"), schedule.map((place, index) => ({ ...place, index })), ({ index }) => index, placeRow);
  tell("requests", requests.length, counts.requests);
  const empty = counts.requests.all > 0 ? "No request matches." : "No requests yet.";
  fillRows(at("request-list"), requests, (request) => request.request_id, requestRow, empty);
}

/** A place of an explored run; one with a fault is marked. */
function placeRow({ time, place, fault }) {
  const moment = element("time", { datetime: time }, clock(time));
  if (!fault) return element("li", {}, moment, element("span", {}, place));
  return element("li", { "aria-current": "true" }, moment, element("strong", {}, place), badge(fault, "failed"));
}

function requestRow(request) {
  const refused = request.status === 0 || request.status >= 400;
  const summary = element(
    "summary",
    { class: "line exchange" },
    element("time", { datetime: request.time }, clock(request.time)),
    badge(request.status || "cut", refused ? "failed" : "completed"),
    element("strong", { class: "long" }, `${request.method} ${request.path}`),
    element("code", {}, request.operation ?? "no operation"),
    space(request.namespace),
    element("span", { class: "took" }, `${request.milliseconds} ms`),
  );
  const body = element("div", { class: "unfolded" });
  const row = element("details", {}, summary, body);
  unfold(row, body, async () => exchange(await read(`requests/${encodeURIComponent(request.request_id)}`)));
  return element("li", {}, row);
}

function exchange(shown) {
  const who = shown.client_id && `client ${shown.client_id}`;
  const ids = [shown.time, shown.request_id, who, shown.fault && `fault ${shown.fault}`].filter(Boolean);
  return [
    element("p", { class: "ids" }, ids.join(" · ")),
    copies(shown),
    ...(shown.events.length > 0 ? [element("h3", {}, "Events"), caused(shown.events)] : []),
    ...part("Request headers", { text: pretty(shown.headers) }),
    ...part("Request body", shown.request),
    ...part("Response headers", { text: pretty(shown.response_headers) }),
    ...part("Response body", shown.response),
  ];
}

/** Buttons that copy the request; a page that may not use the clipboard shows the text. */
function copies(shown) {
  const told = element("span", { role: "status" });
  const text = element("div");
  const copy = (made) => async () => {
    try {
      await navigator.clipboard.writeText(made);
      report(told, "Copied.", "good");
    } catch {
      text.replaceChildren(passage(made, "Copy"));
    }
  };
  const python = asPython(shown);
  const buttons = [button("Copy as curl", copy(asCurl(shown)))];
  if (python !== null) buttons.push(button("Copy as Python", copy(python)));
  return element("div", {}, element("p", { class: "buttons" }, ...buttons, told), text);
}

function caused(events) {
  const items = events.map(({ id, time, event, deliveries }) => {
    const sent = deliveries.map((each) => element("a", { href: `#deliveries/${each.id}` }, "delivery ", outcome(each)));
    return element("li", {}, created({ created_at: time }), element("strong", {}, event), element("code", {}, id), ...sent);
  });
  return element("ul", { class: "moments" }, ...items);
}
