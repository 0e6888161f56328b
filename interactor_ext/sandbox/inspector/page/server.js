// Calls of the sandbox.

import { at, report } from "./dom.js";

let renewPage = async () => {};

/** What is called after each action. */
export function afterActions(renew) {
  renewPage = renew;
}

/** The JSON at a path of the page. Throws an Error for any other answer. */
export async function read(path) {
  return answer(await fetch(`/_sandbox/page/${path}`));
}

/** Call a control route, and return the JSON that it answers. Throws an Error that says why it refused. */
export async function send(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(`/_sandbox/${path}`, { method, headers, body: body && JSON.stringify(body) }));
}

/** Call an operation of the contract. */
export function call(operation, namespace, path, body) {
  return send("POST", "act", { operation, namespace, path, body });
}

/** Do something and say what came of it: `done` of its result, or why it failed. Returns whether it was done. */
export async function perform(action, outcome = at("problem"), done = () => "") {
  try {
    report(outcome, done(await action()), "good");
    return true;
  } catch (error) {
    report(outcome, error.message, "bad");
    return false;
  } finally {
    await renewPage();
  }
}

async function answer(response) {
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  let message = `status ${response.status}`;
  try {
    message = JSON.parse(text).error.message;
  } catch {
    // Not the sandbox's own answer; the status says it.
  }
  throw new Error(message);
}
