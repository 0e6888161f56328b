"use client";
/**
 * For React 18 and newer.
 *
 * @typedef {import("./interactor-react.js").UseInteractorStreamOptions} UseInteractorStreamOptions
 * @typedef {import("./interactor-react.js").UseInteractorStreamResult} UseInteractorStreamResult
 * @typedef {Pick<UseInteractorStreamResult, "connect" | "disconnect">} Controls
 * @typedef {Omit<UseInteractorStreamResult, keyof Controls>} StreamState
 * @typedef {import("./interactor-react.js").UseInteractorChatOptions} UseInteractorChatOptions
 * @typedef {import("./interactor-react.js").UseInteractorChatState} UseInteractorChatState
 * @typedef {import("./interactor-react.js").UseInteractorChatResult} UseInteractorChatResult
 * @typedef {import("./interactor-react.js").InteractorChatProps} InteractorChatProps
 * @typedef {import("./interactor-chat.js").InteractorChatElement} InteractorChatElement
 */
import { Fragment, createElement, forwardRef, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

import "./interactor-chat.js";
import { ChatSession } from "./interactor-chat-session.js";
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
    get keepOpen() {
      return latest.current.keepOpen;
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

/** @type {UseInteractorChatState} */
const NOTHING = {
  messages: [],
  status: "closed",
  isLoaded: false,
  isWriting: false,
  hasEarlier: false,
  isLoadingEarlier: false,
  error: undefined,
  reportedError: "",
  unanswered: "",
  pause: 0,
  workflow: undefined,
  presentation: undefined,
  approvals: [],
  submission: { isSending: false },
};

/**
 * @param {UseInteractorChatOptions} options
 * @returns {UseInteractorChatResult}
 */
export function useInteractorChat(options) {
  const { room, instance, endpoint } = options;
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const [state, setState] = useState(NOTHING);
  const current = useRef(/** @type {ChatSession | undefined} */ (undefined));
  useEffect(() => {
    const publish = () => setState(stateOf(session));
    const session = new ChatSession({
      room,
      instance,
      endpoint,
      headers: () => latest.current.headers?.() ?? {},
      get credentials() {
        return latest.current.credentials;
      },
      get keepOpen() {
        return latest.current.keepOpen;
      },
      onChange: publish,
      onEvent: (event) => latest.current.onEvent?.(event),
      onError: (error) => latest.current.onError?.(error),
    });
    current.current = session;
    if (room || instance) session.open();
    publish();
    return () => session.close();
  }, [room, instance, endpoint]);
  const [actions] = useState(() => actionsOf(current));
  return { ...state, ...actions };
}

/**
 * @param {ChatSession} session
 * @returns {UseInteractorChatState}
 */
function stateOf(session) {
  const names = /** @type {(keyof UseInteractorChatState)[]} */ (Object.keys(NOTHING));
  return /** @type {any} */ (Object.fromEntries(names.map((name) => [name, session[name]])));
}

/**
 * @param {{current: ChatSession | undefined}} session
 * @returns {Omit<UseInteractorChatResult, keyof UseInteractorChatState>}
 */
function actionsOf(session) {
  return {
    send: async (content) => session.current?.send(content),
    retry: async (key) => session.current?.retry(key),
    takeBack: (key) => session.current?.takeBack(key) ?? "",
    stop: () => session.current?.stop(),
    loadEarlier: async () => session.current?.loadEarlier(),
    refresh: () => session.current?.refresh(),
    submit: async (input) => session.current?.submit(input),
    approve: async (id) => session.current?.approve(id),
    reject: async (id, reason) => session.current?.reject(id, reason),
  };
}

/** On the server there is no layout, and React 18 warns of the effect. */
const useEffectBeforeEvents = typeof window === "undefined" ? useEffect : useLayoutEffect;

/** Of nodes that React renders into. */
let count = 0;
/** What a page may change at any time, by the element's properties. */
const HOOKS = /** @type {const} */ (["renderMath", "highlightCode"]);
const PROPERTIES = /** @type {const} */ (["credentials", "texts", "prompts", "keepOpen"]);

export const InteractorChat = forwardRef(ChatComponent);

/**
 * @param {InteractorChatProps} props
 * @param {import("react").ForwardedRef<InteractorChatElement>} ref
 */
function ChatComponent(props, ref) {
  const { className, assistantName, renderMarkdown, toolLabels, headers, onEvent, onError, children, ...rest } = props;
  const { credentials, texts, prompts, keepOpen, renderMath, highlightCode, ...attributes } = rest;
  const element = useRef(/** @type {InteractorChatElement | null} */ (null));
  useImperativeHandle(ref, () => /** @type {InteractorChatElement} */ (element.current), []);
  const latest = useRef(props);
  // Answers that React renders, by the nodes that they are rendered into.
  const [rendered, setRendered] = useState(/** @type {ReadonlyMap<Element, string>} */ (new Map()));
  useEffectBeforeEvents(() => {
    latest.current = props;
    const chat = /** @type {any} */ (element.current);
    for (const name of PROPERTIES) if (name in props || chat[name]) chat[name] = props[name];
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
  const [isMarkdown, hasLabels] = [renderMarkdown !== undefined, typeof toolLabels === "function"];
  // A function that is new at each render would have every message drawn anew.
  useEffectBeforeEvents(() => {
    const chat = /** @type {InteractorChatElement} */ (element.current);
    chat.renderMarkdown = isMarkdown ? (text, shown) => nodeOf(latest.current, text, shown, setRendered) : undefined;
  }, [isMarkdown]);
  useEffectBeforeEvents(() => {
    const chat = /** @type {any} */ (element.current);
    const newest = /** @type {any} */ (latest);
    for (const name of HOOKS) {
      const isGiven = newest.current[name] !== undefined;
      chat[name] = isGiven ? (/** @type {unknown[]} */ ...given) => newest.current[name]?.(...given) : undefined;
    }
  }, [renderMath !== undefined, highlightCode !== undefined]);
  const labels = hasLabels ? true : JSON.stringify(toolLabels);
  useEffectBeforeEvents(() => {
    const chat = /** @type {InteractorChatElement} */ (element.current);
    const newest = () => /** @type {any} */ (latest.current.toolLabels);
    chat.toolLabels = hasLabels ? (call) => newest()?.(call) : newest();
  }, [hasLabels, labels]);
  const portals = Array.from(rendered, ([node, text]) => {
    return createPortal(contentOf(renderMarkdown?.(text)), node, node.getAttribute("data-react"));
  });
  // `className` is an attribute of no meaning on a custom element before React 19.
  const given = { ...attributes, ref: element, class: className, "assistant-name": assistantName };
  return createElement(Fragment, null, createElement("interactor-chat", given, children), ...portals);
}

/**
 * The node for an answer: the page's, or one that React renders into.
 *
 * @param {InteractorChatProps} props
 * @param {string} text
 * @param {Node | null} shown
 * @param {(change: (rendered: ReadonlyMap<Element, string>) => ReadonlyMap<Element, string>) => void} setRendered
 * @returns {Node}
 */
function nodeOf({ renderMarkdown }, text, shown, setRendered) {
  const made = renderMarkdown?.(text) ?? text;
  if (made instanceof Node) return made;
  const isKnown = shown instanceof Element && shown.hasAttribute("data-react");
  const node = isKnown ? shown : document.createElement("div");
  if (!isKnown) node.setAttribute("data-react", String((count += 1)));
  setRendered((rendered) => new Map([...rendered].filter(([other]) => other.isConnected)).set(node, text));
  return node;
}

/** @param {import("react").ReactNode | Node} made */
function contentOf(made) {
  return made instanceof Node ? null : made;
}
