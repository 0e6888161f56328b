/**
 * The calls of tools in a message: a name and a state each, and what the call was given and gave if the relay sends it.
 *
 * What a call that waits for a decision needs belongs into its card, below the summary.
 *
 * @typedef {import("./interactor-chat.js").InteractorChatTexts} Texts
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 */

import { element, setText } from "./interactor-chat-dom.js";
import { filled } from "./interactor-chat-texts.js";

/** @type {Record<string, string>} */
const MARKS = { pending: "…", completed: "✓", failed: "✕" };

/** @param {ToolCall} call */
export function makeTool(call) {
  const mark = element("span", { class: "mark", "aria-hidden": "true" });
  const parts = [mark, element("span", { dir: "auto" }), element("span", { class: "state" })];
  if (!hasDetails(call)) return element("div", { class: "tool", part: "tool" }, element("div", { class: "summary" }, ...parts));
  const value = () => element("dd", {}, element("pre", { dir: "ltr" }));
  const details = element("dl", {}, element("dt"), value(), element("dt"), value());
  const summary = element("summary", { class: "summary" }, ...parts);
  return element("details", { class: "tool", part: "tool" }, summary, details);
}

/** The call as `showEach` knows it: with details it is another node. @param {ToolCall} call */
export function toolKey(call) {
  return `${call.id}${hasDetails(call) ? " with details" : ""}`;
}

/**
 * @param {HTMLElement} node
 * @param {ToolCall} call
 * @param {Texts} texts
 * @param {string | undefined} label
 */
export function drawTool(node, call, texts, label) {
  const [summary, details] = node.children;
  const [mark, name, state] = summary.children;
  node.dataset.status = call.status;
  setText(mark, MARKS[call.status] ?? "");
  setText(name, filled(texts.tool, { name: label ?? call.tool_name ?? texts.unnamedTool }));
  setText(state, texts.toolStatuses[call.status] ?? call.status);
  if (!details) return;
  const [argumentsName, argumentsText, resultName, resultText] = /** @type {HTMLElement[]} */ (Array.from(details.children));
  drawValue(argumentsName, argumentsText, texts.arguments, call.arguments);
  drawValue(resultName, resultText, texts.result, call.result);
}

/** @param {ToolCall} call */
function hasDetails(call) {
  return call.arguments !== undefined || call.result !== undefined;
}

/**
 * @param {HTMLElement} term
 * @param {HTMLElement} text
 * @param {string} name
 * @param {unknown} value
 */
function drawValue(term, text, name, value) {
  term.hidden = text.hidden = value === undefined;
  setText(term, name);
  setText(text.children[0], JSON.stringify(value, null, 2) ?? "");
}
