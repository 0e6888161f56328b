/**
 * `<interactor-chat room="room_4Kd9" endpoint="/interactor">`: a chat on a page.
 *
 * Each change of the session draws the whole chat anew, onto the nodes that are there.
 *
 * @typedef {import("./interactor-chat.js").InteractorChatTexts} Texts
 * @typedef {import("./interactor-types.js").Message} Message
 * @typedef {import("./interactor-types.js").ToolCall} ToolCall
 * @typedef {import("./interactor-chat-session.js").Outgoing} Outgoing
 * @typedef {{message: Message} | {outgoing: Outgoing} | {call: ToolCall}} Entry
 */

import { element, setText, showEach } from "./interactor-chat-dom.js";
import { presentationForm } from "./interactor-chat-form.js";
import { ChatSession } from "./interactor-chat-session.js";
import { styles } from "./interactor-chat-styles.js";

/** @type {Readonly<Texts>} */
export const TEXTS = Object.freeze({
  conversation: "Conversation",
  messages: "Messages",
  you: "You",
  assistant: "Assistant",
  system: "System",
  empty: "No messages yet",
  loading: "Loading messages",
  earlier: "Earlier messages",
  newest: "Newest messages",
  message: "Message",
  placeholder: "Write a message",
  send: "Send",
  sending: "Sending",
  notSent: "Not sent.",
  edit: "Edit",
  retry: "Try again",
  askAgain: "Ask again",
  writing: "The assistant is writing",
  tool: "Tool {name}",
  arguments: "Arguments",
  result: "Result",
  workflow: "Workflow {status}: {state}",
  question: "The workflow needs an answer",
  submit: "Submit",
  approve: "Approve",
  reject: "Reject",
  anyInput: "Answer, as a JSON object",
  invalidInput: "This is not a JSON object.",
  tooLittle: "The workflow is still waiting.",
  statuses: Object.freeze({
    connecting: "Connecting",
    open: "Connected",
    waiting: "Connection lost, trying again",
    closed: "Not connected",
    ended: "Ended",
  }),
  toolStatuses: Object.freeze({ pending: "running", completed: "done", failed: "failed" }),
  workflowStatuses: Object.freeze({
    running: "running",
    halted: "waiting for an answer",
    completed: "completed",
    failed: "failed",
    cancelled: "cancelled",
  }),
  errors: Object.freeze({
    NETWORK: "The server cannot be reached.",
    AUTH_ERROR: "You are not signed in.",
    FORBIDDEN: "This page may not use the chat.",
    NOT_FOUND: "This conversation does not exist.",
    CONFLICT: "This is not possible any more.",
    TOO_LARGE: "This is too long.",
    VALIDATION_ERROR: "This was not accepted.",
    RATE_LIMITED: "Too many requests. Wait a moment.",
    UPSTREAM_ERROR: "The service did not answer as expected.",
    UNAVAILABLE: "The service is not available at the moment.",
  }),
});
/** @type {Record<number, string>} */
const CODES = { 401: "AUTH_ERROR", 403: "FORBIDDEN", 404: "NOT_FOUND" };
/** @type {Record<string, string>} */
const MARKS = { pending: "…", completed: "✓", failed: "✕" };
const PROPERTIES = /** @type {const} */ (["headers", "credentials", "renderMarkdown", "toolName", "texts"]);
/** Pixels within which the end counts as shown. */
const NEAR_END = 40;
/** Milliseconds until screen readers are told of what is added, after a page of history. */
const QUIET = 500;

// Where a server renders the page, there are no elements.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});
/** @type {CSSStyleSheet | undefined} */
let sheet;

export class InteractorChatElement extends Base {
  static observedAttributes = ["room", "instance", "endpoint"];

  #nodes;
  /** @type {ChatSession | undefined} */
  #session;
  #opened = "";
  /** @type {(() => Record<string, string> | Promise<Record<string, string>>) | undefined} */
  #headers;
  /** @type {RequestCredentials | undefined} */
  #credentials;
  /** @type {((text: string) => Node) | undefined} */
  #renderMarkdown;
  /** @type {((call: ToolCall) => string) | undefined} */
  #toolName;
  /** @type {Texts} */
  #texts = TEXTS;
  #isDrawing = false;
  #isAtEnd = true;
  #wasWriting = false;
  #lastStatus = "";
  /** Until the log is announced again. @type {ReturnType<typeof setTimeout> | undefined} */
  #quiet;
  /** What a rendered text or a tool call was drawn from. @type {WeakMap<Node, unknown>} */
  #drawn = new WeakMap();
  /** The presentation of the form that is shown. @type {object | undefined} */
  #asked;
  /** Where the focus went when a form was answered; the next form takes it from there. @type {Element | undefined} */
  #afterForm;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(styles);
    }
    root.adoptedStyleSheets = [sheet];
    this.#nodes = build(root);
    this.#listen();
  }

  get room() {
    return this.getAttribute("room") ?? "";
  }

  set room(value) {
    this.#setAttribute("room", value);
  }

  get instance() {
    return this.getAttribute("instance") ?? "";
  }

  set instance(value) {
    this.#setAttribute("instance", value);
  }

  get endpoint() {
    return this.getAttribute("endpoint") ?? "/interactor";
  }

  set endpoint(value) {
    this.#setAttribute("endpoint", value);
  }

  get headers() {
    return this.#headers;
  }

  set headers(value) {
    this.#headers = value;
  }

  get credentials() {
    return this.#credentials;
  }

  set credentials(value) {
    this.#credentials = value;
  }

  get renderMarkdown() {
    return this.#renderMarkdown;
  }

  set renderMarkdown(value) {
    if (value === this.#renderMarkdown) return;
    this.#renderMarkdown = value;
    this.#drawn = new WeakMap();
    this.#draw();
  }

  get toolName() {
    return this.#toolName;
  }

  set toolName(value) {
    if (value === this.#toolName) return;
    this.#toolName = value;
    this.#drawn = new WeakMap();
    this.#draw();
  }

  get texts() {
    return this.#texts;
  }

  set texts(value) {
    const { statuses, toolStatuses, workflowStatuses, errors } = TEXTS;
    const texts = {
      ...TEXTS,
      ...value,
      statuses: { ...statuses, ...value?.statuses },
      toolStatuses: { ...toolStatuses, ...value?.toolStatuses },
      workflowStatuses: { ...workflowStatuses, ...value?.workflowStatuses },
      errors: { ...errors, ...value?.errors },
    };
    if (JSON.stringify(texts) === JSON.stringify(this.#texts)) return;
    this.#texts = texts;
    this.#drawn = new WeakMap();
    this.#asked = undefined;
    this.#draw();
  }

  connectedCallback() {
    // What the page set before this module was loaded hides the accessors.
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      /** @type {any} */ (this)[name] = value;
    }
    this.#reopen();
  }

  disconnectedCallback() {
    this.#reopen();
  }

  attributeChangedCallback() {
    this.#reopen();
  }

  /** @param {FocusOptions} [options] */
  focus(options) {
    const { composer, input, scroller } = this.#nodes;
    (composer.hidden ? scroller : input).focus(options);
  }

  /**
   * @param {string} name
   * @param {string | null | undefined} value
   */
  #setAttribute(name, value) {
    if (value === null || value === undefined) this.removeAttribute(name);
    else this.setAttribute(name, value);
  }

  /** Once for all changes of one task, such as a move within the document. */
  #reopen() {
    queueMicrotask(() => {
      const { room, instance, endpoint } = this;
      const wanted = this.isConnected && (room || instance) ? JSON.stringify([room, instance, endpoint]) : "";
      if (wanted === this.#opened) return;
      this.#opened = wanted;
      this.#session?.close();
      this.#session = wanted ? this.#open() : undefined;
      this.#isAtEnd = true;
      this.#lastStatus = "";
      this.#draw();
    });
  }

  #open() {
    const { room, instance, endpoint } = this;
    const chat = this;
    const session = new ChatSession({
      room,
      instance,
      endpoint,
      get credentials() {
        return chat.credentials;
      },
      headers: () => this.#headers?.() ?? {},
      onChange: () => this.#draw(),
      onEvent: (event) => this.#tell("interactor-event", event),
      onError: (error) => this.#tell("interactor-error", error),
    });
    session.open();
    return session;
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #listen() {
    const { scroller, earlier, newest, composer, input } = this.#nodes;
    scroller.addEventListener("scroll", () => {
      this.#isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END;
      newest.hidden = this.#isAtEnd;
    });
    // A keyboard on the screen, a turned phone.
    new ResizeObserver(() => this.#isAtEnd && this.#scrollToEnd()).observe(scroller);
    earlier.addEventListener("click", () => this.#session?.loadEarlier());
    newest.addEventListener("click", () => {
      this.#scrollToEnd();
      this.focus({ preventScroll: true });
    });
    composer.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    input.addEventListener("input", () => this.#fitInput());
    input.addEventListener("keydown", (event) => {
      // While an input method composes, Enter takes its suggestion; Safari says so by the code 229.
      const isComposing = event.isComposing || event.keyCode === 229;
      if (event.key !== "Enter" || event.shiftKey || isComposing) return;
      event.preventDefault();
      this.#send();
    });
  }

  #send() {
    const { input } = this.#nodes;
    const content = input.value.trim();
    if (!content || !this.#session) return;
    input.value = "";
    this.#fitInput();
    this.#isAtEnd = true;
    this.#session.send(content);
  }

  /** @param {string} key */
  #edit(key) {
    const { input } = this.#nodes;
    const content = this.#session?.takeBack(key);
    if (!content) return;
    input.value = input.value ? `${content}\n${input.value}` : content;
    this.#fitInput();
    input.focus();
  }

  #fitInput() {
    const { input } = this.#nodes;
    input.rows = Math.min(6, input.value.split("\n").length);
    // "auto" is left-to-right for what is empty, as its placeholder.
    input.dir = input.value ? "auto" : "";
  }

  #scrollToEnd() {
    const { scroller } = this.#nodes;
    scroller.scrollTop = scroller.scrollHeight;
  }

  /** Once for all changes of one task: the events of a chunk, say. */
  #draw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    queueMicrotask(() => {
      this.#isDrawing = false;
      this.#drawNow();
    });
  }

  #drawNow() {
    const { scroller, log, formBox } = this.#nodes;
    const focused = /** @type {ShadowRoot} */ (this.shadowRoot).activeElement;
    const wasInForm = formBox.contains(focused);
    const oldest = log.firstElementChild;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    this.#drawFrame();
    this.#drawMessages();
    this.#drawAnswer();
    this.#drawWorkflow();
    this.#drawProblem();
    if (this.#isAtEnd) this.#scrollToEnd();
    else if (log.firstElementChild !== oldest) scroller.scrollTop = scroller.scrollHeight - fromEnd;
    this.#keepFocus(focused, wasInForm);
  }

  #drawFrame() {
    const { log, status, scroller, empty, earlier, newest, composer, label, input, send } = this.#nodes;
    const session = this.#session;
    const texts = this.#texts;
    const connection = session?.status ?? "closed";
    status.dataset.status = connection;
    setText(status, texts.statuses[connection]);
    if (connection === "waiting" || (connection === "open" && this.#lastStatus === "waiting")) {
      this.#announce(texts.statuses[connection]);
    }
    if (connection !== "connecting") this.#lastStatus = connection;
    scroller.setAttribute("aria-label", texts.conversation);
    log.setAttribute("aria-label", texts.messages);
    setText(label, texts.message);
    input.placeholder = texts.placeholder;
    setText(send, texts.send);
    setText(newest, texts.newest);
    setText(earlier, texts.earlier);
    earlier.hidden = !session?.hasEarlier;
    earlier.setAttribute("aria-disabled", String(session?.isLoadingEarlier === true));
    composer.hidden = !this.room;
    const isEmpty = this.room !== "" && !session?.messages.length && !session?.outgoing.length && !session?.isWriting;
    empty.hidden = !isEmpty || Boolean(session?.historyError);
    setText(empty, session && !session.isLoaded ? texts.loading : texts.empty);
    this.#quieten(!session?.isLoaded || session.isLoadingEarlier);
  }

  /** Screen readers are not told of what was said earlier. @param {boolean} isLoading */
  #quieten(isLoading) {
    const { log } = this.#nodes;
    if (isLoading) {
      clearTimeout(this.#quiet); // of the load before
      this.#quiet = undefined;
      log.ariaLive = "off";
    } else if (log.ariaLive === "off") {
      this.#quiet ??= setTimeout(() => {
        this.#quiet = undefined;
        log.ariaLive = "polite";
      }, QUIET);
    }
  }

  #drawMessages() {
    const session = this.#session;
    const messages = session?.messages.filter(({ role, content, tool_calls }) => {
      return role !== "tool" && (content || tool_calls?.length);
    });
    /** @type {Entry[]} */
    const entries = [
      ...(messages ?? []).map((message) => ({ message })),
      ...(session?.outgoing ?? []).map((outgoing) => ({ outgoing })),
      ...(session?.calls ?? []).map((call) => ({ call })),
    ];
    showEach(this.#nodes.log, entries, {
      key: (entry) => {
        if ("message" in entry) return session?.keyOf(entry.message) ?? "";
        return "call" in entry ? entry.call.id : entry.outgoing.key;
      },
      make: (entry) => article("outgoing" in entry ? "user" : "call" in entry ? "assistant" : entry.message.role),
      update: (node, entry) => {
        if ("message" in entry) this.#drawMessage(node, entry.message);
        else if ("call" in entry) this.#drawMessage(node, { role: "assistant", tool_calls: [entry.call] });
        else this.#drawOutgoing(node, entry.outgoing);
      },
    });
  }

  /**
   * @param {HTMLElement} node
   * @param {Pick<Message, "role" | "content" | "tool_calls"> & {created_at?: string}} message
   */
  #drawMessage(node, { role, content, tool_calls, created_at }) {
    const { author, time, bubble, tools } = partsOf(node);
    node.classList.remove("outgoing", "failed");
    node.querySelector(".failure")?.remove();
    setText(author, this.#author(role));
    if (created_at && time.getAttribute("datetime") !== created_at) {
      time.setAttribute("datetime", created_at);
      setText(time, this.#time(created_at));
    }
    this.#drawText(bubble, content ?? "", role);
    showEach(tools, tool_calls ?? [], {
      key: (call) => call.id,
      make: makeTool,
      update: (tool, call) => this.#drawTool(tool, this.#session?.latest(call) ?? call),
    });
  }

  /**
   * @param {HTMLElement} node
   * @param {Outgoing} outgoing
   */
  #drawOutgoing(node, { key, content, state, error }) {
    const { author, time, bubble } = partsOf(node);
    node.classList.add("outgoing");
    node.classList.toggle("failed", state === "failed");
    setText(author, this.#author("user"));
    setText(time, state === "sending" ? this.#texts.sending : "");
    this.#drawText(bubble, content, "user");
    let failure = node.querySelector(".failure");
    if (state === "failed" && !failure) {
      const retry = element("button", { type: "button", class: "small", part: "button" });
      const edit = element("button", { type: "button", class: "small", part: "button" });
      retry.addEventListener("click", () => this.#session?.retry(key));
      edit.addEventListener("click", () => this.#edit(key));
      failure = element("div", { class: "failure", part: "error", role: "alert" }, element("span"), retry, edit);
      node.append(failure);
    }
    if (!failure) return;
    if (state === "sending") {
      failure.remove();
      return;
    }
    const [text, retry, edit] = failure.children;
    setText(text, `${this.#texts.notSent} ${this.#errorText(error)}`);
    setText(retry, this.#texts.retry);
    setText(edit, this.#texts.edit);
  }

  /**
   * @param {HTMLElement} node
   * @param {ToolCall} call
   */
  #drawTool(node, call) {
    if (this.#drawn.get(node) === call) return;
    this.#drawn.set(node, call);
    const texts = this.#texts;
    const [summary, details] = node.children;
    const [mark, name, state] = summary.children;
    node.dataset.status = call.status;
    setText(mark, MARKS[call.status] ?? "");
    setText(name, filled(texts.tool, { name: this.#nameOf(call) }));
    setText(state, texts.toolStatuses[call.status] ?? call.status);
    const [argumentsName, argumentsText, resultName, resultText] = details.children;
    setText(argumentsName, texts.arguments);
    setText(argumentsText.children[0], JSON.stringify(call.arguments ?? {}, null, 2));
    const hasResult = call.result !== undefined;
    for (const part of [resultName, resultText]) /** @type {HTMLElement} */ (part).hidden = !hasResult;
    setText(resultName, texts.result);
    setText(resultText.children[0], hasResult ? JSON.stringify(call.result, null, 2) : "");
  }

  /** @param {ToolCall} call */
  #nameOf(call) {
    return String(attempt(() => this.#toolName?.(call)) ?? call.tool_id);
  }

  #drawAnswer() {
    const { answer } = this.#nodes;
    const session = this.#session;
    const isWriting = session?.isWriting === true;
    if (isWriting !== this.#wasWriting) this.#announce(isWriting ? this.#texts.writing : "");
    this.#wasWriting = isWriting;
    const { author, bubble } = partsOf(answer);
    setText(author, this.#author("assistant"));
    const text = session?.answer ?? "";
    answer.hidden = !isWriting && !text;
    this.#drawText(bubble, text, "assistant");
    /** @type {HTMLElement} */ (answer.querySelector(".dots")).hidden = text !== "";
    bubble.classList.toggle("caret", isWriting && text !== "");
  }

  /**
   * @param {HTMLElement} node
   * @param {string} text
   * @param {string} role
   */
  #drawText(node, text, role) {
    const isRendered = this.#renderMarkdown !== undefined && role === "assistant" && text !== "";
    if (isRendered && this.#drawn.get(node) === text) return;
    const rendered = isRendered ? attempt(() => this.#renderMarkdown?.(text)) : undefined;
    node.classList.toggle("rendered", rendered !== undefined);
    node.classList.toggle("text", rendered === undefined);
    if (rendered) {
      this.#drawn.set(node, text);
      node.replaceChildren(rendered);
    } else {
      setText(node, text);
    }
  }

  #drawWorkflow() {
    const { workflow: line, formBox } = this.#nodes;
    const { workflow, presentation, submission } = this.#session ?? {};
    const texts = this.#texts;
    line.hidden = !workflow;
    if (workflow) {
      const status = texts.workflowStatuses[workflow.status] ?? workflow.status;
      setText(line, filled(texts.workflow, { status, state: workflow.current_state }));
    }
    formBox.hidden = !presentation;
    if (presentation !== this.#asked) {
      this.#asked = presentation;
      formBox.replaceChildren();
      this.#announce("");
      if (presentation) {
        const form = presentationForm(presentation, texts, (input) => this.#session?.submit(input));
        formBox.append(form, element("div", { class: "problem", part: "error", role: "alert" }));
        this.#announce(form.firstElementChild?.textContent ?? "");
      }
    }
    if (!presentation) return;
    const [form, problem] = formBox.children;
    for (const button of form.querySelectorAll("button")) button.ariaDisabled = String(submission?.isSending === true);
    const text = submission?.error ? this.#errorText(submission.error) : submission?.isTooLittle ? texts.tooLittle : "";
    setText(problem, text);
  }

  #drawProblem() {
    const { problem } = this.#nodes;
    const session = this.#session;
    const texts = this.#texts;
    const error = session?.connectionError ?? session?.historyError ?? session?.workflowError;
    const text = error ? this.#errorText(error) : (session?.reportedError ?? "");
    const question = error ? "" : session?.unanswered;
    const isOffered = Boolean(error || question);
    if (!text) {
      problem.replaceChildren();
      return;
    }
    if (!problem.firstChild) {
      const retry = element("button", { type: "button", class: "small", part: "button" });
      retry.addEventListener("click", () => {
        const { unanswered } = this.#session ?? {};
        if (retry.dataset.asks) this.#session?.send(unanswered ?? "");
        else this.#session?.refresh();
      });
      problem.append(element("span", { dir: "auto" }), retry);
    }
    const [said, retry] = /** @type {HTMLElement[]} */ (Array.from(problem.children));
    setText(said, text);
    setText(retry, question ? texts.askAgain : texts.retry);
    retry.hidden = !isOffered;
    if (question) retry.dataset.asks = "yes";
    else delete retry.dataset.asks;
  }

  /**
   * Gives the focus to what comes next where the node that had it is gone.
   *
   * @param {Element | null} focused
   * @param {boolean} wasInForm
   */
  #keepFocus(focused, wasInForm) {
    const { formBox } = this.#nodes;
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    const isGone = focused && !(root.contains(focused) && focused.checkVisibility());
    const control = formBox.querySelector("input, select, textarea, button");
    const isWaited = this.#afterForm !== undefined && root.activeElement === this.#afterForm;
    if (control instanceof HTMLElement && ((isGone && wasInForm) || isWaited)) {
      control.focus();
      this.#afterForm = undefined;
    } else if (isGone) {
      this.focus();
      this.#afterForm = wasInForm ? (root.activeElement ?? undefined) : undefined;
    }
  }

  /** To screen readers. @param {string} text */
  #announce(text) {
    setText(this.#nodes.announcer, text);
  }

  /** @param {string} role */
  #author(role) {
    const { you, assistant, system } = this.#texts;
    return { user: you, assistant, system }[role] ?? role;
  }

  /** @param {string} created_at */
  #time(created_at) {
    const moment = new Date(created_at);
    if (Number.isNaN(moment.getTime())) return "";
    const isToday = moment.toDateString() === new Date().toDateString();
    /** @type {Intl.DateTimeFormatOptions} */
    const style = { timeStyle: "short", ...(!isToday && { dateStyle: "medium" }) };
    try {
      return moment.toLocaleString(this.closest("[lang]")?.getAttribute("lang") || undefined, style);
    } catch {
      return moment.toLocaleString(undefined, style); // the page's `lang` is no language, such as "en_US"
    }
  }

  /** @param {Error | undefined} error */
  #errorText(error) {
    const { code, status, message = "" } = /** @type {any} */ (error) ?? {};
    return this.#texts.errors[code ?? CODES[status] ?? "NETWORK"] ?? message;
  }
}

/** @param {ShadowRoot} root */
function build(root) {
  const status = element("div", { class: "status", part: "status" });
  const top = element("div", { class: "top", part: "header" }, element("slot", { name: "header" }), status);
  const earlier = element("button", { type: "button", class: "earlier small", part: "button", hidden: "" });
  const log = element("div", { class: "log", part: "messages", role: "log", "aria-live": "off" });
  log.setAttribute("aria-relevant", "additions");
  // Beside the log: its words would be announced one by one.
  const answer = article("assistant");
  answer.part.add("streaming");
  answer.hidden = true;
  const dots = element("div", { class: "dots", "aria-hidden": "true" }, ...[1, 2, 3].map(() => element("i")));
  answer.append(dots);
  const empty = element("p", { class: "empty", part: "empty" });
  const workflow = element("p", { class: "workflow", part: "workflow", dir: "auto", hidden: "" });
  const formBox = element("div", { class: "form-box", hidden: "" });
  const scroller = element("div", { class: "scroller", part: "scroller", role: "region", tabindex: "0" });
  scroller.append(earlier, empty, log, answer, workflow, formBox);
  const problem = element("div", { class: "problem", part: "error", role: "alert" });
  const newest = element("button", { type: "button", class: "newest small", part: "button", hidden: "" });
  const label = element("label", { class: "unseen", for: "input" });
  const input = element("textarea", { id: "input", part: "input", rows: "1", enterkeyhint: "send" });
  const send = element("button", { type: "submit", class: "primary", part: "button send" });
  const composer = element("form", { class: "composer", part: "composer" }, label, input, send);
  const bottom = element("div", { class: "bottom" }, newest, problem, composer);
  const announcer = element("div", { class: "unseen", role: "status" });
  root.append(top, scroller, bottom, announcer);
  return { status, scroller, earlier, log, answer, empty, workflow, formBox, problem, newest, composer, label, input, send, announcer };
}

/** @param {string} role */
function article(role) {
  const kind = role === "user" || role === "assistant" ? role : "other";
  const meta = element("div", { class: "meta", part: "meta" }, element("span"), element("time"));
  const bubble = element("div", { class: "bubble text", part: "text", dir: "auto" });
  return element("article", { class: `message ${kind}`, part: `message ${kind}` }, meta, bubble, element("div"));
}

/** @param {HTMLElement} node */
function partsOf(node) {
  const [meta, bubble, tools] = /** @type {HTMLElement[]} */ (Array.from(node.children));
  const [author, time] = /** @type {HTMLElement[]} */ (Array.from(meta.children));
  return { author, time, bubble, tools };
}

function makeTool() {
  const mark = element("span", { class: "mark", "aria-hidden": "true" });
  const summary = element("summary", {}, mark, element("span", { dir: "auto" }), element("span", { class: "state" }));
  const value = () => element("dd", {}, element("pre", { dir: "ltr" }));
  const details = element("dl", {}, element("dt"), value(), element("dt"), value());
  return element("details", { class: "tool", part: "tool" }, summary, details);
}

/**
 * What a function of the page gives. Its error is the page's, and the chat goes on.
 *
 * @template T
 * @param {() => T} call
 */
function attempt(call) {
  try {
    return call();
  } catch (error) {
    reportError(error);
    return undefined;
  }
}

/**
 * @param {string} text
 * @param {Record<string, string>} values for the names in braces
 */
function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

if (globalThis.customElements && !customElements.get("interactor-chat")) {
  customElements.define("interactor-chat", InteractorChatElement);
}
