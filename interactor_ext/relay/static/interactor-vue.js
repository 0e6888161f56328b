/** `<interactor-chat>`, with its types for Vue's templates. */
export * from "./interactor-chat.js";
