import type { StreamError, StreamStatus } from "./interactor-stream.js";
import type { HaltingPresentation, MessageRole, StreamEvent, ToolCall, WorkflowInstance } from "./interactor-types.js";

/** As the stream's; `busy` while the server refuses one more stream, and `ended` after the end of a workflow. */
export type ChatStatus = StreamStatus | "busy" | "ended";

/** As the relay sends it. `arguments` and `result` are there only if the relay was told to show them. */
export interface ChatToolCall extends ToolCall {
  /** The tool's name, such as `get_weather`, where the relay knows it. */
  tool_name?: string;
  /** That the call waits for a decision, where the user is one who may decide. */
  approval?: ChatApproval;
}

/** A call of a tool that waits for a decision. */
export interface ChatApproval {
  /** Id of the call. */
  readonly id: string;
  /** The tool's name. */
  readonly tool: string;
  /** The arguments that the tool shows to whoever decides. */
  readonly shown: Readonly<Record<string, unknown>>;
  /** Of all arguments. */
  readonly digest: string;
  /** `sending` until the call has its result; `decided` if somebody else was faster. */
  readonly state: "waiting" | "sending" | "decided";
  /** Whether the arguments have changed since they were shown first. */
  readonly isChanged: boolean;
  /** Why the decision was not taken. */
  readonly error?: Error;
}

/** A message to show: one of the history, one on its way, or the answer that is being written. */
export interface ChatMessage {
  /** The same from the first sign of the message to its place in the history. */
  readonly key: string;
  /** Id of the message, once the server has it. */
  readonly id?: string;
  readonly role: MessageRole;
  readonly content: string;
  readonly created_at?: string;
  readonly toolCalls: readonly ChatToolCall[];
  /**
   * Of one's own: `sending`; `waiting` until the server accepts more; `failed`, to send again by `retry(key)`. Of an answer:
   * `writing`; `stopped` after `stop()`, with the content that was there then. Else `sent`.
   */
  readonly state: "sent" | "sending" | "waiting" | "failed" | "writing" | "stopped";
  /** Why it failed, or has to wait. */
  readonly error?: Error;
  /** What the user has said of an answer since the page was opened. */
  readonly rating?: "good" | "bad";
}

export interface ChatSessionOptions {
  /** Id of the room. */
  room?: string;
  /** Id of a workflow instance. */
  instance?: string;
  /** Where the relay is mounted. Default: "/interactor". */
  endpoint?: string;
  /** Headers for each request, for a page that signs in by a header. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** Whether cookies are sent, as for `fetch`. Default: "same-origin". */
  credentials?: RequestCredentials;
  /** Whether the stream stays open while the page is hidden. Default: false. */
  keepOpen?: boolean;
  /** Called after each change of what the session holds. */
  onChange?(): void;
  onEvent?(event: StreamEvent): void;
  onError?(error: Error): void;
}

/** A request that was refused, or got no answer. */
export class ChatError extends Error {
  constructor(code: string, message: string, details?: { status?: number; retryAfter?: number; cause?: unknown });
  /** One of the relay's codes, or NETWORK if there was no answer. */
  readonly code: string;
  readonly status: number | undefined;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter: number | undefined;
}

/**
 * What `<interactor-chat>` knows, without what it shows: for a chat box of your own.
 *
 *     const session = new ChatSession({ room, onChange: () => draw(session.messages) });
 *     session.open();
 */
export class ChatSession {
  constructor(options: ChatSessionOptions);
  /** Reads the history and connects, once. A session that was closed stays closed. */
  open(): void;
  close(): void;
  /** The worst of the two streams, leaving out one that has come to its end. */
  readonly status: ChatStatus;
  /** What to show, oldest first. A new array each time. */
  readonly messages: readonly ChatMessage[];
  /** Whether the history has been read. */
  readonly isLoaded: boolean;
  readonly hasEarlier: boolean;
  readonly isLoadingEarlier: boolean;
  /** Whether the newest question has no final answer yet, or a call of a tool since then no result. */
  readonly isUnfinished: boolean;
  /** Whether an answer is being written, or awaited, without a call that waits for the user. */
  readonly isWriting: boolean;
  /** Seconds without a sign of the server, once there are 10 while something is awaited; or 0. */
  readonly silence: number;
  /** Whether everything was forgotten, as the user is signed out or may no longer see it. `error` says why. */
  readonly isForgotten: boolean;
  /** Why the connection was given up, or something could not be read. `refresh()` tries again. */
  readonly error: StreamError | Error | undefined;
  /** What the server said went wrong with the last answer, or "". */
  readonly reportedError: string;
  /** The question that got an error for an answer, or "". */
  readonly unanswered: string;
  /** The question whose answer is the newest message, or "". */
  readonly answeredQuestion: string;
  /** Seconds that the server has messages wait, or 0. They are sent by themselves then. */
  readonly pause: number;
  readonly workflow: WorkflowInstance | undefined;
  /** What the halted workflow asks. */
  readonly presentation: HaltingPresentation | undefined;
  /** The last answer to the workflow. `isTooLittle`: it was taken, and the workflow waits on. */
  readonly submission: { readonly isSending: boolean; readonly error?: Error; readonly isTooLittle?: boolean };
  /** Calls of tools that wait for a decision, where the user is one who may decide. */
  readonly approvals: readonly ChatApproval[];
  /** Has a call of a tool run. It never rejects: see the `approval` of the call. */
  approve(id: string): Promise<void>;
  /** Has a call of a tool not run, and tells the assistant why. */
  reject(id: string, reason?: string): Promise<void>;
  /** Sends a message. It never rejects: see the `state` of the message. */
  send(content: string): Promise<void>;
  /** Sends a message that failed once more. The server takes it once, even if it had come. */
  retry(key: string): Promise<void>;
  /** Takes a message that failed back, and returns its text. */
  takeBack(key: string): string;
  /** Shows no more of the answer that is being written. The server writes it to its end. */
  stop(): void;
  /** Tells the relay's `on_feedback` what the user thinks of an answer. It never rejects: see `rating` of the message. */
  rate(id: string, rating: "good" | "bad"): Promise<void>;
  loadEarlier(): Promise<void>;
  /** Reads again, and connects again where the connection was given up. */
  refresh(): void;
  /** Answers what the halted workflow asks. */
  submit(input: Record<string, unknown>): Promise<void>;
}
