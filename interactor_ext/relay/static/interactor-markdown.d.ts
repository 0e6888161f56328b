/**
 * Markdown as nodes: headings, lists, tables, quotes, code, links, emphasis. Safe for what a model wrote: HTML in it stays text,
 * and links lead to http, https, mailto and tel only. `texts.copy` is the text of the button on a block of code, which the
 * chat handles; on a page of your own, listen for clicks on `button.copy`.
 */
export function renderMarkdown(text: string, texts?: { copy?: string }): DocumentFragment;

/**
 * Shows Markdown that grows, such as an answer that is being written, in a node that has no other children. Blocks, items and
 * rows that are complete are left alone, so that a selection in them stays, and a long answer costs no more than a short one.
 */
export class GrowingMarkdown {
  constructor(node: Node, texts?: { copy?: string });
  /** `text`: all of it, each time. One that does not go on from the text before is drawn anew. */
  show(text: string): void;
}
