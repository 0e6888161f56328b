// What the theme leaves out: names for screen readers, pictures of the chosen scheme, and classes that unfold on the longest
// page of the reference.

document.querySelector("[data-md-component=search]")?.setAttribute("aria-label", "Search");

for (const cell of document.querySelectorAll("th:empty")) {
  const plain = document.createElement("td");
  cell.replaceWith(plain);
}

// Into a block of code that comes into view, the theme puts a navigation landmark with a copy button; from the others it
// takes what lets the keyboard scroll them.
function mend() {
  for (const each of document.querySelectorAll(".md-code__nav:not([role])")) each.setAttribute("role", "none");
  for (const each of document.querySelectorAll("pre > code:not([tabindex]), .md-typeset__scrollwrap:not([tabindex])")) each.tabIndex = 0;
}
mend();
const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["tabindex"] };
new MutationObserver(mend).observe(document.body, watched);

// GitHub shows pictures for the scheme of the system, this site for the one that the reader chose.
function showScheme() {
  const isDark = document.body.dataset.mdColorScheme === "slate";
  for (const dark of document.querySelectorAll("picture > source")) dark.media = isDark ? "all" : "not all";
}
showScheme();
new MutationObserver(showScheme).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });

const documented = document.querySelectorAll(".doc-module > * > * > :is(.doc-class, .doc-attribute)");
if (documented.length > 60) {
  documented.forEach(fold);
  addEventListener("hashchange", unfold);
  unfold();
}

function fold(each) {
  const [heading, ...contents] = each.children;
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  details.className = "fold";
  heading.querySelector(".headerlink")?.remove(); // nothing to press within what is pressed
  summary.append(heading);
  details.append(summary, ...contents);
  details.addEventListener("toggle", () => details.open && history.replaceState(null, "", `#${heading.id}`));
  each.append(details);
}

/** Open the class that the address names, wherever it is linked from. */
function unfold() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = named?.closest("details.fold");
  if (!details) return;
  details.open = true;
  named.scrollIntoView();
}
