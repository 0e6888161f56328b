/**
 * The state of a chat: history, the answer that is being written, tool calls, a halted workflow. It draws nothing.
 *
 * What the server lists is the truth: the newest page of history is read at each connection and after each answer, and
 * laid over what the stream told.
 *
 * @typedef {import("./interactor-types.js").Message} Message
 * @typedef {import("./interactor-types.js").StreamEvent} StreamEvent
 * @typedef {import("./interactor-types.js").HaltingPresentation} HaltingPresentation
 * @typedef {import("./interactor-types.js").WorkflowInstance} WorkflowInstance
 * @typedef {import("./interactor-chat-session.js").ChatMessage} ChatMessage
 * @typedef {import("./interactor-chat-session.js").ChatSessionOptions} ChatSessionOptions
 * @typedef {import("./interactor-chat-session.js").ChatStatus} ChatStatus
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 * @typedef {{key: string, content: string, state: "sending" | "waiting" | "failed", error?: Error, known?: Set<string>}} Outgoing
 * @typedef {{path: string, stream: InteractorStream, error?: import("./interactor-stream.js").StreamError}} Source
 */

import { Approvals } from "./interactor-chat-approvals.js";
import { waitOf } from "./interactor-retry-after.js";
import { InteractorStream, StreamError } from "./interactor-stream.js";

const PER_PAGE = 50;
/** @type {"sent"} */
const SENT = "sent";
/** Milliseconds. */
const REQUEST_TIMEOUT = 60_000;
/** Milliseconds. A message that would have to wait for longer is not sent by itself. */
const LONGEST_WAIT = 300_000;
/** Milliseconds without an event, after which the newest page is read while an answer is awaited. */
const QUIET = 3_000;
/** Milliseconds. Whoever has waited for long reads less often: a twentieth of the time so far. */
const RAREST = 60_000;
/** Milliseconds without a sign of the server, after which the chat says so. */
const SILENCE = 10_000;
/** Sign in first, not allowed, not found: what is shown isn't for whoever looks at it now. */
const REFUSALS = new Set([401, 403, 404]);
/** From good to bad. @type {ChatStatus[]} */
const STATUSES = ["ended", "open", "paused", "connecting", "busy", "waiting", "closed"];
/** A workflow that has come to its end. */
const ENDS = new Set(["completed", "failed", "cancelled"]);

/** A request that was refused, or got no answer. */
export class ChatError extends Error {
  /**
   * @param {string} code one of the relay's, or NETWORK where no answer came
   * @param {string} message
   * @param {{status?: number, retryAfter?: number, cause?: unknown}} [details]
   */
  constructor(code, message, { status, retryAfter, cause } = {}) {
    super(message, { cause });
    this.name = "ChatError";
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class ChatSession {
  /** What the server lists: oldest first, without gaps up to the newest. @type {Message[]} */
  history = [];
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
  /** Seconds that the server had messages wait, while they do. */
  pause = 0;

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
  /** The keys of the answers that were written before the eyes of the user, by id. @type {Map<string, string>} */
  #answered = new Map();
  /** Number of the answer that is being written, or comes next. */
  #answers = 0;
  /** What the user thinks of answers, by their ids. @type {Map<string, "good" | "bad">} */
  #ratings = new Map();
  /** As much of an answer as was there when it was stopped, by its key. @type {Map<string, string>} */
  #stopped = new Map();
  /** Until messages that wait are sent. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** What was shown last, by its key. @type {Map<string, ChatMessage>} */
  #kept = new Map();
  /** How many items of the server's list, shown or not, `history` reaches beyond its own. */
  #unseen = 0;
  /** Calls that the stream told of, by id. @type {Map<string, ToolCall>} */
  #calls = new Map();
  /** Ids of messages that came without a call to wait for. @type {Set<string>} */
  #final = new Set();
  /** When the server last gave a sign, and when the conversation last went on. */
  #heardAt = Date.now();
  #movedAt = this.#heardAt;
  /** How many times everything was forgotten. */
  #forgotten = 0;
  /** The newest message of the last page that was read: the list has no gaps up to it. @type {string | undefined} */
  #newest;
  /** When the server accepts reads again, if it said so. */
  #readAfter = 0;
  /** Until the newest page may have to be read. @type {ReturnType<typeof setTimeout> | undefined} */
  #watch;
  /** Whether the question is newer than the state that is known. */
  #isNewQuestion = false;
  #text = "";
  /** The keys of messages that were sent while it was written: it goes before them. @type {Set<string>} */
  #later = new Set();
  /** The newest message when the text began: the answer comes after it. @type {string | undefined} */
  #textFollows;
  #approvals;
  #readHistory;
  #readWorkflow;
  #roomPath;
  #instancePath;

  /** @param {ChatSessionOptions} options */
  constructor(options) {
    this.#options = options;
    const endpoint = (options.endpoint ?? "/interactor").replace(/\/+$/, "");
    this.#roomPath = `${endpoint}/rooms/${encodeURIComponent(options.room ?? "")}`;
    this.#instancePath = `${endpoint}/workflow-instances/${encodeURIComponent(options.instance ?? "")}`;
    this.#approvals = new Approvals({
      request: (call, body) => this.#request([this.#roomPath, "approvals", ...(call ? [encodeURIComponent(call)] : [])].join("/"), body),
      failed: (error) => this.#failed(error),
      changed: () => this.#changed(),
    });
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
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    this.#approvals.close();
    for (const source of this.#sources) source.stream.disconnect();
  }

  /** The worst of the streams, leaving out those that have come to their end. */
  get status() {
    const statuses = this.#sources.map(statusOf);
    return statuses.reduce((one, other) => (STATUSES.indexOf(one) > STATUSES.indexOf(other) ? one : other), "ended");
  }

  /** Why the connection was given up, or something could not be read. */
  get error() {
    return this.#sources.find(wasGivenUp)?.error ?? this.historyError ?? this.workflowError;
  }

  /** What to show, oldest first. A message that is unchanged is the same object. @returns {ChatMessage[]} */
  get messages() {
    const messages = this.#toShow();
    const kept = messages.map((message) => {
      const before = this.#kept.get(message.key);
      return before && isSame(before, message) ? before : message;
    });
    this.#kept = new Map(kept.map((message) => [message.key, message]));
    return kept;
  }

  /** @returns {ChatMessage[]} */
  #toShow() {
    const calls = this.calls.map((call) => {
      return { key: call.id, role: "assistant", content: "", toolCalls: [this.latest(call)], state: SENT };
    });
    const outgoing = this.outgoing.map(({ key, content, state, error }) => {
      return { key, role: "user", content, toolCalls: [], state, error };
    });
    const said = [...this.#shownHistory(), ...outgoing];
    const place = said.findIndex(({ key }) => this.#later.has(key));
    return said.toSpliced(place < 0 ? said.length : place, 0, ...calls, ...this.#shownAnswer());
  }

  /** Messages on their way, or not sent. One that is in the list already, though its response is not here, is left out. */
  get outgoing() {
    const arrived = new Set(this.#arrived().values());
    return this.#outgoing.filter(({ key }) => !arrived.has(key));
  }

  /** Tool calls that no message in the list holds yet. */
  get calls() {
    const held = new Set(this.history.flatMap((message) => message.tool_calls ?? []).map((call) => call.id));
    return [...this.#calls.values()].filter((call) => !held.has(call.id));
  }

  /** The answer as far as it has come, also if it was stopped. */
  get answer() {
    return this.#finishedAnswer() ? "" : this.#text;
  }

  /** Whether the newest question has no final answer, or a call of a tool since then no result. */
  get isUnfinished() {
    const turn = this.history.slice(this.history.findLastIndex(({ role }) => role === "user"));
    const calls = [...turn.flatMap((message) => message.tool_calls ?? []), ...this.calls].map((call) => this.latest(call));
    if (calls.some(({ status }) => status === "pending")) return true;
    return turn.length > 0 && !turn.some((message) => message.role === "assistant" && this.#isFinal(message));
  }

  get isWriting() {
    if (this.reportedError || this.#stopped.has(this.#answerKey)) return false;
    // An answer that waits for the user's decision is not being written.
    return this.answer !== "" || (this.#asked.has(this.#question?.id ?? "") && !this.approvals.length);
  }

  get #isAwaited() {
    return this.isUnfinished || this.#outgoing.some(({ state }) => state === "sending");
  }

  /** Seconds without a sign of the server, once they are many while something is awaited; or 0. */
  get silence() {
    const silence = Date.now() - this.#heardAt;
    return this.#isAwaited && this.status === "open" && silence >= SILENCE ? Math.floor(silence / 1000) : 0;
  }

  /** The newest question, if it is answered. */
  get answeredQuestion() {
    if (this.isUnfinished || this.isWriting || this.#outgoing.length) return "";
    return this.history.findLast(({ role }) => role === "user")?.content ?? "";
  }

  /** What was asked here and got an error for an answer. While the stream connects again, the answer may yet come. */
  get unanswered() {
    const question = this.reportedError && this.status === "open" ? this.#question : undefined;
    return question && this.#asked.has(question.id) ? (question.content ?? "") : "";
  }

  /** As the stream or the list knows it, whichever is further. @param {ToolCall} call */
  latest(call) {
    return this.#approvals.with(call.status === "pending" ? (this.#calls.get(call.id) ?? call) : call);
  }

  /** Calls of tools that wait for a decision of the user, where the user is one who may decide. */
  get approvals() {
    return this.#approvals.waiting;
  }

  /** @param {string} id of the call */
  approve(id) {
    return this.#decide(id, "approve");
  }

  /**
   * @param {string} id of the call
   * @param {string} [reason] for the assistant
   */
  reject(id, reason) {
    return this.#decide(id, "reject", reason);
  }

  /** @param {string} content */
  send(content) {
    const known = this.isLoaded ? new Set(this.history.map((message) => message.id)) : undefined;
    /** @type {Outgoing} */
    const message = { key: newKey(), content, state: "sending", known };
    this.#outgoing.push(message);
    if (this.answer) this.#later.add(message.key);
    return this.#send(message);
  }

  /** Shows no more of the answer that is being written. The server writes it to its end. */
  stop() {
    if (!this.isWriting) return;
    const finished = this.#finishedAnswer();
    if (finished) this.#finish(finished.id);
    this.#stopped.set(this.#answerKey, this.answer);
    this.#changed();
  }

  /**
   * Has the application know what the user thinks of an answer.
   *
   * @param {string} id of the message
   * @param {"good" | "bad"} rating
   */
  async rate(id, rating) {
    const before = this.#ratings.get(id);
    this.#ratings.set(id, rating);
    this.#changed();
    try {
      await this.#request(`${this.#roomPath}/messages/${encodeURIComponent(id)}/feedback`, { rating });
    } catch (error) {
      if (before) this.#ratings.set(id, before);
      else this.#ratings.delete(id);
      this.#failed(error);
      this.#changed();
    }
  }

  /** Sends a message that failed once more, with the same Idempotency-Key. @param {string} key */
  async retry(key) {
    const message = this.#outgoing.find((each) => each.key === key);
    if (message?.state === "failed") await this.#send(message);
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
    const oldest = this.history[0]?.id;
    try {
      // A page may hold nothing for a browser. A gap may have emptied the list since.
      while (this.hasEarlier && this.history[0]?.id === oldest) {
        const number = Math.floor((this.history.length + this.#unseen) / PER_PAGE) + 1;
        const page = await this.#page(number);
        if (this.history[0]?.id !== oldest) break;
        const known = new Set(this.history.map((message) => message.id));
        this.history = [...page.messages.filter((message) => !known.has(message.id)), ...this.history];
        this.hasEarlier = page.hasMore;
        this.#unseen = number * PER_PAGE - this.history.length;
      }
      this.#followCalls();
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

  /**
   * @param {string} id
   * @param {"approve" | "reject"} decision
   * @param {string} [reason]
   */
  async #decide(id, decision, reason) {
    await this.#approvals.decide(id, decision, reason);
    this.#readHistory();
  }

  #followCalls() {
    const calls = this.history.flatMap((message) => message.tool_calls ?? []).map((call) => this.latest(call));
    const open = [...calls, ...this.calls].filter(({ status }) => status === "pending").map(({ id }) => id);
    this.#approvals.follow(open, (id) => this.#calls.has(id));
  }

  get #answerKey() {
    return `answer-${this.#answers}`;
  }

  /** @returns {ChatMessage[]} */
  #shownHistory() {
    const keys = this.#keys();
    const listed = this.history.filter(({ role, content, tool_calls }) => role !== "tool" && (content || tool_calls?.length));
    return listed.map((message) => {
      const { id, role = "", content, created_at, tool_calls } = message;
      const key = keys.get(id) ?? id;
      const stopped = this.#stopped.get(key);
      const toolCalls = (tool_calls ?? []).map((call) => this.latest(call));
      const state = stopped === undefined ? SENT : "stopped";
      return { key, id, role, content: stopped ?? content ?? "", created_at, toolCalls, state, rating: this.#ratings.get(id) };
    });
  }

  /** @returns {ChatMessage[]} */
  #shownAnswer() {
    const stopped = this.#stopped.get(this.#answerKey);
    if (!this.isWriting && stopped === undefined && !this.answer) return [];
    const finished = this.#finishedAnswer();
    if (finished && !this.isWriting) return [];
    const state = this.isWriting ? "writing" : stopped === undefined ? SENT : "stopped";
    const key = finished ? `answer-${this.#answers + 1}` : this.#answerKey; // finished: more of the turn is to come
    return [{ key, role: "assistant", content: stopped ?? this.answer, toolCalls: [], state }];
  }

  /** The keys of messages that were shown before they were in the list, by its ids. */
  #keys() {
    const keys = new Map([...this.#answered, ...this.#arrived(), ...this.#asked]);
    const finished = this.#finishedAnswer();
    return finished && !keys.has(finished.id) ? keys.set(finished.id, this.#answerKey) : keys;
  }

  /** The keys of outgoing messages that the list holds, by its ids. */
  #arrived() {
    /** @type {Map<string, string>} */
    const arrived = new Map();
    for (const { key, content, known } of this.#outgoing) {
      const isIt = (/** @type {Message} */ { id, role, content: said }) =>
        role === "user" && said === content && known?.has(id) === false && !this.#asked.has(id) && !arrived.has(id);
      const message = this.history.find(isIt);
      if (message) arrived.set(message.id, key);
    }
    return arrived;
  }

  /** One that calls tools comes before the answer. @param {Message} message */
  #isFinal({ id, content, tool_calls }) {
    return Boolean(content) && (!tool_calls?.length || this.#final.has(id));
  }

  /** The newest message of a user, unless it is answered. */
  get #question() {
    return this.isUnfinished ? this.history.findLast(({ role }) => role === "user") : undefined;
  }

  get #sources() {
    return [this.#room, this.#instance].filter((source) => source !== undefined);
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
      get keepOpen() {
        return options.keepOpen;
      },
      headers: options.headers,
      onEvent: (event) => {
        this.#heardAt = this.#movedAt = Date.now();
        onEvent(event);
        options.onEvent?.(event);
        this.#changed();
      },
      onError: (error) => {
        source.error = error;
        this.#failed(error);
        if (source === this.#room && error.isFinal && REFUSALS.has(error.status ?? 0)) this.#forget(error);
        this.#changed();
      },
      onStatus: (status) => {
        if (this.#closing.signal.aborted) return;
        if (status === "open") {
          this.#heardAt = Date.now();
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
        if (typeof event.content === "string") this.#append(event.content);
        break;
      case "message.complete": {
        this.reportedError = "";
        const { message } = event;
        const fits = typeof message?.id === "string" && typeof (message.content ?? "") === "string";
        // One that only calls tools comes before the answer. The history has what doesn't fit.
        if (!fits || (message.content && message.role !== "user")) this.#finish(fits ? message.id : "");
        if (fits && !message.tool_calls?.some(({ status }) => status === "pending")) this.#final.add(message.id);
        if (fits) this.#put(message);
        this.#readHistory();
        break;
      }
      case "tool_call.start":
      case "tool_call.complete":
        if (event.tool_call?.id) this.#calls.set(event.tool_call.id, event.tool_call);
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
      this.#isNewQuestion = true;
      // A repetition leaves the form as it is, with what was entered.
      if (JSON.stringify(event.presentation) !== JSON.stringify(this.presentation)) {
        this.presentation = event.presentation ?? undefined;
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
    if (finished) this.#finish(finished.id);
    // The question may come from another tab.
    if (!this.isWriting) this.#readHistory();
    this.#text = delta;
    this.#textFollows = this.history.at(-1)?.id;
  }

  /** The answer is complete, and what comes then is another. @param {string} id */
  #finish(id) {
    this.#text = "";
    this.#later.clear();
    if (id && this.#answered.has(id)) return; // the history was faster
    this.#answered.set(id, this.#answerKey);
    this.#answers += 1;
  }

  /** The message in the list that the text has become, where the event of its end was missed. */
  #finishedAnswer() {
    if (!this.#text) return undefined;
    const begin = this.history.findIndex((message) => message.id === this.#textFollows) + 1;
    return this.history.slice(begin).find(({ role, content }) => role === "assistant" && content);
  }

  async #refreshHistory() {
    const forgotten = this.#forgotten;
    try {
      const { messages, hasMore } = await this.#page(1, this.#settled);
      if (forgotten !== this.#forgotten) return;
      this.#lay(messages, hasMore);
      this.historyError = undefined;
    } catch (error) {
      this.historyError = this.#failed(error);
      const { status = 0, retryAfter = 0 } = error instanceof ChatError ? error : {};
      this.#readAfter = Date.now() + retryAfter;
      if (REFUSALS.has(status)) this.#forget(this.historyError);
    }
    this.#followCalls();
    this.#changed();
  }

  /**
   * Lays the newest page over the list.
   *
   * @param {Message[]} page
   * @param {boolean} hasMore
   */
  #lay(page, hasMore) {
    const { isWriting } = this;
    this.#newest = page.at(-1)?.id;
    if (page.at(-1)?.id !== this.history.at(-1)?.id) this.#movedAt = Date.now();
    const listed = new Set(page.map((message) => message.id));
    const begin = this.history.findIndex((message) => listed.has(message.id));
    const later = this.history.slice(begin + 1).filter((message) => !listed.has(message.id));
    if (begin >= 0 && this.isLoaded) {
      this.history = [...this.history.slice(0, begin), ...page, ...later];
    } else {
      // The first page, or one that has nothing in common with the list: what is between them is read with "earlier".
      const newest = page.at(-1);
      this.history = [...page, ...later.filter((message) => !newest || sentAt(message) > sentAt(newest))];
      this.hasEarlier = hasMore;
      this.#unseen = PER_PAGE - this.history.length;
      if (this.#text) this.#startTextAfter(newest);
    }
    this.isLoaded = true;
    if (this.#question) return;
    this.reportedError = "";
    // It came, or was stopped, before its first word.
    const answer = this.history.at(-1);
    if (answer && !this.#text && (isWriting || this.#stopped.has(this.#answerKey))) this.#finish(answer.id);
  }

  /** The history comes when the answer is being written already, or has just been. @param {Message | undefined} newest */
  #startTextAfter(newest) {
    const isAnswer = newest?.role === "assistant" && newest.content?.startsWith(this.#text);
    this.#textFollows = isAnswer ? this.history[this.history.indexOf(newest) - 1]?.id : newest?.id;
  }

  /** @param {Message} message */
  #put(message) {
    const index = this.history.findIndex((each) => each.id === message.id);
    if (index >= 0) {
      this.history = this.history.with(index, message);
    } else {
      const before = this.history.findLastIndex((each) => sentAt(each) <= sentAt(message));
      this.history = this.history.toSpliced(before + 1, 0, message);
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
    const hasMoved = !this.#isNewQuestion && this.workflow?.current_state !== workflow.current_state;
    this.#isNewQuestion = false;
    if (hasMoved || workflow.status !== "halted") this.presentation = undefined;
    this.workflow = workflow;
    if (ENDS.has(workflow.status ?? "")) this.#instance?.stream.disconnect();
  }

  /** The newest message that was read, where it and all before it stay as they are. */
  get #settled() {
    const isOpen = this.history.some((message) => message.tool_calls?.some(({ status }) => status === "pending"));
    return isOpen || !this.history.some(({ id }) => id === this.#newest) ? undefined : this.#newest;
  }

  /**
   * @param {number} number
   * @param {string} [since] the id of a message from which on the page is read
   */
  async #page(number, since) {
    const from = since ? `&since=${encodeURIComponent(since)}` : "";
    const { data, meta } = await this.#request(
      `${this.#roomPath}/messages?order=desc&page=${number}&per_page=${PER_PAGE}${from}`,
    );
    const isFull = data.length + (meta?.left_out ?? 0) >= PER_PAGE;
    return { messages: /** @type {Message[]} */ (data).reverse(), hasMore: meta?.has_more ?? isFull };
  }

  /** Behind messages that wait, it waits too. @param {Outgoing} message */
  async #send(message) {
    if (this.#outgoing.some(({ state }) => state === "waiting")) {
      message.state = "waiting";
      this.#changed();
    } else {
      await this.#post(message);
    }
  }

  /** @param {number} retryAfter milliseconds */
  #wait(retryAfter) {
    clearTimeout(this.#timer);
    this.pause = Math.ceil(retryAfter / 1000);
    this.#timer = setTimeout(() => this.#sendWaiting(), retryAfter);
  }

  /** One after the other, in their order, until they have to wait again. */
  async #sendWaiting() {
    this.pause = 0;
    let message;
    while (!this.pause && (message = this.#outgoing.find(({ state }) => state === "waiting"))) await this.#post(message);
  }

  /** @param {Outgoing} message */
  async #post(message) {
    message.state = "sending";
    this.#movedAt = Date.now();
    message.error = undefined;
    // What has come of the answer that failed is not continued.
    if (this.reportedError) this.#text = this.reportedError = "";
    this.#changed();
    try {
      const headers = { "Idempotency-Key": message.key };
      const { data } = await this.#request(`${this.#roomPath}/messages`, { content: message.content }, headers);
      if (!this.#outgoing.includes(message)) return; // forgotten
      this.#outgoing = this.#outgoing.filter((each) => each !== message);
      this.#movedAt = Date.now();
      this.#asked.set(data.id, message.key);
      this.#put(data);
    } catch (error) {
      message.error = this.#failed(error);
      const { retryAfter = Infinity } = error instanceof ChatError ? error : {};
      const isForLater = retryAfter <= LONGEST_WAIT;
      message.state = isForLater ? "waiting" : "failed";
      if (isForLater) this.#wait(retryAfter);
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
    const { credentials = "same-origin", headers: ofPage = () => ({}) } = this.#options;
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
      this.#heardAt = Date.now();
      answer = await response.json();
    } catch (cause) {
      throw new ChatError("NETWORK", "No response.", { status: response?.status, cause });
    }
    if (!response.ok || !answer?.data) {
      const { code = "UPSTREAM_ERROR", message = "The response can't be read." } = answer?.error ?? {};
      const retryAfter = waitOf(response.headers.get("Retry-After"));
      throw new ChatError(code, message, { status: response.status, retryAfter });
    }
    return answer;
  }

  /** @param {unknown} error */
  #failed(error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (this.#closing.signal.aborted) return failure;
    if (/** @type {any} */ (failure).status === 401) this.#forget(failure);
    this.#options.onError?.(failure);
    return failure;
  }

  /** Keeps nothing of what a user saw who is signed out, or may no longer see it. @param {Error} error */
  #forget(error) {
    const { status } = /** @type {any} */ (error);
    const isSignedOut = status === 401;
    for (const source of this.#sources) {
      if (!isSignedOut && source !== this.#room) continue;
      source.error = new StreamError(error.message, { status, isFinal: true });
      source.stream.disconnect();
    }
    if (isSignedOut) this.workflow = this.presentation = undefined;
    clearTimeout(this.#timer);
    this.pause = 0;
    [this.history, this.#outgoing, this.#text, this.reportedError] = [[], [], "", ""];
    this.#calls.clear();
    this.#stopped.clear();
    this.isLoaded = this.hasEarlier = false;
    this.#forgotten += 1;
    this.#followCalls();
  }

  /** Whether what was shown is gone, because it isn't for whoever looks at it now. */
  get isForgotten() {
    return !this.isLoaded && REFUSALS.has(/** @type {any} */ (this.error)?.status);
  }

  #changed() {
    if (this.#closing.signal.aborted) return;
    this.#watchHistory();
    this.#options.onChange?.();
  }

  /** Reads the newest page while an answer is awaited that no event tells of: the stream may be refused, or held back. */
  #watchHistory() {
    if (this.#watch !== undefined || !this.#isAwaited || this.isForgotten) return;
    const waited = Date.now() - this.#movedAt;
    this.#watch = setTimeout(() => {
      this.#watch = undefined;
      const now = Date.now();
      if (this.status === "paused") this.#movedAt = now; // whoever comes back waits anew
      const isQuiet = now - this.#movedAt >= QUIET && now >= this.#readAfter;
      if (isQuiet && this.#isAwaited) this.#readHistory();
      this.#changed();
    }, Math.min(RAREST, Math.max(QUIET, waited / 20)));
  }
}

/**
 * @param {ChatMessage} one
 * @param {ChatMessage} other
 */
function isSame(one, other) {
  const hasFields = one.content === other.content && one.state === other.state && one.id === other.id && one.error === other.error && one.rating === other.rating;
  if (!one.toolCalls.length && !other.toolCalls.length) return hasFields;
  return hasFields && JSON.stringify(one.toolCalls) === JSON.stringify(other.toolCalls);
}

/** @param {Source} source @returns {ChatStatus} */
function statusOf(source) {
  const { status } = source.stream;
  if (hasEnded(source)) return "ended";
  return source.error?.status === 429 && status !== "paused" ? "busy" : status;
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

/** One without a time has just come. @param {Message} message */
function sentAt(message) {
  return Date.parse(message.created_at ?? "") || Infinity;
}

/** @param {unknown} error a text, or an object with a message */
function reason(error) {
  return String(/** @type {any} */ (error)?.message ?? error);
}

/** `crypto.randomUUID` exists on secure pages alone. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
