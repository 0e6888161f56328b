/** Building and renewing what a chat shows. Data reaches the document as text only, never as markup. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  node.append(...children);
  // Last, as a browser looks for the direction of `dir="auto"` anew at each child.
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/**
 * However many there are: an argument each would be too many for a call.
 *
 * @param {Iterable<Node | string>} nodes
 */
export function fragmentOf(nodes) {
  const fragment = document.createDocumentFragment();
  let text = "";
  for (const node of nodes) {
    if (typeof node === "string") {
      text += node;
    } else {
      if (text) fragment.append(text);
      fragment.append(node);
      text = "";
    }
  }
  if (text) fragment.append(text);
  return fragment;
}

/**
 * @param {string} kind its part and class, in addition to `button`
 * @param {(event: Event) => void} onClick
 */
export function button(kind, onClick) {
  const node = element("button", { type: "button", class: `small ${kind}`, part: `button ${kind}` });
  node.addEventListener("click", onClick);
  return node;
}

/** The children that `showEach` has given a parent, by their keys. @type {WeakMap<Node, Map<string, HTMLElement>>} */
const shownIn = new WeakMap();

/**
 * Shows one child for each item. The child of an item that is known by its key is kept, so that focus, selection and
 * what is unfolded stay as they are.
 *
 * @template Item
 * @param {HTMLElement} parent
 * @param {readonly Item[]} items
 * @param {{key: (item: Item) => string, make: (item: Item) => HTMLElement, update: (node: HTMLElement, item: Item) => void}} how
 */
export function showEach(parent, items, { key, make, update }) {
  const before = shownIn.get(parent);
  /** @type {Map<string, HTMLElement>} */
  const after = new Map();
  for (const item of items) {
    const name = key(item);
    let node = before?.get(name);
    if (!node) {
      node = make(item);
      node.dataset.key = name;
    }
    after.set(name, node);
    update(node, item);
  }
  shownIn.set(parent, after);
  before?.forEach((node, name) => after.has(name) || node.remove());
  let place = parent.firstElementChild;
  for (const node of after.values()) {
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
}

/**
 * Sets a text unless it is shown already: a change would be announced, and end a selection.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  const child = node.firstChild;
  if (child instanceof Text && node.lastChild === child) setData(child, text);
  else if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {string} text
 * @param {Record<string, string>} values for the names in braces
 */
export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/**
 * @param {CharacterData} node
 * @param {string} text
 */
function setData(node, text) {
  if (node.data === text) return;
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}

/**
 * Has a node show other children. Those that are alike stay, and are renewed in turn.
 *
 * @param {Node} node
 * @param {Node} wanted holds the children
 * @param {number} from how many children of the node stay without being looked at
 */
export function renew(node, wanted, from = 0) {
  const fresh = Array.from(wanted.childNodes);
  fresh.forEach((child, index) => {
    const shown = node.childNodes[from + index];
    if (!shown) node.appendChild(child);
    else if (shown.isEqualNode(child)) return;
    else if (shown instanceof Text && child instanceof Text) setData(shown, child.data);
    else if (isAlike(shown, child)) renew(shown, child);
    else node.replaceChild(child, shown);
  });
  while (node.childNodes.length > from + fresh.length) node.lastChild?.remove();
}

/**
 * @param {Node} shown
 * @param {Node} wanted
 */
function isAlike(shown, wanted) {
  return shown instanceof Element && shown.cloneNode(false).isEqualNode(wanted.cloneNode(false));
}

/**
 * Without HTTPS there is no clipboard, but what is selected can be copied.
 *
 * @param {string} text
 * @param {Element} button that was clicked
 * @returns {Promise<boolean>} whether it is copied
 */
export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { class: "unseen", readonly: "" }, text);
    button.after(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    /** @type {HTMLElement} */ (button).focus({ preventScroll: true });
    return isCopied;
  }
}

/**
 * What a function of the page gives. Its error is the page's, and the chat goes on.
 *
 * @template T
 * @param {() => T} call
 */
export function attempt(call) {
  try {
    return call();
  } catch (error) {
    reportError(error);
    return undefined;
  }
}
