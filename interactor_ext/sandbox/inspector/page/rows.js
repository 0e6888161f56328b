// The lines of the lists: links, credentials, webhooks, deliveries; and how many there are.

import { at, button, element, passage, pretty } from "./dom.js";

/**
 * What a list leaves out: those that do not match the filters, that are beyond the newest, and that the sandbox has
 * dropped. "" if it shows all there are.
 */
export function tally(shown, { all, matching = all, dropped = 0 }) {
  return [
    matching < all ? `${number(matching)} of ${number(all)} match.` : "",
    shown < matching ? `The newest ${number(shown)} of ${number(matching)} are shown.` : "",
    dropped > 0 ? `${number(dropped)} older ones were dropped to make room.` : "",
  ]
    .filter(Boolean)
    .join(" ");
}

export function tell(name, shown, count) {
  at(`${name}-tally`).textContent = tally(shown, count);
}

function number(count) {
  return count.toLocaleString("en");
}

export function link(section, id, title, namespace, end) {
  const line = element("span", { class: "line" }, space(namespace), end);
  const parts = [element("strong", {}, title), element("code", {}, id), line];
  return element("li", {}, element("a", { href: `#${section}/${id}` }, ...parts));
}

/** Say which link of a list is open. */
export function mark(list, href) {
  for (const anchor of at(list).querySelectorAll("a")) {
    if (anchor.getAttribute("href") === href) anchor.setAttribute("aria-current", "true");
    else anchor.removeAttribute("aria-current");
  }
}

export function flowRow(flow) {
  const href = `/_sandbox/authorize?flow=${encodeURIComponent(flow.id)}`;
  const decide = element("a", { href, target: "_blank" }, "Approve or deny");
  return line(flow, element("strong", {}, flow.provider), decide);
}

export function credentialRow(credential) {
  const scopes = credential.scopes.length > 0 ? element("span", {}, credential.scopes.join(" ")) : null;
  const provider = element("strong", {}, credential.provider);
  const account = credential.account ? element("span", {}, credential.account) : null;
  return line(credential, badge(credential.status), provider, account, scopes, expiry(credential));
}

function expiry(credential) {
  const moment = credential.expires_at;
  const verb = credential.status === "expired" ? "expired" : "expires";
  return moment ? element("time", { datetime: moment }, `${verb} ${clock(moment)}`) : null;
}

export function webhookRow(webhook) {
  const state = webhook.active ? badge("active") : badge("off");
  const parts = [state, element("strong", { class: "long" }, webhook.url)];
  return unfolding(webhook, parts, passage(pretty(webhook.events), "Events"));
}

export function deliveryRow(delivery, redeliver) {
  const outcome = badge(delivery.status ?? "no answer", delivery.succeeded ? "completed" : "failed");
  const attempt = delivery.is_duplicate ? "copy" : `attempt ${delivery.attempt}`;
  const took = element("span", {}, `${attempt}, ${delivery.milliseconds} ms`);
  const sent = created({ created_at: delivery.sent_at });
  const parts = [sent, outcome, element("strong", {}, delivery.event_type), took];
  const row = unfolding(delivery, parts, passage(pretty(delivery), "Delivery"));
  row.append(button("Redeliver", redeliver));
  return row;
}

export function attemptKey(delivery) {
  return `${delivery.id} ${delivery.attempt} ${delivery.request_id}`;
}

function line(item, ...parts) {
  return element("li", {}, element("div", { class: "line" }, ...parts, ...whose(item)));
}

/** One line, and what there is to know of it to unfold. */
function unfolding(item, parts, more) {
  const summary = element("summary", { class: "line" }, ...parts, ...whose(item));
  return element("li", {}, element("details", {}, summary, more));
}

function whose(item) {
  return [element("code", {}, item.id), space(item.namespace)];
}

export function badge(text, kind = text) {
  return element("span", { class: `badge ${kind}` }, text);
}

export function space(namespace) {
  return element("span", { class: "space" }, namespace || "(none)");
}

export function created(item) {
  return element("time", { datetime: item.created_at }, clock(item.created_at));
}

export function clock(stamp) {
  return new Date(stamp).toLocaleTimeString();
}
