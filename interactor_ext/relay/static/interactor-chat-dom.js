/** Building and renewing what a chat shows. Data reaches the document as text only, never as markup. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * Shows one child for each item. The child of an item that is known by its key is kept, so that focus, selection and
 * what is unfolded stay as they are.
 *
 * @template Item
 * @param {HTMLElement} parent
 * @param {Item[]} items
 * @param {{key: (item: Item) => string, make: (item: Item) => HTMLElement, update: (node: HTMLElement, item: Item) => void}} how
 */
export function showEach(parent, items, { key, make, update }) {
  const shown = /** @type {HTMLElement[]} */ (Array.from(parent.children));
  const before = new Map(shown.map((node) => [node.dataset.key, node]));
  const wanted = new Set(items.map(key));
  for (const [name, node] of before) if (!wanted.has(name ?? "")) node.remove();
  items.forEach((item, index) => {
    let node = before.get(key(item));
    if (!node) {
      node = make(item);
      node.dataset.key = key(item);
    }
    update(node, item);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

/**
 * Sets a text unless it is shown already: a change would be announced, and end a selection.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  const child = node.firstChild;
  if (child instanceof Text && child.data !== text && text.startsWith(child.data)) child.appendData(text.slice(child.data.length));
  else if (node.textContent !== text) node.textContent = text;
}
