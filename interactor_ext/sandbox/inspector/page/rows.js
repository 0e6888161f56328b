// The lines of the lists: links, assistants, tools, credentials, webhooks; and how many there are.

import { at, element, passage, pretty } from "./dom.js";

let skipped = 0;

/** How many of the newest the lists leave out. */
export function startAt(skip) {
  skipped = skip;
}

/**
 * What a list leaves out: those that do not match the filters, that are beyond the newest, and that the sandbox has
 * dropped. "" if it shows all there are.
 */
export function tally(shown, { all, matching = all, dropped = 0 }) {
  return [
    matching < all ? `${number(matching)} of ${number(all)} match.` : "",
    shown < matching ? `${part(shown, matching)} are shown.` : "",
    dropped > 0 ? `${number(dropped)} older ones were dropped to make room.` : "",
  ]
    .filter(Boolean)
    .join(" ");
}

function part(shown, matching) {
  const last = `${number(skipped + shown)} of ${number(matching)}`;
  return skipped === 0 ? `The newest ${last}` : `Items ${number(skipped + 1)} to ${last}`;
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

export function assistantRow(assistant) {
  const parts = [element("strong", {}, assistant.name), element("span", {}, assistant.model)];
  return unfolding(assistant, parts, passage(pretty(assistant), "Assistant"));
}

export function toolRow(tool) {
  const parts = [element("strong", {}, tool.name), element("span", { class: "long" }, tool.description)];
  return unfolding(tool, parts, passage(pretty(tool), "Tool"));
}

export function dataSourceRow(source) {
  const parts = [element("strong", {}, source.name), element("span", {}, source.type)];
  return unfolding(source, parts, passage(pretty(source), "Data source"));
}

function line(item, ...parts) {
  return element("li", {}, element("div", { class: "line" }, ...parts, ...whose(item)));
}

/** One line, and what there is to know of it to unfold. */
export function unfolding(item, parts, more) {
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
