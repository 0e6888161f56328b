// Workflow instances: the list, and the open one with its diagram and its question.

import { eventButtons, question } from "./answer.js";
import { diagram } from "./diagram.js";
import { at, element, fill, pretty, renew } from "./dom.js";
import { badge, created, link, mark, tell } from "./rows.js";
import { call, perform } from "./server.js";

const FINISHED = ["completed", "failed", "cancelled"];

let drawn = "";

export function showWorkflows({ instances, instance, counts }) {
  tell("instances", instances.length, counts.instances);
  fill(at("instance-list"), instances, (each) => each.id, instanceLink);
  at("instance").hidden = instance === null;
  at("no-instance").hidden = instance !== null;
  if (instance === null) return;
  mark("instance-list", `#instances/${instance.id}`);
  at("context").textContent = pretty(instance.context);
  fill(at("history"), instance.history, (each) => each.id, moment);
  // Not made anew without need: somebody may be writing an answer.
  const key = JSON.stringify([instance.id, instance.current_state, instance.status, instance.updated_at]);
  if (key === drawn) return;
  drawn = key;
  at("instance-facts").replaceChildren(instanceFacts(instance));
  at("diagram").replaceChildren(diagram(instance.states, instance.current_state));
  renew(at("answer"), ...answers(instance));
}

function moment({ time, event, state }) {
  const what = element("strong", {}, event.replace("workflow.instance.", ""));
  return element("li", {}, created({ created_at: time }), what, element("span", {}, state ?? ""));
}

function instanceLink(instance) {
  const name = instance.workflow ?? "(workflow deleted)";
  return link("instances", instance.id, name, instance.namespace, badge(instance.status));
}

function instanceFacts(instance) {
  const [id, space] = [instance.id, instance.namespace || "(none)"].map((text) => element("code", {}, text));
  const state = element("b", {}, instance.current_state);
  const where = element("p", {}, id, " in ", space, " is at ", state, " ", badge(instance.status));
  const reason = typeof instance.error === "string" ? element("p", { class: "bad" }, instance.error) : null;
  return element("div", {}, element("h2", {}, instance.workflow ?? "(workflow deleted)"), where, reason);
}

function answers(instance) {
  if (FINISHED.includes(instance.status)) return [];
  const path = { instance_id: instance.id };
  const act = (operation, body) => perform(() => call(operation, instance.namespace, path, body));
  const send = (input) => act("submit_workflow_input", input);
  const trigger = (event) => act("trigger_workflow_event", { event });
  const here = instance.states.find((state) => state.name === instance.current_state);
  const named = (here?.transitions ?? []).map((transition) => transition.event).filter(Boolean);
  const events = [...new Set(named)];
  if (instance.presentation) return [question(instance.presentation, events, { send, trigger })];
  if (events.length === 0) return [];
  return [element("p", { class: "buttons" }, "Events: ", ...eventButtons(events, trigger))];
}
