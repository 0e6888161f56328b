/**
 * Markdown as nodes: headings, lists, tables, quotes, code, links, emphasis. HTML in it stays text, and so does a link
 * that is neither http, https, mailto, tel nor of the page. Answers are untrusted, so no step makes markup of them, and
 * the time that any text takes grows with its length alone.
 *
 * @typedef {{lines: string[], at: number, depth: number, copy: string, headings: number[]}} Source
 */

import { element, fragmentOf } from "./interactor-chat-dom.js";
import { inline } from "./interactor-markdown-inline.js";

/** Quotes and lists within each other; what is deeper is text. */
const DEEPEST = 8;
/** The page around the chat has its own first heading. */
const FIRST_HEADING = 2;

const FENCE = /^( {0,3})(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])(?:([ \t]+)(.*))?$/;
const TASK = /^\[([ xX])\][ \t]+/;
const DELIMITERS = /^\|? *:?-+:?(?: *\| *:?-+:?)* *\|?$/;

/**
 * @param {string} text
 * @param {{copy?: string}} [texts] the text of the button of a block of code
 * @returns {DocumentFragment}
 */
export function renderMarkdown(text, { copy = "Copy" } = {}) {
  const lines = text.split(/\r\n|\r|\n/);
  return fragmentOf(blocks({ lines, at: 0, depth: 0, copy, headings: [] }));
}

/**
 * @param {Source} source
 * @returns {HTMLElement[]}
 */
function blocks(source) {
  const found = [];
  while (source.at < source.lines.length) {
    const line = source.lines[source.at];
    if (line.trim() === "") source.at += 1;
    else found.push(nested(source, line) ?? leaf(source, line));
  }
  return found;
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
  const heading = HEADING.exec(line);
  if (heading) {
    source.at += 1;
    return headingOf(source.headings, heading[1].length, (heading[2] ?? "").replace(/(^|[ \t])#+[ \t]*$/, ""));
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
 * @param {number[]} above
 * @param {number} depth
 * @param {string} text
 */
function headingOf(above, depth, text) {
  while (above.length && above[above.length - 1] >= depth) above.pop();
  above.push(depth);
  const level = Math.min(6, FIRST_HEADING + above.length - 1);
  const tag = /** @type {"h2"} */ (`h${level}`);
  return element(tag, { dir: "auto", class: `level-${depth}` }, inline(text.trim()));
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
  const copy = element("button", { type: "button", class: "small copy", part: "button copy" }, source.copy);
  const top = element("div", { class: "code-top" }, element("span", {}, about.trim().split(" ")[0]), copy);
  const block = element("pre", { part: "code", tabindex: "0" }, element("code", {}, text.join("\n")));
  return element("div", { class: "code-block", dir: "ltr" }, top, block);
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
  const least = indentOf(before) + 2;
  const items = [];
  const isNext = (/** @type {string} */ line) => {
    const item = RULE.test(line) ? null : ITEM.exec(line);
    return item !== null && indentOf(item[1]) < least && item[2].at(-1) === mark.at(-1) ? item : null;
  };
  let item;
  while ((item = isNext(source.lines[source.at] ?? ""))) {
    source.at += 1;
    const lines = [item[4] ?? "", ...restOfItem(source, least, indentOf(item[1]) + item[2].length + 1)];
    items.push(itemOf(source, lines));
  }
  const number = parseInt(mark);
  if (Number.isNaN(number)) return element("ul", { dir: "auto" }, fragmentOf(items));
  return element("ol", { dir: "auto", ...(number !== 1 && { start: String(number) }) }, fragmentOf(items));
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
  const found = within(source, lines);
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
  const row = (/** @type {"th" | "td"} */ tag, /** @type {string} */ line) => {
    const texts = cells(line);
    const made = sides.map((side, index) => {
      return element(tag, { dir: "auto", ...(side && { class: side }) }, inline(texts[index] ?? ""));
    });
    return element("tr", {}, fragmentOf(made));
  };
  const head = element("thead", {}, row("th", source.lines[source.at]));
  const body = element("tbody");
  for (source.at += 2; isText(source.lines[source.at]); source.at++) body.append(row("td", source.lines[source.at]));
  return element("div", { class: "table", tabindex: "0" }, element("table", { part: "table" }, head, body));
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
  return element("p", { dir: "auto" }, inline(lines.map((line) => line.trimStart()).join("\n").trimEnd()));
}

/** @param {string | undefined} line */
function isText(line) {
  return line !== undefined && line.trim() !== "" && !startsBlock(line);
}

/** @param {string} line */
function startsBlock(line) {
  const item = ITEM.exec(line);
  if (item) return item[4] !== undefined;
  return fenceOf(line) !== null || HEADING.test(line) || RULE.test(line) || QUOTE.test(line);
}
