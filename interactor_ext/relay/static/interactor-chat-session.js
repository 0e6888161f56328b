/**
 * The state of a chat: history, the answer that is being written, tool calls, a halted workflow. It draws nothing.
 *
 * What the server lists is the truth: the newest page of history is read at each connection and after each answer, and
 * laid over what the stream told.
 *
 * @typedef {import("./interactor-types.js").Message} Message
 * @typedef {import("./interactor-types.js").ToolCall} ToolCall
 * @typedef {import("./interactor-types.js").StreamEvent} StreamEvent
 * @typedef {import("./interactor-types.js").HaltingPresentation} HaltingPresentation
 * @typedef {import("./interactor-types.js").WorkflowInstance} WorkflowInstance
 * @typedef {import("./interactor-stream.js").StreamStatus} StreamStatus
 * @typedef {{
 *   endpoint: string, room: string, instance: string, credentials?: RequestCredentials,
 *   headers: () => Record<string, string> | Promise<Record<string, string>>,
 *   onChange: () => void, onEvent: (event: StreamEvent) => void, onError: (error: Error) => void,
 * }} ChatOptions
 * @typedef {{key: string, content: string, state: "sending" | "failed", error?: Error, known?: Set<string>}} Outgoing
 * @typedef {{path: string, stream: InteractorStream, error?: import("./interactor-stream.js").StreamError}} Source
 */

import { InteractorStream } from "./interactor-stream.js";

const PER_PAGE = 50;
/** Milliseconds. */
const REQUEST_TIMEOUT = 60_000;
/** From good to bad. @type {(StreamStatus | "ended")[]} */
const STATUSES = ["ended", "open", "connecting", "waiting", "closed"];

/** A request that was refused, or got no answer. */
export class ChatError extends Error {
  /**
   * @param {string} code one of the relay's, or NETWORK where no answer came
   * @param {string} message
   * @param {{status?: number, cause?: unknown}} [details]
   */
  constructor(code, message, { status, cause } = {}) {
    super(message, { cause });
    this.name = "ChatError";
    this.code = code;
    this.status = status;
  }
}

export class ChatSession {
  /** Oldest first, without gaps up to the newest. @type {Message[]} */
  messages = [];
  isLoaded = false;
  hasEarlier = false;
  isLoadingEarlier = false;
  /** Why the history could not be read. @type {Error | undefined} */
  historyError;
  /** Why the workflow could not be read. @type {Error | undefined} */
  workflowError;
  /** What the server said went wrong with the last answer. */
  reportedError = "";
  /** @type {WorkflowInstance | undefined} */
  workflow;
  /** What the halted workflow asks. @type {HaltingPresentation | undefined} */
  presentation;
  /** `isTooLittle`: the input was taken, and the workflow waits on. @type {{isSending: boolean, error?: Error, isTooLittle?: boolean}} */
  submission = { isSending: false };

  #options;
  #closing = new AbortController();
  /** @type {Source | undefined} */
  #room;
  /** @type {Source | undefined} */
  #instance;
  /** @type {Outgoing[]} */
  #outgoing = [];
  /** The keys of the messages that were sent here, by id. @type {Map<string, string>} */
  #asked = new Map();
  /** Calls that the stream told of, by id. @type {Map<string, ToolCall>} */
  #calls = new Map();
  #text = "";
  /** The newest message when the text began: the answer comes after it. @type {string | undefined} */
  #textFollows;
  #readHistory;
  #readWorkflow;

  /** @param {ChatOptions} options */
  constructor(options) {
    this.#options = options;
    this.#readHistory = inTurn(() => this.#refreshHistory());
    this.#readWorkflow = inTurn((isOvertaken) => this.#refreshWorkflow(isOvertaken));
  }

  open() {
    const { room, instance } = this.#options;
    if (room) {
      this.#room = this.#connect(`${this.#roomPath}/stream`, this.#readHistory, (event) => this.#onRoomEvent(event));
      this.#readHistory();
    }
    if (instance) {
      this.#instance = this.#connect(`${this.#instancePath}/stream`, this.#readWorkflow, (event) =>
        this.#onWorkflowEvent(event),
      );
      this.#readWorkflow();
    }
  }

  close() {
    this.#closing.abort();
    for (const source of this.#sources) source.stream.disconnect();
  }

  /** The worst of the streams, leaving out those that have come to their end. */
  get status() {
    const statuses = this.#sources.map((source) => (hasEnded(source) ? "ended" : source.stream.status));
    return statuses.reduce((one, other) => (STATUSES.indexOf(one) > STATUSES.indexOf(other) ? one : other), "ended");
  }

  /** Why the connection was given up. */
  get connectionError() {
    return this.#sources.find(wasGivenUp)?.error;
  }

  /** Messages on their way, or not sent. One that is in the list already, though its response is not here, is left out. */
  get outgoing() {
    const arrived = new Set(this.#arrived().values());
    return this.#outgoing.filter(({ key }) => !arrived.has(key));
  }

  /** Tool calls that no message in the list holds yet. */
  get calls() {
    const held = new Set(this.messages.flatMap((message) => message.tool_calls ?? []).map((call) => call.id));
    return [...this.#calls.values()].filter((call) => !held.has(call.id));
  }

  /** The answer as far as it has come. */
  get answer() {
    return this.#finishedAnswer() ? "" : this.#text;
  }

  get isWriting() {
    return !this.reportedError && (this.answer !== "" || this.#asked.has(this.#question?.id ?? ""));
  }

  /** What was asked here and got an error for an answer. While the stream connects again, the answer may yet come. */
  get unanswered() {
    const question = this.reportedError && this.status === "open" ? this.#question : undefined;
    return question && this.#asked.has(question.id) ? (question.content ?? "") : "";
  }

  /** As the stream or the list knows it, whichever is further. @param {ToolCall} call */
  latest(call) {
    return call.status === "pending" ? (this.#calls.get(call.id) ?? call) : call;
  }

  /** The same for a message before and after it is sent. @param {Message} message */
  keyOf({ id }) {
    return this.#asked.get(id) ?? this.#arrived().get(id) ?? id;
  }

  /** @param {string} content */
  send(content) {
    const known = this.isLoaded ? new Set(this.messages.map((message) => message.id)) : undefined;
    /** @type {Outgoing} */
    const message = { key: newKey(), content, state: "sending", known };
    this.#outgoing.push(message);
    return this.#post(message);
  }

  /** Sends a message that failed once more, with the same Idempotency-Key. @param {string} key */
  async retry(key) {
    const message = this.#outgoing.find((each) => each.key === key);
    if (message?.state === "failed") await this.#post(message);
  }

  /** Takes a message that failed back, and returns its text. @param {string} key */
  takeBack(key) {
    const message = this.#outgoing.find((each) => each.key === key);
    if (message?.state !== "failed") return "";
    this.#outgoing = this.#outgoing.filter((each) => each !== message);
    this.#changed();
    return message.content;
  }

  async loadEarlier() {
    if (this.isLoadingEarlier || !this.hasEarlier) return;
    this.isLoadingEarlier = true;
    this.#changed();
    const oldest = this.messages[0]?.id;
    try {
      const page = await this.#page(Math.floor(this.messages.length / PER_PAGE) + 1);
      // A gap may have emptied the list meanwhile.
      if (this.messages[0]?.id === oldest) {
        const known = new Set(this.messages.map((message) => message.id));
        this.messages = [...page.messages.filter((message) => !known.has(message.id)), ...this.messages];
        this.hasEarlier = page.hasMore;
      }
      this.historyError = undefined;
    } catch (error) {
      this.historyError = this.#failed(error);
    } finally {
      this.isLoadingEarlier = false;
      this.#changed();
    }
  }

  /** Reads again, and connects again where the connection was given up. */
  refresh() {
    for (const source of this.#sources) {
      if (wasGivenUp(source)) source.stream.connect(source.path);
    }
    if (this.#room) this.#readHistory();
    if (this.#instance) this.#readWorkflow();
  }

  /** Answers what the halted workflow asks. @param {Record<string, unknown>} input */
  async submit(input) {
    if (this.submission.isSending) return;
    const submission = { isSending: true };
    this.submission = submission;
    this.#changed();
    try {
      const { data } = await this.#request(`${this.#instancePath}/input`, input);
      // Unless the stream was faster.
      if (this.submission === submission) {
        const isTooLittle = data.status === "halted" && data.current_state === this.workflow?.current_state;
        this.submission = { isSending: false, isTooLittle };
        this.#move(data);
      }
    } catch (error) {
      const failure = this.#failed(error);
      if (this.submission === submission) this.submission = { isSending: false, error: failure };
    }
    // After an error: somebody else may have answered.
    this.#readWorkflow();
    this.#changed();
  }

  /** The keys of outgoing messages that the list holds, by its ids. */
  #arrived() {
    /** @type {Map<string, string>} */
    const arrived = new Map();
    for (const { key, content, known } of this.#outgoing) {
      const isIt = (/** @type {Message} */ { id, role, content: said }) =>
        role === "user" && said === content && known?.has(id) === false && !this.#asked.has(id) && !arrived.has(id);
      const message = this.messages.find(isIt);
      if (message) arrived.set(message.id, key);
    }
    return arrived;
  }

  /** The newest message of a user, unless it is answered. */
  get #question() {
    const newest = this.messages.findLast(({ role, content }) => role === "user" || (role === "assistant" && content));
    return newest?.role === "user" ? newest : undefined;
  }

  get #sources() {
    return [this.#room, this.#instance].filter((source) => source !== undefined);
  }

  get #roomPath() {
    const { endpoint, room } = this.#options;
    return `${endpoint.replace(/\/+$/, "")}/rooms/${encodeURIComponent(room)}`;
  }

  get #instancePath() {
    const { endpoint, instance } = this.#options;
    return `${endpoint.replace(/\/+$/, "")}/workflow-instances/${encodeURIComponent(instance)}`;
  }

  /**
   * @param {string} path
   * @param {() => void} read
   * @param {(event: StreamEvent) => void} onEvent
   */
  #connect(path, read, onEvent) {
    const options = this.#options;
    const stream = new InteractorStream({
      get credentials() {
        return options.credentials;
      },
      headers: options.headers,
      onEvent: (event) => {
        onEvent(event);
        options.onEvent(event);
        this.#changed();
      },
      onError: (error) => {
        source.error = error;
        options.onError(error);
        this.#changed();
      },
      onStatus: (status) => {
        if (this.#closing.signal.aborted) return;
        if (status === "open") {
          source.error = undefined;
          // It is sent from its beginning again.
          if (source === this.#room && !stream.streamingContent) this.#text = "";
        }
        // Events may have been missed; at the end of a workflow there is none.
        if (status === "open" || status === "closed") read();
        this.#changed();
      },
    });
    /** @type {Source} */
    const source = { path, stream };
    stream.connect(path);
    return source;
  }

  /** @param {StreamEvent} event */
  #onRoomEvent(event) {
    switch (event.type) {
      case "message.delta":
        this.reportedError = "";
        this.#append(event.content ?? "");
        break;
      case "message.complete":
        this.reportedError = "";
        this.#text = "";
        this.#put(event.message);
        this.#readHistory();
        break;
      case "tool_call.start":
      case "tool_call.complete":
        this.#calls.set(event.tool_call.id, event.tool_call);
        this.#readHistory();
        break;
      case "error":
        this.reportedError = reason(event.error);
        break;
    }
  }

  /** @param {StreamEvent} event */
  #onWorkflowEvent(event) {
    if (event.type === "workflow.halted") {
      // A repetition leaves the form as it is, with what was entered.
      if (JSON.stringify(event.presentation) !== JSON.stringify(this.presentation)) {
        this.presentation = event.presentation;
        this.submission = { isSending: false };
      }
    } else if (event.type === "workflow.state_changed") {
      this.presentation = undefined;
      this.submission = { isSending: false };
      if (this.workflow) this.workflow = { ...this.workflow, current_state: event.state, status: "running" };
    }
    this.#readWorkflow();
  }

  /** @param {string} delta */
  #append(delta) {
    const finished = this.#finishedAnswer();
    const text = this.#text + delta;
    if (this.#text && !(finished && !finished.content?.startsWith(text))) {
      this.#text = text;
      return;
    }
    // The question may come from another tab.
    if (!this.isWriting) this.#readHistory();
    this.#text = delta;
    this.#textFollows = this.messages.at(-1)?.id;
  }

  /** The message in the list that the text has become, where the event of its end was missed. */
  #finishedAnswer() {
    if (!this.#text) return undefined;
    const begin = this.messages.findIndex((message) => message.id === this.#textFollows) + 1;
    return this.messages.slice(begin).find(({ role, content }) => role === "assistant" && content);
  }

  async #refreshHistory() {
    try {
      const { messages, hasMore } = await this.#page(1);
      this.#lay(messages, hasMore);
      this.historyError = undefined;
    } catch (error) {
      this.historyError = this.#failed(error);
    }
    this.#changed();
  }

  /**
   * Lays the newest page over the list.
   *
   * @param {Message[]} page
   * @param {boolean} hasMore
   */
  #lay(page, hasMore) {
    const listed = new Set(page.map((message) => message.id));
    const begin = this.messages.findIndex((message) => listed.has(message.id));
    const later = this.messages.slice(begin + 1).filter((message) => !listed.has(message.id));
    if (begin >= 0 && this.isLoaded) {
      this.messages = [...this.messages.slice(0, begin), ...page, ...later];
    } else {
      // The first page, or one that has nothing in common with the list: what is between them is read with "earlier".
      const newest = page.at(-1);
      this.messages = [...page, ...later.filter((message) => !newest || sentAt(message) > sentAt(newest))];
      this.hasEarlier = hasMore;
      if (this.#text) this.#startTextAfter(newest);
    }
    this.isLoaded = true;
    if (!this.#question) this.reportedError = "";
  }

  /** The history comes when the answer is being written already, or has just been. @param {Message | undefined} newest */
  #startTextAfter(newest) {
    const isAnswer = newest?.role === "assistant" && newest.content?.startsWith(this.#text);
    this.#textFollows = isAnswer ? this.messages[this.messages.indexOf(newest) - 1]?.id : newest?.id;
  }

  /** @param {Message} message */
  #put(message) {
    const index = this.messages.findIndex((each) => each.id === message.id);
    if (index >= 0) {
      this.messages = this.messages.with(index, message);
    } else {
      const before = this.messages.findLastIndex((each) => sentAt(each) <= sentAt(message));
      this.messages = this.messages.toSpliced(before + 1, 0, message);
    }
  }

  /** @param {() => boolean} isOvertaken by an event, which is newer */
  async #refreshWorkflow(isOvertaken) {
    try {
      const { data } = await this.#request(this.#instancePath);
      if (!isOvertaken()) this.#move(data);
      this.workflowError = undefined;
    } catch (error) {
      this.workflowError = this.#failed(error);
    }
    this.#changed();
  }

  /** @param {WorkflowInstance} workflow */
  #move(workflow) {
    const hasMoved = this.workflow !== undefined && this.workflow.current_state !== workflow.current_state;
    if (hasMoved || workflow.status !== "halted") this.presentation = undefined;
    this.workflow = workflow;
  }

  /** @param {number} number */
  async #page(number) {
    const { data, meta } = await this.#request(
      `${this.#roomPath}/messages?order=desc&page=${number}&per_page=${PER_PAGE}`,
    );
    return { messages: /** @type {Message[]} */ (data).reverse(), hasMore: meta?.has_more === true };
  }

  /** @param {Outgoing} message */
  async #post(message) {
    message.state = "sending";
    message.error = undefined;
    // What has come of the answer that failed is not continued.
    if (this.reportedError) this.#text = this.reportedError = "";
    this.#changed();
    try {
      const headers = { "Idempotency-Key": message.key };
      const { data } = await this.#request(`${this.#roomPath}/messages`, { content: message.content }, headers);
      this.#outgoing = this.#outgoing.filter((each) => each !== message);
      this.#asked.set(data.id, message.key);
      this.#put(data);
    } catch (error) {
      message.state = "failed";
      message.error = this.#failed(error);
    }
    this.#changed();
  }

  /**
   * @param {string} url
   * @param {unknown} [body]
   * @param {Record<string, string>} [headers]
   * @returns {Promise<any>}
   */
  async #request(url, body, headers = {}) {
    const { credentials = "same-origin", headers: ofPage } = this.#options;
    const isWrite = body !== undefined;
    let response, answer;
    try {
      response = await fetch(url, {
        method: isWrite ? "POST" : "GET",
        headers: { ...(await ofPage()), ...headers, ...(isWrite && { "Content-Type": "application/json" }) },
        body: isWrite ? JSON.stringify(body) : undefined,
        credentials,
        cache: "no-store",
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(REQUEST_TIMEOUT)]),
      });
      answer = await response.json();
    } catch (cause) {
      throw new ChatError("NETWORK", "No answer came.", { status: response?.status, cause });
    }
    if (!response.ok || !answer?.data) {
      const { code = "UPSTREAM_ERROR", message = "The answer cannot be read." } = answer?.error ?? {};
      throw new ChatError(code, message, { status: response.status });
    }
    return answer;
  }

  /** @param {unknown} error */
  #failed(error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (!this.#closing.signal.aborted) this.#options.onError(failure);
    return failure;
  }

  #changed() {
    if (!this.#closing.signal.aborted) this.#options.onChange();
  }
}

/** @param {Source} source */
function wasGivenUp({ stream, error }) {
  return stream.status === "closed" && error?.isFinal === true;
}

/** @param {Source} source */
function hasEnded({ stream, error }) {
  return stream.status === "closed" && error?.isFinal !== true;
}

/**
 * One at a time; a call while it runs has it run once more afterwards, and tells it that it is overtaken.
 *
 * @param {(isOvertaken: () => boolean) => Promise<void>} work
 */
function inTurn(work) {
  let isRunning = false;
  let again = false;
  return async () => {
    again = true;
    if (isRunning) return;
    isRunning = true;
    while (again) {
      again = false;
      await work(() => again);
    }
    isRunning = false;
  };
}

/** @param {Message} message */
function sentAt(message) {
  return Date.parse(message.created_at) || 0;
}

/** @param {unknown} error a text, or an object with a message */
function reason(error) {
  return String(/** @type {any} */ (error)?.message ?? error);
}

/** `crypto.randomUUID` exists on secure pages alone. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
