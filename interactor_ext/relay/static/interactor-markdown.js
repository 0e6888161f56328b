/**
 * Markdown as nodes: headings, lists, tables, quotes, code, links, emphasis. HTML in it stays text, and so does a link
 * that is neither http, https, mailto, tel nor of the page. Answers are untrusted, so no step makes markup of them, and
 * the time that any text takes grows with its length alone.
 *
 * @typedef {{lines: string[], at: number, depth: number, options: Options, headings: number[], open?: Open}} Source
 * @typedef {import("./interactor-markdown.js").MarkdownOptions} Options
 * @typedef {object} Open a list or table that may go on
 * @property {number} at the line of its first item, or row
 * @property {readonly number[]} headings before it
 * @property {(source: Source) => Iterable<HTMLElement>} partsOf reads the items or rows at the start of a source
 * @property {(block: Node) => Node} parentIn their parent
 */

import { attempt, button, element, fragmentOf, renew } from "./interactor-chat-dom.js";
import { inline } from "./interactor-markdown-inline.js";

/** Quotes and lists within each other; what is deeper is text. */
const DEEPEST = 8;
/** The page around the chat has its own first heading. */
const FIRST_HEADING = 2;

const LINE_END = /\r\n|\r|\n/g;
const FENCE = /^( {0,3})(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const MATH = /^ {0,3}(?:\$\$(?!.*\$\$)|\\\[(?!.*\\\]))/;
const MATH_END = /(?:\$\$|\\\])[ \t]*$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])(?:([ \t]+)(.*))?$/;
const TASK = /^\[([ xX])\][ \t]+/;
const DELIMITERS = /^\|? *:?-+:?(?: *\| *:?-+:?)* *\|?$/;

/**
 * @param {string} text
 * @param {Options} [options]
 * @returns {DocumentFragment}
 */
export function renderMarkdown(text, options = {}) {
  return fragmentOf(blocks(sourceOf(text, options, [])));
}

/** Shows Markdown that grows at its end. What more text can't change stays as it is, and isn't parsed again. */
export class GrowingMarkdown {
  #node;
  #options;
  /** The settled text: what it shows can't change. */
  #text = "";
  /** How many blocks it has. */
  #count = 0;
  /** The depths of the headings that the next one may be below. @type {number[]} */
  #headings = [];
  /**
   * The list or table in which it ends, and how many items or rows of it are settled.
   *
   * @type {(Open & {parent: Node, count: number}) | undefined}
   */
  #open;

  /**
   * @param {Node} node
   * @param {Options} [options]
   */
  constructor(node, options = {}) {
    this.#node = node;
    this.#options = options;
  }

  /** @param {string} text all of it */
  show(text) {
    if (!text.startsWith(this.#text)) [this.#text, this.#count, this.#headings, this.#open] = ["", 0, [], undefined];
    const rest = text.slice(this.#text.length);
    const source = sourceOf(rest, this.#options, [...this.#headings]);
    let end = this.#goOn(source);
    const shown = this.#count + (this.#open ? 1 : 0);
    const found = [];
    for (const block of blocks(source)) {
      found.push(block);
      if (!isSettled(source)) continue;
      end = source.at;
      this.#settle(shown + found.length, source.headings);
    }
    renew(this.#node, fragmentOf(found), shown);
    const { open } = source;
    const count = shown + found.length - 1;
    if (open && this.#count <= count && open.at + 1 < source.lines.length) {
      end = open.at;
      this.#settle(count, open.headings, { ...open, parent: open.parentIn(this.#node.childNodes[count]), count: 0 });
    }
    this.#text += rest.slice(0, startOf(rest, end));
  }

  /**
   * Shows what is new of the list or table in which the settled text ends.
   *
   * @param {Source} source
   * @returns {number} the line up to which it is settled now
   */
  #goOn(source) {
    const open = this.#open;
    if (!open) return 0;
    let end = 0;
    const found = [];
    for (const part of open.partsOf(source)) {
      found.push(part);
      // An item ends before a line that is complete.
      if (source.at + 1 >= source.lines.length) continue;
      end = source.at;
      this.#settle(this.#count, source.headings, { ...open, count: open.count + found.length });
    }
    renew(open.parent, fragmentOf(found), open.count);
    if (!isSettled(source)) return end;
    this.#settle(this.#count + 1, source.headings);
    return source.at;
  }

  /**
   * @param {number} count
   * @param {readonly number[]} headings
   * @param {Open & {parent: Node, count: number}} [open]
   */
  #settle(count, headings, open) {
    this.#count = count;
    this.#headings = [...headings];
    this.#open = open;
  }
}

/**
 * Whether more text can't change the block that was just read. Where it ends depends on the two lines after it, so these must
 * be complete, too.
 *
 * @param {Source} source
 */
function isSettled({ at, lines }) {
  return at + 2 < lines.length;
}

/**
 * @param {string} text
 * @param {Options} options
 * @param {number[]} headings
 * @returns {Source}
 */
function sourceOf(text, options, headings) {
  return { lines: text.split(LINE_END), at: 0, depth: 0, options, headings };
}

/**
 * Where a line of a text starts.
 *
 * @param {string} text
 * @param {number} line
 */
function startOf(text, line) {
  LINE_END.lastIndex = 0;
  for (; line > 0; line--) LINE_END.exec(text);
  return LINE_END.lastIndex;
}

/**
 * @param {Source} source
 * @returns {Generator<HTMLElement>}
 */
function* blocks(source) {
  while (source.at < source.lines.length) {
    const line = source.lines[source.at];
    if (line.trim() === "") {
      source.at += 1;
    } else {
      source.open = undefined;
      yield nested(source, line) ?? leaf(source, line);
    }
  }
}

/**
 * @param {Source} source
 * @param {string} line
 */
function nested(source, line) {
  if (source.depth >= DEEPEST) return undefined;
  if (QUOTE.test(line)) return quote(source);
  return !RULE.test(line) && ITEM.test(line) ? list(source) : undefined;
}

/**
 * @param {Source} source
 * @param {string} line
 */
function leaf(source, line) {
  if (fenceOf(line)) return code(source);
  if (MATH.test(line)) return math(source);
  const heading = HEADING.exec(line);
  if (heading) {
    source.at += 1;
    return headingOf(source, heading[1].length, (heading[2] ?? "").replace(/(^|[ \t])#+[ \t]*$/, ""));
  }
  if (RULE.test(line)) {
    source.at += 1;
    return element("hr");
  }
  return isTable(source) ? table(source) : paragraph(source);
}

/**
 * A heading is at most one level below the one before it, as screen readers expect.
 *
 * @param {Source} source
 * @param {number} depth
 * @param {string} text
 */
function headingOf({ headings: above, options }, depth, text) {
  while (above.length && above[above.length - 1] >= depth) above.pop();
  above.push(depth);
  const level = Math.min(6, FIRST_HEADING + above.length - 1);
  const tag = /** @type {"h2"} */ (`h${level}`);
  return element(tag, { dir: "auto", class: `level-${depth}` }, inline(text.trim(), options));
}

/** The parts of the line that opens a block of code. @param {string} line */
function fenceOf(line) {
  const fence = FENCE.exec(line);
  return fence?.[2].startsWith("`") && fence[3].includes("`") ? null : fence;
}

/** @param {Source} source */
function code(source) {
  const [, indent, fence, about] = /** @type {RegExpExecArray} */ (fenceOf(source.lines[source.at]));
  const end = new RegExp(`^ {0,3}\\${fence[0]}{${fence.length},} *$`);
  const spaces = new RegExp(`^ {0,${indent.length}}`);
  const text = [];
  for (source.at += 1; source.at < source.lines.length; source.at++) {
    if (end.test(source.lines[source.at])) {
      source.at += 1;
      break;
    }
    text.push(source.lines[source.at].replace(spaces, ""));
  }
  const [language] = about.trim().split(" ");
  const { copy = "Copy", onCopy, highlightCode } = source.options;
  const whole = text.join("\n");
  const shown = (highlightCode && attempt(() => highlightCode(whole, language))) ?? whole;
  const block = element("pre", { part: "code", tabindex: "0" }, element("code", {}, shown));
  const top = element("div", { class: "code-top" }, element("span", {}, language));
  if (onCopy) {
    const copies = button("copy", () => onCopy(copies.closest(".code-block")?.querySelector("pre")?.textContent ?? "", copies));
    copies.append(copy);
    top.append(copies);
  }
  return element("div", { class: "code-block", dir: "ltr" }, top, block);
}

/** A formula on lines of its own, up to an empty line. @param {Source} source */
function math(source) {
  const lines = [source.lines[source.at]];
  let isOpen = true;
  for (source.at += 1; isOpen && source.lines[source.at]?.trim(); source.at++) {
    isOpen = !MATH_END.test(source.lines[source.at]);
    lines.push(source.lines[source.at]);
  }
  return element("p", { dir: "ltr", class: "text" }, inline(lines.join("\n"), source.options));
}

/** @param {Source} source */
function quote(source) {
  const lines = [];
  for (; QUOTE.test(source.lines[source.at] ?? ""); source.at++) lines.push(source.lines[source.at].replace(QUOTE, ""));
  return element("blockquote", { dir: "auto" }, fragmentOf(within(source, lines)));
}

/**
 * @param {Source} source
 * @param {string[]} lines
 */
function within(source, lines) {
  return blocks({ ...source, lines, at: 0, depth: source.depth + 1 });
}

/** @param {Source} source */
function list(source) {
  const [, before, mark] = /** @type {RegExpExecArray} */ (ITEM.exec(source.lines[source.at]));
  const partsOf = (/** @type {Source} */ source) => items(source, mark, indentOf(before) + 2);
  const open = { at: source.at, headings: [...source.headings], partsOf, parentIn: (/** @type {Node} */ block) => block };
  const found = fragmentOf(partsOf(source));
  source.open = open;
  const number = parseInt(mark);
  if (Number.isNaN(number)) return element("ul", { dir: "auto" }, found);
  return element("ol", { dir: "auto", ...(number !== 1 && { start: String(number) }) }, found);
}

/**
 * @param {Source} source
 * @param {string} mark of the first
 * @param {number} least spaces before what belongs to an item
 */
function* items(source, mark, least) {
  const isNext = (/** @type {string} */ line) => {
    const item = RULE.test(line) ? null : ITEM.exec(line);
    return item !== null && indentOf(item[1]) < least && item[2].at(-1) === mark.at(-1) ? item : null;
  };
  let item;
  while ((item = isNext(source.lines[source.at] ?? ""))) {
    source.at += 1;
    const lines = [item[4] ?? "", ...restOfItem(source, least, indentOf(item[1]) + item[2].length + 1)];
    yield itemOf(source, lines);
  }
}

/**
 * The lines below the first that belong to an item: indented ones, those of its paragraph, empty ones in between.
 *
 * @param {Source} source
 * @param {number} least spaces before what belongs to it
 * @param {number} most spaces to take away
 */
function restOfItem(source, least, most) {
  const lines = [];
  const spaces = new RegExp(`^(?:\\t| {0,${most}})`);
  for (; source.at < source.lines.length; source.at++) {
    const line = source.lines[source.at];
    const isIndented = indentOf(/^[ \t]*/.exec(line)?.[0] ?? "") >= least;
    const isEmpty = line.trim() === "";
    const isAfterEmpty = lines.length > 0 && lines[lines.length - 1] === "";
    if (!isIndented && !isEmpty && (isAfterEmpty || startsBlock(line))) break;
    lines.push(isEmpty ? "" : line.replace(spaces, ""));
  }
  return lines;
}

/** @param {string} spaces */
function indentOf(spaces) {
  return spaces.replaceAll("\t", "    ").length;
}

/**
 * @param {Source} source
 * @param {string[]} lines
 */
function itemOf(source, lines) {
  const task = TASK.exec(lines[0]);
  if (task) lines[0] = `${task[1] === " " ? "☐" : "☑"} ${lines[0].slice(task[0].length)}`;
  const found = [...within(source, lines)];
  const item = element("li", {}, fragmentOf(found));
  // Its first paragraph is its own text.
  const [first] = found;
  if (first?.tagName === "P") first.replaceWith(fragmentOf(Array.from(first.childNodes)));
  return item;
}

/** @param {Source} source */
function isTable({ lines, at }) {
  const next = lines[at + 1] ?? "";
  if (!lines[at].includes("|") || !next.includes("-") || !DELIMITERS.test(next.trim())) return false;
  return cells(lines[at]).length === cells(next).length;
}

/** @param {Source} source */
function table(source) {
  const sides = cells(source.lines[source.at + 1]).map(sideOf);
  const head = element("thead", {}, row("th", sides, source.lines[source.at], source.options));
  source.at += 2;
  const partsOf = (/** @type {Source} */ source) => rows(source, sides);
  const parentIn = (/** @type {any} */ block) => block.querySelector("tbody");
  source.open = { at: source.at, headings: [...source.headings], partsOf, parentIn };
  const body = element("tbody", {}, fragmentOf(partsOf(source)));
  return element("div", { class: "table", tabindex: "0" }, element("table", { part: "table" }, head, body));
}

/**
 * @param {Source} source
 * @param {string[]} sides
 */
function* rows(source, sides) {
  for (let line; isText((line = source.lines[source.at])); ) {
    source.at += 1;
    yield row("td", sides, line, source.options);
  }
}

/**
 * @param {"th" | "td"} tag
 * @param {string[]} sides
 * @param {string} line
 * @param {Options} options
 */
function row(tag, sides, line, options) {
  const texts = cells(line);
  const made = sides.map((side, index) => {
    return element(tag, { dir: "auto", ...(side && { class: side }) }, inline(texts[index] ?? "", options));
  });
  return element("tr", {}, fragmentOf(made));
}

/** @param {string} delimiter */
function sideOf(delimiter) {
  if (!delimiter.endsWith(":")) return "";
  return delimiter.startsWith(":") ? "center" : "end";
}

/** @param {string} line */
function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/([^\\]|^)\|$/, "$1");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** @param {Source} source */
function paragraph(source) {
  const lines = [source.lines[source.at]];
  for (source.at += 1; isText(source.lines[source.at]) && !isTable(source); source.at++) lines.push(source.lines[source.at]);
  return element("p", { dir: "auto" }, inline(lines.map((line) => line.trimStart()).join("\n").trimEnd(), source.options));
}

/** @param {string | undefined} line */
function isText(line) {
  return line !== undefined && line.trim() !== "" && !startsBlock(line);
}

/** @param {string} line */
function startsBlock(line) {
  const item = ITEM.exec(line);
  if (item) return item[4] !== undefined;
  return fenceOf(line) !== null || MATH.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line);
}
