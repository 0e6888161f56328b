/**
 * `<interactor-chat room="room_4Kd9" endpoint="/interactor">`: a chat on a page.
 *
 * Changes of the session are drawn once a frame, onto the nodes that are there.
 *
 * @typedef {import("./interactor-chat.js").InteractorChatTexts} Texts
 * @typedef {import("./interactor-chat-session.js").ChatMessage} ChatMessage
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 */

import { attempt, button, copyText, element, filled, setText, showEach } from "./interactor-chat-dom.js";
import { FollowedEnd } from "./interactor-chat-end.js";
import { presentationForm } from "./interactor-chat-form.js";
import { MessageList } from "./interactor-chat-messages.js";
import { ChatSession } from "./interactor-chat-session.js";
import { spoken } from "./interactor-chat-spoken.js";
import { styles } from "./interactor-chat-styles.js";
import { TEXTS, completed, errorText } from "./interactor-chat-texts.js";

export { TEXTS };

const PROPERTIES = /** @type {const} */ (["headers", "credentials", "renderMarkdown", "renderMath", "highlightCode", "toolLabels", "prompts", "texts"]);
const PAGE_EVENTS = ["pagehide", "pageshow"];
/** Statuses in which answers come late, or not at all. */
const LATE = new Set(["busy", "waiting"]);
/** Milliseconds that a button says that it has copied. */
const COPIED = 2000;

// Where a server renders the page, there are no elements.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});
/** @type {CSSStyleSheet | undefined} */
let sheet;

export class InteractorChatElement extends Base {
  static observedAttributes = ["room", "instance", "endpoint", "assistant-name", "tools", "prompts", "feedback", "aria-label"];

  #nodes;
  /** @type {ChatSession | undefined} */
  #session;
  #opened = "";
  /** The key of the question that the input has, to be asked anew. */
  #edited = "";
  /** @type {(() => Record<string, string> | Promise<Record<string, string>>) | undefined} */
  #headers;
  /** @type {RequestCredentials | undefined} */
  #credentials;
  /** @type {((text: string, shown: Node | null) => Node) | undefined} */
  #renderMarkdown;
  /** @type {((text: string, isBlock: boolean) => Node) | undefined} */
  #renderMath;
  /** @type {((code: string, language: string) => Node) | undefined} */
  #highlightCode;
  /** @type {Record<string, string> | ((call: ToolCall) => string | undefined) | undefined} */
  #toolLabels;
  /** @type {readonly string[] | undefined} */
  #prompts;
  #messages;
  /** @type {Texts} */
  #texts = TEXTS;
  #isDrawing = false;
  #end;
  /** What was typed and not sent, by what `#opened` was. @type {Map<string, string>} */
  #drafts = new Map();
  /** Whether the page is kept for a "Back" of the browser. */
  #isAway = false;
  /** The day of the dates that are shown. */
  #day = "";
  /** The answer that was being written when the chat was drawn last. @type {string | undefined} */
  #written;
  /** The key of the answer that screen readers were told of last; undefined until the history is there. @type {string | undefined} */
  #told;
  /** The calls whose cards they were told of. */
  #waiting = "";
  #lastStatus = "";
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
    this.#messages = new MessageList(this.#nodes.log, this.#view());
    const { scroller, newest } = this.#nodes;
    this.#end = new FollowedEnd(scroller, {
      onScroll: () => (newest.hidden = this.#end.isFollowing),
      placeOf: () => this.#endOfView(),
    });
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
    this.#drawAnew();
  }

  get renderMath() {
    return this.#renderMath;
  }

  set renderMath(value) {
    this.#renderMath = value;
    this.#drawAnew();
  }

  get highlightCode() {
    return this.#highlightCode;
  }

  set highlightCode(value) {
    this.#highlightCode = value;
    this.#drawAnew();
  }

  get toolLabels() {
    return this.#toolLabels;
  }

  set toolLabels(value) {
    if (value === this.#toolLabels) return;
    this.#toolLabels = value;
    this.#drawAnew();
  }

  /** @returns {readonly string[]} */
  get prompts() {
    return this.#prompts ?? (this.getAttribute("prompts") ?? "").split("|").map((prompt) => prompt.trim()).filter(Boolean);
  }

  set prompts(value) {
    this.#prompts = value;
    this.#draw();
  }

  get assistantName() {
    return this.getAttribute("assistant-name") ?? "";
  }

  set assistantName(value) {
    this.#setAttribute("assistant-name", value);
  }

  get tools() {
    return this.getAttribute("tools") ?? "";
  }

  set tools(value) {
    this.#setAttribute("tools", value);
  }

  get feedback() {
    return this.hasAttribute("feedback");
  }

  set feedback(value) {
    this.#setAttribute("feedback", value ? "" : null);
  }

  get keepOpen() {
    return this.hasAttribute("keep-open");
  }

  set keepOpen(value) {
    this.#setAttribute("keep-open", value ? "" : null);
  }

  /** What the chat knows, and can be told to do. */
  get session() {
    return this.#session;
  }

  get texts() {
    return this.#texts;
  }

  set texts(value) {
    const texts = completed(value);
    if (JSON.stringify(texts) === JSON.stringify(this.#texts)) return;
    this.#texts = texts;
    this.#asked = undefined;
    this.#drawAnew();
  }

  connectedCallback() {
    // What the page set before this module was loaded hides the accessors.
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      /** @type {any} */ (this)[name] = value;
    }
    for (const event of PAGE_EVENTS) addEventListener(event, this.#onPage);
    this.#reopen();
    this.#draw();
  }

  disconnectedCallback() {
    for (const event of PAGE_EVENTS) removeEventListener(event, this.#onPage);
    this.#reopen();
  }

  /** Whoever comes back to a page that the browser kept may be another user. */
  #onPage = (/** @type {Event} */ event) => {
    if (!(/** @type {PageTransitionEvent} */ (event).persisted)) return;
    this.#isAway = event.type === "pagehide";
    this.#openWanted();
    if (!this.#isAway) return;
    this.#drafts.clear();
    this.#drawNow();
  };

  attributeChangedCallback() {
    // At once: whoever opens a room may then focus its input.
    this.#nodes.composer.hidden = !this.room;
    this.#reopen();
    this.#drawAnew();
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
    queueMicrotask(() => this.#openWanted());
  }

  #openWanted() {
    const { room, instance, endpoint } = this;
    const { input } = this.#nodes;
    const isWanted = this.isConnected && !this.#isAway && (room || instance);
    const wanted = isWanted ? JSON.stringify([room, instance, endpoint]) : "";
    if (wanted === this.#opened) return;
    this.#drafts.set(this.#opened, input.value);
    input.value = (wanted && this.#drafts.get(wanted)) || "";
    this.#fitInput();
    this.#opened = wanted;
    this.#edited = "";
    this.#session?.close();
    this.#session = wanted ? this.#open() : undefined;
    this.#end.isFollowing = true;
    this.#lastStatus = "";
    this.#told = undefined;
    this.#draw();
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
      get keepOpen() {
        return chat.keepOpen;
      },
      headers: () => this.#headers?.() ?? {},
      onChange: () => this.#draw(),
      onEvent: (event) => this.#tell("interactor-event", event),
      onError: (error) => this.#tell("interactor-error", error),
    });
    session.open();
    return session;
  }

  /** @returns {import("./interactor-chat-messages.js").View} */
  #view() {
    const chat = this;
    return {
      get texts() {
        return chat.#texts;
      },
      get language() {
        return languageOf(chat);
      },
      get assistant() {
        return chat.assistantName || chat.#texts.assistant;
      },
      get hidesTools() {
        return chat.tools === "hidden";
      },
      get renderMarkdown() {
        return chat.#renderMarkdown;
      },
      get renderMath() {
        return chat.#renderMath;
      },
      get highlightCode() {
        return chat.#highlightCode;
      },
      labelOf: (call) => this.#labelOf(call),
      retry: (key) => void this.#session?.retry(key),
      edit: (key) => this.#edit(key),
      copy: (text, copies) => void this.#copy(text, copies),
      askAgain: () => this.#askAgain(),
      get rate() {
        const session = chat.#session;
        return session && chat.feedback ? session.rate.bind(session) : undefined;
      },
      approve: (id) => void this.#session?.approve(id),
      reject: (id, reason) => void this.#session?.reject(id, reason),
    };
  }

  /** @param {ToolCall} call */
  #labelOf(call) {
    const labels = this.#toolLabels;
    if (typeof labels === "function") return attempt(() => labels(call));
    return labels?.[call.tool_name ?? ""] ?? labels?.[call.tool_id ?? ""];
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #listen() {
    const { earlier, newest, composer, input, stop } = this.#nodes;
    stop.addEventListener("click", () => this.#session?.stop());
    earlier.addEventListener("click", () => this.#session?.loadEarlier());
    newest.addEventListener("click", () => {
      this.#end.resume();
      this.focus({ preventScroll: true });
    });
    composer.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    input.addEventListener("input", () => {
      if (!input.value) this.#edited = "";
      this.#fitInput();
    });
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
    if (this.#edited) this.#messages.fold(this.#edited, this.#session.messages);
    this.#edited = "";
    this.#say(content);
  }

  /** @param {string} content */
  #say(content) {
    this.#end.isFollowing = true;
    this.#session?.send(content);
  }

  #askAgain() {
    const question = this.#session?.unanswered || this.#session?.answeredQuestion;
    if (question) this.#say(question);
  }

  /**
   * @param {string} text
   * @param {Element} copies the button that says so
   */
  async #copy(text, copies) {
    const { copy, copied, notCopied } = this.#texts;
    const said = (await copyText(text, copies)) ? copied : notCopied;
    copies.setAttribute("data-copied", "");
    setText(copies, said);
    this.#announce(said);
    setTimeout(() => {
      copies.removeAttribute("data-copied");
      setText(copies, copy);
      this.#announce("");
    }, COPIED);
  }

  /** @param {string} key */
  #edit(key) {
    const { input } = this.#nodes;
    const sent = this.#session?.messages.find((message) => message.key === key && message.state === "sent");
    const content = sent?.content ?? this.#session?.takeBack(key);
    if (!content) return;
    this.#edited = sent ? key : "";
    input.value = input.value && !sent ? `${content}\n${input.value}` : content;
    this.#fitInput();
    input.focus();
  }

  #fitInput() {
    const { input } = this.#nodes;
    input.rows = Math.min(6, input.value.split("\n").length);
    // "auto" is left-to-right for what is empty, as its placeholder.
    input.dir = input.value ? "auto" : "";
  }

  /** But not beyond the title of a form. */
  #endOfView() {
    const { scroller, formBox } = this.#nodes;
    if (formBox.hidden) return scroller.scrollHeight;
    const above = formBox.getBoundingClientRect().top - scroller.getBoundingClientRect().top - scroller.clientTop;
    const title = scroller.scrollTop + above - parseFloat(getComputedStyle(scroller).paddingTop);
    return Math.min(scroller.scrollHeight, title);
  }

  #drawAnew() {
    this.#messages.forget();
    this.#draw();
  }

  /** Once a frame. A hidden page has none. */
  #draw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    const draw = () => {
      this.#isDrawing = false;
      this.#drawNow();
    };
    if (document.visibilityState === "hidden") queueMicrotask(draw);
    else requestAnimationFrame(draw);
  }

  #drawNow() {
    const { scroller, log, formBox } = this.#nodes;
    const focused = /** @type {ShadowRoot} */ (this.shadowRoot).activeElement;
    const wasInForm = formBox.contains(focused);
    const oldest = log.firstElementChild;
    const { isFollowing } = this.#end;
    const fromEnd = isFollowing ? 0 : scroller.scrollHeight - scroller.scrollTop;
    const messages = this.#session?.messages ?? [];
    this.#keepToItsTime();
    this.#drawFrame(messages.length === 0);
    this.#drawMessages(messages);
    this.#drawWorkflow();
    this.#drawProblem(messages);
    if (!isFollowing && log.firstElementChild !== oldest) scroller.scrollTop = scroller.scrollHeight - fromEnd;
    this.#keepFocus(focused, wasInForm);
  }

  /** Nothing that was typed outlives what is shown, and no date its day. */
  #keepToItsTime() {
    const today = new Date().toDateString();
    if (today !== this.#day) this.#messages.forget();
    this.#day = today;
    if (!this.#session?.isForgotten) return;
    this.#drafts.clear();
    this.#nodes.input.value = "";
    this.#fitInput();
  }

  /** @param {boolean} hasNone no message */
  #drawFrame(hasNone) {
    const { log, status, scroller, empty, earlier, newest, label, input, send, stop } = this.#nodes;
    const session = this.#session;
    const texts = this.#texts;
    const connection = session?.status ?? "closed";
    const silence = session?.silence ?? 0;
    status.hidden = !session;
    status.dataset.status = silence ? "waiting" : connection;
    setText(status, silence ? filled(texts.silent, { seconds: String(silence) }) : texts.statuses[connection]);
    const isNews = connection !== this.#lastStatus && connection !== "connecting";
    if (isNews && (LATE.has(connection) || LATE.has(this.#lastStatus))) this.#announce(texts.statuses[connection]);
    if (isNews) this.#lastStatus = connection;
    scroller.setAttribute("aria-label", this.getAttribute("aria-label") ?? texts.conversation);
    log.setAttribute("aria-label", texts.messages);
    setText(label, texts.message);
    input.placeholder = texts.placeholder;
    setText(send, texts.send);
    setText(stop, texts.stop);
    stop.hidden = !session?.isWriting;
    setText(newest, texts.newest);
    setText(earlier, texts.earlier);
    earlier.hidden = !session?.hasEarlier;
    earlier.setAttribute("aria-disabled", String(session?.isLoadingEarlier === true));
    const isEmpty = this.room !== "" && hasNone && !session?.hasEarlier;
    empty.hidden = !isEmpty || Boolean(session?.error);
    setText(empty, session && !session.isLoaded ? texts.loading : texts.empty);
    this.#drawPrompts(!empty.hidden && session?.isLoaded === true);
  }

  /** @param {boolean} isShown */
  #drawPrompts(isShown) {
    const { prompts } = this.#nodes;
    const offered = isShown ? this.prompts : [];
    prompts.hidden = !offered.length;
    prompts.ariaLabel = this.#texts.prompts;
    showEach(prompts, offered, {
      key: (prompt) => prompt,
      make: (prompt) => button("prompt", () => this.#say(prompt)),
      update: setText,
    });
  }

  /** @param {readonly ChatMessage[]} messages */
  #drawMessages(messages) {
    this.#messages.draw(messages, Boolean(this.#session?.answeredQuestion));
    this.#tellNews(messages);
  }

  /** Tells screen readers of messages that come, and of calls that wait for a decision. @param {readonly ChatMessage[]} messages */
  #tellNews(messages) {
    const texts = this.#texts;
    const { log } = this.#nodes;
    const writing = messages.find(({ state }) => state === "writing")?.key;
    const newest = messages.findLast(({ role, key, id, content, state }) => {
      const isFromElsewhere = role !== "user" || key === id;
      return isFromElsewhere && state !== "writing" && (content || state === "stopped");
    });
    const waiting = this.#session?.approvals.map(({ id }) => id).join() ?? "";
    const news = [];
    if (this.#told !== undefined && newest && newest.key !== this.#told) {
      const article = Array.from(log.children).find((each) => each.getAttribute("data-key") === newest.key);
      news.push(newest.state === "stopped" || !article ? texts.stopped : spoken(article.children[1], texts.code));
    }
    if (waiting && waiting !== this.#waiting) {
      const card = [...log.querySelectorAll(".approval")].at(-1);
      if (card) news.push(`${card.ariaLabel}. ${spoken(card, texts.code)}`);
    }
    if (news.length) this.#announce(news.join(" "));
    else if (writing && !this.#written) this.#announce(filled(texts.writing, { name: this.assistantName || texts.assistant }));
    else if (!writing && this.#written) this.#announce("");
    if (this.#session?.isLoaded) this.#told = newest?.key ?? "";
    this.#written = writing;
    this.#waiting = waiting;
  }

  #drawWorkflow() {
    const { workflow: line, formBox } = this.#nodes;
    const { workflow, presentation, submission } = this.#session ?? {};
    const texts = this.#texts;
    line.hidden = !workflow;
    if (workflow) {
      const { status = "", current_state: state = "" } = workflow;
      setText(line, filled(texts.workflow, { status: texts.workflowStatuses[status] ?? status, state }));
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
    const text = submission?.error ? errorText(texts, submission.error) : submission?.isTooLittle ? texts.tooLittle : "";
    setText(problem, text);
  }

  /** @param {readonly ChatMessage[]} messages */
  #drawProblem(messages) {
    const { problem, alert } = this.#nodes;
    const session = this.#session;
    const texts = this.#texts;
    // However many were not sent, it is said once.
    const failed = messages.findLast(({ state }) => state === "failed");
    setText(alert, failed ? `${texts.notSent} ${errorText(texts, failed.error)}` : "");
    const error = session?.error;
    const pause = session?.pause ? filled(texts.pause, { seconds: String(session.pause) }) : "";
    const text = error ? errorText(texts, error) : pause || (session?.reportedError ?? "");
    const question = error || pause ? "" : session?.unanswered;
    const isOffered = Boolean(error || question);
    if (!text) {
      problem.replaceChildren();
      return;
    }
    if (!problem.firstChild) {
      const retry = element("button", { type: "button", class: "small", part: "button" });
      retry.addEventListener("click", () => {
        if (retry.dataset.asks) this.#askAgain();
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
      control.focus({ preventScroll: true });
      this.#afterForm = undefined;
    } else if (isGone) {
      this.focus();
      this.#afterForm = wasInForm ? (root.activeElement ?? undefined) : undefined;
    }
  }

  /** To screen readers. @param {string} text */
  #announce(text) {
    const { announcer } = this.#nodes;
    if (announcer.textContent !== text) announcer.textContent = text;
  }
}

/** Of the nearest node that has one, outside of shadow roots as well. @param {Node} node */
function languageOf(node) {
  for (let host = /** @type {any} */ (node); host; host = host.getRootNode().host) {
    const found = host.closest("[lang]");
    if (found) return found.getAttribute("lang");
  }
  return "";
}

/** @param {ShadowRoot} root */
function build(root) {
  const status = element("div", { class: "status", part: "status" });
  const top = element("div", { class: "top", part: "header" }, element("slot", { name: "header" }), status);
  const earlier = element("button", { type: "button", class: "earlier small", part: "button", hidden: "" });
  // What is new is announced as a whole, without buttons.
  const log = element("div", { class: "log", part: "messages", role: "log", "aria-live": "off" });
  const empty = element("p", { class: "empty", part: "empty" });
  const prompts = element("div", { class: "prompts", part: "prompts", role: "group", hidden: "" });
  const workflow = element("p", { class: "workflow", part: "workflow", dir: "auto", hidden: "" });
  const formBox = element("div", { class: "form-box", hidden: "" });
  const scroller = element("div", { class: "scroller", part: "scroller", role: "region", tabindex: "0" });
  scroller.append(earlier, empty, prompts, log, workflow, formBox);
  const problem = element("div", { class: "problem", part: "error", role: "alert" });
  const newest = element("button", { type: "button", class: "newest small", part: "button", hidden: "" });
  const label = element("label", { class: "unseen", for: "input" });
  const input = element("textarea", { id: "input", part: "input", rows: "1", enterkeyhint: "send", autocomplete: "off" });
  const stop = element("button", { type: "button", part: "button stop", hidden: "" });
  const send = element("button", { type: "submit", class: "primary", part: "button send" });
  const composer = element("form", { class: "composer", part: "composer", hidden: "" }, label, input, stop, send);
  const bottom = element("div", { class: "bottom" }, newest, problem, composer);
  const announcer = element("div", { class: "unseen", role: "status" });
  const alert = element("div", { class: "unseen", role: "alert" });
  root.append(top, scroller, bottom, announcer, alert);
  const frame = { status, scroller, earlier, log, empty, prompts, workflow, formBox, problem, newest, announcer, alert };
  return { ...frame, composer, label, input, stop, send };
}

if (globalThis.customElements && !customElements.get("interactor-chat")) {
  customElements.define("interactor-chat", InteractorChatElement);
}
