/**
 * Event streams of a room or a workflow instance, from the relay or from a stream URL of the platform.
 *
 * Unlike `EventSource`, it reads statuses and `Retry-After`, sends headers, notices silence, and repeats no event after a
 * reconnect.
 *
 * @typedef {import("./interactor-types.js").StreamEvent} StreamEvent
 * @typedef {import("./interactor-stream.js").StreamStatus} StreamStatus
 * @typedef {import("./interactor-stream.js").InteractorStreamOptions} InteractorStreamOptions
 * @typedef {{event: string, data: string, id: string, hasId: boolean}} ServerSentEvent
 */

import { waitOf } from "./interactor-retry-after.js";

const KEPT_EVENTS = 1000;
const REMEMBERED_IDS = 4096;
/** Characters of one event. */
const MAX_EVENT_SIZE = 16 * 1024 * 1024;
/** Milliseconds. A longer `retry:` or `Retry-After` is cut to it. */
const LONGEST_WAIT = 300_000;
/** Milliseconds. A connection that received bytes for so long was healthy, even without events. */
const HEALTHY_AFTER = 10_000;
/** Servers and proxies refuse a request with longer headers than some 8 KiB. */
const LONGEST_SENT_ID = 4096;
/** Request timeout, too early, too many requests. Any other 4xx is final. */
const TRANSIENT = new Set([408, 425, 429]);

/** The compiler checks that these are the types of the contract. @type {Record<StreamEvent["type"], true>} */
const EVENT_TYPES = {
  "message.delta": true,
  "message.complete": true,
  "tool_call.start": true,
  "tool_call.complete": true,
  "workflow.state_changed": true,
  "workflow.halted": true,
  error: true,
};
const KEEPALIVES = new Set(["heartbeat", "ping"]);
const KNOWN = new Set([...Object.keys(EVENT_TYPES), ...KEEPALIVES, "done"]);

/** Why a connection failed. */
export class StreamError extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, isFinal?: boolean, retryAfter?: number, cause?: unknown}} [details]
   */
  constructor(message, { status, isFinal = false, retryAfter, cause } = {}) {
    super(message, { cause });
    this.name = "StreamError";
    this.status = status;
    this.isFinal = isFinal;
    this.retryAfter = retryAfter;
  }
}

/** Decodes the bytes of one connection as the WHATWG specifies. */
export class SSEDecoder {
  /** @type {number | undefined} */
  retry;
  #maxEventSize;
  #text = new TextDecoder("utf-8", { ignoreBOM: true }); // Node 24 takes two away if the first is in pieces
  #isAtStart = true;
  #afterCR = false;
  #line = ""; // the unfinished line
  /** @type {string[]} */
  #data = []; // of the unfinished event, as the next three
  #size = 0;
  #type = "";
  #id;
  #hasId = false;

  constructor(lastEventId = "", maxEventSize = MAX_EVENT_SIZE) {
    this.lastEventId = lastEventId;
    this.#id = lastEventId;
    this.#maxEventSize = maxEventSize;
  }

  /**
   * @param {Uint8Array} chunk
   * @returns {Generator<ServerSentEvent, void, void>}
   */
  *feed(chunk) {
    let text = this.#text.decode(chunk, { stream: true });
    if (text === "") return;
    if (this.#isAtStart) text = text.replace(/^\ufeff/, "");
    this.#isAtStart = false;
    if (this.#afterCR && text.startsWith("\n")) text = text.slice(1);
    // A CR ends its line at once; a LF that opens the next chunk then belongs to it.
    this.#afterCR = text.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    lines[0] = this.#line + lines[0];
    this.#line = /** @type {string} */ (lines.pop());
    for (const line of lines) {
      this.#refuseTooLarge(line);
      const event = line === "" ? this.#end() : this.#field(line);
      if (event) yield event;
    }
    this.#refuseTooLarge(this.#line);
  }

  /** @param {string} line */
  #refuseTooLarge(line) {
    if (this.#size + line.length > this.#maxEventSize)
      throw new StreamError(`An event of the stream is larger than ${this.#maxEventSize} characters.`, { isFinal: true });
  }

  /** @returns {ServerSentEvent | undefined} */
  #end() {
    this.lastEventId = this.#id;
    const event = this.#data.length
      ? { event: this.#type || "message", data: this.#data.join("\n"), id: this.#id, hasId: this.#hasId }
      : undefined;
    this.#data = [];
    this.#size = 0;
    this.#type = "";
    return event;
  }

  /**
   * @param {string} line
   * @returns {undefined}
   */
  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") {
      this.#data.push(value);
      this.#size += line.length + 1;
    } else if (name === "event") {
      this.#type = value;
    } else if (name === "id") {
      if (value.includes("\0")) return;
      this.#id = value;
      this.#hasId = true;
    } else if (name === "retry" && /^[0-9]+$/.test(value)) {
      this.retry = Number(value);
    }
  }
}

/**
 * The events received so far, by id and number. A server may give several events the same id, so the second with an id
 * on one connection is another event, and the first on a later connection is a repetition.
 */
class Seen {
  /** @type {Map<string, number>} */
  #before = new Map();
  /** @type {Map<string, number>} */
  #now = new Map();

  startConnection() {
    for (const [id, count] of this.#now) remember(this.#before, id, Math.max(count, this.#before.get(id) ?? 0));
    this.#now.clear();
  }

  /** @param {ServerSentEvent} event */
  isNew({ id, hasId }) {
    if (!hasId || id === "") return true;
    const count = (this.#now.get(id) ?? 0) + 1;
    remember(this.#now, id, count);
    return count > (this.#before.get(id) ?? 0);
  }
}

/**
 * @param {Map<string, number>} counts
 * @param {string} id
 * @param {number} count
 */
function remember(counts, id, count) {
  counts.delete(id); // the newest is last
  counts.set(id, count);
  if (counts.size > REMEMBERED_IDS) counts.delete(/** @type {string} */ (counts.keys().next().value));
}

export class InteractorStream {
  #options;
  /** @type {StreamStatus} */
  #status = "closed";
  /** @type {readonly StreamEvent[]} */
  #events = [];
  #streamingContent = "";
  #lastEventId = "";
  #url = "";
  #seen = new Seen();
  /** Of the open connection or the one being opened. @type {AbortController | undefined} */
  #attempt;
  /** For the silence of a connection, or for the pause before the next. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #failures = 0; // in a row
  /** @type {number | undefined} */
  #retry;
  /** When the server is ready for the next attempt, if it said so. */
  #notBefore = 0;

  /** @param {InteractorStreamOptions} [options] */
  constructor(options = {}) {
    this.#options = options;
  }

  get status() {
    return this.#status;
  }

  get isConnected() {
    return this.#status === "open";
  }

  get events() {
    return this.#events;
  }

  get streamingContent() {
    return this.#streamingContent;
  }

  get lastEventId() {
    return this.#lastEventId;
  }

  /** @param {string} url */
  connect(url) {
    this.#url = url;
    this.#events = [];
    this.#streamingContent = "";
    this.#lastEventId = "";
    this.#seen = new Seen();
    this.#failures = 0;
    this.#retry = undefined;
    this.#notBefore = 0;
    globalThis.document?.addEventListener("visibilitychange", this.#onVisibility);
    this.#open();
  }

  disconnect() {
    this.#stop();
    this.#setStatus("closed");
  }

  /** A page that nobody sees leaves its connection to others: by HTTP/1.1, a browser has six for a server. */
  get #isHidden() {
    return this.#options.keepOpen !== true && globalThis.document?.visibilityState === "hidden";
  }

  #onVisibility = () => {
    if (this.#isHidden) {
      this.#stop();
      this.#setStatus("paused");
    } else if (this.#status === "paused") {
      this.#openIn(this.#notBefore - Date.now());
    }
  };

  /** @param {number} wait milliseconds */
  #openIn(wait) {
    if (wait <= 0) {
      this.#open();
      return;
    }
    this.#timer = setTimeout(this.#open, wait);
    this.#setStatus("waiting");
  }

  #stop() {
    this.#attempt?.abort();
    this.#attempt = undefined;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#open);
  }

  /** Makes one connection, and plans the next when it has broken off. */
  #open = async () => {
    this.#stop();
    if (this.#isHidden) {
      this.#setStatus("paused");
      return;
    }
    const attempt = new AbortController();
    this.#attempt = attempt;
    let isOver = false;
    /** @type {StreamError | undefined} */
    let failure;
    this.#setStatus("connecting");
    try {
      isOver = await this.#receive(attempt);
    } catch (error) {
      failure = asStreamError(attempt.signal.aborted ? attempt.signal.reason : error);
      isOver = failure.isFinal;
    }
    if (this.#attempt !== attempt) return; // a callback or the page disconnected, or connected elsewhere
    attempt.abort();
    clearTimeout(this.#timer);
    isOver ||= this.#options.autoReconnect === false;
    if (!isOver) {
      this.#failures += 1;
      const wait = this.#nextWait(failure?.retryAfter);
      this.#notBefore = failure?.retryAfter === undefined ? 0 : Date.now() + wait;
      this.#timer = setTimeout(this.#open, wait);
      // Back on the network, there is nothing to wait for, unless the server asked for it.
      if (failure?.retryAfter === undefined) globalThis.addEventListener?.("online", this.#open);
    }
    this.#setStatus(isOver ? "closed" : "waiting");
    const error = failure;
    if (error && this.#attempt === attempt) callSafely(() => this.#options.onError?.(error));
  };

  /**
   * Reads one connection to its end.
   *
   * @param {AbortController} attempt
   * @returns {Promise<boolean>} whether the stream is over; if not, the server closed the connection
   */
  async #receive(attempt) {
    const { signal } = attempt;
    const { idleTimeout = 45_000, credentials = "same-origin" } = this.#options;
    const silence = new StreamError(`The event stream was silent for ${idleTimeout} ms.`);
    const expectBytes = () => {
      signal.throwIfAborted();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => attempt.abort(silence), idleTimeout);
    };
    expectBytes();
    /** @type {Record<string, string>} */
    const headers = { ...(await unlessAborted(this.#options.headers?.(), signal)), Accept: "text/event-stream" };
    const sentId = headerValue(this.#lastEventId);
    if (sentId) headers["Last-Event-ID"] = sentId;
    const response = await fetch(this.#url, { headers, credentials, cache: "no-store", signal });
    expectBytes();
    if (response.status === 204) return true;
    refuseUnlessStream(response);
    // Without an id, the server sends the answer that is being written from its beginning.
    if (!sentId) this.#streamingContent = "";
    const decoder = new SSEDecoder(this.#lastEventId);
    this.#seen.startConnection();
    const openedAt = Date.now();
    this.#setStatus("open");
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    while (true) {
      const { done, value } = await reader.read();
      expectBytes();
      if (done) return false;
      if (Date.now() - openedAt >= HEALTHY_AFTER) this.#failures = 0;
      for (const sent of decoder.feed(value)) {
        this.#lastEventId = sent.id;
        if (this.#seen.isNew(sent) && this.#hasEnded(readEvent(sent))) return true;
        signal.throwIfAborted();
      }
      this.#lastEventId = decoder.lastEventId;
      this.#retry = decoder.retry ?? this.#retry;
    }
  }

  /**
   * Hands an event on. True if it ends the stream.
   *
   * @param {StreamEvent} event
   */
  #hasEnded(event) {
    /** @type {string} */
    const type = event.type;
    if (type === "done") return true;
    if (KEEPALIVES.has(type)) return false;
    if (type !== "error") this.#failures = 0;
    if (event.type === "message.delta") this.#streamingContent += typeof event.content === "string" ? event.content : "";
    else if (event.type === "message.complete") this.#streamingContent = "";
    this.#events = [...this.#events, event].slice(-KEPT_EVENTS);
    callSafely(() => this.#options.onEvent?.(event));
    return false;
  }

  /** @param {StreamStatus} status */
  #setStatus(status) {
    if (status === "closed") globalThis.document?.removeEventListener("visibilitychange", this.#onVisibility);
    if (status === this.#status) return;
    this.#status = status;
    callSafely(() => this.#options.onStatus?.(status));
  }

  /**
   * Milliseconds before the next attempt: at least what the server or the page asks for, and up to twice as long after
   * each failure.
   *
   * @param {number} [retryAfter]
   */
  #nextWait(retryAfter = 0) {
    const { reconnectInterval = 1000, maxReconnectInterval = 30_000 } = this.#options;
    const least = this.#retry ?? reconnectInterval;
    // A wait of 0 must not become a busy loop.
    const doubled = Math.max(least, 100) * 2 ** this.#failures;
    const most = Math.max(least, Math.min(maxReconnectInterval, doubled));
    const drawn = Math.random();
    return Math.min(LONGEST_WAIT, Math.max(least + drawn * (most - least), retryAfter * (1 + drawn / 10)));
  }
}

/**
 * The event as the page gets it. Its type is in the JSON or in the field `event`: the first known one counts, else that of
 * the JSON.
 *
 * @param {ServerSentEvent} sent
 * @returns {StreamEvent}
 */
function readEvent({ event, data }) {
  /** @type {any} */
  let fields;
  try {
    fields = JSON.parse(data);
  } catch {
    fields = undefined;
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) fields = { data };
  const { type } = fields;
  const isType = typeof type === "string" && (KNOWN.has(type) || (type !== "" && !KNOWN.has(event)));
  return isType ? fields : { ...fields, type: event };
}

/** @param {Response} response */
function refuseUnlessStream(response) {
  const { status, headers } = response;
  if (!response.ok) {
    const isFinal = status < 500 && !TRANSIENT.has(status);
    const retryAfter = waitOf(headers.get("Retry-After"));
    throw new StreamError(`The event stream responded with status ${status}.`, { status, isFinal, retryAfter });
  }
  const type = headers.get("Content-Type") ?? "";
  if (!/^text\/event-stream(;|$)/i.test(type.replaceAll(" ", "")))
    throw new StreamError(`The response isn't an event stream but "${type}".`, { status, isFinal: true });
}

/**
 * The id as UTF-8, as the WHATWG specifies: `fetch` sends each character as one byte. "" if it cannot be sent.
 *
 * @param {string} id
 */
function headerValue(id) {
  const bytes = new TextEncoder().encode(id);
  const isSendable = bytes.length <= LONGEST_SENT_ID && bytes.every((byte) => byte >= 0x20 && byte !== 0x7f);
  return isSendable ? String.fromCharCode(...bytes) : "";
}

/**
 * @template T
 * @param {T | Promise<T>} result
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
async function unlessAborted(result, signal) {
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  aborted.catch(() => {}); // later than this, nobody waits for it
  return Promise.race([result, aborted]);
}

/** @param {unknown} error */
function asStreamError(error) {
  return error instanceof StreamError
    ? error
    : new StreamError("The connection to the event stream failed.", { cause: error });
}

/** An error in a callback is the page's, and does not end the stream. @param {() => void} callback */
function callSafely(callback) {
  try {
    callback();
  } catch (error) {
    (globalThis.reportError ?? console.error)(error);
  }
}
