const done = arguments[1];
import("/interactor/static/interactor-markdown.js").then(({ renderMarkdown, GrowingMarkdown }) => {
  const boxes = () => [document.createElement("div"), document.createElement("div")];
  const differs = ([text, step]) => {
    const [box, whole] = boxes();
    const growing = new GrowingMarkdown(box);
    for (let end = 1; end < text.length + step; end += step) {
      growing.show(text.slice(0, end));
      whole.replaceChildren(renderMarkdown(text.slice(0, end)));
      if (box.innerHTML !== whole.innerHTML) return true;
    }
    return false;
  };
  const [box] = boxes();
  const growing = new GrowingMarkdown(box);
  let text = "";
  const table = "|a|b|\n|-|-|\n|1|2|\n|3|4|\n|5";
  const steps = [["text\n\n- one\n- two\n- thr", "li"], [`ee\n\n${table}`, "tr"]];
  steps.push(["|6|\n\nend\n\n> a\n> an", "p"], ["d", "hr"]);
  for (const [more, what] of steps) {
    for (const letter of more) growing.show((text += letter));
    box.querySelectorAll(what).forEach((node) => (node.title = "kept"));
  }
  const kept = Array.from(box.querySelectorAll("[title]"), (node) => node.textContent);
  growing.show("other");
  done([arguments[0].filter(differs), kept, box.textContent]);
});
