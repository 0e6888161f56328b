// Building what is shown. Data reaches the document as text only, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** A new element. `attributes` are the page's own; children are nodes, or anything else as text. */
export function element(tag, attributes = {}, ...children) {
  return fitted(document.createElement(tag), attributes, children);
}

export function shape(tag, attributes = {}, ...children) {
  return fitted(document.createElementNS(SVG, tag), attributes, children);
}

const contents = new WeakMap();

/**
 * Show one child an item. The child of an item that has not changed stays the same node, so that what is open, focused
 * or scrolled there stays so while the page is renewed each second.
 */
export function fill(parent, items, keyOf, make) {
  const before = contents.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const text = JSON.stringify(item);
    const known = before.get(key);
    now.set(key, known?.text === text ? known : { text, node: make(item) });
  }
  const nodes = [...now.values()].map((each) => each.node);
  const kept = new Set(nodes);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  contents.set(parent, now);
}

/** As JSON to read. */
export function pretty(value) {
  return JSON.stringify(value, null, 2);
}

function fitted(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const child of children) if (child !== null) node.append(child instanceof Node ? child : String(child));
  return node;
}
