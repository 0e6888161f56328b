import type { DefineComponent } from "vue";

import type { InteractorChatElement } from "./interactor-chat.js";
import type { InteractorRoomsElement } from "./interactor-rooms.js";
import type { StreamEvent } from "./interactor-types.js";

export * from "./interactor-chat.js";

/** Attributes, properties and events of `<interactor-chat>` in a template. */
export interface InteractorChatProps
  extends Partial<Pick<InteractorChatElement, "headers" | "credentials" | "renderMarkdown" | "renderMath" | "highlightCode" | "toolLabels" | "prompts" | "texts">> {
  room?: string;
  instance?: string;
  endpoint?: string;
  assistantName?: string;
  tools?: "hidden" | "";
  keepOpen?: boolean;
  feedback?: boolean;
  onInteractorEvent?: (event: CustomEvent<StreamEvent>) => void;
  onInteractorError?: (event: CustomEvent<Error>) => void;
}

/** Those of `<interactor-rooms>`, which `@interactor/browser/rooms` defines. */
export interface InteractorRoomsProps extends Partial<Pick<InteractorRoomsElement, "headers" | "credentials" | "texts">> {
  assistant?: string;
  /** Id of the chat that shows the open room. */
  for?: string;
  room?: string;
  endpoint?: string;
  onInteractorRoom?: (event: HTMLElementEventMap["interactor-room"]) => void;
}

declare module "vue" {
  interface GlobalComponents {
    "interactor-chat": DefineComponent<InteractorChatProps>;
    "interactor-rooms": DefineComponent<InteractorRoomsProps>;
  }
}
