// The lines of the lists: credentials, webhooks, deliveries, requests.

import { element, pretty } from "./dom.js";

export function flowRow(flow) {
  const href = `/_sandbox/authorize?flow=${encodeURIComponent(flow.id)}`;
  const decide = element("a", { href, target: "_blank" }, "Approve or deny");
  return row(flow, [element("strong", {}, flow.provider), decide], null);
}

export function credentialRow(credential) {
  const badge = element("span", { class: `badge ${credential.status}` }, credential.status);
  const scopes = element("span", {}, credential.scopes.join(" "));
  return row(credential, [badge, element("strong", {}, credential.provider), scopes, expiry(credential)], null);
}

function expiry(credential) {
  const moment = credential.expires_at;
  return moment ? element("time", { datetime: moment }, `expires ${clock(moment)}`) : null;
}

export function webhookRow(webhook) {
  const [kind, text] = webhook.active ? ["badge active", "active"] : ["badge", "off"];
  const badge = element("span", { class: kind }, text);
  return row(webhook, [badge, element("strong", { class: "long" }, webhook.url)], webhook.events);
}

export function deliveryRow(delivery, redeliver) {
  const kind = delivery.succeeded ? "completed" : "failed";
  const outcome = element("span", { class: `badge ${kind}` }, delivery.status ?? "no answer");
  const again = element("button", { type: "button" }, "Redeliver");
  again.addEventListener("click", redeliver);
  const attempt = delivery.is_duplicate ? "copy" : `attempt ${delivery.attempt}`;
  const took = element("span", {}, `${attempt}, ${delivery.milliseconds} ms`);
  const sent = created({ created_at: delivery.sent_at });
  return row(delivery, [outcome, again, element("strong", {}, delivery.event_type), took, sent], delivery);
}

export function requestRow(request) {
  const badge = element("span", { class: `badge ${request.status < 400 ? "completed" : "failed"}` }, request.status);
  const asked = element("strong", { class: "long" }, `${request.method} ${request.path}`);
  return row({ ...request, id: request.operation ?? "" }, [badge, asked], request);
}

/** One line, and what there is to know of it to unfold. */
function row(item, parts, more) {
  const space = element("span", { class: "space" }, item.namespace || "(none)");
  const line = element(more ? "summary" : "div", { class: "line" }, ...parts, element("code", {}, item.id), space);
  return element("li", {}, more ? element("details", {}, line, element("pre", {}, pretty(more))) : line);
}

export function attemptKey(delivery) {
  return `${delivery.id} ${delivery.attempt} ${delivery.request_id}`;
}

export function created(item) {
  return element("time", { datetime: item.created_at }, clock(item.created_at));
}

export function clock(stamp) {
  return new Date(stamp).toLocaleTimeString();
}
