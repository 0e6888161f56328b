/** `<interactor-chat>`, with its types for Svelte's markup. */
export * from "./interactor-chat.js";
