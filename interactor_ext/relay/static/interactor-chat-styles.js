/** The style sheet of the chat, constructed: a `style-src 'self'` allows it. */

import { hostStyles } from "./interactor-host-styles.js";

export const styles = `${hostStyles}
:host {
  display: flex;
  flex-direction: column;
  position: relative;
  block-size: 36em;
  max-block-size: 100dvh;
  min-inline-size: 0;
  overflow: hidden;
  background: var(--background);
}

.top { display: flex; align-items: center; gap: var(--gap); padding: 8px var(--gap); border-block-end: 1px solid var(--line); }
.top slot { display: block; flex: 1; min-inline-size: 0; }
::slotted(*) { margin: 0; font-size: 1em; }
.status { display: flex; align-items: center; gap: 6px; color: var(--soft); font-size: .8125em; }
.status::before { content: ""; flex: none; inline-size: 8px; block-size: 8px; border-radius: 50%; background: var(--soft); }
.status[data-status=open]::before { background: var(--good); }
.status:is([data-status=connecting], [data-status=busy], [data-status=waiting])::before { background: var(--wait); }
.status[data-status=closed]::before { background: var(--bad); }

.scroller { flex: 1; min-block-size: 0; overflow: auto; overflow-anchor: none; scrollbar-gutter: stable; padding: var(--gap); overscroll-behavior: contain; }
.scroller:focus-visible { outline-offset: -2px; }
.scroller > * { flex: none; }
.scroller, .log { display: flex; flex-direction: column; gap: var(--gap); }
.log:empty { display: none; }
.earlier, .newest { align-self: center; }
.newest { position: absolute; inset-block-end: 100%; inset-inline: 0; inline-size: fit-content; margin: 0 auto 8px; border-radius: 99px; box-shadow: 0 2px 8px light-dark(#0003, #0008); }
.empty { margin: auto; color: var(--soft); text-align: center; }
.prompts { display: flex; flex-wrap: wrap; justify-content: center; gap: 8px; margin-block-end: auto; }
.prompts button { max-inline-size: 100%; overflow-wrap: anywhere; }

.message { contain: layout style; max-inline-size: min(85%, 44em); align-self: flex-start; }
.message.user { align-self: flex-end; }
.message.other { align-self: center; font-size: .875em; color: var(--soft); }
.meta { display: flex; gap: 8px; margin-block-end: 2px; padding-inline: 2px; color: var(--soft); font-size: .75em; }
.meta > :empty { display: none; }
.folded > :not(.meta) { display: none; }
/* It has its place before it comes, so that nothing moves. */
.user .meta { position: relative; padding-inline-start: 6em; }
.meta .reword { position: absolute; inset: 0 auto auto 0; max-inline-size: 6em; padding: 0 4px; border: 0; overflow: hidden; font-size: inherit; text-overflow: ellipsis; text-decoration: underline; }
.meta .reword:dir(rtl) { inset: 0 0 auto auto; }
/* A mouse finds it on the question; a keyboard and a finger see it. */
@media (hover: hover) { .user:not(:hover, :focus-within) .reword { opacity: 0; } }
button[aria-pressed=true] { border-color: var(--accent-line); background: var(--own); }
.user .meta { justify-content: flex-end; }
.bubble { padding: 8px 14px; border: 1px solid transparent; border-radius: var(--radius); background: var(--other); overflow-wrap: anywhere; }
.bubble:empty { display: none; }
.text { white-space: pre-wrap; }
.user .bubble { inline-size: fit-content; margin-inline-start: auto; background: var(--own); }
.message:not(.user) .bubble { inline-size: fit-content; max-inline-size: 100%; }
[data-state=sending] .bubble, [data-state=waiting] .bubble { opacity: .75; }
[data-state=failed] .bubble { border-color: var(--bad); }
.foot { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 10px; margin-block-start: 6px; }
.failure { justify-content: flex-end; color: var(--bad); font-size: .875em; }
.stopped { color: var(--soft); font-size: .875em; }

.rendered > * { margin-block: .6em; }
.rendered > :first-child { margin-block-start: 0; }
.rendered > :last-child { margin-block-end: 0; }
.rendered :is(h2, h3, h4, h5, h6) { margin-block: .9em .4em; font-size: 1em; line-height: 1.3; }
.rendered .level-1 { font-size: 1.3em; }
.rendered .level-2 { font-size: 1.15em; }
.rendered :is(ul, ol) { margin-block: .4em; padding-inline-start: 1.5em; }
.rendered li > p { margin-block: .3em; }
.rendered blockquote { margin-inline: 0; padding-inline-start: .8em; border-inline-start: 3px solid var(--line); color: var(--soft); }
.rendered hr { border: 0; border-block-start: 1px solid var(--line); }
/* The color of the text is readable in any case. */
.rendered a { color: inherit; text-decoration-color: var(--accent-line); text-underline-offset: .15em; }
.rendered code { font: .875em/1.5 ui-monospace, monospace; }
.rendered :not(pre) > code { padding: .1em .3em; border-radius: 4px; background: var(--background); }
.code-block { border: 1px solid var(--line); border-radius: 8px; overflow: hidden; background: var(--background); }
.code-top { display: flex; align-items: center; justify-content: space-between; gap: 8px; padding: 4px 4px 4px 10px; color: var(--soft); font-size: .8125em; }
.code-block pre { border-radius: 0; background: none; white-space: pre; overflow-wrap: normal; overflow-x: auto; }
.code-block pre:focus-visible, .table:focus-visible { outline-offset: -2px; }
.table { overflow-x: auto; }
.rendered table { border-collapse: collapse; font-size: .9375em; }
.rendered :is(th, td) { padding: 4px 10px; border: 1px solid var(--line); text-align: start; vertical-align: top; overflow-wrap: normal; }
.rendered .center { text-align: center; }
.rendered .end { text-align: end; }

.tool { margin-block-start: 6px; border: 1px solid var(--line); border-radius: calc(var(--radius) * .7); font-size: .875em; }
.tool .summary { display: flex; align-items: center; gap: 8px; padding: 6px 10px; border-radius: inherit; list-style: none; overflow-wrap: anywhere; }
.tool summary { cursor: pointer; }
.tool .summary::-webkit-details-marker { display: none; }
.tool summary.summary::after { content: ""; flex: none; inline-size: 6px; block-size: 6px; margin-inline-start: auto; border: solid var(--soft); border-width: 0 2px 2px 0; rotate: 45deg; }
.tool [open] > .summary::after { rotate: -135deg; }
.tool .mark { flex: none; inline-size: 1.1em; text-align: center; color: var(--soft); }
.tool[data-status=completed] .mark { color: var(--good); }
.tool[data-status=failed] .mark { color: var(--bad); }
.tool .state { flex: none; color: var(--soft); }
.tool dl { margin: 0; padding: 0 10px 8px; }
.tool dt { color: var(--soft); }
.tool dd { margin: 0; }
.tool:has(.approval) { border-color: var(--accent-line); }
.approval, .decision { display: flex; flex-direction: column; gap: 8px; }
.approval { padding: 4px 10px 10px; overflow-wrap: anywhere; }
.approval p { font-weight: 600; }
.approval dl { padding: 0; }
.approval dl > div { display: flex; flex-wrap: wrap; gap: 0 8px; }
.approval dd { white-space: pre-wrap; }
pre, .code { font: .8125em/1.5 ui-monospace, monospace; }
.tool :is(pre, .code) { font-size: .9286em; }
pre { margin: 0; padding: 8px; border-radius: 8px; background: var(--other); white-space: pre-wrap; overflow-wrap: anywhere; }

.dots { display: inline-flex; gap: 4px; padding-block: 8px; }
.dots i { inline-size: 7px; block-size: 7px; border-radius: 50%; background: var(--soft); }
/* Out of the flow: a caret that took a line would move what is below when the answer ends. */
.caret.text::after, .caret > :is(p, h2, h3, h4, h5, h6):last-child::after, .caret > :is(ul, ol, blockquote):last-child > :last-child::after { content: ""; position: absolute; inline-size: 7px; block-size: 1em; margin: .25em 0 0 2px; border-radius: 2px; background: var(--accent); }

.workflow { color: var(--soft); font-size: .875em; overflow-wrap: anywhere; }
form[part=form] { max-inline-size: 36em; display: flex; flex-direction: column; gap: var(--gap); padding: 14px; border: 1px solid var(--accent-line); border-radius: var(--radius); background: var(--background); }
form[part=form] > p { white-space: pre-line; overflow-wrap: anywhere; }
#question { font-weight: 600; }
:is(form, .approval) label { display: flex; flex-direction: column; gap: 4px; font-weight: 500; overflow-wrap: anywhere; }
form label.check { flex-direction: row; align-items: baseline; gap: 8px; font-weight: 400; }
.check input { flex: none; inline-size: 1.1em; block-size: 1.1em; margin: 0; accent-color: var(--accent); translate: 0 .15em; }
.required { color: var(--soft); font-weight: 400; }
.anything, .choice { display: flex; flex-direction: column; gap: 10px; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; }

textarea.code { font-family: ui-monospace, monospace; }
button[aria-disabled=true] { opacity: .6; cursor: default; }
button.small { padding: 3px 10px; font-size: .875em; color: var(--text); }
:is(.tool, .failure, .code-top) .small { font-size: 1em; }

.problem { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; color: var(--bad); overflow-wrap: anywhere; }
.problem:not(:empty) { margin: 0 var(--gap) 8px; padding: 8px 12px; border-radius: calc(var(--radius) * .7); background: var(--bad-tint); }
.approval .problem:not(:empty) { margin: 0; }
.approval .problem:empty { position: absolute; }

.bottom { position: relative; }
.composer { display: flex; align-items: flex-end; gap: 8px; padding: var(--gap); border-block-start: 1px solid var(--line); }
.composer textarea { flex: 1; resize: none; field-sizing: content; min-block-size: calc(1.5em + 16px); max-block-size: 10em; }
.composer button { flex: none; min-block-size: calc(1.5em + 16px); }
@media (max-width: 600px) {
  .message { max-inline-size: 92%; }
}
@media (prefers-reduced-motion: no-preference) {
  .dots i { animation: breathe 1.2s infinite ease-in-out; }
  .dots i:nth-child(2) { animation-delay: .15s; }
  .dots i:nth-child(3) { animation-delay: .3s; }
  .caret::after, .caret ::after { animation: breathe 1s infinite; }
  @keyframes breathe { 50% { opacity: .25; } }
}
@media (forced-colors: active) {
  .bubble { border-color: CanvasText; }
  /* Else their background is that of the page. */
  .status::before, .dots i, .caret::after { forced-color-adjust: none; background: CanvasText !important; }
}
@media print {
  :host { block-size: auto !important; max-block-size: none !important; overflow: visible !important; }
  :host, .scroller, .log { display: block; }
  .scroller { overflow: visible; }
  .message { inline-size: fit-content; margin-block: var(--gap); }
  .message.user { margin-inline-start: auto; }
  .bubble { border-color: var(--line); }
  .status, .bottom, .foot, .earlier, .prompts { display: none; }
  .foot:has(.stopped:not([hidden])) { display: flex; }
  .foot button { display: none; }
}
`;
