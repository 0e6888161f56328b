import type { StreamEvent } from "./interactor-types.js";

export type * from "./interactor-types.js";

/**
 * `waiting` is the time before the next attempt; `paused` is while the page is hidden; `closed` is before `connect`, after
 * `disconnect`, and at the end.
 */
export type StreamStatus = "connecting" | "open" | "waiting" | "paused" | "closed";

export interface InteractorStreamOptions {
  /**
   * Gets each event once, reconnects included. An event whose type is newer than `StreamEvent` comes as it was sent, so
   * give a `switch` a `default`.
   */
  onEvent?(event: StreamEvent): void;
  /** Gets each failure. After one that `isFinal` the stream is closed; after any other it connects again by itself. */
  onError?(error: StreamError): void;
  onStatus?(status: StreamStatus): void;
  /** False: the stream is closed at the first failure. Default: true. */
  autoReconnect?: boolean;
  /**
   * Milliseconds before the first new attempt, 1000 by default. The wait doubles, with jitter, up to
   * `maxReconnectInterval`. The server's `retry:` takes its place, and a `Retry-After` prolongs it.
   */
  reconnectInterval?: number;
  /** Milliseconds, 30000 by default. */
  maxReconnectInterval?: number;
  /** Milliseconds of silence after which a connection counts as dead, 45000 by default. */
  idleTimeout?: number;
  /** Whether cookies are sent, as for `fetch`. Default: "same-origin". */
  credentials?: RequestCredentials;
  /**
   * True: the connection stays open while the page is hidden, for a page that tells of events in the background. Default:
   * false. A hidden page closes it and goes on after the last event when it is shown, so that many tabs share the six
   * connections that a browser has for a server by HTTP/1.1.
   */
  keepOpen?: boolean;
  /** Headers for each attempt, for a page that signs in by a header. It is called anew before every one. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
}

/** Why a connection failed. */
export class StreamError extends Error {
  constructor(
    message: string,
    details?: { status?: number; isFinal?: boolean; retryAfter?: number; cause?: unknown },
  );
  /** Of the response, if there was one. */
  readonly status: number | undefined;
  /** Whether the stream gives up: after a refusal such as 401, 403 or 404, and after what is no event stream. */
  readonly isFinal: boolean;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter: number | undefined;
}

/**
 * The event stream of a room or of a workflow instance.
 *
 *     const stream = new InteractorStream({ onEvent: (event) => console.log(event.type) });
 *     stream.connect("/interactor/rooms/room_4Kd9/stream");
 *
 * It connects again when the connection breaks off or falls silent, and goes on after the last event that it received. It
 * ends with the stream (`done`, or the status 204), after a final error, and by `disconnect`.
 */
export class InteractorStream {
  constructor(options?: InteractorStreamOptions);
  /** Starts a stream anew, in place of the one that is open. The URL may be relative to the page. */
  connect(url: string): void;
  disconnect(): void;
  readonly status: StreamStatus;
  /** Whether `status` is "open". */
  readonly isConnected: boolean;
  /** The newest 1000 events since `connect`. A new array after each event. */
  readonly events: readonly StreamEvent[];
  /** The answer that is being written, as far as it has come: grown by `message.delta`, emptied by `message.complete`. */
  readonly streamingContent: string;
  /** What the next connection resumes after, or "". */
  readonly lastEventId: string;
}

/** One event as the server sent it. */
export interface ServerSentEvent {
  /** "message" where the server named no type. */
  event: string;
  data: string;
  /** The last event id at the end of the event: without one of its own, that of its predecessor. */
  id: string;
  /** Whether the id came on this connection. */
  hasId: boolean;
}

/** Decodes the bytes of one connection as the WHATWG specifies. A reconnect takes a new one. */
export class SSEDecoder {
  /** An event beyond `maxEventSize` characters (16 Mi by default) makes `feed` throw. */
  constructor(lastEventId?: string, maxEventSize?: number);
  /** The events that end in this chunk. They have to be iterated over. */
  feed(chunk: Uint8Array): Generator<ServerSentEvent, void, void>;
  /** What a reconnect sends. Changes when an event ends, not at its `id` line. */
  readonly lastEventId: string;
  /** The server's `retry:` in milliseconds. */
  readonly retry: number | undefined;
}
