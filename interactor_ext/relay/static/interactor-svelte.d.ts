import type { HTMLAttributes } from "svelte/elements";

import type { InteractorChatElement } from "./interactor-chat.js";
import type { InteractorRoomsElement } from "./interactor-rooms.js";
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
  feedback?: boolean;
  "oninteractor-event"?: (event: CustomEvent<StreamEvent>) => void;
  "oninteractor-error"?: (event: CustomEvent<Error>) => void;
}

/** Those of `<interactor-rooms>`, which `@interactor/browser/rooms` defines. */
export interface InteractorRoomsAttributes
  extends HTMLAttributes<InteractorRoomsElement>,
    Partial<Pick<InteractorRoomsElement, "headers" | "credentials" | "texts">> {
  assistant?: string;
  /** Id of the chat that shows the open room. */
  for?: string;
  room?: string;
  endpoint?: string;
  "oninteractor-room"?: (event: HTMLElementEventMap["interactor-room"]) => void;
}

declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "interactor-chat": InteractorChatAttributes;
    "interactor-rooms": InteractorRoomsAttributes;
  }
}
