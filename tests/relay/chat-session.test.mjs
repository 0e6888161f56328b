// The decisions of the chat's session, with a relay of the test's own. `test_stream_module.py` runs them.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ChatSession } from "../../interactor_ext/relay/static/interactor-chat-session.js";

let relay, session, errors, timers;

/** What a relay knows, and whom it tells. Answers can be held back, refused or lost. */
class Relay {
  messages = [];
  posts = [];
  streams = [];
  /** How many messages each page had. */
  pages = [];
  workflow = { id: "wfi_1", current_state: "review", status: "halted" };
  /** What waits for a decision, and who asked for it and decided. */
  approvals = [];
  asked = [];
  /** What is not for browsers. */
  hides = () => false;
  /** How many requests have come, but for streams. */
  heard = 0;
  /** The response to streams, unless they are open. */
  refusal;
  /** Before a request is answered: a promise to wait for, an error to fail with, or a status. */
  before = () => undefined;
  #count = 0;

  say(role, content, more = {}) {
    const number = ++this.#count;
    const created_at = new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString();
    this.messages.push({ id: `msg_${number}`, role, content, created_at, ...more });
    return this.messages.at(-1);
  }

  /** Whether pages say that there are more. */
  counts = true;
  /** Whether events have ids. */
  numbered = true;

  async tell(event) {
    const text = `${this.numbered ? `id: ${++this.#count}\n` : ""}data: ${JSON.stringify(event)}\n\n`;
    for (const stream of this.streams) stream.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  async write(...words) {
    for (const content of words) await this.tell({ type: "message.delta", content });
  }

  async complete(content) {
    await this.tell({ type: "message.complete", message: this.say("assistant", content) });
  }

  /** Breaks the streams off, and lets the browser come back. */
  async restart(meanwhile = () => {}) {
    for (const stream of this.streams.splice(0)) stream.error(new TypeError("broken off"));
    await settle();
    meanwhile();
    await comeBack();
  }

  fetch = async (url, { method = "GET", headers: sent, body, signal }) => {
    const { pathname, searchParams } = new URL(url, "http://page");
    if (pathname.endsWith("/stream")) return this.refusal ? new Response("", this.refusal) : this.#stream(signal);
    this.heard += 1;
    const answer = this.#answer(method, pathname, searchParams, sent, body && JSON.parse(body));
    const outcome = await this.before(method, pathname);
    if (outcome instanceof Error) throw outcome;
    const headers = outcome?.retryAfter ? { "Retry-After": outcome.retryAfter } : {};
    return outcome ? new Response(JSON.stringify({ error: outcome }), { status: outcome.status ?? 409, headers }) : Response.json(answer);
  };

  #answer(method, pathname, searchParams, headers, body) {
    if (pathname === "/relay/workflow-instances/wfi_1") return { data: { ...this.workflow } };
    if (pathname === "/relay/workflow-instances/wfi_1/input") return { data: this.input(body) };
    if (pathname.startsWith("/relay/rooms/room_1/approvals")) {
      this.asked.push(body ?? pathname.slice("/relay".length));
      return { data: body ? {} : structuredClone(this.approvals) };
    }
    assert.equal(pathname, "/relay/rooms/room_1/messages");
    if (method === "POST") {
      const key = headers["Idempotency-Key"];
      const earlier = this.posts.find((post) => post.key === key);
      const message = earlier?.message ?? this.say("user", body.content);
      this.posts.push({ key, message });
      return { data: message };
    }
    const [page, size] = ["page", "per_page"].map((name) => Number(searchParams.get(name)));
    const newestFirst = structuredClone(this.messages).reverse();
    const meta = this.counts ? { has_more: page * size < newestFirst.length } : {};
    const listed = newestFirst.slice((page - 1) * size, page * size);
    const known = listed.findIndex(({ id }) => id === searchParams.get("since"));
    const data = known < 0 ? listed : listed.slice(0, known + 1);
    this.pages.push(data.length);
    return { data: data.filter((message) => !this.hides(message)), meta };
  }

  #stream(signal) {
    let controller;
    const body = new ReadableStream({ start: (given) => void (controller = given) });
    this.streams.push(controller);
    signal.addEventListener("abort", () => {
      if (this.streams.includes(controller)) controller.error(signal.reason);
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }
}

const { setTimeout: later } = globalThis;
const { now } = Date;

beforeEach(() => {
  [relay, errors, timers] = [new Relay(), [], new Set()];
  globalThis.fetch = relay.fetch;
  // Timers come when the test says so.
  globalThis.setTimeout = (callback, pause) => {
    const timer = { callback, pause, at: Date.now() + pause };
    timers.add(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => timers.delete(timer);
});

afterEach(() => {
  session?.close();
  globalThis.setTimeout = later;
  Date.now = now;
});

async function settle() {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

/** Pauses up to this long are over, such as that before a new connection. */
async function comeBack(longest = Infinity) {
  for (const timer of [...timers].filter(({ pause }) => pause <= longest)) {
    timers.delete(timer);
    timer.callback();
  }
  await settle();
}

async function open(options = { room: "room_1" }) {
  session = new ChatSession({
    endpoint: "/relay/",
    room: "",
    instance: "",
    headers: () => ({}),
    onChange: () => {},
    onEvent: () => {},
    onError: (error) => errors.push(error),
    ...options,
  });
  session.open();
  await settle();
  return session;
}

const texts = () => session.history.map(({ content }) => content);

/** A request that is answered when the test says so. */
function held(matches) {
  let letGo;
  const until = new Promise((resolve) => void (letGo = resolve));
  relay.before = (method, path) => {
    if (!matches(method, path)) return undefined;
    relay.before = () => undefined;
    return until;
  };
  return async (outcome) => {
    letGo(outcome);
    await settle();
  };
}

test("a question and its answer are in the list once, though history and stream both tell of them", async () => {
  await open();
  await session.send("Where?");
  assert.equal(session.isWriting, true);
  await relay.write("On ", "its ");
  assert.equal(session.answer, "On its ");
  await relay.complete("On its way.");
  assert.deepEqual(texts(), ["Where?", "On its way."]);
  assert.deepEqual([session.answer, session.isWriting, session.outgoing.length], ["", false, 0]);
});

test("an answer that is faster than the response to its question comes after it", async () => {
  await open();
  const respond = held((method) => method === "POST");
  const sent = session.send("Where?");
  await settle();
  const [{ key }] = session.outgoing;
  assert.deepEqual(session.outgoing.map(({ content, state }) => [content, state]), [["Where?", "sending"]]);
  await relay.write("Here");
  await relay.complete("Here.");
  assert.deepEqual([texts(), session.outgoing], [["Where?", "Here."], []]);
  assert.equal(session.messages[0].key, key);
  await respond();
  await sent;
  assert.equal(session.messages[0].key, key);
  assert.deepEqual(texts(), ["Where?", "Here."]);
});

test("a question goes before an answer that was faster, even where the history cannot be read", async () => {
  await open();
  const respond = held((method) => method === "POST");
  const sent = session.send("Where?");
  await settle();
  relay.before = () => new TypeError("refused");
  await relay.complete("Here.");
  await respond();
  await sent;
  assert.deepEqual(texts(), ["Where?", "Here."]);
});

test("a message that failed keeps its text, and is sent again with the same key", async () => {
  await open();
  relay.before = (method) => (method === "POST" ? { code: "RATE_LIMITED", message: "Slow down." } : undefined);
  await session.send("Where?");
  // The relay has it, and the response is lost.
  relay.posts.length = relay.messages.length = 0;
  const [{ key, state, error }] = session.outgoing;
  assert.deepEqual([state, error.code], ["failed", "RATE_LIMITED"]);
  relay.before = () => undefined;
  await session.retry(key);
  assert.deepEqual(relay.posts.map((post) => post.key), [key]);
  assert.deepEqual([texts(), session.outgoing], [["Where?"], []]);
});

test("a message whose response was lost is shown once when the history has it", async () => {
  await open();
  relay.before = (method) => (method === "POST" ? new TypeError("reset") : undefined);
  await session.send("Where?");
  assert.equal(session.outgoing[0].state, "failed");
  session.refresh();
  await settle();
  assert.deepEqual([texts(), session.outgoing], [["Where?"], []]);
});

test("of two equal messages, one in the history stands for one alone", async () => {
  await open();
  relay.before = (method) => (method === "POST" ? new TypeError("reset") : undefined);
  await session.send("Yes");
  relay.messages.length = 0;
  await session.send("Yes");
  session.refresh();
  await settle();
  assert.deepEqual([texts(), session.outgoing.length], [["Yes"], 1]);
});

test("of two equal messages on their way, the response to one stands for one alone", async () => {
  await open();
  const respond = held((method) => method === "POST");
  const first = session.send("Yes");
  await settle();
  const respondAgain = held((method) => method === "POST");
  const second = session.send("Yes");
  await settle();
  await respond();
  await first;
  assert.deepEqual([texts(), session.outgoing.length], [["Yes"], 1]);
  await respondAgain();
  await second;
  assert.deepEqual([texts(), session.outgoing.length], [["Yes", "Yes"], 0]);
});

test("an old message of the same text does not stand for one that failed", async () => {
  relay.say("user", "Yes");
  await open();
  relay.before = (method) => (method === "POST" ? new TypeError("refused") : undefined);
  await session.send("Yes");
  relay.messages.length = 1;
  session.refresh();
  await settle();
  assert.equal(session.outgoing.length, 1);
});

test("a message that failed can be taken back, one on its way cannot", async () => {
  await open();
  const respond = held((method) => method === "POST");
  const sent = session.send("Where?");
  const [{ key }] = session.outgoing;
  assert.equal(session.takeBack(key), "");
  await respond(new TypeError("reset"));
  await sent;
  assert.equal(session.takeBack(key), "Where?");
  assert.deepEqual(session.outgoing, []);
});

const shown = () => session.messages.map(({ content, state }) => `${content} (${state})`);

test("a message that is sent while an answer is written is shown after it, with one key from first to last", async () => {
  await open();
  await session.send("Where?");
  await relay.write("On ");
  const keys = session.messages.map(({ key }) => key);
  const respond = held((method) => method === "POST");
  const sent = session.send("And when?");
  assert.deepEqual(shown(), ["Where? (sent)", "On  (writing)", "And when? (sending)"]);
  await respond();
  await sent;
  assert.deepEqual(shown(), ["Where? (sent)", "On  (writing)", "And when? (sent)"]);
  await relay.complete("On its way.");
  assert.deepEqual(shown(), ["Where? (sent)", "And when? (sent)", "On its way. (sent)"]);
  assert.deepEqual([session.messages[0].key, session.messages[2].key], keys);
});

test("an answer that is stopped stays as it is, and the next one is shown", async () => {
  await open();
  await session.send("Where?");
  await relay.write("On ");
  session.stop();
  await relay.write("its ");
  assert.deepEqual([shown(), session.isWriting], [["Where? (sent)", "On  (stopped)"], false]);
  await relay.complete("On its way.");
  assert.deepEqual(shown(), ["Where? (sent)", "On  (stopped)"]);
  assert.equal(session.answeredQuestion, "Where?");
  await session.send("And when?");
  await relay.write("Soon");
  assert.deepEqual(shown().slice(2), ["And when? (sent)", "Soon (writing)"]);
});

test("messages that the server refuses for now are sent in their order when it accepts more", async () => {
  await open();
  let isFull = true;
  relay.before = (method) => (method === "POST" && isFull ? { code: "RATE_LIMITED", retryAfter: "7" } : undefined);
  relay.posts.length = 0;
  await Promise.all(["1", "2", "3"].map((content) => session.send(content)));
  await session.send("4");
  assert.deepEqual([shown(), session.pause], [["1 (waiting)", "2 (waiting)", "3 (waiting)", "4 (waiting)"], 7]);
  isFull = false;
  relay.posts.length = relay.messages.length = 0;
  await comeBack();
  assert.deepEqual(relay.posts.map(({ message }) => message.content), ["1", "2", "3", "4"]);
  assert.deepEqual([session.pause, session.outgoing], [0, []]);
});

test("a workflow that has come to its end needs no connection", async () => {
  relay.workflow.status = "completed";
  await open({ instance: "wfi_1" });
  assert.equal(session.status, "ended");
});

test("pages without anything for a browser are passed over", async () => {
  for (let number = 1; number <= 160; number++) relay.say(number % 160 > 100 ? "system" : "user", `${number}`);
  relay.hides = ({ role }) => role === "system";
  await open();
  assert.deepEqual([texts(), session.hasEarlier], [["160"], true]);
  await session.loadEarlier();
  await session.loadEarlier();
  await session.loadEarlier();
  assert.deepEqual(texts().map(Number), [...Array(100).keys(), 159].map((number) => number + 1));
});

test("the question of another tab appears when its answer begins", async () => {
  await open();
  relay.say("user", "From the other tab");
  await relay.write("Here");
  assert.deepEqual([texts(), session.answer], [["From the other tab"], "Here"]);
});

test("an answer whose end was missed is taken from the history, and what is left of it is not shown again", async () => {
  await open();
  await session.send("Where?");
  await relay.write("On ", "its ");
  await relay.restart(() => relay.say("assistant", "On its way."));
  assert.deepEqual([texts(), session.answer, session.isWriting], [["Where?", "On its way."], "", false]);
  await relay.write("way.");
  assert.equal(session.answer, "");
  // Another answer, without the end of the first.
  await relay.write("And ");
  assert.equal(session.answer, "And ");
});

test("an answer goes on after the relay was restarted", async () => {
  await open();
  await session.send("Where?");
  await relay.write("On ");
  await relay.restart();
  assert.equal(session.answer, "On ");
  await relay.write("its ");
  assert.equal(session.answer, "On its ");
});

test("an answer that is sent from its beginning again is not doubled", async () => {
  relay.numbered = false;
  await open();
  await session.send("Where?");
  await relay.write("On ");
  await relay.restart();
  await relay.write("On ", "its ");
  assert.equal(session.answer, "On its ");
});

test("an answer that ended while the page was opened is shown once", async () => {
  relay.say("user", "Where?");
  relay.say("assistant", "Here.");
  const respond = held((method, path) => path.endsWith("/messages"));
  await open();
  await relay.write("Here");
  await respond();
  assert.deepEqual([texts(), session.answer], [["Where?", "Here."], ""]);
});

test("an answer that was begun before the page was opened is shown beside the history", async () => {
  relay.say("assistant", "Yes.");
  relay.say("user", "Really?");
  const respond = held((method, path) => path.endsWith("/messages"));
  await open();
  await relay.write("Yes");
  await respond();
  assert.deepEqual([texts(), session.answer], [["Yes.", "Really?"], "Yes"]);
});

async function addsEarlierPages() {
  for (let number = 1; number <= 120; number++) relay.say("user", `${number}`);
  await open();
  assert.deepEqual([texts().length, texts()[0], session.hasEarlier], [50, "71", true]);
  await relay.complete("121");
  await session.loadEarlier();
  await relay.complete("122");
  await session.loadEarlier();
  assert.deepEqual(texts(), Array.from({ length: 122 }, (_, index) => `${index + 1}`));
  assert.equal(session.hasEarlier, false);
}

test("earlier pages are added without a gap and without a repetition, while messages come", addsEarlierPages);

test("a full page that doesn't say whether there are earlier ones is followed by another", async () => {
  relay.counts = false;
  await addsEarlierPages();
});

test("after more messages than a page holds, the list begins anew", async () => {
  relay.say("user", "old");
  await open();
  await relay.restart(() => {
    for (let number = 1; number <= 60; number++) relay.say("user", `${number}`);
  });
  assert.deepEqual([texts().length, texts()[0], texts().at(-1), session.hasEarlier], [50, "11", "60", true]);
  await session.loadEarlier();
  assert.deepEqual([texts().length, texts()[0]], [61, "old"]);
});

test("an earlier page that is late is not added to a list that has begun anew", async () => {
  for (let number = 1; number <= 60; number++) relay.say("user", `${number}`);
  await open();
  const respond = held((method, path) => path.endsWith("/messages"));
  const loading = session.loadEarlier();
  await relay.restart(() => {
    for (let number = 61; number <= 200; number++) relay.say("user", `${number}`);
  });
  await respond();
  await loading;
  assert.deepEqual([texts().length, texts()[0]], [50, "151"]);
});

test("a page that comes back reads what is new alone, and all where a call is open or a page was missed", async () => {
  for (let number = 0; number < 10; number++) relay.say("user", `q${number}`);
  await open();
  await relay.restart(() => relay.say("assistant", "a"));
  assert.deepEqual(relay.pages.slice(0, 1).concat(relay.pages.at(-1)), [10, 2]);
  await relay.restart(() => relay.say("assistant", "", { tool_calls: [{ id: "call_1", status: "pending" }] }));
  assert.equal(relay.pages.at(-1), 2);
  await relay.restart(() => (relay.messages.at(-1).tool_calls[0].status = "completed"));
  assert.equal(relay.pages.at(-1), 12);
  assert.equal(session.history.at(-1).tool_calls[0].status, "completed");
  await relay.restart(() => Array.from({ length: 60 }, (_, number) => relay.say("user", `new ${number}`)));
  assert.equal(relay.pages.at(-1), 50);
  assert.deepEqual(texts(), relay.messages.slice(-50).map(({ content }) => content));
});

test("a message that came during the reading of history is kept", async () => {
  relay.say("user", "1");
  const respond = held((method, path) => path.endsWith("/messages"));
  await open();
  await relay.complete("2");
  assert.deepEqual(texts(), ["2"]);
  await respond();
  assert.deepEqual(texts(), ["1", "2"]);
});

test("a history that cannot be read can be read again", async () => {
  relay.say("user", "1");
  relay.before = () => new TypeError("refused");
  await open();
  assert.deepEqual([session.historyError.code, session.isLoaded], ["NETWORK", false]);
  relay.before = () => undefined;
  session.refresh();
  await settle();
  assert.deepEqual([session.historyError, texts()], [undefined, ["1"]]);
});

test("a tool call that is done does not run again for an older list", async () => {
  await open();
  const call = { id: "tc_1", tool_id: "tool_1", status: "pending" };
  await relay.tell({ type: "tool_call.start", tool_call: call });
  assert.deepEqual(session.calls, [call]);
  relay.say("assistant", "", { tool_calls: [call] });
  const done = { ...call, status: "completed", result: 1 };
  await relay.tell({ type: "tool_call.complete", tool_call: done });
  assert.deepEqual([session.calls, session.history[0].tool_calls], [[], [call]]);
  assert.deepEqual(session.latest(call), done);
});

/** Milliseconds: the longest pause between two looks at what waits. */
const LOOKS = 16_000;
const refund = { id: "tc_1", tool_id: "tool_1", status: "pending" };
const waiting = { id: "tc_1", tool: "refund", shown: { amount: 250 }, digest: "1" };
const told = () => session.messages.at(-1).toolCalls[0].approval;

async function openWithApproval() {
  relay.say("assistant", "", { tool_calls: [refund] });
  relay.approvals = [waiting];
  await open();
  assert.deepEqual(relay.asked, []);
  await comeBack(LOOKS);
  assert.deepEqual(session.approvals, [{ ...waiting, state: "waiting", isChanged: false }]);
  assert.equal(told(), session.approvals[0]);
}

test("a call that waits is approved once, by the digest of what was shown, and is shown until it has its result", async () => {
  await openWithApproval();
  const respond = held((method) => method === "POST");
  const approved = session.approve("tc_1");
  await session.reject("tc_1", "Too late.");
  await settle();
  assert.equal(told().state, "sending");
  await respond();
  await approved;
  assert.deepEqual(relay.asked.slice(1), [{ decision: "approve", digest: "1" }]);
  await relay.tell({ type: "tool_call.complete", tool_call: { ...refund, status: "completed" } });
  assert.deepEqual([session.approvals, told()], [[], undefined]);
});

test("a call that somebody else decided says so, one whose arguments have changed shows them", async () => {
  await openWithApproval();
  relay.before = (method) => (method === "POST" ? { code: "CONFLICT", message: "No." } : undefined);
  relay.approvals = [{ ...waiting, shown: { amount: 9 }, digest: "2" }];
  await session.reject("tc_1", "Delivered.");
  assert.deepEqual([told().state, told().isChanged, told().shown], ["waiting", true, { amount: 9 }]);
  relay.approvals = [];
  await session.approve("tc_1");
  await relay.tell({ type: "tool_call.complete", tool_call: { ...refund, status: "completed" } });
  assert.deepEqual([session.approvals, told().state], [[], "decided"]);
  const decisions = relay.asked.filter(({ decision }) => decision);
  assert.deepEqual(decisions, [{ decision: "reject", digest: "1", reason: "Delivered." }, { decision: "approve", digest: "2" }]);
});

test("a call that begins is asked about a few times, and never again by somebody who may not decide", async () => {
  await open();
  await comeBack(LOOKS);
  await relay.tell({ type: "tool_call.start", tool_call: refund });
  for (let turn = 0; turn < 10; turn++) await comeBack(LOOKS);
  assert.equal(relay.asked.length, 5);
  relay.before = (_, path) => (path.endsWith("approvals") ? { code: "NOT_FOUND", message: "No.", status: 404 } : undefined);
  for (const id of ["tc_2", "tc_3"]) {
    await relay.tell({ type: "tool_call.start", tool_call: { ...refund, id } });
    await comeBack(LOOKS);
  }
  assert.deepEqual([relay.asked.length, session.approvals, errors], [6, [], []]);
});

test("an error in place of an answer offers the question again, and its text is not continued", async () => {
  await open();
  await session.send("Where?");
  await relay.write("On ");
  await relay.tell({ type: "error", error: { message: "Out of words." } });
  assert.deepEqual([session.reportedError, session.unanswered, session.isWriting], ["Out of words.", "Where?", false]);
  await session.send(session.unanswered);
  await relay.write("Here");
  assert.deepEqual([session.reportedError, session.answer], ["", "Here"]);
});

test("an event that lacks what its type needs still ends the answer, and the history has the rest", async () => {
  await open();
  await session.send("Where?");
  for (const message of [undefined, null, { content: "Here." }, { id: 5, content: "Here." }, { id: "msg_9", content: ["Here."] }]) {
    await relay.write("Here.");
    relay.say("assistant", "Here.");
    await relay.tell({ type: "message.complete", message });
    assert.deepEqual([session.answer, session.isWriting, session.history.at(-1).content], ["", false, "Here."]);
  }
  const { created_at: _, ...untimed } = relay.say("assistant", "There.");
  await relay.write("There.");
  await relay.tell({ type: "message.complete", message: untimed });
  await relay.tell({ type: "tool_call.start" });
  await relay.tell({ type: "message.delta", content: { text: "Odd" } });
  assert.deepEqual([session.history.at(-1).content, session.answer, errors], ["There.", "", []]);
});

test("an error is over when the answer is there after all", async () => {
  await open();
  await session.send("Where?");
  await relay.tell({ type: "error", error: "The stream broke off." });
  await relay.restart(() => relay.say("assistant", "Here."));
  assert.deepEqual([session.reportedError, session.unanswered], ["", ""]);
});

const question = { type: "approval", title: "Approve?" };

test("a workflow that moves on takes its question away, and a repetition of the question changes nothing", async () => {
  await open({ instance: "wfi_1" });
  await relay.tell({ type: "workflow.halted", presentation: question });
  const shown = session.presentation;
  assert.deepEqual(shown, question);
  await relay.tell({ type: "workflow.halted", presentation: question });
  assert.equal(session.presentation, shown);
  relay.workflow = { ...relay.workflow, current_state: "done", status: "completed" };
  await relay.tell({ type: "workflow.state_changed", state: "done" });
  assert.deepEqual([session.presentation, session.workflow.status], [undefined, "completed"]);
});

test("a state that was read before an event came is not taken for the newest", async () => {
  relay.workflow.status = "running";
  const respond = held((method, path) => path.endsWith("wfi_1"));
  await open({ instance: "wfi_1" });
  relay.workflow = { ...relay.workflow, status: "halted" };
  await relay.tell({ type: "workflow.halted", presentation: question });
  await respond();
  assert.deepEqual([session.presentation, session.workflow.status], [question, "halted"]);
});

test("a question that was answered while nobody listened is gone when the stream is open again", async () => {
  await open({ instance: "wfi_1" });
  await relay.tell({ type: "workflow.halted", presentation: question });
  await relay.restart(() => void (relay.workflow = { ...relay.workflow, current_state: "other" }));
  assert.deepEqual([session.presentation, session.workflow.current_state], [undefined, "other"]);
});

test("a question of a state that was missed stays when that state is read", async () => {
  await open({ instance: "wfi_1" });
  await relay.tell({ type: "workflow.halted", presentation: question });
  const next = { type: "form", title: "And now?" };
  const respond = held((method, path) => path.endsWith("wfi_1"));
  await relay.restart(() => void (relay.workflow = { ...relay.workflow, current_state: "other" }));
  await relay.tell({ type: "workflow.halted", presentation: next });
  await respond();
  assert.deepEqual([session.presentation, session.workflow.current_state], [next, "other"]);
});

test("an answer that is not enough leaves the question, one that is refused says why, the right one takes it", async () => {
  await open({ instance: "wfi_1" });
  await relay.tell({ type: "workflow.halted", presentation: question });
  relay.input = () => relay.workflow;
  await session.submit({});
  assert.deepEqual([session.presentation, session.submission.isTooLittle], [question, true]);
  relay.before = (method) => (method === "POST" ? { code: "CONFLICT", message: "No." } : undefined);
  await session.submit({});
  assert.deepEqual([session.presentation, session.submission.error.code], [question, "CONFLICT"]);
  relay.before = () => undefined;
  relay.input = () => (relay.workflow = { ...relay.workflow, current_state: "done", status: "completed" });
  await session.submit({ approved: true });
  assert.deepEqual([session.presentation, session.submission.error], [undefined, undefined]);
});

test("a question that comes before the response to the answer to the last one stays", async () => {
  await open({ instance: "wfi_1" });
  await relay.tell({ type: "workflow.halted", presentation: question });
  relay.input = () => (relay.workflow = { ...relay.workflow, current_state: "other" });
  const respond = held((method) => method === "POST");
  const submitted = session.submit({ approved: true });
  await settle();
  const next = { type: "form", title: "And now?" };
  await relay.tell({ type: "workflow.state_changed", state: "other" });
  await relay.tell({ type: "workflow.halted", presentation: next });
  await respond();
  await submitted;
  assert.deepEqual([session.presentation, session.submission], [next, { isSending: false }]);
});

test("a question that somebody else answered is gone when its answer is refused", async () => {
  await open({ instance: "wfi_1" });
  await relay.tell({ type: "workflow.halted", presentation: question });
  relay.input = () => ({});
  relay.workflow = { ...relay.workflow, current_state: "done", status: "completed" };
  relay.before = (method) => (method === "POST" ? { code: "CONFLICT", message: "No." } : undefined);
  await session.submit({ approved: true });
  await settle();
  assert.equal(session.presentation, undefined);
});

/** Lets time pass, and the timers that come within it. */
async function pass(milliseconds) {
  const end = Date.now() + milliseconds;
  let next;
  while ((next = [...timers].sort((one, other) => one.at - other.at)[0])?.at <= end) {
    Date.now = () => next.at;
    timers.delete(next);
    next.callback();
    await settle();
  }
  Date.now = () => end;
}

test("a turn goes on from its question over a call of a tool to the final answer", async () => {
  await open();
  await session.send("Pay me back.");
  const turn = () => [session.isUnfinished, session.isWriting, session.answeredQuestion];
  await relay.write("One moment.");
  const asking = relay.say("assistant", "One moment.", { tool_calls: [refund] });
  await relay.tell({ type: "message.complete", message: structuredClone(asking) });
  assert.deepEqual(turn(), [true, true, ""]);
  asking.tool_calls[0] = { ...refund, status: "completed" };
  await relay.tell({ type: "tool_call.complete", tool_call: asking.tool_calls[0] });
  assert.deepEqual([turn(), shown().slice(1)], [[true, true, ""], ["One moment. (sent)", " (writing)"]]);
  await relay.complete("Paid.");
  assert.deepEqual(turn(), [false, false, "Pay me back."]);
});

test("a question is asked again neither while a call of its answer waits, nor before its final answer", async () => {
  relay.say("user", "Pay me back.");
  const asking = relay.say("assistant", "One moment.", { tool_calls: [refund] });
  await open();
  assert.equal(session.answeredQuestion, "");
  asking.tool_calls = [{ ...refund, status: "completed" }];
  session.refresh();
  await settle();
  assert.equal(session.answeredQuestion, "");
});

test("an answer that holds the results of its calls is the final one", async () => {
  await open();
  await session.send("Pay me back.");
  const tool_calls = [{ ...refund, status: "completed" }];
  await relay.tell({ type: "message.complete", message: relay.say("assistant", "Paid.", { tool_calls }) });
  assert.deepEqual([session.isUnfinished, session.answeredQuestion], [false, "Pay me back."]);
});

test("an answer that no event tells of is read, with one key, and then nothing more is", async () => {
  relay.refusal = { status: 429, headers: { "Retry-After": "1000" } };
  await open();
  assert.equal(session.status, "busy");
  await session.send("Where?");
  await pass(3_000);
  const { key } = session.messages[1];
  relay.say("assistant", "Here.");
  await pass(3_000);
  assert.deepEqual([shown(), session.status], [["Where? (sent)", "Here. (sent)"], "busy"]);
  assert.equal(session.messages[1].key, key);
  const { heard } = relay;
  await pass(60_000);
  assert.equal(relay.heard, heard);
});

test("the history is read once a minute in the end, and not before the server accepts it", async () => {
  relay.refusal = { status: 429 };
  await open();
  await session.send("Where?");
  let reads = 0;
  relay.before = (method) => void (reads += method === "GET");
  await pass(3_600_000);
  reads = 0;
  await pass(3_600_000);
  assert.equal(reads, 60);
  relay.before = () => ({ code: "RATE_LIMITED", status: 429, retryAfter: "90", number: reads++ });
  await pass(180_000);
  assert.equal(reads, 62);
});

test("a server that gives no sign for long while it is asked something is said to be silent", async () => {
  await open();
  await pass(30_000);
  assert.equal(session.silence, 0);
  await session.send("Where?");
  relay.before = () => new Promise(() => {});
  await pass(12_000);
  assert.equal(session.silence, 12);
  await relay.write("Here");
  assert.equal(session.silence, 0);
});

for (const where of ["stream", "history", "message"]) {
  test(`nothing is kept of what was shown when the ${where} is refused to a user who is signed out`, async () => {
    relay.say("user", "Secret?");
    await open({ room: "room_1", instance: "wfi_1" });
    await session.send("Mine");
    await relay.write("Secret");
    const refused = { code: "AUTH_ERROR", status: 401 };
    relay.before = () => refused;
    relay.refusal = refused;
    if (where === "stream") await relay.restart();
    else if (where === "history") session.refresh();
    else session.send("More");
    await settle();
    assert.deepEqual([session.messages, session.workflow, session.isForgotten], [[], undefined, true]);
    assert.deepEqual([session.status, session.error.status], ["closed", 401]);
    relay.before = () => (relay.refusal = undefined);
    session.refresh();
    await settle();
    assert.deepEqual([texts()[0], session.isForgotten, session.status], ["Secret?", false, "open"]);
  });
}

test("a session that is closed says nothing more", async () => {
  let changes = 0;
  await open({ room: "room_1", onChange: () => changes++ });
  const respond = held((method) => method === "POST");
  const sent = session.send("Where?");
  await settle();
  session.close();
  changes = 0;
  await respond(new TypeError("aborted"));
  await sent;
  assert.deepEqual([changes, errors, relay.streams.length], [0, [], 1]);
});
