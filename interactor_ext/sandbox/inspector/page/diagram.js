// The state diagram of a workflow: states in rows, by how many steps they are from the first, and curves between them.

import { shape } from "./dom.js";

const WIDTH = 168;
const HEIGHT = 44;
const COLUMN = WIDTH + 56;
const ROW = HEIGHT + 72;
const MARGIN = 28;
// Room for the ways that lead back, which run beside the states.
const SIDE = 120;
const LONGEST = 24;

/** An SVG element. `states` as in the workflow's definition, the first one first; `current` is a state's name. */
export function diagram(states, current) {
  const places = placed(states);
  const columns = Math.max(...[...places.values()].map((place) => place.x)) + WIDTH;
  const rows = Math.max(...[...places.values()].map((place) => place.y)) + HEIGHT;
  const width = columns + MARGIN + SIDE;
  const height = rows + MARGIN;
  const svg = shape(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "State diagram" },
    shape("defs", {}, arrowhead()),
  );
  const first = places.get(states[0].name);
  const top = { x: first.x + WIDTH / 2, y: first.y };
  svg.append(shape("circle", { class: "begin", cx: top.x, cy: top.y - 20, r: 5 }));
  svg.append(way(`M ${top.x} ${top.y - 15} L ${top.x} ${top.y - 1}`));
  const texts = [];
  for (const state of states) {
    for (const [to, label] of waysOut(state)) {
      const target = places.get(to);
      if (!target) continue;
      const curve = connect(places.get(state.name), target, columns);
      svg.append(way(curve.path));
      if (label) texts.push(labelled(label, curve.x, curve.y));
    }
  }
  for (const state of states) svg.append(box(state, places.get(state.name), state.name === current));
  // Above everything else, so that no curve runs through a word.
  svg.append(...texts);
  return svg;
}

/** Where each state stands. A state that nothing leads to comes last. */
function placed(states) {
  const byName = new Map(states.map((state) => [state.name, state]));
  const depths = new Map([[states[0].name, 0]]);
  // A map's entries can be added to while it is walked through.
  for (const [name, depth] of depths) {
    for (const { to } of byName.get(name).transitions ?? []) {
      if (byName.has(to) && !depths.has(to)) depths.set(to, depth + 1);
    }
  }
  const last = Math.max(...depths.values()) + 1;
  const rows = [];
  for (const name of [...depths.keys(), ...byName.keys()]) {
    const depth = depths.get(name) ?? last;
    rows[depth] ??= [];
    if (!rows[depth].includes(name)) rows[depth].push(name);
  }
  const widest = Math.max(...rows.map((row) => row.length));
  const places = new Map();
  rows.forEach((row, depth) => {
    const left = MARGIN + ((widest - row.length) * COLUMN) / 2;
    row.forEach((name, index) => places.set(name, { x: left + index * COLUMN, y: MARGIN + depth * ROW }));
  });
  return places;
}

/** One entry a target, with what takes the way there; several ways to the same target share it. */
function waysOut(state) {
  const ways = new Map();
  for (const { to, event, condition } of state.transitions ?? []) {
    const label = [event, condition && `[${condition}]`].filter(Boolean).join(" ");
    ways.set(to, [...(ways.get(to) ?? []), label]);
  }
  return [...ways].map(([to, labels]) => [to, labels.filter(Boolean).join(" or ")]);
}

/** The path from one state to another, and where its label goes; `right` is where the last column ends. */
function connect(from, to, right) {
  if (to.y > from.y) {
    const [x1, y1, x2, y2] = [from.x + WIDTH / 2, from.y + HEIGHT, to.x + WIDTH / 2, to.y - 2];
    const middle = (y1 + y2) / 2;
    const path = `M ${x1} ${y1} C ${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
    // Nearer to the target, where the ways out of one state have parted.
    return { path, x: x1 + (x2 - x1) * 0.65, y: middle + 8 };
  }
  if (to === from) {
    const [x, y] = [from.x + WIDTH, from.y + HEIGHT / 2];
    const path = `M ${x} ${y - 10} C ${x + 44} ${y - 28} ${x + 44} ${y + 28} ${x + 2} ${y + 10}`;
    return { path, x: x + 36, y: y + 30 };
  }
  if (to.y === from.y) {
    const ahead = to.x > from.x;
    const [x1, x2, y] = [from.x + (ahead ? WIDTH : 0), to.x + (ahead ? -2 : WIDTH + 2), from.y + HEIGHT / 2];
    // A little up one way and down the other, so that a way and the way back are two lines.
    const bend = y + (ahead ? -14 : 14);
    const path = `M ${x1} ${y} C ${(x1 + x2) / 2} ${bend} ${(x1 + x2) / 2} ${bend} ${x2} ${y}`;
    return { path, x: (x1 + x2) / 2, y: bend };
  }
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x + WIDTH + 2, to.y + HEIGHT / 2];
  // Half way, the curve is beside every box: there it is three quarters of the way out to its control points.
  const middle = right + 34;
  const beside = (middle - (x1 + x2) / 8) / 0.75;
  return { path: `M ${x1} ${y1} C ${beside} ${y1} ${beside} ${y2} ${x2} ${y2}`, x: middle, y: (y1 + y2) / 2 };
}

function box(state, { x, y }, isCurrent) {
  const group = shape("g", { class: `state ${kindOf(state)}${isCurrent ? " current" : ""}` });
  if (isCurrent) group.setAttribute("aria-current", "true");
  group.append(
    shape("title", {}, `${state.name} (${state.type})`),
    shape("rect", { x, y, width: WIDTH, height: HEIGHT, rx: state.type === "terminal" ? HEIGHT / 2 : 8 }),
    shape("text", { class: "name", x: x + WIDTH / 2, y: y + 19 }, short(state.name)),
    shape("text", { class: "kind", x: x + WIDTH / 2, y: y + 34 }, state.type),
  );
  return group;
}

function labelled(label, x, y) {
  const text = short(label);
  // By the width of a usual letter: the diagram is drawn before it is in the document, where it could be measured.
  const width = text.length * 6.2 + 10;
  return shape(
    "g",
    { class: "label" },
    shape("title", {}, label),
    shape("rect", { x: x - width / 2, y: y - 9, width, height: 18, rx: 4 }),
    shape("text", { x, y: y + 4 }, text),
  );
}

function way(path) {
  return shape("path", { class: "way", d: path, "marker-end": "url(#arrow)" });
}

function arrowhead() {
  return shape(
    "marker",
    { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    shape("path", { class: "arrow", d: "M 0 0 L 8 4 L 0 8 z" }),
  );
}

/** A class name: the platform may know more types than this page. */
function kindOf(state) {
  return ["action", "halting", "terminal"].includes(state.type) ? state.type : "other";
}

function short(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
