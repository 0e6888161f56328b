/**
 * What the chat says, in English, and how a page replaces it.
 *
 * @typedef {import("./interactor-chat.js").InteractorChatTexts} Texts
 * @typedef {import("./interactor-chat.js").InteractorChatTextsOverride} Override
 */

/** @type {Readonly<Texts>} */
export const TEXTS = Object.freeze({
  conversation: "Conversation",
  messages: "Messages",
  you: "You",
  assistant: "Assistant",
  system: "System",
  empty: "No messages yet",
  prompts: "Suggestions",
  loading: "Loading messages",
  earlier: "Earlier messages",
  newest: "Newest messages",
  message: "Message",
  placeholder: "Write a message",
  send: "Send",
  sending: "Sending",
  waiting: "Waiting",
  silent: "No response from the server for {seconds} s",
  pause: "Too many messages at once. The rest will be sent in {seconds} s.",
  notSent: "Not sent.",
  edit: "Edit",
  retry: "Try again",
  stop: "Stop",
  stopped: "Stopped. The rest of this answer isn't shown.",
  code: "Code",
  copy: "Copy",
  copied: "Copied",
  notCopied: "Not copied",
  askAgain: "Ask again",
  earlierAnswer: "Answer to the earlier wording",
  good: "Good answer",
  bad: "Bad answer",
  writing: "{name} is writing",
  tool: "{name}",
  unnamedTool: "Tool",
  arguments: "Arguments",
  result: "Result",
  needsApproval: "This needs your approval.",
  changed: "The arguments have changed. Review them again.",
  reason: "Reason for rejecting (optional)",
  decided: "This was already decided.",
  workflow: "Workflow {status}: {state}",
  question: "The workflow needs your input",
  required: "required",
  submit: "Submit",
  approve: "Approve",
  reject: "Reject",
  anyInput: "Input as a JSON object",
  invalidInput: "This isn't a JSON object.",
  tooLittle: "The workflow is still waiting.",
  statuses: Object.freeze({
    connecting: "Connecting",
    open: "Connected",
    busy: "Too many open chats, replies are delayed",
    waiting: "Connection lost, reconnecting",
    paused: "Paused",
    closed: "Not connected",
    ended: "Ended",
  }),
  toolStatuses: Object.freeze({ pending: "waiting", completed: "done", failed: "failed" }),
  workflowStatuses: Object.freeze({
    running: "running",
    halted: "waiting for input",
    completed: "completed",
    failed: "failed",
    cancelled: "cancelled",
  }),
  errors: Object.freeze({
    NETWORK: "Can't reach the server.",
    AUTH_ERROR: "You aren't signed in.",
    FORBIDDEN: "This page isn't allowed to use the chat.",
    NOT_FOUND: "This conversation doesn't exist.",
    CONFLICT: "This is no longer possible.",
    TOO_LARGE: "This is too long.",
    VALIDATION_ERROR: "This wasn't accepted.",
    RATE_LIMITED: "Too many requests. Wait a moment.",
    UPSTREAM_ERROR: "The service sent an unexpected response.",
    UNAVAILABLE: "The service isn't available at the moment.",
  }),
});
/** @type {Record<number, string>} */
const CODES = { 401: "AUTH_ERROR", 403: "FORBIDDEN", 404: "NOT_FOUND", 429: "RATE_LIMITED" };

/**
 * @param {Override | null | undefined} value
 * @returns {Texts}
 */
export function completed(value) {
  const { statuses, toolStatuses, workflowStatuses, errors } = TEXTS;
  return {
    ...TEXTS,
    ...value,
    statuses: { ...statuses, ...value?.statuses },
    toolStatuses: { ...toolStatuses, ...value?.toolStatuses },
    workflowStatuses: { ...workflowStatuses, ...value?.workflowStatuses },
    errors: { ...errors, ...value?.errors },
  };
}

/**
 * @param {Texts} texts
 * @param {Error | undefined} error
 */
export function errorText(texts, error) {
  const { code, status, message = "" } = /** @type {any} */ (error) ?? {};
  return texts.errors[code ?? CODES[status] ?? "NETWORK"] ?? message;
}
