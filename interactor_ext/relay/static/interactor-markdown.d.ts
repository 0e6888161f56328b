/**
 * Markdown as nodes: headings, lists, tables, quotes, code, links, emphasis. Safe for what a model wrote: HTML in it stays text,
 * and links lead to http, https, mailto and tel only. `texts.copy` is the text of the button on a block of code, which the
 * chat handles; on a page of your own, listen for clicks on `button.copy`.
 */
export function renderMarkdown(text: string, texts?: { copy?: string }): DocumentFragment;

/**
 * Shows Markdown that grows, such as an answer that is being written, in a node that has no other children. Complete blocks,
 * items and rows of tables are left alone.
 */
export class GrowingMarkdown {
  constructor(node: Node, texts?: { copy?: string });
  /** `text` is the whole text so far. If it doesn't continue the previous text, everything is drawn again. */
  show(text: string): void;
}
