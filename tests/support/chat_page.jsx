import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { InteractorChat } from "@interactor/browser/react";

const root = document.getElementById("root");
const page = (seen) => createElement(InteractorChat, {
  room: root.dataset.room, instance: root.dataset.instance, className: "chat", style: { maxInlineSize: "48rem" },
  onEvent: (event) => render([...seen, event.type]),
  id: "support", "aria-label": "Help", ref: (chat) => void (root.dataset.ref = chat?.localName ?? ""),
}, createElement("h2", { slot: "header" }, "Help"));
const app = createRoot(root);
function render(seen) {
  root.dataset.seen = seen.join(" ");
  app.render(createElement(StrictMode, {}, page(seen)));
}
render([]);
