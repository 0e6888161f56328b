/** What the list says; a page may replace each. */
export interface InteractorRoomsTexts {
  conversations: string;
  start: string;
  search: string;
  /** With `{date}`. */
  unnamed: string;
  /** With `{name}`. */
  rename: string;
  name: string;
  empty: string;
  none: string;
  /** With `{count}`. */
  found: string;
  more: string;
  network: string;
  retry: string;
}

export const TEXTS: Readonly<InteractorRoomsTexts>;

/**
 * `<interactor-rooms>`: the user's conversations, to open, name, search and start. It sets the attribute `room` of the
 * element whose id its attribute `for` names, and dispatches `interactor-room` with the `id` and `name`.
 *
 * Parts: `start`, `search`, `list`, `item`, `room`, `rename`, `name`, `more`, `empty`, `error`.
 */
export class InteractorRoomsElement extends HTMLElement {
  /** Id of the room that is open. */
  room: string;
  /** Where the relay is mounted. Default: "/interactor". */
  endpoint: string;
  /** Id of the assistant whose rooms are listed and started. Without it, all are listed and none can be started. */
  assistant: string;
  headers: (() => Record<string, string> | Promise<Record<string, string>>) | undefined;
  credentials: RequestCredentials | undefined;
  get texts(): InteractorRoomsTexts;
  set texts(value: Partial<InteractorRoomsTexts> | null | undefined);
  /** Reads the list again. */
  refresh(): Promise<void>;
}

declare global {
  interface HTMLElementTagNameMap {
    "interactor-rooms": InteractorRoomsElement;
  }
  interface HTMLElementEventMap {
    "interactor-room": CustomEvent<{ id: string; name?: string }>;
  }
}
