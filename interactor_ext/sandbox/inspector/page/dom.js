// Building what is shown. Data reaches the document as text only, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex='0']";

export const at = (id) => document.getElementById(id);

/** A new element. `attributes` are the page's own; children are nodes, or anything else as text. */
export function element(tag, attributes = {}, ...children) {
  return fitted(document.createElement(tag), attributes, children);
}

export function shape(tag, attributes = {}, ...children) {
  return fitted(document.createElementNS(SVG, tag), attributes, children);
}

export function button(text, action, kind = "") {
  const node = element("button", { type: "button", class: kind }, text);
  node.addEventListener("click", action);
  return node;
}

/** A text that may be long: it scrolls, by the keyboard too. */
export function passage(text, label) {
  return element("pre", { tabindex: 0, role: "group", "aria-label": label }, text);
}

const contents = new WeakMap();

/**
 * Show one child an item. The child of an item that has not changed stays the same node, so that what is open, focused
 * or scrolled there stays so while the page is renewed each second. Where a focused child is made anew, its successor
 * gets the focus; where it is gone, the list.
 */
export function fill(parent, items, keyOf, make) {
  const before = contents.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const text = JSON.stringify(item);
    const known = before.get(key);
    now.set(key, known?.text === text ? known : { text, node: succeed(known?.node, make(item)) });
  }
  contents.set(parent, now);
  keepingFocus(parent, () => {
    const nodes = [...now.values()].map((each) => each.node);
    const kept = new Set(nodes);
    for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
    nodes.forEach((node, index) => {
      if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
    });
  });
}

/** `fill` for a list of rows, with a text for none. */
export function fillRows(parent, items, keyOf, make, empty) {
  if (items.length > 0) fill(parent, items, keyOf, make);
  else fill(parent, [empty], () => "empty", (text) => element("li", { class: "empty" }, text));
}

/** Put other children in the place of all. */
export function renew(parent, ...children) {
  keepingFocus(parent, () => parent.replaceChildren(...children));
}

const successors = new WeakMap();

function succeed(old, node) {
  if (!old) return node;
  const wasOpen = old.querySelector("details")?.open;
  if (wasOpen) node.querySelector("details")?.setAttribute("open", "");
  const controls = old.querySelectorAll(CONTROLS);
  controls.forEach((control, index) => successors.set(control, () => node.querySelectorAll(CONTROLS)[index]));
  return node;
}

function keepingFocus(parent, change) {
  const focused = document.activeElement;
  const isInside = focused !== parent && parent.contains(focused);
  change();
  if (!isInside || document.activeElement === focused) return;
  const next = focused.isConnected ? focused : successors.get(focused)?.();
  if (!next) parent.tabIndex = -1;
  (next ?? parent).focus({ preventScroll: true });
}

/** Say something in a region that is read out, unless it says so already. */
export function report(node, text, kind = "") {
  if (node.textContent !== text) node.textContent = text;
  node.classList.remove("good", "bad");
  if (kind) node.classList.add(kind);
}

/** As JSON to read. */
export function pretty(value) {
  return JSON.stringify(value, null, 2);
}

/** What a text area holds as JSON; undefined if it is none, which the browser then tells the user. */
export function readJson(area) {
  try {
    return JSON.parse(area.value);
  } catch (error) {
    area.setCustomValidity(error.message);
    area.reportValidity();
    area.addEventListener("input", () => area.setCustomValidity(""), { once: true });
    return undefined;
  }
}

function fitted(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const child of children) if (child !== null) node.append(child instanceof Node ? child : String(child));
  return node;
}
