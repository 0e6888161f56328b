import type { HTMLAttributes } from "svelte/elements";

import type { InteractorChatElement } from "./interactor-chat.js";
import type { StreamEvent } from "./interactor-types.js";

export * from "./interactor-chat.js";

/** Attributes, properties and events of `<interactor-chat>` in markup. */
export interface InteractorChatAttributes
  extends HTMLAttributes<InteractorChatElement>,
    Partial<Pick<InteractorChatElement, "headers" | "credentials" | "renderMarkdown" | "renderMath" | "highlightCode" | "toolLabels" | "texts">> {
  room?: string;
  instance?: string;
  endpoint?: string;
  "assistant-name"?: string;
  tools?: "hidden" | "";
  prompts?: readonly string[] | string;
  "keep-open"?: boolean;
  "oninteractor-event"?: (event: CustomEvent<StreamEvent>) => void;
  "oninteractor-error"?: (event: CustomEvent<Error>) => void;
}

declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "interactor-chat": InteractorChatAttributes;
  }
}
