"use client";
/**
 * For React 18 and newer.
 *
 * @typedef {import("./interactor-react.js").UseInteractorStreamOptions} UseInteractorStreamOptions
 * @typedef {import("./interactor-react.js").UseInteractorStreamResult} UseInteractorStreamResult
 * @typedef {Pick<UseInteractorStreamResult, "connect" | "disconnect">} Controls
 * @typedef {Omit<UseInteractorStreamResult, keyof Controls>} StreamState
 * @typedef {import("./interactor-react.js").InteractorChatProps} InteractorChatProps
 * @typedef {import("./interactor-chat.js").InteractorChatElement} InteractorChatElement
 */
import { createElement, useEffect, useLayoutEffect, useRef, useState } from "react";

import "./interactor-chat.js";
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

/** On the server there is no layout, and React 18 warns of the effect. */
const useEffectBeforeEvents = typeof window === "undefined" ? useEffect : useLayoutEffect;

/** @param {InteractorChatProps} props */
export function InteractorChat(props) {
  const { room, instance, endpoint, className, style, renderMarkdown, toolName } = props;
  const element = useRef(/** @type {InteractorChatElement | null} */ (null));
  const latest = useRef(props);
  useEffectBeforeEvents(() => {
    latest.current = props;
    const chat = /** @type {InteractorChatElement} */ (element.current);
    chat.credentials = props.credentials;
    chat.texts = props.texts;
  });
  useEffectBeforeEvents(() => {
    const chat = /** @type {InteractorChatElement} */ (element.current);
    chat.headers = () => latest.current.headers?.() ?? {};
    const tellEvent = (/** @type {any} */ { detail }) => latest.current.onEvent?.(detail);
    const tellError = (/** @type {any} */ { detail }) => latest.current.onError?.(detail);
    chat.addEventListener("interactor-event", tellEvent);
    chat.addEventListener("interactor-error", tellError);
    return () => {
      chat.removeEventListener("interactor-event", tellEvent);
      chat.removeEventListener("interactor-error", tellError);
    };
  }, []);
  const [isMarkdown, hasToolName] = [renderMarkdown !== undefined, toolName !== undefined];
  // A function that is new at each render would have every message drawn anew.
  useEffectBeforeEvents(() => {
    const chat = /** @type {InteractorChatElement} */ (element.current);
    chat.renderMarkdown = isMarkdown ? (text) => latest.current.renderMarkdown?.(text) ?? new Text(text) : undefined;
    chat.toolName = hasToolName ? (call) => latest.current.toolName?.(call) ?? call.tool_id : undefined;
  }, [isMarkdown, hasToolName]);
  // `className` is an attribute of no meaning on a custom element before React 19.
  return createElement("interactor-chat", { ref: element, room, instance, endpoint, class: className, style });
}
