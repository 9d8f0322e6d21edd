// The graph of a formula, and of its derivatives: nodes made of the library's primitives. What a
// primitive does, and what its partials are, is read from the table that Python wrote.

import { run } from "../../stepper/static/explore.js";
import { FormulaError, parse } from "./parse.js";

const CONSTANTS = { pi: Math.PI, e: Math.E, inf: Infinity, nan: NaN };
const OPERATORS = { ">": "<", ">=": "<=" }; // x > y is y < x
const EXACT = ["<", "<=", "==", "where", "neg", "abs", "sign", "compare"];
const MOST_VALUES = 250; // as of `explore`
// What other languages and books call a function, and how a formula has it.
export const OTHERS = {
  ...{ ln: "log(x)", lg: "log10(x)", ld: "log2(x)", lb: "log2(x)", pow: "x**y", sqr: "x**2" },
  ...{ arcsin: "asin(x)", arccos: "acos(x)", arctan: "atan(x)", arctan2: "atan2(y, x)" },
  ...{ arcsinh: "asinh(x)", arccosh: "acosh(x)", arctanh: "atanh(x)", tg: "tan(x)", ctg: "1/tan(x)" },
  ...{ cot: "1/tan(x)", sec: "1/cos(x)", csc: "1/sin(x)", sgn: "sign(x)", fabs: "abs(x)" },
  ...{ factorial: "exp(lgamma(x + 1))", gamma: "exp(lgamma(x))", heaviside: "where(x > 0, 1, 0)" },
};

/** A leaf has a name, a constant a number; any other node a key of the table, and operands. */
export class Node {
  constructor(fields) {
    Object.assign(this, { name: null, number: null, key: null, held: [], parents: [] }, fields);
  }

  get isConstant() {
    return this.number !== null;
  }
}

/** Return the nodes behind a root, each after its operands, in the library's order. */
export function orderOf(...roots) {
  const order = [];
  const seen = new Set();
  const stack = [...roots].reverse().map((root) => [root, false]);
  while (stack.length) {
    const [node, isDone] = stack.pop();
    if (isDone) order.push(node);
    else if (!seen.has(node)) {
      seen.add(node);
      stack.push([node, true]);
      for (const parent of [...node.parents].reverse()) stack.push([parent, false]);
    }
  }
  return order;
}

const operandsOf = (node) => node.parents.map((x) => (x.isConstant ? x.number : x));
const heldNumber = (text, held) => (/^c\d$/.test(text) ? held[text[1]] : Number(text));

/** Makes nodes of the primitives in a table. */
export class Graph {
  constructor(table) {
    this.table = table;
    this.made = new Map(); // derived nodes, so that equal ones are one
    this.gates = new Set(); // of these, gradients that are 0 where a `where` chose otherwise
  }

  row(key) {
    return this.table.primitives[key];
  }

  constant(number) {
    return new Node({ number });
  }

  /** Return a node, or a number where every operand is one. */
  apply(key, operands, held = []) {
    if (operands.every((x) => typeof x === "number")) return this.compute(key, held, operands);
    const parents = operands.map((x) => (typeof x === "number" ? this.constant(x) : x));
    return new Node({ key, held, parents });
  }

  compute(key, held, numbers) {
    const { steps, outputs } = this.row(key).lowering;
    const given = (part) => (/^c\d$/.test(part) ? String(held[part[1]]) : part);
    return run({ steps: steps.map((step) => step.map(given)), outputs }, numbers)[0];
  }

  /** Return what a list of steps of the table makes of inputs. */
  follow({ steps, outputs }, inputs, held, make) {
    const slots = [...inputs];
    const slot = (part) => (typeof part === "string" ? heldNumber(part, held) : slots[part]);
    for (const [key, ...operands] of steps) {
      const constants = Array.isArray(operands.at(-1)) ? operands.pop() : [];
      slots.push(
        make(
          key,
          operands.map(slot),
          constants.map((text) => heldNumber(text, held)),
        ),
      );
    }
    return outputs.map((part) => (part === null ? null : slot(part)));
  }

  // ---- derivatives

  /**
   * Return a derived node; a factor of 1 and a sum with nothing are left out. Numbers are computed
   * where that rounds nothing: a formula says 1/3, not 0.3333333333333333.
   */
  derived = (key, operands, held = []) => {
    const isKnown = operands.every((x) => typeof x === "number");
    if (isKnown && (EXACT.includes(key) || operands.every(Number.isSafeInteger))) {
      const result = this.compute(key, held, operands);
      if (EXACT.includes(key) || Number.isSafeInteger(result)) return result;
    }
    if (key === "*") {
      if (operands.includes(0)) return 0;
      const [x, y] = operands;
      if (x === 1 || y === 1) return x === 1 ? y : x;
    }
    if (key === "+" && operands.includes(0)) return operands[0] === 0 ? operands[1] : operands[0];
    const parents = operands.map((x) => (typeof x === "number" ? this.derivedConstant(x) : x));
    const name = [key, ...held, ...parents.map((parent) => this.numberOf(parent))].join(" ");
    return this.once(name, () => new Node({ key, held, parents, isDerived: true }));
  };

  derivedConstant(number) {
    const name = `number ${Object.is(number, -0) ? "-0" : number}`;
    return this.once(name, () => new Node({ number, isDerived: true }));
  }

  once(name, make) {
    if (!this.made.has(name)) this.made.set(name, make());
    return this.made.get(name);
  }

  numberOf(node) {
    this.numbers ??= new Map();
    if (!this.numbers.has(node)) this.numbers.set(node, this.numbers.size);
    return this.numbers.get(node);
  }

  /** Return the partials of a node, as nodes and numbers; null where there is none. */
  partials(node) {
    node.slopes ??= this.follow(
      this.row(node.key).partials,
      [...operandsOf(node), node],
      node.held,
      this.derived,
    );
    return node.slopes;
  }

  /** Return the derivatives of a node with respect to leaves, as nodes or numbers. */
  gradients(root, leaves) {
    if (typeof root === "number" || root.isConstant) return leaves.map(() => 0);
    const order = orderOf(root);
    const needed = new Set(leaves);
    for (const node of order) if (node.parents.some((x) => needed.has(x))) needed.add(node);
    const sums = new Map([[root, 1]]);
    for (const node of order.reverse()) {
      if (!sums.has(node) || !node.parents.length) continue;
      const slopes = this.partials(node);
      node.parents.forEach((parent, i) => {
        if (slopes[i] === null || !needed.has(parent)) return;
        const share = this.share(sums.get(node), slopes[i], node, i);
        sums.set(parent, sums.has(parent) ? this.plus(share, sums.get(parent)) : share);
      });
    }
    return leaves.map((leaf) => sums.get(leaf) ?? 0);
  }

  /**
   * Return what a gradient gives to an operand. That of a `where` is 0 where the other operand was
   * chosen, whatever it is multiplied by on its further way: a slope there may be infinite.
   */
  share(g, slope, node, i) {
    if (node.key === "where") {
      return this.gate(operandsOf(node)[0], ...(i === 1 ? [g, 0] : [0, g]));
    }
    if (!this.gates.has(g)) return this.derived("*", [g, slope]);
    const [condition, ...branches] = operandsOf(g);
    return this.gate(condition, ...branches.map((x) => this.derived("*", [x, slope])));
  }

  plus(x, y) {
    const areGates = this.gates.has(x) && this.gates.has(y);
    if (!areGates || x.parents[0] !== y.parents[0]) return this.derived("+", [x, y]);
    const [[condition, ...left], [, ...right]] = [operandsOf(x), operandsOf(y)];
    return this.gate(condition, ...left.map((part, i) => this.derived("+", [part, right[i]])));
  }

  gate(condition, x, y) {
    const made = this.derived("where", [condition, x, y]);
    if (made instanceof Node && made.key === "where") this.gates.add(made);
    return made;
  }

  // ---- numbers

  /** Return the program by which the nodes' numbers are computed from those of leaves. */
  program(roots, leaves) {
    const slots = new Map(leaves.map((leaf, i) => [leaf, i]));
    const steps = [];
    for (const node of orderOf(...roots.filter((root) => root instanceof Node))) {
      if (slots.has(node)) continue;
      if (node.isConstant) slots.set(node, String(node.number));
      else slots.set(node, this.lower(node, slots, steps, leaves.length));
    }
    const slot = (root) => (root instanceof Node ? slots.get(root) : String(root));
    return { steps, outputs: roots.map(slot) };
  }

  lower(node, slots, steps, inputs) {
    const { lowering } = this.row(node.key);
    const places = node.parents.map((parent) => slots.get(parent));
    const place = (part) => {
      if (typeof part === "number") return places[part];
      return /^c\d$/.test(part) ? String(node.held[part[1]]) : part;
    };
    for (const [operation, ...operands] of lowering.steps) {
      places.push(inputs + steps.length);
      steps.push([operation, ...operands.map(place)]);
    }
    return place(lowering.outputs[0]);
  }

  // ---- from a text

  /** Return the graph of a formula: its root, and its leaves in the order of the text. */
  read(text) {
    const leaves = new Map();
    const root = shallow(text, () => this.evaluate(parse(text), leaves));
    if (Array.isArray(root)) {
      const advice = "choose one of its numbers, as in softmax([a, b])[0]";
      throw new FormulaError(`expected a number, got a list of ${root.length}: ${advice}`, 0);
    }
    if (typeof root === "number") {
      const got = Number.isNaN(root) ? "no number" : `the constant ${root}`;
      const needed = "expected a name, such as x, to differentiate with respect to";
      throw new FormulaError(`${needed}, got ${got}`, 0);
    }
    const count = orderOf(root).length;
    if (count > MOST_VALUES) {
      const most = `expected at most ${MOST_VALUES} values, which one can step through`;
      throw new FormulaError(`${most}, got ${count}: write a smaller formula`, 0, text.length);
    }
    return { root, leaves: [...leaves.values()] };
  }

  evaluate(tree, leaves) {
    const parts = (tree.parts ?? []).map((part) => this.evaluate(part, leaves));
    switch (tree.kind) {
      case "number":
        return tree.value;
      case "name":
        return this.named(tree, leaves);
      case "list":
        return parts;
      case "item":
        return item(tree, ...parts);
      case "call":
        return this.call(tree, parts);
      default:
        return this.operate(tree, parts);
    }
  }

  named({ word, at, length }, leaves) {
    if (Object.hasOwn(CONSTANTS, word)) return CONSTANTS[word];
    if (Object.hasOwn(this.table.functions, word)) {
      throw new FormulaError(`expected ${this.usage(word)}, got ${word} alone`, at, length);
    }
    if (!leaves.has(word)) leaves.set(word, new Node({ name: word }));
    return leaves.get(word);
  }

  operate({ word, at, length }, parts) {
    if (parts.some(Array.isArray)) {
      throw new FormulaError(`expected numbers at ${word}, got a list`, at, length);
    }
    const [x, y] = parts;
    if (word === "!=") return this.apply("where", [this.apply("==", parts), 0, 1]);
    if (word === "**") return this.checked(this.power(x, y), parts, word, at, length);
    const key = OPERATORS[word] ?? word;
    const result = this.apply(key, key === word ? parts : [y, x]);
    return this.checked(result, parts, word, at, length);
  }

  power(x, y) {
    if (x === Math.E && typeof y !== "number") return this.apply("exp", [y]); // its slope has no log
    if (typeof y === "number" && typeof x !== "number") {
      const key = `**${y}`;
      return this.row(key)?.partials ? this.apply(key, [x]) : this.apply("**k", [x, y]);
    }
    const key = `${x}**`;
    if (typeof x === "number" && typeof y !== "number" && this.row(key)?.partials) {
      return this.apply(key, [y]);
    }
    return this.apply("**", [x, y]);
  }

  /** Return a result, unless it is a constant that Python could not compute. */
  checked(result, operands, word, at, length) {
    const isFinite = operands.flat().every((x) => typeof x !== "number" || Number.isFinite(x));
    if (typeof result === "number" && !Number.isFinite(result) && isFinite) {
      const text = operands.flat().join(" and ");
      throw new FormulaError(`${word} of ${text} has no finite value`, at, length);
    }
    return result;
  }

  call({ word, at, length, parts: trees }, args) {
    if (!Object.hasOwn(this.table.functions, word)) {
      throw new FormulaError(`no function is called ${word}: ${this.advice(word)}`, at, length);
    }
    const forms = this.table.functions[word];
    const nested = args.findIndex((x) => Array.isArray(x) && x.some(Array.isArray));
    if (nested >= 0) throw new FormulaError("expected a list of numbers", trees[nested].at);
    for (const [shape, given] of shapes(args)) {
      if (!Object.hasOwn(forms, shape)) continue;
      const kinds = shape.split(",").map((kind) => kind[0]);
      const inputs = given.filter((_, i) => kinds[i] !== "c" && kinds[i] !== "=").flat();
      const held = given.filter((_, i) => kinds[i] === "c");
      const results = this.follow(forms[shape], inputs, held, (...step) => this.apply(...step));
      return forms[shape].list ? results : this.checked(results[0], args, word, at, length);
    }
    const isOfBase = word === "log" && args.length === 2;
    const instead = isOfBase ? "; write log(x) / log(b) for the base b" : "";
    throw new FormulaError(`expected ${this.usage(word)}${instead}`, at, length);
  }

  /** Return what to write instead of a function that there is not. */
  advice(word) {
    if (Object.hasOwn(OTHERS, word)) return `write ${OTHERS[word]}`;
    const near = nearest(word, Object.keys(this.table.functions));
    if (near) return `did you mean ${near}?`;
    return `for a product write ${word}*(…); all functions are listed below`;
  }

  /** Return how a function is called. */
  usage(word) {
    const shapes = Object.keys(this.table.functions[word]).filter((shape) => !/\[0\]/.test(shape));
    const texts = shapes.map((shape) => {
      const letters = [..."xyzuvwrstabcd"];
      const list = (n) => `[${letters.splice(0, n).join(", ")}]`;
      const words = { c: () => "0.5", x: () => letters.shift() };
      const part = (kind) => words[kind]?.() ?? (kind[0] === "[" ? list(kind[1]) : kind.slice(1));
      return `${word}(${shape.split(",").map(part).join(", ")})`;
    });
    const shown = texts.length > 4 ? [...texts.slice(0, 3), `…, ${texts.at(-1)}`] : texts;
    return shown.join(" or ").replace(" or …", ", …");
  }
}

/** Return what reading a text gives, unless that lies deeper than the engine's stack. */
function shallow(text, read) {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = "expected fewer operations and brackets inside each other: write a smaller formula";
    throw new FormulaError(message, 0, text.length);
  }
}

/** Yield the shapes that arguments have, the most general one first. */
function* shapes(args) {
  const kinds = args.map((x) => {
    if (Array.isArray(x)) return [`[${x.length}]`];
    return typeof x === "number" ? ["x", "c", `=${x}`] : ["x"];
  });
  let found = [[]];
  for (const options of kinds) found = options.flatMap((kind) => found.map((f) => [...f, kind]));
  for (const shape of found) yield [shape.join(","), args];
  if (args.length > 1 && !args.some(Array.isArray)) yield [`[${args.length}]`, [args]];
}

function item({ at, length }, list, index) {
  if (!Array.isArray(list)) throw new FormulaError("expected a list before [", at, length);
  const place = index < 0 ? index + list.length : index;
  if (!Number.isInteger(place) || place < 0 || place >= list.length) {
    const last = list.length - 1;
    throw new FormulaError(`expected a place from 0 to ${last} in the list`, at, length);
  }
  return list[place];
}

/** Return the word that differs least, if it differs in at most a third of its letters. */
function nearest(word, words) {
  const distances = words.map((other) => [distance(word.toLowerCase(), other), other]);
  const [[least, other]] = distances.sort(([x], [y]) => x - y);
  return least <= Math.min(2, Math.floor(word.length / 3)) ? other : null;
}

function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] !== b[j - 1]);
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, change));
    }
    row = next;
  }
  return row[b.length];
}
