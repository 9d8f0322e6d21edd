// What the stepper shows of a graph: names, steps in words, edges, and the program of its numbers;
// as microgrid's own moments.py makes it.

import { numberText } from "../../stepper/static/explore.js";
import { Algebra } from "./algebra.js";
import { Node, orderOf } from "./graph.js";
import { arrange } from "./layout.js";
import { Meanings } from "./meanings.js";
import { POWER, TextNotation, pythonNumber } from "./notation.js";

const LONGEST_SLOPE = 12; // symbols, numbers and functions; a longer one is not shown

/** Return all that the stepper shows but the numbers. */
export function stepsOf(graph, root, leaves) {
  const order = orderOf(root);
  const place = new Map(order.map((node, i) => [node, i]));
  const names = namesOf(order, root);
  const edges = edgesOf(graph, order, root, place);
  const known = order.filter((node) => node.name !== null);
  const slopes = edges.map(([child, operand]) => graph.partials(order[child])[operand]);
  const shown = {
    names,
    kinds: order.map((node) => (node.isConstant ? "constant" : node.key ? "inner" : "leaf")),
    operands: order.map((node) => node.parents.map((parent) => place.get(parent))),
    symbols: order.map((node) => (node.key ? filled(graph.row(node.key).name, node.held) : "")),
    edges,
    steps: [
      ...forward(graph, order, names, place),
      ...backward(names, edges, slopeTexts(graph, order, names)),
    ],
    note: "",
    program: graph.program([...order, ...slopes], known),
  };
  return { ...shown, picture: arrange(shown), leaves: known.map((leaf) => leaves.indexOf(leaf)) };
}

function namesOf(order, root) {
  const taken = new Set(order.map((node) => node.name).filter((name) => name !== null));
  let count = 0;
  const next = () => {
    do count++;
    while (taken.has(`v${count}`));
    return `v${count}`;
  };
  return order.map((node) => {
    if (node.name !== null) return node.name;
    if (node.isConstant) return numberText(node.number);
    return node === root && !taken.has("L") ? "L" : next();
  });
}

function edgesOf(graph, order, root, place) {
  const edges = [];
  const reached = new Set([root]);
  for (const node of [...order].reverse()) {
    if (!reached.has(node) || !node.key) continue;
    graph.partials(node).forEach((partial, i) => {
      const parent = node.parents[i];
      if (partial === null || parent.isConstant) return;
      edges.push([place.get(node), i, place.get(parent)]);
      reached.add(parent);
    });
  }
  return edges;
}

const heldText = (x) => (Number.isInteger(x) ? String(x) : pythonNumber(x));

/** Return the pieces of a text as one, with held constants in their places. */
const filled = (pieces, held) =>
  pieces.map((piece) => (piece.c === undefined ? piece : heldText(held[piece.c]))).join("");

function forward(graph, order, names, place) {
  const steps = [];
  order.forEach((node, i) => {
    if (node.isConstant) return;
    let right = [i];
    if (node.key) {
      const places = node.parents.map((parent) => place.get(parent));
      const named = line(
        graph,
        node,
        places.map((at) => names[at]),
      );
      const isKnown = (at) => order[at].isConstant;
      const numbered = line(
        graph,
        node,
        places.map((at) => (isKnown(at) ? names[at] : at)),
      );
      right = [...named, " = ", ...(places.every(isKnown) ? [] : [...numbered, " = "]), i];
    }
    steps.push([i, null, [names[i], " = ", ...right]]);
  });
  return steps;
}

/** Return how an operation is written, with names or with the places of numbers. */
function line(graph, node, operands) {
  return graph.row(node.key).line.flatMap((piece) => {
    if (typeof piece === "string") return [piece];
    if (piece.c !== undefined) return [heldText(node.held[piece.c])];
    const [place] = [piece].flat();
    const operand = operands[place];
    if (typeof operand === "number") return [Array.isArray(piece) ? [operand] : operand];
    return Array.isArray(piece) && operand.startsWith("-") ? ["(", operand, ")"] : [operand];
  });
}

function backward(names, edges, slope) {
  const [n, m] = [names.length, edges.length];
  const root = names.at(-1);
  const sums = new Map(); // the hole of each parent's sum so far
  const shares = edges.map((edge, k) => {
    const [child, , parent] = edge;
    const [g, partial, share, total] = [n + child, 2 * n + k, 2 * n + m + k, 2 * n + 2 * m + k];
    const received = `∂${root}/∂${names[parent]}`;
    const text = [received, " += ", `∂${root}/∂${names[child]}`, " · ", slope(edge)];
    text.push(" = ", g, " · ", partial, " = ", share);
    if (sums.has(parent)) {
      text.push("; ", received, " = ", sums.get(parent), " + ", share, " = ", total);
    }
    sums.set(parent, total);
    return [parent, k, text];
  });
  return [[n - 1, null, [`∂${root}/∂${root}`, " = ", 2 * n - 1]], ...shares];
}

/** Return what writes an edge's partial derivative in the names of the graph, if it is short. */
function slopeTexts(graph, order, names) {
  const meanings = new Meanings(graph, new Algebra());
  const stand = new Map(order.map((node, i) => [node, new Node({ name: names[i] })]));
  return ([child, operand, parent]) => {
    const node = order[child];
    const operands = node.parents.map((x) => (x.isConstant ? x.number : stand.get(x)));
    const made = graph.derived(node.key, operands, node.held);
    const row = graph.row(node.key).partials;
    const partial = graph.follow(row, [...operands, made], node.held, graph.derived)[operand];
    const [whole, slope] = [made, partial].map((x) => meanings.of(x));
    if (slope.size > LONGEST_SLOPE) return `∂${names[child]}/∂${names[parent]}`;
    const own = new Map(whole.kind === "symbol" ? [] : [[whole, names[child]]]);
    const [text, level] = new TextNotation(own, true).write(slope);
    return level >= POWER ? text : `(${text})`;
  };
}
