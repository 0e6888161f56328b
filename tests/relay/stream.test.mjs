// The decisions of InteractorStream, with a clock and answers of the test's own. `test_stream_module.py` runs them.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { InteractorStream, SSEDecoder } from "../../interactor_ext/relay/static/interactor-stream.js";

const IDLE = 45_000;
let answers, requests, timers, listeners, log;

beforeEach(() => {
  [answers, requests, timers, log] = [[], [], new Map(), []];
  listeners = new EventTarget();
  let count = 0;
  globalThis.setTimeout = (callback, wait) => {
    timers.set(++count, { callback, wait });
    return count;
  };
  globalThis.clearTimeout = (id) => timers.delete(id);
  globalThis.addEventListener = (...listener) => listeners.addEventListener(...listener);
  globalThis.removeEventListener = (...listener) => listeners.removeEventListener(...listener);
  globalThis.reportError = (error) => log.push(`reported: ${error.message}`);
  Math.random = () => 0;
  globalThis.fetch = async (url, { signal, ...init }) => {
    requests.push({ url, signal, ...init });
    signal.throwIfAborted();
    const answer = (await answers.shift()) ?? over();
    if (answer instanceof Error) throw answer;
    signal.addEventListener("abort", () => answer.breakOff?.(signal.reason));
    return answer;
  };
});

const over = () => new Response(null, { status: 204 });
const refused = (status, headers = {}) => new Response("no", { status, headers });

/** An answer that the test goes on writing. */
function open(text = "", type = "text/event-stream") {
  let body;
  const answer = new Response(new ReadableStream({ start: (controller) => void (body = controller) }), {
    headers: { "Content-Type": type },
  });
  answer.send = async (more) => {
    body.enqueue(new TextEncoder().encode(more));
    await settle();
  };
  answer.end = async () => {
    body.close();
    await settle();
  };
  answer.breakOff = (error) => {
    try {
      body.error(error);
    } catch {
      // it has ended
    }
  };
  if (text) void answer.send(text);
  return answer;
}

/** An answer that the server ends after this text. */
function whole(text) {
  const answer = open(text);
  void answer.end();
  return answer;
}

function deferred() {
  let resolve;
  const promise = new Promise((resolved) => void (resolve = resolved));
  return { promise, resolve };
}

/** Until nothing happens any more without a timer. */
const settle = () => new Promise(setImmediate);

/** Let the only timer come. */
async function fire() {
  assert.equal(timers.size, 1, "one timer runs at a time");
  const [[id, { callback, wait }]] = timers;
  timers.delete(id);
  callback();
  await settle();
  return wait;
}

function logging(options = {}) {
  return new InteractorStream({
    onEvent: (event) => log.push(event.content ?? event.type),
    onError: (error) => log.push(`${error.status ?? "error"}${error.isFinal ? " final" : ""}`),
    onStatus: (status) => log.push(`<${status}>`),
    ...options,
  });
}

async function connected(options, url = "/stream") {
  const stream = logging(options);
  stream.connect(url);
  await settle();
  return stream;
}

const delta = (content, id) => `${id === undefined ? "" : `id: ${id}\n`}data: {"type":"message.delta","content":"${content}"}\n\n`;
const lastEventIds = () => requests.map(({ headers }) => headers["Last-Event-ID"]);
const bytes = (text) => new TextEncoder().encode(text);

test("the status goes from connecting to open, waiting and closed", async () => {
  answers = [whole(delta("a", 1)), over()];
  const stream = await connected();
  assert.equal(stream.isConnected, false);
  await fire();
  assert.deepEqual(log, ["<connecting>", "<open>", "a", "<waiting>", "<connecting>", "<closed>"]);
  assert.equal(stream.status, "closed");
  assert.equal(timers.size, 0);
});

test("a reconnect sends the last event id and repeats no event", async () => {
  answers = [whole(delta("a", 1) + delta("b", 2)), open(delta("b", 2) + delta("c", 3))];
  const stream = await connected();
  assert.equal(stream.lastEventId, "2");
  await fire();
  assert.deepEqual(lastEventIds(), [undefined, "2"]);
  assert.equal(stream.streamingContent, "abc");
  assert.deepEqual(stream.events.map((event) => event.content), ["a", "b", "c"]);
  assert.equal(stream.isConnected, true);
});

test("events that share an id on one connection are all handed on, and none is on the next", async () => {
  answers = [whole(delta("a", 1) + delta("b", 1)), open(delta("a", 1) + delta("b", 1) + delta("c", 1))];
  const stream = await connected();
  await fire();
  assert.equal(stream.streamingContent, "abc");
});

test("an event without an id after a reconnect is new", async () => {
  answers = [whole(delta("a", 1)), open(delta("b") + delta("b"))];
  const stream = await connected();
  await fire();
  assert.equal(stream.streamingContent, "abb");
});

test("an id without data resumes as well", async () => {
  answers = [whole("id: 7\n\n")];
  await connected();
  await fire();
  assert.deepEqual(lastEventIds(), [undefined, "7"]);
});

test("an answer begun anew without an id replaces what had come of it", async () => {
  answers = [whole(delta("Hel")), open(delta("Hello"))];
  const stream = await connected();
  await fire();
  assert.equal(stream.streamingContent, "Hello");
});

test("a last event id is sent as UTF-8, and one that no header can carry is not sent", async () => {
  answers = [whole(delta("a", "é€")), whole(delta("b", "x\u0001")), whole(delta("c", "x".repeat(5000)))];
  await connected();
  await fire();
  await fire();
  await fire();
  assert.deepEqual(lastEventIds(), [undefined, Buffer.from("é€").toString("latin1"), undefined, undefined]);
});

test("a callback sees the state after its event", async () => {
  answers = [open(delta("a", 1) + delta("b", 2))];
  const states = [];
  const stream = logging({ onEvent: () => states.push([stream.lastEventId, stream.streamingContent, stream.events.length]) });
  stream.connect("/stream");
  await settle();
  assert.deepEqual(states, [
    ["1", "a", 1],
    ["2", "ab", 2],
  ]);
});

test("a complete message empties the content", async () => {
  const complete = 'data: {"type":"message.complete","message":{}}\n\n';
  answers = [open(delta("a") + 'data: {"type":"message.delta"}\n\n')];
  const [answer] = answers;
  const stream = await connected();
  assert.equal(stream.streamingContent, "a");
  await answer.send(complete);
  assert.equal(stream.streamingContent, "");
});

test("done ends the stream", async () => {
  const signals = () => requests.map(({ signal }) => signal.aborted);
  answers = [open(delta("a") + 'data: {"type":"done"}\n\n' + delta("b"))];
  await connected();
  assert.deepEqual(log, ["<connecting>", "<open>", "a", "<closed>"]);
  assert.deepEqual(signals(), [true]);
  assert.equal(timers.size, 0);
});

for (const status of [400, 401, 403, 404, 410]) {
  test(`a ${status} ends the stream`, async () => {
    answers = [refused(status)];
    await connected();
    assert.deepEqual(log, ["<connecting>", "<closed>", `${status} final`]);
    assert.equal(timers.size, 0);
  });
}

for (const status of [408, 425, 429, 500, 502, 503]) {
  test(`after a ${status} it connects again`, async () => {
    answers = [refused(status)];
    await connected();
    assert.deepEqual(log, ["<connecting>", "<waiting>", `${status}`]);
    await fire();
    assert.equal(requests.length, 2);
  });
}

test("an answer of another content type ends the stream", async () => {
  answers = [open("", "text/html")];
  await connected();
  assert.deepEqual(log, ["<connecting>", "<closed>", "200 final"]);
  assert.equal(requests[0].signal.aborted, true);
});

test("a content type with parameters in any case is an event stream", async () => {
  answers = [open(delta("a"), "Text/Event-Stream ; charset=UTF-8")];
  const stream = await connected();
  assert.equal(stream.streamingContent, "a");
});

test("the wait doubles up to the longest, and an event begins anew", async () => {
  const waits = async (random) => {
    Math.random = () => random;
    answers = Array(7).fill(new TypeError("offline"));
    const stream = await connected();
    const all = [];
    for (let i = 0; i < 7; i++) all.push(await fire());
    stream.disconnect();
    return all;
  };
  assert.deepEqual(await waits(0), Array(7).fill(1000));
  assert.deepEqual(await waits(1), [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  answers = [new TypeError("offline"), new TypeError("offline"), whole(delta("a"))];
  await connected();
  assert.deepEqual([await fire(), await fire(), await fire()], [2000, 4000, 2000]);
});

test("error events alone do not shorten the wait", async () => {
  Math.random = () => 1;
  answers = Array.from({ length: 3 }, () => whole('data: {"type":"error","error":"no"}\n\n'));
  await connected();
  assert.deepEqual([await fire(), await fire(), await fire()], [2000, 4000, 8000]);
});

test("a connection that lived for long begins the wait anew", async (context) => {
  Math.random = () => 1;
  context.mock.timers.enable({ apis: ["Date"] });
  const quiet = open();
  answers = [new TypeError("offline"), new TypeError("offline"), quiet];
  await connected();
  assert.deepEqual([await fire(), await fire()], [2000, 4000]);
  context.mock.timers.tick(10_000);
  await quiet.send(": keepalive\n\n");
  await quiet.end();
  assert.equal(await fire(), 2000);
});

test("the page's intervals count", async () => {
  answers = Array(4).fill(new TypeError("offline"));
  Math.random = () => 1;
  await connected({ reconnectInterval: 200, maxReconnectInterval: 500 });
  assert.deepEqual([await fire(), await fire(), await fire()], [400, 500, 500]);
});

test("the server's retry is the least wait, within bounds", async () => {
  for (const [retry, random, wait] of [
    [5000, 0, 5000],
    [5000, 1, 10_000],
    [60_000, 1, 60_000],
    [0, 1, 200],
    [999_999_999, 0, 300_000],
  ]) {
    Math.random = () => random;
    answers = [whole(`retry: ${retry}\n\n`)];
    await connected();
    assert.equal(await fire(), wait);
  }
});

test("the server's retry lasts for later connections", async () => {
  answers = [whole("retry: 5000\n\n"), whole(delta("a"))];
  await connected();
  assert.deepEqual([await fire(), await fire()], [5000, 5000]);
});

test("a Retry-After prolongs the wait", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: Date.parse("2025-01-15T10:00:00Z") });
  for (const [retryAfter, random, wait] of [
    ["20", 0, 20_000],
    ["20", 1, 22_000],
    ["0", 0, 1000],
    ["100000", 0, 300_000],
    ["Wed, 15 Jan 2025 10:00:20 GMT", 0, 20_000],
    ["Wed, 15 Jan 2025 09:00:00 GMT", 0, 1000],
    ["soon", 0, 1000],
  ]) {
    Math.random = () => random;
    answers = [refused(503, { "Retry-After": retryAfter })];
    await connected();
    assert.equal(await fire(), wait, retryAfter);
  }
});

test("back on the network it connects at once", async () => {
  answers = [new TypeError("offline"), open()];
  const stream = await connected();
  listeners.dispatchEvent(new Event("online"));
  await settle();
  assert.equal(stream.status, "open");
  listeners.dispatchEvent(new Event("online"));
  await settle();
  assert.equal(requests.length, 2);
});

test("back on the network it still waits for as long as the server asked", async () => {
  answers = [refused(503, { "Retry-After": "20" })];
  const stream = await connected();
  listeners.dispatchEvent(new Event("online"));
  await settle();
  assert.equal(stream.status, "waiting");
});

test("without autoReconnect the first failure closes the stream", async () => {
  answers = [whole(delta("a"))];
  await connected({ autoReconnect: false });
  assert.deepEqual(log, ["<connecting>", "<open>", "a", "<closed>"]);
  log = [];
  answers = [new TypeError("offline")];
  await connected({ autoReconnect: false });
  assert.deepEqual(log, ["<connecting>", "<closed>", "error"]);
  assert.equal(timers.size, 0);
});

test("silence ends a connection, and any byte prolongs it", async () => {
  const quiet = open();
  answers = [quiet];
  await connected({ idleTimeout: 1234 });
  const [first] = timers.keys();
  await quiet.send(":\n");
  assert.equal(timers.has(first), false);
  assert.equal(await fire(), 1234);
  assert.deepEqual(log, ["<connecting>", "<open>", "<waiting>", "error"]);
  assert.equal(requests[0].signal.aborted, true);
});

test("the head of an answer prolongs the time as well", async () => {
  const slow = deferred();
  answers = [slow.promise];
  await connected();
  const [first] = timers.keys();
  slow.resolve(open());
  await settle();
  assert.equal(timers.has(first), false);
});

test("silence ends an attempt whose headers never come", async () => {
  await connected({ headers: () => new Promise(() => {}) });
  assert.equal(await fire(), IDLE);
  assert.deepEqual(log, ["<connecting>", "<waiting>", "error"]);
  assert.equal(requests.length, 0);
});

test("headers are asked for before each attempt, and a failure to get them is one of the attempt", async () => {
  let calls = 0;
  const headers = async () => {
    calls += 1;
    if (calls === 2) throw new Error("signed out");
    return { Authorization: `Bearer ${calls}` };
  };
  answers = [whole("")];
  await connected({ headers, credentials: "include" });
  await fire();
  assert.equal(log.at(-1), "error");
  await fire();
  assert.deepEqual(
    requests.map(({ headers: { Authorization } }) => Authorization),
    ["Bearer 1", "Bearer 3"],
  );
  assert.deepEqual([requests[0].credentials, requests[0].cache], ["include", "no-store"]);
});

test("cookies are sent to the page's own origin alone", async () => {
  await connected();
  assert.equal(requests[0].credentials, "same-origin");
});

test("the page may disconnect at any status, and in any callback", async () => {
  for (const [name, when] of [
    ["onStatus", "connecting"],
    ["onStatus", "open"],
    ["onStatus", "waiting"],
    ["onEvent", ""],
    ["onError", ""],
  ]) {
    log = [];
    answers = [when === "waiting" || name === "onError" ? new TypeError("offline") : open(delta("a") + delta("b"))];
    const calls = [];
    const callback = (value) => {
      calls.push(value);
      if (value === when || when === "") stream.disconnect();
    };
    const stream = logging({ [name]: callback });
    stream.connect("/stream");
    await settle();
    assert.equal(stream.status, "closed", `${name} ${when}`);
    assert.equal(timers.size, 0);
    if (when === "") assert.equal(calls.length, 1);
    if (name === "onStatus") assert.deepEqual(log, [], when);
  }
});

test("after disconnect nothing is reported, and the connection is closed", async () => {
  const quiet = open(delta("a"));
  answers = [quiet];
  const stream = await connected();
  stream.disconnect();
  await settle();
  assert.deepEqual(log, ["<connecting>", "<open>", "a", "<closed>"]);
  assert.equal(requests[0].signal.aborted, true);
  assert.equal(timers.size, 0);
  stream.disconnect();
  assert.equal(log.length, 4);
});

test("connect to another URL leaves the first stream and begins anew", async () => {
  const other = open(delta("b", 1));
  answers = [new TypeError("offline"), open("retry: 9000\n" + delta("a", 1)), other];
  const stream = await connected();
  await fire();
  log = [];
  stream.connect("/other");
  assert.deepEqual([stream.events, stream.streamingContent, stream.lastEventId], [[], "", ""]);
  await settle();
  assert.deepEqual(
    requests.slice(1).map(({ url, signal }) => [url, signal.aborted]),
    [
      ["/stream", true],
      ["/other", false],
    ],
  );
  assert.equal(stream.streamingContent, "b");
  assert.deepEqual(log, ["<connecting>", "<open>", "b"]);
  await other.end();
  assert.equal(await fire(), 1000);
});

test("connect begins the waits anew", async () => {
  Math.random = () => 1;
  answers = [new TypeError("offline"), new TypeError("offline"), new TypeError("offline")];
  const stream = await connected();
  assert.equal(await fire(), 2000);
  stream.connect("/stream");
  await settle();
  assert.equal(await fire(), 2000);
});

test("an error in a callback is reported and does not end the stream", async () => {
  answers = [open(delta("a"))];
  const stream = await connected({
    onEvent: () => {
      throw new Error("of the page");
    },
  });
  assert.equal(stream.status, "open");
  assert.deepEqual(log, ["<connecting>", "<open>", "reported: of the page"]);
});

test("a type is found in the JSON or in the event field, and one that is unknown is handed on", async () => {
  answers = [
    open(
      [
        'event: message.delta\ndata: {"content":"x"}',
        'event: message.delta\ndata: {"type":"text","content":"y"}',
        'event: tick\ndata: {"type":"message.reaction","emoji":"+1"}',
        'event: tick\ndata: {"type":""}',
        "event: tick\ndata: soon",
        "data: [1]",
        "data: null",
      ].join("\n\n") + "\n\n",
    ),
  ];
  const stream = await connected();
  assert.deepEqual(stream.events, [
    { type: "message.delta", content: "x" },
    { type: "message.delta", content: "y" },
    { type: "message.reaction", emoji: "+1" },
    { type: "tick" },
    { type: "tick", data: "soon" },
    { type: "message", data: "[1]" },
    { type: "message", data: "null" },
  ]);
});

test("heartbeats are not handed on, and done is known in the event field", async () => {
  answers = [open('event: heartbeat\ndata: {}\n\nevent: ping\ndata: 1\n\ndata: {"type":"ping"}\n\nevent: done\ndata: {}\n\n')];
  const stream = await connected();
  assert.deepEqual(stream.events, []);
  assert.equal(stream.status, "closed");
});

test("the newest 1000 events are kept, in a new array after each", async () => {
  const quiet = open(Array.from({ length: 1005 }, (_, number) => delta(number)).join(""));
  answers = [quiet];
  const stream = await connected();
  const { events } = stream;
  assert.deepEqual([events.length, events[0].content, events.at(-1).content], [1000, "5", "1004"]);
  await quiet.send(delta("more"));
  assert.notEqual(stream.events, events);
});

test("an event that is too large is refused with those before it handed out", () => {
  const decoder = new SSEDecoder("", 30);
  const events = [];
  const feed = (text) => events.push(...decoder.feed(bytes(text)));
  feed("data: 1234567890\n\n");
  feed("data: 1234567890\n");
  assert.throws(() => feed("data: 1234567890\n"), /larger than 30 characters/);
  assert.equal(events.length, 1);
  const line = new SSEDecoder("", 30);
  assert.throws(() => [...line.feed(bytes("x".repeat(31)))], { name: "StreamError", isFinal: true });
  const before = new SSEDecoder("", 30).feed(bytes(`data: 1\n\n${"x".repeat(31)}`));
  assert.equal(before.next().value.data, "1");
  assert.throws(() => before.next());
});
