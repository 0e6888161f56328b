/**
 * What a halted workflow asks, as a form: a decision, a choice, fields; or the input as JSON where none is known.
 *
 * Inputs have no `name`: one of a field named "reportValidity" would hide the method of the form.
 *
 * @typedef {import("./interactor-chat.js").InteractorChatTexts} Texts
 * @typedef {import("./interactor-types.js").HaltingPresentation} HaltingPresentation
 * @typedef {{name: string, type: string, label?: string | null, required?: boolean | null, options?: unknown}} Field
 * @typedef {{name: string, node: HTMLElement, value: () => unknown}} Control `undefined` where nothing was entered
 */

import { element } from "./interactor-chat-dom.js";

/** The input of a choice or a decision that names no key. */
const CHOSEN = "selection";
const APPROVED = "approved";
/** The control that gives the whole input. */
const ANYTHING = "";
/** @type {Record<string, Record<string, string>>} */
const INPUTS = {
  number: { type: "number", step: "any" },
  integer: { type: "number", step: "1" },
  date: { type: "date" },
  time: { type: "time" },
  email: { type: "email" },
  url: { type: "url" },
};

/**
 * @param {HaltingPresentation} presentation
 * @param {Texts} texts
 * @param {(input: Record<string, unknown>) => void} submit
 */
export function presentationForm(presentation, texts, submit) {
  const said = { ...presentation.config, ...withoutNulls(presentation) };
  const title = String(said.title ?? texts.question);
  const form = element("form", { part: "form", "aria-labelledby": "question" });
  form.append(element("p", { id: "question", part: "form-title", dir: "auto" }, title));
  if (said.description) form.append(element("p", { part: "form-description", dir: "auto" }, String(said.description)));
  const decided = said.type === "approval" ? nameOf(said, APPROVED) : undefined;
  const controls = controlsOf(said, presentation, texts).filter(({ name }) => name !== decided);
  form.append(...controls.map((control) => control.node));
  if (decided === undefined) {
    form.append(element("div", { class: "actions" }, button("submit", texts.submit, "primary")));
  } else {
    const decide = (/** @type {boolean} */ isApproved) => () => {
      if (form.reportValidity()) submit({ ...inputOf(controls), [decided]: isApproved });
    };
    const [approve, reject] = [button("button", texts.approve, "primary"), button("button", texts.reject)];
    approve.addEventListener("click", decide(true));
    reject.addEventListener("click", decide(false));
    form.append(element("div", { class: "actions" }, approve, reject));
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // Enter in a field is no decision.
    if (decided === undefined) submit(inputOf(controls));
  });
  return form;
}

/**
 * @param {Record<string, any>} said
 * @param {HaltingPresentation} presentation
 * @param {Texts} texts
 * @returns {Control[]}
 */
function controlsOf(said, presentation, texts) {
  const controls = listOf(said.fields)
    .filter((field) => typeof field?.name === "string" && field.name !== ANYTHING)
    .map((field) => control(field, texts));
  if (said.type === "approval") return controls;
  const options = listOf(said.options);
  if (said.type === "selection" && options.length) return [...controls, choice(nameOf(said, CHOSEN), options)];
  if (said.type === "form" && controls.length) return controls;
  return [anyInput(presentation, texts)];
}

/**
 * @param {Record<string, any>} said
 * @param {string} otherwise
 * @returns {string}
 */
function nameOf({ name }, otherwise) {
  return typeof name === "string" ? name : otherwise;
}

/**
 * @param {string} type
 * @param {string} text
 * @param {string} [kind]
 */
function button(type, text, kind = "") {
  return element("button", { type, part: `button ${kind}`.trim(), class: kind }, text);
}

/**
 * @param {Field} field
 * @param {Texts} texts
 * @returns {Control}
 */
function control({ name, type, label, required, options }, texts) {
  const text = String(label ?? name);
  if (type === "boolean") {
    // A required one must be in the input, not be true.
    const box = element("input", { type: "checkbox" });
    const node = element("label", { class: "check" }, box, element("span", { dir: "auto" }, text));
    return { name, value: () => box.checked, node };
  }
  const values = listOf(options);
  const input = values.length ? dropDown(values) : entry(type);
  input.required = required === true;
  const value = () => {
    if (input.value === "") return undefined;
    if (values.length) return valueOf(values[Number(input.value)]);
    return INPUTS[type]?.type === "number" ? Number(input.value) : input.value;
  };
  const node = labelled(text, input);
  // Screen readers are told by the attribute.
  if (input.required) node.firstElementChild?.append(" ", element("span", { class: "required", "aria-hidden": "true" }, `(${texts.required})`));
  return { name, value, node };
}

/** @param {string} type */
function entry(type) {
  if (type === "textarea" || type === "multiline") return element("textarea", { rows: "3" });
  return element("input", { autocomplete: "off", ...(INPUTS[type] ?? { type: "text" }) });
}

/** @param {unknown[]} values */
function dropDown(values) {
  const options = values.map((each, index) => element("option", { value: String(index) }, labelOf(each)));
  return element("select", {}, element("option", { value: "" }), ...options);
}

/**
 * @param {string} name
 * @param {unknown[]} options
 * @returns {Control}
 */
function choice(name, options) {
  const radios = options.map((_, index) =>
    element("input", { type: "radio", name: "choice", value: String(index), required: "" }),
  );
  const labels = options.map((option, index) =>
    element("label", { class: "check" }, radios[index], element("span", { dir: "auto" }, labelOf(option))),
  );
  const node = element("div", { role: "radiogroup", "aria-labelledby": "question", class: "choice" }, ...labels);
  const value = () => valueOf(options[radios.findIndex((radio) => radio.checked)]);
  return { name, value, node };
}

/**
 * For what no form is known: any JSON object.
 *
 * @param {HaltingPresentation} presentation
 * @param {Texts} texts
 * @returns {Control}
 */
function anyInput(presentation, texts) {
  const area = element("textarea", { rows: "4", spellcheck: "false", dir: "ltr", class: "code" }, "{}");
  const read = () => {
    try {
      const input = JSON.parse(area.value);
      return typeof input === "object" && !Array.isArray(input) ? input : null;
    } catch {
      return null;
    }
  };
  area.addEventListener("input", () => area.setCustomValidity(read() === null ? texts.invalidInput : ""));
  const known = element("pre", { dir: "ltr" }, JSON.stringify(presentation, null, 2));
  return { name: ANYTHING, value: read, node: element("div", { class: "anything" }, known, labelled(texts.anyInput, area)) };
}

/**
 * @param {Control[]} controls
 * @returns {Record<string, unknown>}
 */
function inputOf(controls) {
  const entered = Object.fromEntries(controls.map(({ name, value }) => [name, value()]));
  const { [ANYTHING]: anything, ...named } = entered;
  return { ...named, .../** @type {object | undefined} */ (anything) };
}

/**
 * @param {string} text
 * @param {HTMLElement} input
 */
function labelled(text, input) {
  return element("label", {}, element("span", { dir: "auto" }, text), input);
}

/** @param {unknown} option a value, or an object with `value` and `label` */
function valueOf(option) {
  return /** @type {any} */ (option)?.value ?? option;
}

/** @param {any} option */
function labelOf(option) {
  return String(option?.label ?? option?.value ?? option);
}

/**
 * @param {unknown} value
 * @returns {any[]}
 */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/** @param {object} value */
function withoutNulls(value) {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null));
}
