import type { CSSProperties, ReactElement } from "react";

import type { InteractorChatTextsOverride } from "./interactor-chat.js";
import type { InteractorStreamOptions, StreamEvent, StreamStatus, ToolCall } from "./interactor-stream.js";

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

/** `room`, `instance` or both. Functions and texts may be new at each render: the chat stays connected. */
export interface InteractorChatProps {
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
  /** What an answer is shown as; without it, as plain text. What it returns is not sanitized. */
  renderMarkdown?: (text: string) => Node;
  /** The name to show for a tool call, in place of the tool's id. */
  toolName?: (call: ToolCall) => string;
  /** In place of the English texts. */
  texts?: InteractorChatTextsOverride;
  onEvent?: (event: StreamEvent) => void;
  onError?: (error: Error) => void;
  className?: string;
  style?: CSSProperties;
}

/**
 * A chat with an assistant, a form for what a halted workflow asks, or both, as `<interactor-chat>`.
 *
 *     <InteractorChat room={room} endpoint="/interactor" />
 */
export function InteractorChat(props: InteractorChatProps): ReactElement;
