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
