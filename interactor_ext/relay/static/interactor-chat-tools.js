/**
 * The calls of tools in a message: a name and a state each, and what the call was given and gave if the relay sends it. A call
 * that waits for a decision of the user has a card, which shows what the tool's author chose to show.
 *
 * @typedef {import("./interactor-chat-messages.js").View} View
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 */

import { element, filled, setText, showEach } from "./interactor-chat-dom.js";
import { errorText } from "./interactor-chat-texts.js";

/** @type {Record<string, string>} */
const MARKS = { pending: "…", completed: "✓", failed: "✕" };
/** Characters of a value; the rest of a longer one is a click away. */
const LONGEST_SHOWN = 200;
/** Of the relay, for a reason. */
const LONGEST = "1000";

/** @param {ToolCall} call */
export function makeTool(call) {
  const mark = element("span", { class: "mark", "aria-hidden": "true" });
  const parts = [mark, element("span", { dir: "auto" }), element("span", { class: "state" })];
  const isFolded = hasDetails(call);
  const summary = element(isFolded ? "summary" : "div", { class: "summary" }, ...parts);
  const value = () => element("dd", {}, element("pre", { dir: "ltr" }));
  const details = isFolded ? [element("dl", {}, element("dt"), value(), element("dt"), value())] : [];
  return element("div", { class: "tool", part: "tool" }, element(isFolded ? "details" : "div", {}, summary, ...details));
}

/** The call as `showEach` knows it: with details it is another node. @param {ToolCall} call */
export function toolKey(call) {
  return `${call.id}${hasDetails(call) ? " with details" : ""}`;
}

/**
 * @param {HTMLElement} node
 * @param {ToolCall} call
 * @param {Pick<View, "texts" | "labelOf" | "approve" | "reject">} view
 */
export function drawTool(node, call, view) {
  const { texts } = view;
  const [summary, details] = node.children[0].children;
  const [mark, name, state] = summary.children;
  const label = filled(texts.tool, { name: view.labelOf(call) ?? call.tool_name ?? texts.unnamedTool });
  const { status = "" } = call;
  node.dataset.status = status;
  setText(mark, MARKS[status] ?? "");
  setText(name, label);
  setText(state, texts.toolStatuses[status] ?? status);
  if (details) {
    const [argumentsName, argumentsText, resultName, resultText] = /** @type {HTMLElement[]} */ (Array.from(details.children));
    drawValue(argumentsName, argumentsText, texts.arguments, call.arguments);
    drawValue(resultName, resultText, texts.result, call.result);
  }
  if (call.approval && !node.children[1]) node.append(makeCard(call.id, view));
  const card = /** @type {HTMLElement | undefined} */ (node.children[1]);
  if (call.approval && card) drawCard(card, call.approval, texts, label);
  else card?.remove();
}

/**
 * @param {string} id of the call
 * @param {Pick<View, "approve" | "reject">} view
 */
function makeCard(id, view) {
  const title = element("p", { part: "approval-title" });
  const reason = element("input", { autocomplete: "off", maxlength: LONGEST, dir: "auto" });
  const approve = element("button", { type: "button", class: "primary", part: "button primary approve" });
  const reject = element("button", { type: "button", part: "button reject" });
  approve.addEventListener("click", () => view.approve(id));
  reject.addEventListener("click", () => view.reject(id, reason.value.trim()));
  const decision = element("div", { class: "decision" }, element("label", {}, element("span"), reason));
  decision.append(element("div", { class: "actions" }, approve, reject));
  const problem = element("div", { class: "problem", part: "error", role: "alert" });
  const shown = element("dl", { part: "approval-arguments" });
  return element("div", { class: "approval", part: "approval", role: "group" }, title, shown, decision, problem);
}

/**
 * @param {HTMLElement} card
 * @param {import("./interactor-chat-session.js").ChatApproval} approval
 * @param {View["texts"]} texts
 * @param {string} label
 */
function drawCard(card, { shown, state, isChanged, error }, texts, label) {
  const [title, list, decision, problem] = /** @type {HTMLElement[]} */ (Array.from(card.children));
  card.ariaLabel = label;
  setText(title, isChanged ? texts.changed : texts.needsApproval);
  title.hidden = decision.hidden = state === "decided";
  showEach(list, Object.entries(shown), {
    key: ([name]) => name,
    make: makeValue,
    update: ({ children }, [name, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
      const [short, long] = /** @type {HTMLElement[]} */ (Array.from(children[1].children));
      setText(children[0], name);
      short.hidden = text.length > LONGEST_SHOWN;
      long.hidden = !short.hidden;
      short.className = value !== null && typeof value === "object" ? "code" : "";
      setText(short.hidden ? long.children[0] : short, text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text);
      setText(long.children[1], long.hidden ? "" : text);
    },
  });
  const [reason, approve, reject] = decision.querySelectorAll("span, button");
  setText(reason, texts.reason);
  setText(approve, texts.approve);
  setText(reject, texts.reject);
  approve.ariaDisabled = reject.ariaDisabled = String(state === "sending");
  setText(problem, state === "decided" ? texts.decided : error ? errorText(texts, error) : "");
}

/** A name, and its value, short or folded. */
function makeValue() {
  const long = element("details", {}, element("summary", { dir: "auto" }), element("pre", { dir: "auto" }));
  const value = element("dd", {}, element("span", { dir: "auto" }), long);
  return element("div", {}, element("dt", { dir: "auto" }), value);
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
