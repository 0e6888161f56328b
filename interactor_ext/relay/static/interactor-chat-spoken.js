/** What a screen reader is told of a node, as a person would read it out. */

const BLOCKS = new Set(["P", "H2", "H3", "H4", "H5", "H6", "LI", "PRE", "BLOCKQUOTE", "DT", "DD", "TH", "TD", "DIV", "BR"]);
const LEFT_OUT = "button, label, summary, [hidden]";

/**
 * Blocks are sentences, and cells have commas between them. Buttons are left out.
 *
 * @param {Element} node
 * @param {string} code the word for a block of code
 */
export function spoken(node, code) {
  /** @type {string[]} */
  const said = [];
  let text = "";
  const end = (mark = ".") => {
    text = text.trim();
    if (text) said.push(/[\p{P}]$/u.test(text) ? text : text + mark);
    text = "";
  };
  const visit = (/** @type {Node} */ each) => {
    if (each instanceof Text) text += each.data;
    if (!(each instanceof Element) || each.matches(LEFT_OUT)) return;
    const { tagName } = each;
    const isBlock = BLOCKS.has(tagName) && !each.matches(".code-top");
    if (isBlock && tagName !== "PRE") end(tagName === "BR" ? "," : ".");
    if (each.matches(".code-block")) text = `${code} `;
    if (tagName === "PRE") text = text && `${text.trim()}: `;
    each.childNodes.forEach(visit);
    const isInRow = tagName[0] === "T" && each.nextElementSibling;
    if (isBlock) end(tagName === "DT" ? ":" : isInRow ? "," : ".");
  };
  visit(node);
  end();
  return said.join(" ");
}
