// The control panel: forms that change how the sandbox behaves, and what is in force.

import { at, button, element, fill, fillRows, passage, pretty, readJson } from "./dom.js";
import { tell } from "./rows.js";
import { call, perform, read, send } from "./server.js";

/** Fill the choices with what the contract has, and listen to the forms. */
export async function startControl() {
  onSubmit("clock", advance);
  onSubmit("event", publish);
  onSubmit("fault", addFault);
  onSubmit("expiry", expire);
  onSubmit("reply", addReply);
  at("clear-faults").addEventListener("click", () => {
    perform(() => send("DELETE", "faults"), outcomeOf(at("fault")), () => "No active faults.");
  });
  at("reset").addEventListener("click", () => {
    at("reset-dialog").returnValue = "";
    at("reset-dialog").showModal();
  });
  at("reset-dialog").addEventListener("close", () => {
    if (at("reset-dialog").returnValue !== "reset") return;
    perform(() => send("POST", "reset"), at("reset-outcome"), () => "The sandbox was reset.");
  });
  const { kinds, operations, events } = await read("contract");
  at("fault").elements.kind.append(...kinds.map((kind) => option(kind)));
  at("fault").elements.operation.append(...operations.map((operation) => option(operation)));
  at("fault").elements.kind.value = "status";
  at("fault").elements.kind.addEventListener("change", showFaultFields);
  showFaultFields();
  const { event, data } = at("event").elements;
  event.append(...Object.keys(events).map((name) => option(name)));
  const showExample = () => (data.value = pretty(events[event.value]));
  event.addEventListener("change", showExample);
  showExample();
}

export function showControl({ time, faults, replies, credentials, tool_calls: calls, counts }) {
  at("clock-now").dateTime = time;
  at("clock-now").textContent = new Date(time).toLocaleString();
  tell("faults", faults.length, counts.faults);
  fillRows(at("fault-list"), faults, (fault) => fault.id, faultRow, "No active faults.");
  tell("replies", replies.length, counts.replies);
  fillRows(at("reply-list"), replies, (reply) => reply.id, replyRow, "No scripted replies.");
  tell("tool_calls", calls.length, counts.tool_calls);
  fillRows(at("tool-call-list"), calls, (each) => each.id, toolCallRow, "No pending tool calls.");
  const active = credentials.filter((each) => each.status === "active").map(credentialOption);
  const choices = active.length > 0 ? active : [{ value: "", text: "no active credentials" }];
  fill(at("expiry").elements.credential, choices, ({ value }) => value, ({ value, text }) => option(value, text));
}

function onSubmit(id, act) {
  const form = at(id);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form.elements, outcomeOf(form));
  });
}

function outcomeOf(form) {
  return form.querySelector(".outcome");
}

function option(value, text = value) {
  return element("option", { value }, text);
}

function advance({ amount, unit }, outcome) {
  const seconds = Number(amount.value) * Number(unit.value);
  const told = ({ time }) => `The time is now ${new Date(time).toLocaleString()}.`;
  perform(() => send("POST", "clock", { advance: seconds }), outcome, told);
}

function publish({ event, namespace, data }, outcome) {
  const given = readJson(data);
  if (given === undefined) return;
  const body = { event: event.value, namespace: namespace.value, data: given };
  perform(() => send("POST", "events", body), outcome, ({ id }) => `Published as ${id}.`);
}

function showFaultFields() {
  const form = at("fault");
  for (const label of form.querySelectorAll("[data-for]")) {
    label.hidden = !label.dataset.for.split(" ").includes(form.elements.kind.value);
    label.querySelector("input").disabled = label.hidden;
  }
}

function addFault(fields, outcome) {
  const numbers = ["status", "retry_after", "after_events", "skew", "latency"];
  const given = numbers.filter((name) => !fields[name].disabled && fields[name].value !== "");
  const body = {
    kind: fields.kind.value,
    operation: fields.operation.value || null,
    namespace: fields.namespace.value || null,
    times: fields.times.value === "" ? null : Number(fields.times.value),
    ...Object.fromEntries(given.map((name) => [name, Number(fields[name].value)])),
  };
  perform(() => send("POST", "faults", body), outcome, () => "Fault added.");
}

function faultRow(fault) {
  const what = fault.kind === "status" ? `status ${fault.status}` : fault.kind;
  const facts = [
    fault.operation ?? "every operation",
    fault.namespace === null ? "" : `in ${fault.namespace}`,
    fault.latency ? `delayed by ${fault.latency} s` : "",
    fault.left === null ? "until removed" : `${fault.left} more`,
    fault.probability < 1 ? `probability ${fault.probability}` : "",
  ];
  return removable(what, facts, `faults/${fault.id}`, "fault");
}

function addReply(fields, outcome) {
  const body = {};
  for (const name of ["say", "then", "assistant", "room", "namespace"]) {
    if (fields[name].value !== "") body[name] = fields[name].value;
  }
  if (fields.when.value !== "") body[fields.is_pattern.checked ? "pattern" : "when"] = fields.when.value;
  if (fields.times.value !== "") body.times = Number(fields.times.value);
  if (fields.tool.value !== "") {
    const given = readJson(fields.arguments);
    if (given === undefined) return;
    body.call = [fields.tool.value, given];
  }
  perform(() => send("POST", "replies", body), outcome, () => "Reply added.");
}

function replyRow(reply) {
  const when = reply.pattern === null ? reply.when : `/${reply.pattern}/`;
  const facts = [
    reply.say,
    Array.isArray(reply.call) ? `calls ${reply.call[0]}` : "",
    reply.then && `then: ${reply.then}`,
    ...["assistant", "room", "namespace"].map((name) => reply[name] && `${name} ${reply[name]}`),
    reply.left === null ? "" : `${reply.left} more`,
  ];
  return removable(when ?? "any message", facts, `replies/${reply.id}`, "reply");
}

/** A row with a button that removes what it shows. `form` is where the outcome is told. */
function removable(title, facts, path, form) {
  const remove = button("Remove", () => perform(() => send("DELETE", path), outcomeOf(at(form)), () => "Removed."));
  remove.setAttribute("aria-label", `Remove the ${form}: ${title}`);
  const text = element("span", { class: "long" }, facts.filter(Boolean).join(" · "));
  return element("li", {}, element("div", { class: "line" }, element("strong", {}, title), text, remove));
}

function toolCallRow(tool) {
  const room = element("a", { href: `#rooms/${tool.room_id}` }, tool.room_id);
  const where = element("p", {}, "in ", room, ` of ${tool.namespace || "(none)"}`);
  const area = element("textarea", { rows: 3, name: "result", spellcheck: "false" }, "{}");
  const label = element("label", {}, "Result as JSON; an object with error marks the call as failed", area);
  const submit = element("button", { class: "primary" }, "Send the result");
  const form = element("form", {}, label, element("p", { class: "buttons" }, submit));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const result = readJson(area);
    if (result === undefined) return;
    const body = { tool_call_id: tool.id, result };
    const answer = () => call("submit_tool_result", tool.namespace, { room_id: tool.room_id }, body);
    perform(answer, at("tool-call-outcome"), () => `Sent the result of ${tool.tool}.`);
  });
  const given = passage(pretty(tool.arguments), `Arguments of ${tool.tool}`);
  return element("li", {}, element("h3", {}, tool.tool), where, given, form);
}

function credentialOption(credential) {
  const text = [credential.provider, credential.namespace || "(none)", credential.id].join(" · ");
  return { value: credential.id, text };
}

function expire({ credential }, outcome) {
  const id = credential.value;
  perform(() => send("POST", `credentials/${encodeURIComponent(id)}/expire`), outcome, () => `${id} has expired.`);
}
