/**
 * What is within a paragraph of Markdown: code, links, emphasis, line breaks.
 *
 * @typedef {{mark: string, start: number}} Frame what has been opened, and where its mark is among the nodes
 */

import { attempt, element, fragmentOf } from "./interactor-chat-dom.js";

const SPECIAL = /\\[\s\S]|\$+|&(?:nbsp|amp|lt|gt|quot|#39);|<br \/>|`+|\*+|_+|~~|!?\[|\]|<[^\s<>]+>|https?:\/\/[^\s<>\]`]{1,2000}|\n/g;
const TARGET = /\([ \n]*(?:<([^<>\n]*)>|([^\s()]*(?:\([^\s()]*\)[^\s()]*)*))(?:[ \n]+(?:"[^"]*"|'[^']*'))?[ \n]*\)/y;
/** As in TeX: `$5 and $10` is none. A formula ends before the next of its kind begins. */
const FORMULA = /\$\$([^$]{1,2000})\$\$|\$(?![\s$])([^$\n]{1,2000})(?<!\s)\$(?!\d)|\\\[((?:[^\\]|\\(?![[\]])){1,2000})\\\]|\\\(((?:[^\\]|\\(?![()])){1,2000})\\\)/y;
/** @type {Record<string, string>} */
const ENTITIES = { "&nbsp;": "\u00a0", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };
const ADDRESS = /(?:https?:\/\/|www\.)[^\s/?#]+|^\s*(?:[\w-]+\.)+[a-z]{2,}(?=[\s/]|$)/iu;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const PROTOCOLS = new Set(["http:", "https:", "mailto:", "tel:"]);
const TAGS = /** @type {const} */ ({ "*": "em", _: "em", "**": "strong", __: "strong", "~~": "del" });

/**
 * @param {string} text
 * @param {import("./interactor-markdown.js").MarkdownOptions} options
 */
export function inline(text, options) {
  const reader = new Reader(text, options);
  let place = 0;
  SPECIAL.lastIndex = 0;
  for (let match = SPECIAL.exec(text); match; match = SPECIAL.exec(text)) {
    reader.add(text.slice(place, match.index));
    place = reader.read(match[0], match.index);
    SPECIAL.lastIndex = place;
  }
  reader.add(text.slice(place));
  return reader.end();
}

class Reader {
  #text;
  #renderMath;
  /** @type {(Node | string)[]} */
  #nodes = [];
  /** @type {Frame[]} */
  #frames = [];
  /** How many frames are open, by their mark. @type {Record<string, number>} */
  #open = {};
  /** Where runs of backticks of a length are that have not been passed. @type {Map<number, number[]>} */
  #ticks = new Map();

  /**
   * @param {string} text
   * @param {import("./interactor-markdown.js").MarkdownOptions} options
   */
  constructor(text, { renderMath }) {
    this.#text = text;
    this.#renderMath = renderMath;
    for (const { 0: run, index } of text.matchAll(/`+/g)) {
      const places = this.#ticks.get(run.length);
      if (places) places.push(index);
      else this.#ticks.set(run.length, [index]);
    }
    for (const places of this.#ticks.values()) places.reverse();
  }

  /** @param {Node | string} node */
  add(node) {
    if (node !== "") this.#nodes.push(node);
  }

  /** What was opened and never closed is text. */
  end() {
    return fragmentOf(this.#nodes);
  }

  /**
   * @param {string} found
   * @param {number} at
   * @returns {number} where it ends
   */
  read(found, at) {
    const end = at + found.length;
    FORMULA.lastIndex = at;
    const formula = found[0] === "$" || found[0] === "\\" ? FORMULA.exec(this.#text) : null;
    if (formula) {
      return this.#formula(formula, at);
    } else if (found === "\n") {
      this.#break();
    } else if (found[0] === "$" || found[0] === "&") {
      this.add(ENTITIES[found] ?? found);
    } else if (/^<br ?\/?>$/i.test(found)) {
      this.add(element("br"));
    } else if (found[0] === "\\") {
      if (found[1] === "\n") this.#break();
      else this.add(ESCAPABLE.test(found[1]) ? found[1] : found);
    } else if (found[0] === "`") {
      return this.#code(found, at);
    } else if (found[0] === "<") {
      return this.#angle(found, at);
    } else if (found[0] === "h") {
      return this.#address(found, at);
    } else if (found === "]") {
      return this.#close(at);
    } else if (found.endsWith("[")) {
      this.#push(found);
    } else {
      this.#emphasis(found, at);
    }
    return end;
  }

  /**
   * As it was written, unless the page renders it.
   *
   * @param {RegExpExecArray} formula
   * @param {number} at
   */
  #formula([whole, block, text, bracketed, parenthesized], at) {
    const isBlock = (block ?? bracketed) !== undefined;
    const shown = attempt(() => this.#renderMath?.(block ?? text ?? bracketed ?? parenthesized, isBlock));
    this.add(shown ?? whole);
    return at + whole.length;
  }

  #break() {
    const last = this.#nodes.at(-1);
    if (typeof last === "string") this.#nodes[this.#nodes.length - 1] = last.trimEnd();
    this.add(element("br"));
  }

  /**
   * @param {string} run
   * @param {number} at
   */
  #code(run, at) {
    const places = this.#ticks.get(run.length) ?? [];
    while (places.length && places[places.length - 1] <= at) places.pop();
    const end = places.at(-1);
    if (end === undefined) {
      this.add(run);
      return at + run.length;
    }
    const text = this.#text.slice(at + run.length, end).replaceAll("\n", " ");
    this.add(element("code", {}, /^ .*[^ ].* $/.test(text) ? text.slice(1, -1) : text));
    return end + run.length;
  }

  /**
   * An address in angle brackets. Anything else is text, tags of HTML included.
   *
   * @param {string} found
   * @param {number} at
   */
  #angle(found, at) {
    const inner = found.slice(1, -1);
    const isMail = /^[\w.+-]+@[\w-]+\.[\w.-]+$/.test(inner);
    const node = isMail || /^https?:/i.test(inner) ? link(isMail ? `mailto:${inner}` : inner, inner) : undefined;
    this.add(node ?? "<");
    return node ? at + found.length : at + 1;
  }

  /**
   * A bare address, without the punctuation of the sentence around it.
   *
   * @param {string} found
   * @param {number} at
   */
  #address(found, at) {
    const balanced = /^[^()]*(?:\([^()]*\)[^()]*)*/.exec(found)?.[0] ?? "";
    const address = balanced.replace(/[.,:;!?*_~"']+$/, "");
    this.add((this.#open["["] ? undefined : link(address, address)) ?? address);
    return at + address.length;
  }

  /** @param {string} mark */
  #push(mark) {
    this.#frames.push({ mark, start: this.#nodes.length });
    this.#open[mark] = (this.#open[mark] ?? 0) + 1;
    this.add(mark);
  }

  /** The marks of frames from this one on are text. @param {number} from */
  #forget(from) {
    for (const { mark } of this.#frames.splice(from)) this.#open[mark] -= 1;
  }

  /** The newest open frame with one of the marks, or -1. @param {string[]} marks */
  #find(...marks) {
    if (!marks.some((mark) => this.#open[mark] > 0)) return -1;
    return this.#frames.findLastIndex(({ mark }) => marks.includes(mark));
  }

  /** Closes a frame, and gives what is in it. @param {number} index */
  #take(index) {
    const nodes = this.#nodes.splice(this.#frames[index].start);
    this.#forget(index);
    return fragmentOf(nodes.slice(1));
  }

  /** @param {number} at of a closing bracket */
  #close(at) {
    const index = this.#find("[", "![");
    TARGET.lastIndex = at + 1;
    const target = index < 0 ? null : TARGET.exec(this.#text);
    if (!target) {
      if (index >= 0) this.#forget(index);
      this.add("]");
      return at + 1;
    }
    const end = TARGET.lastIndex;
    const isImage = this.#frames[index].mark === "![";
    const nodes = this.#take(index);
    const address = (target[1] ?? target[2]).replace(/\\([!-/:-@[-`{-~])/g, "$1");
    // An image is a link to it, as a strict policy loads none; within a link it is its text.
    const made = isImage && this.#open["["] ? undefined : link(address, nodes.hasChildNodes() ? nodes : address);
    if (made) this.#addLink(made);
    else this.add(nodes);
    return end;
  }

  /** There are no links in links. @param {Node} made */
  #addLink(made) {
    this.add(made);
    if (!this.#open["["]) return;
    this.#frames = this.#frames.filter(({ mark }) => mark !== "[");
    this.#open["["] = 0;
  }

  /**
   * @param {string} run of asterisks, of underscores, or two tildes
   * @param {number} at
   */
  #emphasis(run, at) {
    const [before, after] = [this.#text[at - 1] ?? " ", this.#text[at + run.length] ?? " "];
    const isInWord = run[0] === "_" && /[\p{L}\p{N}_]/u.test(before) && /[\p{L}\p{N}_]/u.test(after);
    let left = isInWord || /\s/.test(before) ? run : this.#closeEmphasis(run);
    if (isInWord || /\s/.test(after)) {
      this.add(left);
      return;
    }
    if (left.length % 2 === 1) this.#push(run[0]);
    for (left = left.slice(left.length % 2); left; left = left.slice(2)) this.#push(left.slice(0, 2));
  }

  /** What is left of a run when it has closed what it can. @param {string} run */
  #closeEmphasis(run) {
    const [one, two] = [run[0], run[0].repeat(2)];
    while (run) {
      const index = run === one ? this.#find(one) : this.#find(one, two);
      // What was opened and closed at once is text.
      if (index < 0 || this.#frames[index].start === this.#nodes.length - 1) break;
      const { mark } = this.#frames[index];
      const nodes = this.#take(index);
      this.add(element(TAGS[/** @type {keyof typeof TAGS} */ (mark)], {}, nodes));
      run = run.slice(mark.length);
    }
    return run;
  }
}

/**
 * @param {string} address
 * @param {Node | string} content
 */
function link(address, content) {
  let url;
  try {
    url = new URL(address, document.baseURI);
  } catch {
    return undefined;
  }
  if (!PROTOCOLS.has(url.protocol)) return undefined;
  const made = element("a", { href: url.href, target: "_blank", rel: "noopener noreferrer", part: "link" }, content);
  // Whoever reads one address is not led to another.
  const said = ADDRESS.exec(made.textContent ?? "")?.[0].trim().replace(/^(?:https?:\/\/)?(?:www\.)?/i, "");
  const host = url.host.replace(/^www\./, "");
  if (said !== undefined && said.toLowerCase() !== host) made.append(` (${url.host || url.href})`);
  return made;
}
