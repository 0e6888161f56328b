/**
 * The messages of a chat, each an article that is kept from its first sign to its place in the history.
 *
 * @typedef {import("./interactor-chat.js").InteractorChatTexts} Texts
 * @typedef {import("./interactor-chat-session.js").ChatMessage} ChatMessage
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 * @typedef {object} View what the chat has set, and what it does
 * @property {Texts} texts
 * @property {string} language
 * @property {string} assistant its name
 * @property {boolean} hidesTools
 * @property {((text: string, shown: Node | null) => Node) | undefined} renderMarkdown the page's
 * @property {((text: string, isBlock: boolean) => Node) | undefined} renderMath
 * @property {((code: string, language: string) => Node) | undefined} highlightCode
 * @property {(call: ToolCall) => string | undefined} labelOf
 * @property {(key: string) => void} retry
 * @property {(key: string) => void} edit
 * @property {(text: string, button: Element) => void} copy
 * @property {() => void} askAgain
 * @property {((id: string, rating: "good" | "bad") => unknown) | undefined} rate an answer, where the page asks for it
 * @property {(id: string) => void} approve a call of a tool
 * @property {(id: string, reason: string) => void} reject
 */

import { attempt, button, element, renew, setText, showEach } from "./interactor-chat-dom.js";
import { drawTool, makeTool, toolKey } from "./interactor-chat-tools.js";
import { errorText } from "./interactor-chat-texts.js";
import { GrowingMarkdown } from "./interactor-markdown.js";

export class MessageList {
  #log;
  #view;
  /** What each article was drawn from. @type {WeakMap<Node, {message: ChatMessage, canAskAgain: boolean}>} */
  #drawn = new WeakMap();
  /** What draws the chat's own Markdown, by its bubble. @type {WeakMap<Node, GrowingMarkdown>} */
  #markdown = new WeakMap();

  /**
   * @param {HTMLElement} log
   * @param {View} view
   */
  constructor(log, view) {
    this.#log = log;
    this.#view = view;
  }

  /** The keys of answers to questions that were edited. @type {Set<string>} */
  #folded = new Set();

  /**
   * Folds the answer to a question that is asked anew.
   *
   * @param {string} question its key
   * @param {readonly ChatMessage[]} messages
   */
  fold(question, messages) {
    const from = messages.findIndex(({ key }) => key === question) + 1;
    const next = messages.findIndex(({ role }, index) => index >= from && role === "user");
    for (const { key } of messages.slice(from, next < 0 ? undefined : next)) this.#folded.add(key);
    this.forget();
  }

  /** Has the next `draw` draw each message anew. */
  forget() {
    this.#drawn = new WeakMap();
    this.#markdown = new WeakMap();
  }

  /**
   * @param {readonly ChatMessage[]} messages
   * @param {boolean} canAskAgain after the last of them, so that questions can be edited
   */
  draw(messages, canAskAgain) {
    const { hidesTools } = this.#view;
    const shown = messages.filter(({ content, toolCalls, state }) => content || state !== "sent" || (toolCalls.length && !hidesTools));
    const newest = canAskAgain ? shown.at(-1) : undefined;
    showEach(this.#log, shown, {
      key: (message) => message.key,
      make: (message) => this.#make(message),
      update: (node, message) => this.#update(node, message, message === newest || (canAskAgain && message.role === "user")),
    });
  }

  /** @param {ChatMessage} message */
  #make({ role, key }) {
    const kind = role === "user" || role === "assistant" ? role : "other";
    const meta = element("div", { class: "meta", part: "meta" }, element("span"), element("time"));
    const bubble = element("div", { class: "bubble text", part: "text", dir: "auto" });
    const node = element("article", { class: `message ${kind}`, part: `message ${kind}` }, meta, bubble, element("div"));
    const foot = element("div", { class: "foot" });
    if (role === "user") {
      const { retry, edit } = this.#view;
      meta.append(button("reword", () => edit(key)));
      foot.append(element("span", { part: "error" }), button("retry", () => retry(key)), button("edit", () => edit(key)));
    } else {
      const { copy, askAgain } = this.#view;
      meta.append(button("fold", ({ currentTarget }) => {
        const isOpen = node.classList.toggle("folded");
        /** @type {Element} */ (currentTarget).ariaExpanded = String(!isOpen);
      }));
      const copies = button("copy", (event) => copy(this.#drawnContent(node), /** @type {Element} */ (event.currentTarget)));
      const dots = element("div", { class: "dots", "aria-hidden": "true" }, ...[1, 2, 3].map(() => element("i")));
      foot.append(dots, element("p", { class: "stopped", part: "stopped" }), copies, button("ask-again", () => askAgain()), ...this.#ratings(node));
    }
    node.append(foot);
    return node;
  }

  /** @param {Node} node */
  #ratings(node) {
    return /** @type {const} */ (["good", "bad"]).map((rating) => button(rating, () => {
      const id = this.#drawn.get(node)?.message.id;
      if (id) this.#view.rate?.(id, rating);
    }));
  }

  /** @param {Node} node */
  #drawnContent(node) {
    return this.#drawn.get(node)?.message.content ?? "";
  }

  /**
   * @param {HTMLElement} node
   * @param {ChatMessage} message
   * @param {boolean} canAskAgain
   */
  #update(node, message, canAskAgain) {
    const drawn = this.#drawn.get(node);
    if (drawn?.message === message && drawn.canAskAgain === canAskAgain) return;
    this.#drawn.set(node, { message, canAskAgain });
    const [meta, bubble, tools, foot] = /** @type {HTMLElement[]} */ (Array.from(node.children));
    node.dataset.state = message.state;
    node.part.toggle("streaming", message.state === "writing");
    this.#drawMeta(meta, message);
    this.#drawText(bubble, message);
    showEach(tools, this.#view.hidesTools ? [] : message.toolCalls, {
      key: toolKey,
      make: makeTool,
      update: (tool, call) => drawTool(tool, call, this.#view),
    });
    const { texts } = this.#view;
    if (message.role === "user") {
      this.#drawFailure(foot, message);
      setText(meta.children[2], canAskAgain && message.state === "sent" ? texts.edit : "");
      return;
    }
    this.#drawActions(foot, message, canAskAgain);
    const fold = meta.children[2];
    if (fold.ariaExpanded || !this.#folded.has(message.key)) return;
    setText(fold, texts.earlierAnswer);
    fold.ariaExpanded = "false";
    node.classList.add("folded");
  }

  /**
   * @param {HTMLElement} meta
   * @param {ChatMessage} message
   */
  #drawMeta(meta, { role, created_at, state }) {
    const { texts, assistant, language } = this.#view;
    const [author, time] = meta.children;
    /** @type {Record<string, string>} */
    const authors = { user: texts.you, assistant, system: texts.system };
    setText(author, authors[role] ?? role);
    const said = state === "sending" ? texts.sending : state === "waiting" ? texts.waiting : undefined;
    if (created_at) time.setAttribute("datetime", created_at);
    setText(time, said ?? (created_at ? timeOf(created_at, language) : ""));
  }

  /**
   * @param {HTMLElement} bubble
   * @param {ChatMessage} message
   */
  #drawText(bubble, { role, content, state }) {
    const isRendered = role === "assistant" && content !== "" && (attempt(() => this.#render(bubble, content)) ?? false);
    bubble.classList.toggle("rendered", isRendered);
    bubble.classList.toggle("text", !isRendered);
    // What is rendered has a direction for each block.
    bubble.dir = isRendered ? "" : "auto";
    bubble.classList.toggle("caret", state === "writing" && content !== "");
    if (isRendered) return;
    this.#markdown.delete(bubble);
    setText(bubble, content);
  }

  /**
   * @param {HTMLElement} bubble
   * @param {string} content
   * @returns {boolean} whether there is something to show
   */
  #render(bubble, content) {
    const { renderMarkdown, renderMath, highlightCode, texts, copy } = this.#view;
    if (!renderMarkdown) {
      const options = { copy: texts.copy, onCopy: copy, renderMath, highlightCode };
      const markdown = this.#markdown.get(bubble) ?? new GrowingMarkdown(bubble, options);
      this.#markdown.set(bubble, markdown);
      markdown.show(content);
      return true;
    }
    const shown = bubble.classList.contains("rendered") ? bubble.firstChild : null;
    const rendered = renderMarkdown(content, shown);
    if (rendered && rendered !== shown) {
      const wanted = new DocumentFragment();
      wanted.append(rendered);
      renew(bubble, wanted);
    }
    return Boolean(rendered);
  }

  /**
   * @param {HTMLElement} foot
   * @param {ChatMessage} message
   */
  #drawFailure(foot, { state, error }) {
    const { texts } = this.#view;
    const [text, retry, edit] = foot.children;
    foot.hidden = state !== "failed";
    foot.classList.toggle("failure", state === "failed");
    if (foot.hidden) return;
    setText(text, `${texts.notSent} ${errorText(texts, error)}`);
    setText(retry, texts.retry);
    setText(edit, texts.edit);
  }

  /**
   * @param {HTMLElement} foot
   * @param {ChatMessage} message
   * @param {boolean} canAskAgain
   */
  #drawActions(foot, { id, state, content, rating }, canAskAgain) {
    const { texts, rate } = this.#view;
    const [dots, stopped, copy, askAgain, ...ratings] = /** @type {HTMLElement[]} */ (Array.from(foot.children));
    dots.hidden = state !== "writing" || content !== "";
    stopped.hidden = state !== "stopped";
    setText(stopped, texts.stopped);
    copy.hidden = !content || state === "writing";
    if (copy.dataset.copied === undefined) setText(copy, texts.copy);
    askAgain.hidden = !canAskAgain;
    setText(askAgain, texts.askAgain);
    ratings.forEach((each, index) => {
      const which = /** @type {const} */ (["good", "bad"])[index];
      each.hidden = !rate || !id || !content || state === "writing";
      each.ariaPressed = String(rating === which);
      setText(each, each.hidden ? "" : texts[which]);
    });
    foot.hidden = dots.hidden && stopped.hidden && copy.hidden && askAgain.hidden;
  }
}

/**
 * @param {string} created_at
 * @param {string} language
 */
function timeOf(created_at, language) {
  const moment = new Date(created_at);
  if (Number.isNaN(moment.getTime())) return "";
  const isToday = moment.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const style = { timeStyle: "short", ...(!isToday && { dateStyle: "medium" }) };
  try {
    return moment.toLocaleString(language || undefined, style);
  } catch {
    return moment.toLocaleString(undefined, style); // the page's `lang` is no language, such as "en_US"
  }
}
