import type { ChatSession, ChatToolCall } from "./interactor-chat-session.js";
import type { StreamEvent } from "./interactor-types.js";

/** What the chat says. `{name}`, `{seconds}`, `{status}` and `{state}` are filled in. */
export interface InteractorChatTexts {
  /** Names of regions, for screen readers. */
  conversation: string;
  messages: string;
  you: string;
  assistant: string;
  system: string;
  empty: string;
  /** Name of the group of starter prompts, for screen readers. */
  prompts: string;
  loading: string;
  earlier: string;
  newest: string;
  /** Label of the input. */
  message: string;
  placeholder: string;
  send: string;
  sending: string;
  /** Of a message that is sent when the server accepts more. */
  waiting: string;
  /** With `{seconds}`. */
  silent: string;
  /** With `{seconds}`. */
  pause: string;
  notSent: string;
  edit: string;
  retry: string;
  stop: string;
  stopped: string;
  /** Before a block of code, for screen readers. */
  code: string;
  copy: string;
  copied: string;
  notCopied: string;
  askAgain: string;
  earlierAnswer: string;
  good: string;
  bad: string;
  /** With `{name}` of the assistant. */
  writing: string;
  /** With `{name}`. */
  tool: string;
  /** Where neither `toolLabels` nor the relay has a name. */
  unnamedTool: string;
  arguments: string;
  result: string;
  /** Above the arguments of a call that waits for the user's decision. */
  needsApproval: string;
  /** In its place if the arguments are others than before. */
  changed: string;
  reason: string;
  /** Where somebody else was faster. */
  decided: string;
  /** With `{status}` and `{state}`. */
  workflow: string;
  /** Heading of a form that has none. */
  question: string;
  /** Beside the label of a field that must be filled in. */
  required: string;
  submit: string;
  approve: string;
  reject: string;
  anyInput: string;
  invalidInput: string;
  tooLittle: string;
  /** Of the connection: `connecting`, `open`, `waiting`, `paused`, `closed`, `ended`. */
  statuses: Readonly<Record<string, string>>;
  toolStatuses: Readonly<Record<string, string>>;
  workflowStatuses: Readonly<Record<string, string>>;
  /** By the relay's codes, and `NETWORK`. */
  errors: Readonly<Record<string, string>>;
}

/** Texts to replace; the others stay as they are. */
export type InteractorChatTextsOverride = Partial<InteractorChatTexts>;

/** The English texts. */
export const TEXTS: Readonly<InteractorChatTexts>;

/**
 * `<interactor-chat room="room_4Kd9" instance="wfi_6Py1" endpoint="/interactor">`: a chat with an assistant, a form for what a
 * halted workflow asks, or both.
 *
 * `room` and `instance` each keep a connection open while the page is shown, or always with the attribute `keep-open`.
 *
 * Events: `interactor-event` with each `StreamEvent`, and `interactor-error` with each error, as `detail`.
 *
 * Custom properties of CSS: `--interactor-accent`, `--interactor-on-accent`, `--interactor-background`, `--interactor-text`,
 * `--interactor-soft-text`, `--interactor-line`, `--interactor-edge`, `--interactor-own-message`,
 * `--interactor-other-message`, `--interactor-error`, `--interactor-error-background`, `--interactor-radius`,
 * `--interactor-gap`, `--interactor-font-family`. It is light or dark as the user prefers; `color-scheme` on the element
 * overrides it. Its height is `block-size`.
 *
 * Parts: `header`, `status`, `scroller`, `messages`, `message` (with `user`, `assistant` or `other`, and `streaming`), `meta`,
 * `text`, `code`, `table`, `link`, `stopped`, `tool`, `approval`, `approval-title`, `approval-arguments`, `empty`, `prompts`,
 * `workflow`, `form`, `form-title`, `form-description`, `error`, `composer`, `input`, `button` (with `primary`, `send`, `stop`, `copy`,
 * `ask-again`, `retry`, `edit`, `reword`, `fold`, `good`, `bad`, `prompt`, `approve` or `reject`). The slot `header` takes a title.
 */
export class InteractorChatElement extends HTMLElement {
  /** Id of the room, or "". As an attribute too. */
  get room(): string;
  set room(value: string | null | undefined);
  /** Id of the workflow instance, or "". As an attribute too. */
  get instance(): string;
  set instance(value: string | null | undefined);
  /** Where the relay is mounted. "/interactor" by default. As an attribute too. */
  get endpoint(): string;
  set endpoint(value: string | null | undefined);
  /** Headers for each request, for a page that signs in by a header. */
  headers: (() => Record<string, string> | Promise<Record<string, string>>) | undefined;
  /** Whether cookies are sent, as for `fetch`. Default: "same-origin". */
  credentials: RequestCredentials | undefined;
  /** The assistant's name, as the attribute `assistant-name`; without it, that of the texts. */
  get assistantName(): string;
  set assistantName(value: string | null | undefined);
  /** "hidden": calls of tools are not shown. As an attribute too. */
  get tools(): string;
  set tools(value: string | null | undefined);
  /** Names of tools for people, by the tool's name or id, or a function that returns one. */
  toolLabels: Readonly<Record<string, string>> | ((call: ChatToolCall) => string | undefined) | undefined;
  /** Starter prompts for an empty room. As an attribute, they are separated by "|". */
  get prompts(): readonly string[];
  set prompts(value: readonly string[] | undefined);
  /** Whether the streams stay open while the page is hidden. As the attribute `keep-open` too. */
  keepOpen: boolean;
  /** Whether answers have buttons for the relay's `on_feedback`. */
  feedback: boolean;
  /**
   * What an answer is shown as, in place of the chat's own Markdown. `shown` is what this returned for the same message before,
   * if it is a single node: it may be changed and returned. Nodes that are shown already stay where the new ones are alike. What
   * it returns is not sanitized.
   */
  renderMarkdown: ((text: string, shown: Node | null) => Node) | undefined;
  /** What a formula is shown as, in the chat's own Markdown. Without it, formulas stay as they were written. */
  renderMath: ((text: string, isBlock: boolean) => Node) | undefined;
  /** What the text of a block of code is shown as, in the chat's own Markdown. */
  highlightCode: ((code: string, language: string) => Node) | undefined;
  /** What the chat knows and can be told to do; undefined without a room and an instance. */
  readonly session: ChatSession | undefined;
  /** What the chat says, in place of the English texts. */
  get texts(): Readonly<InteractorChatTexts>;
  set texts(value: InteractorChatTextsOverride | null | undefined);
  addEventListener<K extends keyof InteractorChatEventMap>(
    type: K,
    listener: (this: InteractorChatElement, event: InteractorChatEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export interface InteractorChatEventMap extends HTMLElementEventMap {
  "interactor-event": CustomEvent<StreamEvent>;
  "interactor-error": CustomEvent<Error>;
}

declare global {
  interface HTMLElementTagNameMap {
    "interactor-chat": InteractorChatElement;
  }
}
