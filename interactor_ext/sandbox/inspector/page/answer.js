// What a halted workflow asks of a person: buttons, a form or a choice, as its presentation says.

import { button, element, readJson } from "./dom.js";

const SELECTED = "selection";

/**
 * The question of an instance, with `send(input)` to answer it and `trigger(event)` for the events that it takes.
 * What a presentation says may stand in its `config` or beside it.
 */
export function question(presentation, events, { send, trigger }) {
  const said = { ...presentation.config, ...presentation };
  const root = element("div", { class: "question" }, element("h2", {}, said.title ?? "Waiting for input"));
  if (said.description) root.append(element("p", {}, said.description));
  root.append(form(said, send));
  if (events.length > 0) {
    root.append(element("p", { class: "buttons" }, "Or trigger an event: ", ...eventButtons(events, trigger)));
  }
  root.append(freeAnswer(send));
  return root;
}

export function eventButtons(events, trigger) {
  return events.map((event) => button(event, () => trigger(event)));
}

function form(said, send) {
  const fields = listOf(said.fields).filter((field) => typeof field?.name === "string");
  const inputs = said.type === "approval" ? fields.filter((field) => field.name !== "approved") : fields;
  const controls = inputs.map(control);
  const node = element("form", {}, ...controls.map((each) => each.node));
  const values = () => {
    const pairs = controls.map((each) => [each.name, each.value()]);
    return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
  };
  if (said.type === "approval") {
    const decide = (approved) => () => node.reportValidity() && send({ ...values(), approved });
    const buttons = [button("Approve", decide(true), "primary"), button("Reject", decide(false))];
    node.append(element("p", { class: "buttons" }, ...buttons));
  } else if (said.type === "selection") {
    const name = typeof said.name === "string" ? said.name : SELECTED;
    const choose = (value) => () => node.reportValidity() && send({ ...values(), [name]: value });
    const options = listOf(said.options).map((option) => button(labelOf(option), choose(option?.value ?? option)));
    node.append(element("p", { class: "buttons" }, ...options));
  } else if (inputs.length > 0) {
    node.append(element("p", { class: "buttons" }, element("button", { class: "primary" }, "Submit")));
  }
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    if (said.type !== "approval" && said.type !== "selection") send(values());
  });
  return node;
}

/** A labelled input, and how to read it: undefined where nothing was entered. */
function control({ name, type, label, required, options }) {
  const text = element("span", {}, label ?? name);
  if (type === "boolean") {
    const input = element("input", { type: "checkbox", name });
    return { name, value: () => input.checked, node: element("label", { class: "check" }, input, text) };
  }
  const input = listOf(options).length > 0 ? choice(name, options) : entry(name, type);
  input.required = required === true;
  const value = () => (input.value === "" ? undefined : isNumber(type) ? Number(input.value) : input.value);
  return { name, value, node: element("label", {}, text, input) };
}

function entry(name, type) {
  if (isNumber(type)) return element("input", { type: "number", step: type === "integer" ? "1" : "any", name });
  return element("input", { type: type === "date" ? "date" : "text", name });
}

function choice(name, options) {
  const nodes = options.map((option) => element("option", { value: String(option?.value ?? option) }, labelOf(option)));
  return element("select", { name }, element("option", { value: "" }, ""), ...nodes);
}

/** For what no form asks: any JSON object. */
function freeAnswer(send) {
  const area = element("textarea", { rows: 3, "aria-label": "Answer as JSON", spellcheck: "false" }, "{}");
  const node = element("form", {}, area, element("p", { class: "buttons" }, element("button", {}, "Send this object")));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    const value = readJson(area);
    if (value !== undefined) send(value);
  });
  return element("details", {}, element("summary", {}, "Answer with JSON"), node);
}

function labelOf(option) {
  return String(option?.label ?? option?.value ?? option);
}

function listOf(value) {
  return Array.isArray(value) ? value : [];
}

function isNumber(type) {
  return type === "number" || type === "integer";
}
