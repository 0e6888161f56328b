/** The style sheet of the list of conversations, constructed: a `style-src 'self'` allows it. */

import { hostStyles } from "./interactor-host-styles.js";

export const styles = `${hostStyles}
:host { display: block; overflow: auto; background: var(--background); }
nav { display: flex; flex-direction: column; gap: 8px; padding: var(--gap); }
ul { display: flex; flex-direction: column; gap: 2px; margin: 0; padding: 0; list-style: none; }
li { display: flex; gap: 4px; }
.open { flex: 1; min-inline-size: 0; border-color: transparent; overflow-wrap: anywhere; text-align: start; }
.open[aria-current] { border-inline-start: 3px solid var(--accent-line); background: var(--own); font-weight: 600; }
.rename { flex: none; border-color: transparent; color: var(--soft); }
.empty { color: var(--soft); }
.problem { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; color: var(--bad); }
@media print { :host { display: none; } }
`;
