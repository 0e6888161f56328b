import type { DefineComponent } from "vue";

import type { InteractorChatElement } from "./interactor-chat.js";
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

declare module "vue" {
  interface GlobalComponents {
    "interactor-chat": DefineComponent<InteractorChatProps>;
  }
}
