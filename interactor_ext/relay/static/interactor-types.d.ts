// Generated from openapi.yaml by `make generate`. Do not edit.

/**
 * The position of a page in its list. Servers use one of two forms, so every field may be missing: `page`, `per_page`,
 * `total`, `total_pages`, `has_more`, or `current_page`, `per_page`, `total_count`, `total_pages`.
 */
export interface PaginationMeta {
  /** Number of this page, counted from 1. */
  page?: number;
  /** How many items a page has at most. */
  per_page?: number;
  /** How many items there are on all pages. */
  total?: number;
  /** How many pages there are. */
  total_pages?: number;
  /** Whether another page follows. */
  has_more?: boolean;
  /** The other form's name for `page`. */
  current_page?: number;
  /** The other form's name for `total`. */
  total_count?: number;
}

/** Why something failed, as an object. */
export interface FailureDetail {
  /** What went wrong, for programs. */
  code?: string;
  /** What went wrong, for people. */
  message?: string;
}

/** Why something failed, as a text or as an object, depending on the server's version. */
export type FailureReason = FailureDetail | string;

/** `pending` waits for `submit_tool_result`, `completed` has its result, `failed` has none and never will. */
export type ToolCallStatus = "pending" | "completed" | "failed" | (string & {});

/** An assistant's request to run a tool. */
export interface ToolCall {
  /** Id of the call, for `submit_tool_result` (`tc_...`). */
  id: string;
  /** The tool to run (`tool_...`). */
  tool_id?: string;
  /** What to run it with. A model wrote it, so check it against the tool's schema first. */
  arguments?: Record<string, unknown> | null;
  status?: ToolCallStatus;
  /** The result of the tool, once it is completed. */
  result?: unknown;
}

/** Who speaks. */
export type MessageRole = "user" | "assistant" | "system" | "tool" | (string & {});

/** A message in a room. */
export interface Message {
  /** Id of the message (`msg_...`). */
  id: string;
  /** The room that it was said in (`room_...`). */
  room_id?: string;
  role?: MessageRole;
  /** What was said. Empty when the message only calls tools. */
  content?: string | null;
  /** Tools that the assistant calls. */
  tool_calls?: ToolCall[] | null;
  /** When it was said. */
  created_at?: string;
}

/** What to show to the person whose input is awaited. */
export type HaltingPresentationType = "form" | "approval" | "selection" | (string & {});

/** One field of a form. */
export interface PresentationField {
  /** Key of the value in the input. */
  name: string;
  /** Type of the value, such as `boolean`, `text` or `number`. */
  type: string;
  /** A label for people. */
  label?: string | null;
  /** Whether the input must have it. */
  required?: boolean | null;
}

/**
 * What to show to the person whose input is awaited. Servers put it in `config`, or in `title`, `description` and
 * `fields`: expect either.
 */
export interface HaltingPresentation {
  type: HaltingPresentationType;
  /** How to show it. Which keys it has depends on `type`. */
  config?: Record<string, unknown> | null;
  /** A heading. */
  title?: string | null;
  /** What is to be decided. */
  description?: string | null;
  /** The fields of the form. */
  fields?: PresentationField[] | null;
}

/**
 * `running` moves by itself, `halted` waits for `submit_workflow_input`; `completed`, `failed` and `cancelled` have
 * ended.
 */
export type WorkflowInstanceStatus = "running" | "halted" | "completed" | "failed" | "cancelled" | (string & {});

/** A run of a workflow. */
export interface WorkflowInstance {
  /** Id of the instance (`wfi_...`). */
  id: string;
  /** The workflow that it runs (`wf_...`). */
  workflow_id?: string;
  /** Name of the state that it is in, or that it ended in. */
  current_state?: string;
  /** Its data, from the start, from actions, from input and from events. May be empty. */
  context?: Record<string, unknown> | null;
  status?: WorkflowInstanceStatus;
  /** When it was started. */
  created_at?: string;
  /** When it last moved. */
  updated_at?: string;
}

/** The envelope of a message. */
export interface MessageResponse {
  data: Message;
}

/** A page of messages. */
export interface MessageListResponse {
  /** The items of the page. Empty beyond the last page. */
  data: Message[];
  /** The position of the page. If missing, whether more pages follow is unknown. */
  meta?: PaginationMeta;
}

/** The envelope of a workflow instance. */
export interface WorkflowInstanceResponse {
  data: WorkflowInstance;
}

/** The next piece of the message that the assistant is writing. */
export interface MessageDelta {
  /** Always `message.delta`. */
  type: "message.delta";
  /** What to append, unchanged. May be a part of a word. */
  content?: string | null;
}

/** The assistant's message is complete. It replaces the pieces sent so far. */
export interface MessageComplete {
  /** Always `message.complete`. */
  type: "message.complete";
  message: Message;
}

/** The assistant calls a tool. Run it and call `submit_tool_result`. */
export interface ToolCallStart {
  /** Always `tool_call.start`. */
  type: "tool_call.start";
  tool_call: ToolCall;
}

/** A tool call has its result. */
export interface ToolCallComplete {
  /** Always `tool_call.complete`. */
  type: "tool_call.complete";
  tool_call: ToolCall;
}

/** The instance moved to another state. */
export interface WorkflowStateChanged {
  /** Always `workflow.state_changed`. */
  type: "workflow.state_changed";
  /** Name of the state that it is in now. */
  state: string;
  /** Its data as it is now. */
  context?: Record<string, unknown> | null;
}

/** The instance waits for `submit_workflow_input`. */
export interface WorkflowHalted {
  /** Always `workflow.halted`. */
  type: "workflow.halted";
  presentation?: HaltingPresentation;
}

/** Something failed, such as the answer that was being written. The stream goes on. */
export interface StreamErrorEvent {
  /** Always `error`. */
  type: "error";
  error: FailureReason;
}

/** What one `data:` of a stream holds. */
export type StreamEvent =
  | MessageDelta
  | MessageComplete
  | ToolCallStart
  | ToolCallComplete
  | WorkflowStateChanged
  | WorkflowHalted
  | StreamErrorEvent;
