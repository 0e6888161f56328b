import type { ForwardRefExoticComponent, HTMLAttributes, ReactNode, RefAttributes } from "react";

import type { ChatSession, ChatSessionOptions } from "./interactor-chat-session.js";
import type { InteractorChatElement, InteractorChatTextsOverride } from "./interactor-chat.js";
import type { InteractorRoomsElement } from "./interactor-rooms.js";
import type { InteractorStreamOptions, StreamEvent, StreamStatus } from "./interactor-stream.js";

/** They may change from one render to the next: the newest are used, and the stream stays connected. */
export type UseInteractorStreamOptions = InteractorStreamOptions;

export interface UseInteractorStreamResult {
  status: StreamStatus;
  /** Whether `status` is "open". */
  isConnected: boolean;
  /** The newest 1000 events since `connect`. */
  events: readonly StreamEvent[];
  /** The answer that is being written, as far as it has come. */
  streamingContent: string;
  /** The same function at every render, as is `disconnect`. */
  connect(this: void, url: string): void;
  disconnect(this: void): void;
}

/**
 * The event stream of a room or of a workflow instance, as `InteractorStream`. It is closed until `connect` is called in an
 * effect or a handler, and disconnects when the component unmounts.
 *
 *     const { connect, streamingContent } = useInteractorStream({ onEvent: (event) => console.log(event.type) });
 *     useEffect(() => connect(`/interactor/rooms/${room}/stream`), [connect, room]);
 */
export function useInteractorStream(options?: UseInteractorStreamOptions): UseInteractorStreamResult;

/** They may change from one render to the next: the newest are used. Another room, instance or endpoint is another session. */
export type UseInteractorChatOptions = Omit<ChatSessionOptions, "onChange">;

/** What a `ChatSession` holds, as it is described there. */
export type UseInteractorChatState = Pick<
  ChatSession,
  | "messages"
  | "status"
  | "isLoaded"
  | "isWriting"
  | "hasEarlier"
  | "isLoadingEarlier"
  | "error"
  | "reportedError"
  | "unanswered"
  | "pause"
  | "workflow"
  | "presentation"
  | "approvals"
  | "submission"
>;

/** The functions are the same at every render. */
export interface UseInteractorChatResult extends UseInteractorChatState {
  send(this: void, content: string): Promise<void>;
  retry(this: void, key: string): Promise<void>;
  takeBack(this: void, key: string): string;
  stop(this: void): void;
  loadEarlier(this: void): Promise<void>;
  refresh(this: void): void;
  submit(this: void, input: Record<string, unknown>): Promise<void>;
  approve(this: void, id: string): Promise<void>;
  reject(this: void, id: string, reason?: string): Promise<void>;
}

/**
 * A conversation without a box, for one of your own.
 *
 *     const { messages, send } = useInteractorChat({ room });
 */
export function useInteractorChat(options: UseInteractorChatOptions): UseInteractorChatResult;

/**
 * `room`, `instance` or both, and any attribute of an element: `id`, `className`, `style`, `aria-label`, `data-...`. Functions,
 * labels and texts may be new at each render: the chat stays connected.
 */
export interface InteractorChatProps extends Omit<HTMLAttributes<InteractorChatElement>, "onError"> {
  /** Id of the room. */
  room?: string;
  /** Id of a workflow instance, whose questions are shown as forms. */
  instance?: string;
  /** Where the relay is mounted. Default: "/interactor". */
  endpoint?: string;
  /** Headers for each request, for a page that signs in by a header. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** Whether cookies are sent, as for `fetch`. Default: "same-origin". */
  credentials?: RequestCredentials;
  /** Whether the streams stay open while the page is hidden. Default: false. */
  keepOpen?: boolean;
  /** Whether answers have buttons for the relay's `on_feedback`. */
  feedback?: boolean;
  /** The assistant's name. */
  assistantName?: string;
  /** "hidden": calls of tools are not shown. */
  tools?: "hidden" | "";
  /** Names of tools for people, by the tool's name or id, or a function that returns one. */
  toolLabels?: InteractorChatElement["toolLabels"];
  /** Starter prompts for an empty room. */
  prompts?: readonly string[];
  /** What an answer is shown as, in place of the chat's own Markdown. What it returns is not sanitized. */
  renderMarkdown?: (text: string) => ReactNode | Node;
  /** What a formula, and the text of a block of code, are shown as. */
  renderMath?: InteractorChatElement["renderMath"];
  highlightCode?: InteractorChatElement["highlightCode"];
  /** In place of the English texts. */
  texts?: InteractorChatTextsOverride;
  onEvent?: (event: StreamEvent) => void;
  onError?: (error: Error) => void;
}

/**
 * A chat with an assistant, a form for what a halted workflow asks, or both, as `<interactor-chat>`. `ref` gets the element;
 * a child with `slot="header"` is its title.
 *
 *     <InteractorChat room={room} endpoint="/interactor" />
 */
export const InteractorChat: ForwardRefExoticComponent<InteractorChatProps & RefAttributes<InteractorChatElement>>;

/** `<interactor-chat>` itself, in JSX. */
export interface InteractorChatAttributes extends HTMLAttributes<InteractorChatElement>, RefAttributes<InteractorChatElement> {
  room?: string;
  instance?: string;
  endpoint?: string;
  "assistant-name"?: string;
  tools?: "hidden" | "";
  prompts?: string;
  "keep-open"?: boolean | "";
  feedback?: boolean | "";
  /** React before 19 knows no `className` on a custom element. */
  class?: string;
}

/** `<interactor-rooms>` of `@interactor/browser/rooms`, in JSX. */
export interface InteractorRoomsAttributes extends HTMLAttributes<InteractorRoomsElement>, RefAttributes<InteractorRoomsElement> {
  assistant?: string;
  /** Id of the chat that shows the open room. */
  for?: string;
  room?: string;
  endpoint?: string;
  class?: string;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "interactor-chat": InteractorChatAttributes;
      "interactor-rooms": InteractorRoomsAttributes;
    }
  }
}
