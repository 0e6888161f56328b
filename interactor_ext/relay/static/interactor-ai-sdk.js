/**
 * `useChat({ transport: new InteractorChatTransport({ room }) })` of `@ai-sdk/react`, and each UI that is built on it.
 *
 * @typedef {import("./interactor-ai-sdk.js").InteractorChunk} Chunk
 * @typedef {import("./interactor-ai-sdk.js").InteractorUIMessage} UIMessage
 * @typedef {import("./interactor-ai-sdk.js").InteractorChatTransportOptions} Options
 * @typedef {import("./interactor-chat-session.js").ChatMessage} ChatMessage
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 */

import { ChatSession } from "./interactor-chat-session.js";

export class InteractorChatTransport {
  #options;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
  }

  /** @param {{messages: readonly {role: string, parts: readonly any[]}[], abortSignal?: AbortSignal}} sent */
  async sendMessages({ messages, abortSignal }) {
    const parts = messages.findLast(({ role }) => role === "user")?.parts ?? [];
    if (parts.some(({ type }) => type === "file")) throw new Error("This chat accepts text only. Remove the attachments.");
    const text = parts.map((part) => (part.type === "text" ? part.text : "")).join("\n").trim();
    if (!text) throw new Error("There is no text to send.");
    const turn = new Turn(this.#options, abortSignal);
    turn.ask(text);
    return turn.chunks;
  }

  /**
   * The answer that is being written, or null.
   *
   * @param {{abortSignal?: AbortSignal}} [options]
   */
  async reconnectToStream({ abortSignal } = {}) {
    const turn = new Turn(this.#options, abortSignal);
    const { isUnfinished } = await turn.loaded;
    if (isUnfinished) {
      turn.tell();
      return turn.chunks;
    }
    await turn.chunks.cancel();
    return null;
  }

  /** The newest messages of the room, for `useChat({ messages })`; an answer that is being written comes by `resume`. */
  async loadMessages() {
    const turn = new Turn(this.#options);
    const { messages, error, isUnfinished } = await turn.loaded;
    await turn.chunks.cancel();
    if (error) throw error;
    const end = isUnfinished ? messages.findLastIndex(({ role }) => role === "user") + 1 : undefined;
    return messages.slice(0, end).map(asUIMessage);
  }
}

/** A question and its answer, as chunks for the AI SDK. */
class Turn {
  /** @type {Promise<ChatSession>} */
  loaded;
  #session;
  /** @type {ReadableStreamDefaultController<Chunk>} */
  #controller = /** @type {any} */ (undefined);
  /** The key of the question. @type {string | undefined} */
  #question;
  /** What was sent of each text, by the key of its message. @type {Map<string, {id: string, text: string, isOver: boolean}>} */
  #texts = new Map();
  /** The status of each call that was sent. @type {Map<string, string>} */
  #calls = new Map();
  #isTelling = false;

  /**
   * @param {Options} options
   * @param {AbortSignal} [signal]
   */
  constructor(options, signal) {
    /** @type {(session: ChatSession) => void} */
    let hasLoaded = () => {};
    this.loaded = new Promise((resolve) => (hasLoaded = resolve));
    const session = new ChatSession({
      ...options,
      keepOpen: true,
      onChange: () => {
        if (session.isLoaded || session.error) hasLoaded(session);
        this.#update();
      },
    });
    this.#session = session;
    this.chunks = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      cancel: () => {
        this.#isTelling = false;
        session.close();
      },
    });
    signal?.addEventListener("abort", () => this.#end({ type: "abort" }));
    session.open();
  }

  /** @param {string} text */
  ask(text) {
    void this.#session.send(text);
    this.#question = this.#session.messages.findLast(({ role }) => role === "user")?.key;
    this.tell();
  }

  /** Tells the answer to the question, or to the newest one. */
  tell() {
    this.#isTelling = true;
    this.#emit({ type: "start" }, { type: "start-step" });
    this.#update();
  }

  /** @param {Chunk[]} chunks */
  #emit(...chunks) {
    for (const chunk of chunks) this.#controller.enqueue(chunk);
  }

  /** @param {Chunk[]} chunks */
  #end(...chunks) {
    if (!this.#isTelling) return;
    this.#isTelling = false;
    this.#session.close();
    this.#emit(...chunks);
    this.#controller.close();
  }

  #update() {
    const session = this.#session;
    if (!this.#isTelling) return;
    const { messages } = session;
    const isQuestion = (/** @type {ChatMessage} */ { key, role }) => (this.#question ? key === this.#question : role === "user");
    const place = messages.findLastIndex(isQuestion);
    const question = messages[place];
    const next = messages.findIndex(({ role }, index) => index > place && role === "user");
    const answer = messages.slice(place + 1, next < 0 ? undefined : next);
    for (const message of question ? answer : []) {
      message.toolCalls.forEach((call) => this.#tellCall(call));
      this.#tellText(message);
    }
    const failure = question?.state === "failed" ? question.error : session.isForgotten ? session.error : undefined;
    const errorText = failure?.message ?? session.reportedError;
    if (errorText) this.#end({ type: "error", errorText });
    else if (question?.state === "sent" && (next >= 0 || !(session.isUnfinished || session.isWriting)))
      this.#end({ type: "finish-step" }, { type: "finish" });
  }

  /** @param {ChatMessage} message */
  #tellText({ key, content, state }) {
    let told = this.#texts.get(key);
    if (told?.isOver || !content) return;
    // A stream that begins anew has less for a moment.
    const isBehind = told?.text.startsWith(content) && state === "writing";
    if (isBehind) return;
    if (told && !content.startsWith(told.text)) {
      this.#emit({ type: "text-end", id: told.id });
      told = undefined;
    }
    if (!told) {
      told = { id: `${key}-${this.#texts.size}`, text: "", isOver: false };
      this.#texts.set(key, told);
      this.#emit({ type: "text-start", id: told.id });
    }
    const delta = content.slice(told.text.length);
    if (delta) this.#emit({ type: "text-delta", id: told.id, delta });
    told.text = content;
    told.isOver = state !== "writing";
    if (told.isOver) this.#emit({ type: "text-end", id: told.id });
  }

  /** @param {ToolCall} call */
  #tellCall(call) {
    const { id: toolCallId, status = "pending", arguments: input = {}, result: output = null } = call;
    const told = this.#calls.get(toolCallId);
    if (told === status) return;
    this.#calls.set(toolCallId, status);
    const common = { toolCallId, dynamic: true, providerExecuted: true };
    if (!told) this.#emit({ ...common, type: "tool-input-available", toolName: nameOf(call), input });
    if (status === "failed") this.#emit({ ...common, type: "tool-output-error", errorText: "The tool failed." });
    else if (status !== "pending") this.#emit({ ...common, type: "tool-output-available", output });
  }
}

/** @param {ToolCall} call */
function nameOf({ tool_name, tool_id }) {
  return tool_name ?? tool_id ?? "tool";
}

/**
 * @param {ChatMessage} message
 * @returns {UIMessage}
 */
function asUIMessage({ key, id = key, role, content, toolCalls }) {
  const calls = toolCalls.map((call) => {
    const { id: toolCallId, status, arguments: input = {}, result: output = null } = call;
    const common = { type: /** @type {const} */ ("dynamic-tool"), toolName: nameOf(call), toolCallId, input, providerExecuted: true };
    if (status === "failed") return { ...common, state: /** @type {const} */ ("output-error"), errorText: "The tool failed." };
    if (status === "pending") return { ...common, state: /** @type {const} */ ("input-available") };
    return { ...common, state: /** @type {const} */ ("output-available"), output };
  });
  const parts = [...calls, ...(content ? [{ type: /** @type {const} */ ("text"), text: content }] : [])];
  return { id, role: role === "user" ? "user" : "assistant", parts };
}
