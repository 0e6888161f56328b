// Deliveries: a row for each attempt; unfolded, its payload, headers and answer, and all attempts on a line of time.

import { button, element, pretty } from "./dom.js";
import { badge, created, unfolding } from "./rows.js";
import { perform, read, send } from "./server.js";
import { part, unfold } from "./unfold.js";

export function attemptRow(delivery) {
  const took = element("span", {}, `${nameOf(delivery)}, ${delivery.milliseconds} ms`);
  const parts = [created({ created_at: delivery.sent_at }), outcome(delivery)];
  const more = element("div", { class: "unfolded" });
  const row = unfolding(delivery, [...parts, element("strong", {}, delivery.event_type), took], more);
  const load = async () => details(await read(`deliveries/${encodeURIComponent(delivery.id)}`), delivery);
  unfold(row.querySelector("details"), more, load);
  const redeliver = () => perform(() => send("POST", "deliveries", { what: delivery.id }));
  row.append(button("Redeliver", redeliver));
  return row;
}

export function attemptKey(delivery) {
  return `${delivery.id} ${delivery.attempt} ${delivery.request_id}`;
}

/** What came of an attempt. */
export function outcome(delivery) {
  return badge(delivery.status ?? "no response", delivery.succeeded ? "completed" : "failed");
}

function nameOf(delivery) {
  return delivery.is_duplicate ? "duplicate" : `attempt ${delivery.attempt}`;
}

function details({ payload, attempts }, delivery) {
  const own = attempts.find((each) => attemptKey(each) === attemptKey(delivery)) ?? attempts[0];
  const first = new Date(attempts[0].sent_at);
  const line = element("ol", { class: "moments" }, ...attempts.map((each) => moment(each, first, each === own)));
  const answer = own.answer ? { text: own.answer } : { note: own.error ?? "No body." };
  return [
    element("p", { class: "ids" }, `${own.url} · ${own.request_id}`),
    element("h3", {}, "Attempts"),
    line,
    ...part("Headers", { text: pretty(own.headers) }),
    ...part("Payload", payload),
    ...part(`Response ${own.status ?? ""}`, answer),
  ];
}

function moment(attempt, first, isOwn) {
  const seconds = Math.round((new Date(attempt.sent_at) - first) / 1000);
  const next = attempt.next_attempt_at ? `next at ${new Date(attempt.next_attempt_at).toLocaleTimeString()}` : "";
  const after = element("time", { datetime: attempt.sent_at }, `after ${seconds.toLocaleString("en")} s`);
  const text = [nameOf(attempt), attempt.error, next].filter(Boolean).join(", ");
  return element("li", isOwn ? { "aria-current": "true" } : {}, after, outcome(attempt), element("span", {}, text));
}
