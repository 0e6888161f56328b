const done = arguments[1];
import("/interactor/static/interactor-markdown.js").then(({ renderMarkdown }) => {
  const html = arguments[0].map((text) => {
    const box = document.createElement("div");
    box.append(renderMarkdown(text));
    const links = [...box.querySelectorAll("a")];
    if (!links.every((link) => link.rel.includes("noopener") && link.target === "_blank")) return "opener";
    for (const node of box.querySelectorAll("*")) {
      for (const name of node.getAttributeNames()) {
        if (!["href", "start"].includes(name) && node.className !== "end") node.removeAttribute(name);
        else if (!["href", "start", "class"].includes(name)) node.removeAttribute(name);
      }
    }
    return box.innerHTML;
  });
  done(html);
});
