/**
 * `<interactor-rooms assistant="asst_1" for="chat">`: the user's conversations, to open, name, search and start.
 *
 * @typedef {import("./interactor-rooms.js").InteractorRoomsTexts} Texts
 * @typedef {{id: string, name?: string, created_at?: string}} Room as the relay sends it
 */

import { element, filled, setText, showEach } from "./interactor-chat-dom.js";
import { styles } from "./interactor-rooms-styles.js";

/** @type {Readonly<Texts>} */
export const TEXTS = Object.freeze({
  conversations: "Conversations",
  start: "New conversation",
  search: "Search by name",
  unnamed: "Conversation of {date}",
  rename: "Rename {name}",
  name: "Name",
  empty: "No conversations yet",
  none: "No conversation has this name",
  found: "{count} found",
  more: "More",
  network: "Can't reach the server.",
  retry: "Try again",
});
const PER_PAGE = 100;
/** What the relay accepts. */
const LONGEST_NAME = "200";
/** Sign in first, not allowed: what is shown isn't for whoever looks at it now. */
const REFUSALS = new Set([401, 403]);

// Where a server renders the page, there are no elements.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});
/** @type {CSSStyleSheet | undefined} */
let sheet;

export class InteractorRoomsElement extends Base {
  static observedAttributes = ["room", "endpoint", "assistant", "aria-label"];

  // What the page set before this module was loaded stays.
  /** @type {(() => Record<string, string> | Promise<Record<string, string>>) | undefined} */
  headers = Reflect.get(this, "headers");
  /** @type {RequestCredentials | undefined} */
  credentials = Reflect.get(this, "credentials");
  #texts = TEXTS;
  #nodes;
  /** By id. @type {Map<string, Room>} */
  #rooms = new Map();
  #pages = 0;
  #hasMore = true;
  /** What is listed: a response to an earlier request is for another list. */
  #listed = "";
  /** Of the room that is being started, until the server has responded. */
  #key = "";
  #isStarting = false;
  /** The id of the room that is being named. */
  #naming = "";
  #problem = "";

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(styles);
    }
    root.adoptedStyleSheets = [sheet];
    this.#nodes = build(root);
    const { start, search, list, more, retry } = this.#nodes;
    start.addEventListener("click", () => this.#do(() => this.#start()));
    search.addEventListener("input", () => this.#do(() => this.#search()));
    more.addEventListener("click", () => this.#do(() => this.#readPage()));
    retry.addEventListener("click", () => this.refresh());
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  get room() {
    return this.getAttribute("room") ?? "";
  }

  set room(value) {
    this.setAttribute("room", value ?? "");
  }

  get endpoint() {
    return this.getAttribute("endpoint") ?? "/interactor";
  }

  set endpoint(value) {
    this.setAttribute("endpoint", value);
  }

  get assistant() {
    return this.getAttribute("assistant") ?? "";
  }

  set assistant(value) {
    this.setAttribute("assistant", value ?? "");
  }

  get texts() {
    return this.#texts;
  }

  set texts(value) {
    this.#texts = { ...TEXTS, ...value };
    this.#draw();
  }

  connectedCallback() {
    if (Object.hasOwn(this, "texts")) {
      const { texts } = this;
      delete (/** @type {any} */ (this).texts);
      this.texts = texts;
    }
    this.#listAnew();
  }

  attributeChangedCallback() {
    this.#listAnew();
    this.#draw();
  }

  /** Reads the list again. */
  async refresh() {
    this.#listed = "";
    await this.#listAnew();
  }

  async #listAnew() {
    const listed = JSON.stringify([this.endpoint, this.assistant]);
    if (!this.isConnected || listed === this.#listed) return;
    this.#listed = listed;
    this.#forget();
    await this.#do(() => this.#search());
    const newest = this.#shown()[0];
    if (this.#listed === listed && !this.#current && newest) this.#open(newest);
  }

  #forget() {
    this.#rooms.clear();
    this.#pages = 0;
    this.#hasMore = true;
    this.#naming = "";
  }

  /** The chat that shows the room. */
  get #chat() {
    const root = /** @type {Document | ShadowRoot} */ (this.getRootNode());
    return root.getElementById?.(this.getAttribute("for") ?? "") ?? undefined;
  }

  get #current() {
    return this.room || this.#chat?.getAttribute("room") || "";
  }

  /** @param {Room} room */
  #open({ id, name }) {
    this.room = id;
    this.#chat?.setAttribute("room", id);
    this.dispatchEvent(new CustomEvent("interactor-room", { detail: { id, name }, bubbles: true, composed: true }));
  }

  async #start() {
    if (this.#isStarting) return;
    this.#isStarting = true;
    this.#key ||= Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("");
    try {
      const room = (await this.#request("POST", "", { assistant_id: this.assistant }, this.#key)).data;
      this.#rooms.set(room.id, room);
      this.#nodes.search.value = "";
      this.#open(room);
      this.#chat?.focus();
    } finally {
      this.#isStarting = false;
    }
  }

  /** What is searched for may be on any page. */
  async #search() {
    this.#draw();
    do await this.#readPage();
    while (this.#query && this.#hasMore);
  }

  get #query() {
    return this.#nodes.search.value.trim().toLocaleLowerCase();
  }

  async #readPage() {
    if (!this.#hasMore) return;
    const listed = this.#listed;
    const page = this.#pages + 1;
    const assistant = this.assistant && `&assistant_id=${encodeURIComponent(this.assistant)}`;
    const { data, meta = {} } = await this.#request("GET", `?page=${page}&per_page=${PER_PAGE}${assistant}`);
    if (listed !== this.#listed) return;
    for (const room of data) this.#rooms.set(room.id, room);
    this.#pages = page;
    this.#hasMore = meta.has_more ?? data.length + (meta.left_out ?? 0) >= PER_PAGE;
  }

  /**
   * @param {Room} room
   * @param {HTMLInputElement} input
   */
  async #rename({ id, name }, input) {
    if (this.#naming !== id) return;
    this.#naming = "";
    const wanted = input.value.trim();
    this.#draw();
    if (!wanted || wanted === name) return;
    const renamed = (await this.#request("PATCH", `/${encodeURIComponent(id)}`, { name: wanted })).data;
    this.#rooms.set(id, { ...this.#rooms.get(id), ...renamed });
  }

  /** @param {() => Promise<void>} work */
  async #do(work) {
    this.#problem = "";
    try {
      await work();
    } catch (error) {
      const { message, status } = /** @type {any} */ (error);
      this.#problem = message;
      if (REFUSALS.has(status)) this.#forget();
    }
    this.#draw();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {string} [key]
   */
  async #request(method, path, body, key) {
    let response, answer;
    try {
      response = await fetch(`${this.endpoint.replace(/\/+$/, "")}/rooms${path}`, {
        method,
        headers: {
          ...(await this.headers?.()),
          ...(body && { "Content-Type": "application/json" }),
          ...(key && { "Idempotency-Key": key }),
        },
        body: body && JSON.stringify(body),
        credentials: this.credentials ?? "same-origin",
        cache: "no-store",
      });
      answer = await response.json();
    } catch {
      throw new Error(this.#texts.network);
    }
    if (key) this.#key = "";
    if (!response.ok) throw Object.assign(new Error(answer.error?.message ?? this.#texts.network), { status: response.status });
    return answer;
  }

  /** The newest first; of the same millisecond, the one that the list has last. */
  #shown() {
    const query = this.#query;
    const rooms = [...this.#rooms.values()].reverse().filter((room) => this.#nameOf(room).toLocaleLowerCase().includes(query));
    return rooms.sort((one, other) => (other.created_at ?? "").localeCompare(one.created_at ?? ""));
  }

  /** @param {Room} room */
  #nameOf({ id, name, created_at }) {
    const date = created_at ? new Date(created_at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : id;
    return name || filled(this.#texts.unnamed, { date });
  }

  #draw() {
    const { nav, start, search, list, more, empty, found, problem, said, retry } = this.#nodes;
    const texts = this.#texts;
    const rooms = this.#shown();
    nav.ariaLabel = this.getAttribute("aria-label") ?? texts.conversations;
    setText(start, texts.start);
    start.hidden = !this.assistant;
    search.ariaLabel = search.placeholder = texts.search;
    search.hidden = this.#rooms.size === 0;
    setText(more, texts.more);
    more.hidden = !this.#hasMore || this.#pages === 0;
    empty.hidden = rooms.length > 0 || this.#hasMore;
    setText(empty, this.#query ? texts.none : texts.empty);
    setText(found, this.#query && !this.#hasMore ? filled(texts.found, { count: String(rooms.length) }) : "");
    problem.hidden = !this.#problem;
    setText(said, this.#problem);
    setText(retry, texts.retry);
    showEach(list, rooms, {
      key: ({ id }) => id,
      make: ({ id }) => this.#make(id),
      update: (node, room) => this.#update(node, room),
    });
  }

  /** @param {string} id */
  #make(id) {
    const room = () => /** @type {Room} */ (this.#rooms.get(id));
    const open = element("button", { type: "button", class: "open", part: "room", dir: "auto" });
    const rename = element("button", { type: "button", class: "rename", part: "rename" }, "\u270e");
    const input = element("input", { maxlength: LONGEST_NAME, part: "name", dir: "auto", hidden: "" });
    const node = element("li", { part: "item" }, open, rename, input);
    const end = async () => {
      const hadFocus = /** @type {ShadowRoot} */ (this.shadowRoot).activeElement === input;
      const work = this.#do(() => this.#rename(room(), input));
      if (hadFocus) rename.focus();
      await work;
    };
    open.addEventListener("click", () => this.#open(room()));
    rename.addEventListener("click", () => {
      this.#naming = id;
      input.value = room().name ?? "";
      this.#draw();
      input.select();
    });
    input.addEventListener("blur", end);
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Escape" && (event.key !== "Enter" || event.isComposing)) return;
      event.preventDefault(); // the key would press the button that gets the focus
      if (event.key === "Escape") input.value = "";
      end();
    });
    return node;
  }

  /**
   * @param {HTMLElement} node
   * @param {Room} room
   */
  #update(node, room) {
    const [open, rename, input] = /** @type {[HTMLElement, HTMLElement, HTMLInputElement]} */ (/** @type {unknown} */ (node.children));
    const name = this.#nameOf(room);
    setText(open, name);
    open.ariaCurrent = room.id === this.#current ? "true" : null;
    rename.ariaLabel = rename.title = filled(this.#texts.rename, { name });
    input.ariaLabel = this.#texts.name;
    open.hidden = rename.hidden = this.#naming === room.id;
    input.hidden = !open.hidden;
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const rooms = /** @type {HTMLElement[]} */ ([...this.#nodes.list.querySelectorAll(".open")]);
    const place = rooms.indexOf(/** @type {HTMLElement} */ (/** @type {Element} */ (event.target).parentElement?.firstElementChild));
    const places = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rooms.length - 1 };
    const next = rooms[/** @type {Record<string, number>} */ (places)[event.key] ?? -1];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

/** @param {ShadowRoot} root */
function build(root) {
  const start = element("button", { type: "button", class: "primary", part: "start" });
  const search = element("input", { type: "search", part: "search" });
  const list = element("ul", { part: "list", role: "list" });
  const empty = element("p", { class: "empty", part: "empty" });
  const more = element("button", { type: "button", part: "more" });
  const found = element("div", { class: "unseen", role: "status" });
  const said = element("span");
  const retry = element("button", { type: "button" });
  const problem = element("div", { class: "problem", part: "error", role: "alert", hidden: "" }, said, retry);
  const nav = element("nav", {}, start, search, list, empty, more, problem, found);
  root.append(nav);
  return { nav, start, search, list, empty, more, found, said, retry, problem };
}

if (globalThis.customElements && !customElements.get("interactor-rooms")) {
  customElements.define("interactor-rooms", InteractorRoomsElement);
}
