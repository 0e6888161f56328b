export interface MarkdownOptions {
  /** Called by the button of a block of code, which is there only with it. */
  onCopy?: (text: string, button: Element) => void;
  /** The text of that button. */
  copy?: string;
  /** Turns a formula into a node, such as with KaTeX. Without it, formulas stay as they were written. */
  renderMath?: (text: string, isBlock: boolean) => Node;
  /** Turns the text of a block of code into a node with highlighted parts. */
  highlightCode?: (code: string, language: string) => Node;
}

/**
 * Markdown as nodes: headings, lists, tables, quotes, code, links, emphasis. Safe for what a model wrote: HTML in it stays text,
 * and links lead to http, https, mailto and tel only.
 */
export function renderMarkdown(text: string, options?: MarkdownOptions): DocumentFragment;

/**
 * Shows Markdown that grows, such as an answer that is being written, in a node that has no other children. Complete blocks,
 * items and rows of tables are left alone.
 */
export class GrowingMarkdown {
  constructor(node: Node, options?: MarkdownOptions);
  /** `text` is the whole text so far. If it doesn't continue the previous text, everything is drawn again. */
  show(text: string): void;
}
