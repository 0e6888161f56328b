// Requests: filters, a row for each, and its headers and bodies, which are asked for when the row is unfolded.

import { at, element, fillRows, passage, pretty } from "./dom.js";
import { badge, clock, space, tell } from "./rows.js";
import { read } from "./server.js";

/** Listen to the filters. `renew` gets the page's state again. */
export function startRequests(renew) {
  at("filters").addEventListener("input", renew);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
}

/** What the filters ask for, as a query of the state. */
export function filters() {
  return { status: at("filter-status").value, path: at("filter-path").value.trim() };
}

export function showRequests({ requests, counts }) {
  tell("requests", requests.length, counts.requests);
  const empty = counts.requests.all > 0 ? "No request matches." : "No program has sent a request yet.";
  fillRows(at("request-list"), requests, (request) => request.request_id, requestRow, empty);
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
  const row = element("details", {}, summary);
  row.addEventListener("toggle", () => row.open && unfold(row, request), { once: true });
  return element("li", {}, row);
}

async function unfold(row, request) {
  const body = element("div", { class: "unfolded" }, element("p", { class: "empty" }, "Loading"));
  row.append(body);
  try {
    body.replaceChildren(...exchange(await read(`requests/${encodeURIComponent(request.request_id)}`)));
  } catch (error) {
    body.replaceChildren(element("p", { class: "bad" }, error.message));
  }
}

function exchange({ headers, request, response, ...facts }) {
  const who = facts.client_id && `client ${facts.client_id}`;
  const ids = [facts.time, facts.request_id, who, facts.fault && `fault ${facts.fault}`].filter(Boolean);
  return [
    element("p", { class: "ids" }, ids.join(" · ")),
    ...part("Request headers", { text: pretty(headers) }),
    ...part("Request body", request),
    ...part("Response body", response),
  ];
}

function part(title, { size, text, note }) {
  const bytes = size ? element("span", { class: "size" }, ` ${size.toLocaleString("en")} bytes`) : null;
  return [element("h3", {}, title, bytes), note ? element("p", { class: "note" }, note) : passage(text, title)];
}
