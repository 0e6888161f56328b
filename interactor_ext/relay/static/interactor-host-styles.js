/** What the elements of the package share: colors, controls, and a text that the styles of a page leave as it is. */

export const hostStyles = `
/* What an element inherits from the page would change its words or break its lines; a direction and the size may. */
:host {
  all: initial;
  font-size: inherit;
  visibility: inherit;
  color-scheme: light dark;
  --accent: var(--interactor-accent, light-dark(#3450c8, #9db1ff));
  /* White on a dark accent and black on a light one, by its luminance y: at least 4.5:1 for any accent. */
  --light: clamp(0, (.179 - y) * 1e6, 1);
  --on-accent: var(--interactor-on-accent, color(from var(--accent) xyz-d65 calc(.9505 * var(--light)) var(--light) calc(1.089 * var(--light))));
  --accent-line: color-mix(in oklab, var(--accent) 60%, var(--text));
  --background: var(--interactor-background, light-dark(#fff, #16191f));
  --text: var(--interactor-text, light-dark(#1b1f27, #e6e9ee));
  --soft: var(--interactor-soft-text, light-dark(#586171, #a5afbd));
  --line: var(--interactor-line, light-dark(#dce1e8, #333a46));
  --edge: var(--interactor-edge, light-dark(#7c8696, #78828f));
  --own: var(--interactor-own-message, light-dark(#e6ebff, #2a3558));
  --other: var(--interactor-other-message, light-dark(#f2f4f7, #20252d));
  --bad: var(--interactor-error, light-dark(#b42318, #ff9a90));
  --bad-tint: var(--interactor-error-background, light-dark(#fdeceb, #3a1f1d));
  --good: light-dark(#1d7a46, #6fd39b);
  --wait: light-dark(#8a5a00, #f0c36d);
  --radius: var(--interactor-radius, 14px);
  --gap: var(--interactor-gap, 12px);
  border: 1px solid var(--line);
  border-radius: var(--radius);
  color: var(--text);
  font-family: var(--interactor-font-family, system-ui, sans-serif);
  line-height: 1.5;
  text-align: start;
}
:host([hidden]), [hidden] { display: none !important; }
:host, *, ::before { box-sizing: border-box; }
p { margin: 0; }
:focus-visible { outline: 2px solid var(--accent-line); outline-offset: 2px; }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
button, input:not([type=checkbox], [type=radio]), select, textarea { font: inherit; color: inherit; border: 1px solid var(--edge); border-radius: calc(var(--radius) * .6); background: var(--background); padding: 7px 12px; }
input:not([type=checkbox], [type=radio]), select, textarea { inline-size: 100%; min-inline-size: 0; }
::placeholder { color: var(--soft); opacity: 1; }
button { cursor: pointer; font-size: .9375em; }
button:hover { border-color: var(--accent-line); }
button.primary { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; }
@media (max-width: 600px) {
  /* A smaller text has phones zoom in at each focus. */
  input, select, textarea { font-size: max(16px, 1em) !important; }
}
@media print {
  :host { color-scheme: light !important; }
}
`;
