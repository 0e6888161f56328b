/**
 * Markdown as nodes: headings, lists, tables, quotes, code, links, emphasis. Safe for what a model wrote: HTML in it stays text,
 * and links lead to http, https, mailto and tel only. `texts.copy` is the text of the button on a block of code, which the
 * chat handles; on a page of your own, listen for clicks on `button.copy`.
 */
export function renderMarkdown(text: string, texts?: { copy?: string }): DocumentFragment;
