/** What the transport sends to the AI SDK: some of its `UIMessageChunk`s. */
export type InteractorChunk =
  | { type: "start" | "start-step" | "finish-step" | "finish" | "abort" }
  | { type: "error"; errorText: string }
  | { type: "text-start" | "text-end"; id: string }
  | { type: "text-delta"; id: string; delta: string }
  | { type: "tool-input-available"; toolCallId: string; toolName: string; input: unknown; dynamic: boolean; providerExecuted: boolean }
  | { type: "tool-output-available"; toolCallId: string; output: unknown; dynamic: boolean; providerExecuted: boolean }
  | { type: "tool-output-error"; toolCallId: string; errorText: string; dynamic: boolean; providerExecuted: boolean };

interface ToolPart {
  type: "dynamic-tool";
  toolName: string;
  toolCallId: string;
  input: unknown;
  providerExecuted: boolean;
}

/** A message of the AI SDK, with text and calls of tools. */
export interface InteractorUIMessage {
  id: string;
  role: "user" | "assistant";
  parts: (
    | { type: "text"; text: string }
    | (ToolPart & { state: "input-available" })
    | (ToolPart & { state: "output-available"; output: unknown })
    | (ToolPart & { state: "output-error"; errorText: string })
  )[];
}

export interface InteractorChatTransportOptions {
  /** Id of the room. */
  room: string;
  /** Where the relay is mounted. Default: "/interactor". */
  endpoint?: string;
  /** Called before each request, for pages that authenticate with a header. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** Whether cookies are sent, as for `fetch`. Default: "same-origin". */
  credentials?: RequestCredentials;
}

/**
 * A `ChatTransport` for `useChat` of `@ai-sdk/react`: messages go through the relay, and answers come as they are written.
 * The newest message of the user is sent; the platform knows the earlier ones. Aborting ends what is shown: the platform
 * writes its answer to the end.
 */
export class InteractorChatTransport {
  constructor(options: InteractorChatTransportOptions);
  sendMessages(options: {
    messages: readonly { role: string; parts: readonly any[] }[];
    abortSignal?: AbortSignal | undefined;
  }): Promise<ReadableStream<InteractorChunk>>;
  /** The answer that is being written, or null. */
  reconnectToStream(options?: { abortSignal?: AbortSignal }): Promise<ReadableStream<InteractorChunk> | null>;
  /** The newest messages of the room, for `useChat({ messages, resume: true })`, without an answer that is being written. */
  loadMessages(): Promise<InteractorUIMessage[]>;
}
