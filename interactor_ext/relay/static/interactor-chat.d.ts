import type { StreamEvent, ToolCall } from "./interactor-types.js";

/** What the chat says. `{name}`, `{status}` and `{state}` are filled in. */
export interface InteractorChatTexts {
  /** Names of regions, for screen readers. */
  conversation: string;
  messages: string;
  you: string;
  assistant: string;
  system: string;
  empty: string;
  loading: string;
  earlier: string;
  newest: string;
  /** Label of the input. */
  message: string;
  placeholder: string;
  send: string;
  sending: string;
  notSent: string;
  edit: string;
  retry: string;
  askAgain: string;
  writing: string;
  /** With `{name}`. */
  tool: string;
  arguments: string;
  result: string;
  /** With `{status}` and `{state}`. */
  workflow: string;
  /** Heading of a form that has none. */
  question: string;
  submit: string;
  approve: string;
  reject: string;
  anyInput: string;
  invalidInput: string;
  tooLittle: string;
  /** Of the connection: `connecting`, `open`, `waiting`, `closed`, `ended`. */
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
 * `room` and `instance` each keep a connection open. Over HTTP/1.1 a browser has six for a server, all tabs together: serve over
 * HTTP/2 what people open in many tabs.
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
 * `text`, `tool`, `empty`, `workflow`, `form`, `form-title`, `form-description`, `error`, `composer`, `input`, `button` (with
 * `primary` or `send`). The slot `header` takes a title.
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
  /** What an answer is shown as; without it, as plain text. What it returns is not sanitized. */
  renderMarkdown: ((text: string) => Node) | undefined;
  /** The name to show for a tool call, in place of the tool's id. */
  toolName: ((call: ToolCall) => string) | undefined;
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
