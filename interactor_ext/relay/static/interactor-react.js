"use client";
/**
 * For React 18 and newer.
 *
 * @typedef {import("./interactor-react.js").UseInteractorStreamOptions} UseInteractorStreamOptions
 * @typedef {import("./interactor-react.js").UseInteractorStreamResult} UseInteractorStreamResult
 * @typedef {Pick<UseInteractorStreamResult, "connect" | "disconnect">} Controls
 * @typedef {Omit<UseInteractorStreamResult, keyof Controls>} StreamState
 */
import { useEffect, useRef, useState } from "react";

import { InteractorStream } from "./interactor-stream.js";

/** @type {StreamState} */
const UNCONNECTED = { status: "closed", isConnected: false, events: [], streamingContent: "" };

/**
 * @param {UseInteractorStreamOptions} [options]
 * @returns {UseInteractorStreamResult}
 */
export function useInteractorStream(options = {}) {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const [state, setState] = useState(UNCONNECTED);
  const [controls] = useState(() => controlsOf(latest, setState));
  useEffect(() => controls.disconnect, [controls]);
  return { ...state, ...controls };
}

/**
 * A stream that asks for its options when it needs them, so that a render with others does not connect again.
 *
 * @param {{current: UseInteractorStreamOptions}} latest
 * @param {(state: StreamState) => void} setState
 * @returns {Controls}
 */
function controlsOf(latest, setState) {
  const publish = () => {
    const { status, isConnected, events, streamingContent } = stream;
    setState({ status, isConnected, events, streamingContent });
  };
  const stream = new InteractorStream({
    onEvent(event) {
      publish();
      latest.current.onEvent?.(event);
    },
    onStatus(status) {
      publish();
      latest.current.onStatus?.(status);
    },
    onError: (error) => latest.current.onError?.(error),
    headers: () => latest.current.headers?.() ?? {},
    get autoReconnect() {
      return latest.current.autoReconnect;
    },
    get reconnectInterval() {
      return latest.current.reconnectInterval;
    },
    get maxReconnectInterval() {
      return latest.current.maxReconnectInterval;
    },
    get idleTimeout() {
      return latest.current.idleTimeout;
    },
    get credentials() {
      return latest.current.credentials;
    },
  });
  return {
    connect(url) {
      stream.connect(url);
      publish();
    },
    disconnect: () => stream.disconnect(),
  };
}
