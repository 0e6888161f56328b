/**
 * `<interactor-chat room="room_4Kd9" endpoint="/interactor">`: a chat on a page.
 *
 * Changes of the session are drawn once a frame, onto the nodes that are there.
 *
 * @typedef {import("./interactor-chat.js").InteractorChatTexts} Texts
 * @typedef {import("./interactor-chat-session.js").ChatMessage} ChatMessage
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 */

import { attempt, button, element, setText, showEach } from "./interactor-chat-dom.js";
import { presentationForm } from "./interactor-chat-form.js";
import { MessageList } from "./interactor-chat-messages.js";
import { ChatSession } from "./interactor-chat-session.js";
import { styles } from "./interactor-chat-styles.js";
import { TEXTS, completed, errorText, filled } from "./interactor-chat-texts.js";

export { TEXTS };

const PROPERTIES = /** @type {const} */ (["headers", "credentials", "renderMarkdown", "toolLabels", "prompts", "texts"]);
/** Pixels within which the end counts as shown. */
const NEAR_END = 40;
/** Milliseconds until screen readers are told of what is added, after a page of history. */
const QUIET = 500;
/** Milliseconds that a button says that it has copied. */
const COPIED = 2000;

// Where a server renders the page, there are no elements.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});
/** @type {CSSStyleSheet | undefined} */
let sheet;

export class InteractorChatElement extends Base {
  static observedAttributes = ["room", "instance", "endpoint", "assistant-name", "tools", "prompts", "aria-label"];

  #nodes;
  /** @type {ChatSession | undefined} */
  #session;
  #opened = "";
  /** @type {(() => Record<string, string> | Promise<Record<string, string>>) | undefined} */
  #headers;
  /** @type {RequestCredentials | undefined} */
  #credentials;
  /** @type {((text: string, shown: Node | null) => Node) | undefined} */
  #renderMarkdown;
  /** @type {Record<string, string> | ((call: ToolCall) => string | undefined) | undefined} */
  #toolLabels;
  /** @type {readonly string[] | undefined} */
  #prompts;
  #messages;
  /** @type {Texts} */
  #texts = TEXTS;
  #isDrawing = false;
  #isAtEnd = true;
  /** The answer that was being written when the chat was drawn last. @type {string | undefined} */
  #written;
  #lastStatus = "";
  /** Until the log is announced again. @type {ReturnType<typeof setTimeout> | undefined} */
  #quiet;
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
    this.#reopen();
  }

  disconnectedCallback() {
    this.#reopen();
  }

  attributeChangedCallback() {
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
        return chat.closest("[lang]")?.getAttribute("lang") ?? "";
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
      labelOf: (call) => this.#labelOf(call),
      retry: (key) => void this.#session?.retry(key),
      edit: (key) => this.#edit(key),
      copy: (text, copies) => void this.#copy(text, copies),
      askAgain: () => this.#askAgain(),
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
    const { scroller, log, earlier, newest, composer, input, stop } = this.#nodes;
    scroller.addEventListener("scroll", () => {
      this.#isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END;
      newest.hidden = this.#isAtEnd;
    });
    log.addEventListener("click", ({ target }) => {
      const copies = target instanceof Element ? target.closest(".code-block .copy") : null;
      if (copies) this.#copy(copies.closest(".code-block")?.querySelector("pre")?.textContent ?? "", copies);
    });
    stop.addEventListener("click", () => this.#session?.stop());
    // A keyboard on the screen, a turned phone, anything drawn. Measuring after layout is free; in `draw` it would force one.
    const sizes = new ResizeObserver(() => this.#isAtEnd && this.#scrollToEnd());
    for (const node of [scroller, ...scroller.children]) sizes.observe(node);
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
    this.#say(content);
  }

  /** @param {string} content */
  #say(content) {
    this.#isAtEnd = true;
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
    const said = await navigator.clipboard.writeText(text).then(
      () => copied,
      () => notCopied,
    );
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

  /** But not beyond the title of a form. */
  #scrollToEnd() {
    const { scroller, formBox } = this.#nodes;
    if (formBox.hidden) {
      scroller.scrollTop = scroller.scrollHeight;
      return;
    }
    const above = formBox.getBoundingClientRect().top - scroller.getBoundingClientRect().top - scroller.clientTop;
    const title = scroller.scrollTop + above - parseFloat(getComputedStyle(scroller).paddingTop);
    scroller.scrollTop = Math.min(scroller.scrollHeight, title);
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
    const fromEnd = this.#isAtEnd ? 0 : scroller.scrollHeight - scroller.scrollTop;
    const messages = this.#session?.messages ?? [];
    this.#drawFrame(messages.length === 0);
    this.#drawMessages(messages);
    this.#drawWorkflow();
    this.#drawProblem(messages);
    if (!this.#isAtEnd && log.firstElementChild !== oldest) scroller.scrollTop = scroller.scrollHeight - fromEnd;
    this.#keepFocus(focused, wasInForm);
  }

  /** @param {boolean} hasNone no message */
  #drawFrame(hasNone) {
    const { log, status, scroller, empty, earlier, newest, composer, label, input, send, stop } = this.#nodes;
    const session = this.#session;
    const texts = this.#texts;
    const connection = session?.status ?? "closed";
    status.dataset.status = connection;
    setText(status, texts.statuses[connection]);
    if (connection === "waiting" || (connection === "open" && this.#lastStatus === "waiting")) {
      this.#announce(texts.statuses[connection]);
    }
    if (connection !== "connecting") this.#lastStatus = connection;
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
    composer.hidden = !this.room;
    const isEmpty = this.room !== "" && hasNone && !session?.hasEarlier;
    empty.hidden = !isEmpty || Boolean(session?.error);
    setText(empty, session && !session.isLoaded ? texts.loading : texts.empty);
    this.#drawPrompts(!empty.hidden && session?.isLoaded === true);
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
    const writing = messages.find(({ state }) => state === "writing")?.key;
    if (writing === this.#written) return;
    if (writing) {
      this.#announce(filled(this.#texts.writing, { name: this.assistantName || this.#texts.assistant }));
    } else {
      const article = Array.from(this.#nodes.log.children).find((each) => this.#written === each.getAttribute("data-key"));
      const isStopped = article?.getAttribute("data-state") === "stopped";
      this.#announce(isStopped ? this.#texts.stopped : (article?.children[1].textContent ?? ""));
    }
    this.#written = writing;
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

/** @param {ShadowRoot} root */
function build(root) {
  const status = element("div", { class: "status", part: "status" });
  const top = element("div", { class: "top", part: "header" }, element("slot", { name: "header" }), status);
  const earlier = element("button", { type: "button", class: "earlier small", part: "button", hidden: "" });
  const log = element("div", { class: "log", part: "messages", role: "log", "aria-live": "off" });
  log.setAttribute("aria-relevant", "additions");
  const empty = element("p", { class: "empty", part: "empty" });
  const prompts = element("div", { class: "prompts", part: "prompts", role: "group", hidden: "" });
  const workflow = element("p", { class: "workflow", part: "workflow", dir: "auto", hidden: "" });
  const formBox = element("div", { class: "form-box", hidden: "" });
  const scroller = element("div", { class: "scroller", part: "scroller", role: "region", tabindex: "0" });
  scroller.append(earlier, empty, prompts, log, workflow, formBox);
  const problem = element("div", { class: "problem", part: "error", role: "alert" });
  const newest = element("button", { type: "button", class: "newest small", part: "button", hidden: "" });
  const label = element("label", { class: "unseen", for: "input" });
  const input = element("textarea", { id: "input", part: "input", rows: "1", enterkeyhint: "send" });
  const stop = element("button", { type: "button", part: "button stop", hidden: "" });
  const send = element("button", { type: "submit", class: "primary", part: "button send" });
  const composer = element("form", { class: "composer", part: "composer" }, label, input, stop, send);
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
