// What a row shows when it is unfolded, which is asked for then.

import { element, passage } from "./dom.js";

/** Fill `body` with what `load` returns, once `details` is opened. */
export function unfold(details, body, load) {
  const fill = async () => {
    body.replaceChildren(element("p", { class: "empty" }, "Loading"));
    try {
      body.replaceChildren(...(await load()));
    } catch (error) {
      body.replaceChildren(element("p", { class: "bad" }, error.message));
    }
  };
  details.addEventListener("toggle", () => details.open && fill(), { once: true });
}

/** A body or the headers, under a title. */
export function part(title, { size, text, note }) {
  const bytes = size ? element("span", { class: "size" }, ` ${size.toLocaleString("en")} bytes`) : null;
  return [element("h3", {}, title, bytes), note ? element("p", { class: "note" }, note) : passage(text, title)];
}
