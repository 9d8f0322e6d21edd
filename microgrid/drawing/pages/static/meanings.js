// From a graph to expressions: what each primitive means is in the table; how meanings simplify in
// each other's company is as in microgrid's own meanings.py.

import { COMPARISONS, Exact, HALF, MINUS, UNIT } from "./algebra.js";
import { orderOf } from "./graph.js";

const MIRRORED = { "<": ">", "<=": ">=" }; // 0 < x is x > 0

/** Return exp(x), with a factor of its own for a maximum: that of softmax, which cancels. */
function exp(a, x) {
  if (x === a.zero) return a.one;
  const terms = x.kind === "sum" ? x.pairs : [];
  const shifts = terms.filter(([part, weight]) => part.name === "max" && weight.isWhole);
  if (!shifts.length) return a.call("exp", x);
  const rest = a.sum(terms.filter((term) => !shifts.includes(term)));
  return a.product([[rest, UNIT], ...shifts].map(([part, weight]) => [exp(a, part), weight]));
}

/** Return log(x); that of a product with exp(y) is a sum with y. */
function log(a, x) {
  const factors = x.kind === "product" ? x.pairs : [];
  const powers = factors.filter(([base]) => base.name === "exp");
  if (!powers.length) return x === a.one ? a.zero : a.call("log", x);
  const rest = a.product(factors.filter((factor) => !powers.includes(factor)));
  const exponents = powers.map(([base, exponent]) => [base.parents[0], exponent]);
  return a.sum([...exponents, [log(a, rest), UNIT]]);
}

function comparison(a, symbol, x, y) {
  if (x.number && MIRRORED[symbol]) return comparison(a, MIRRORED[symbol], y, x);
  return a.where(a.call(symbol, x, y), a.one, a.zero);
}

function sign(a, x) {
  if (x.name === "relu") return comparison(a, ">", x.parents[0], a.zero); // the slope of relu
  return a.call("sign", x);
}

function abs(a, x) {
  if (x.name === "sign") return a.where(x.parents[0], a.one, a.zero);
  if (x.number) return a.sum([[x, x.number.sign < 0 ? MINUS : UNIT]]);
  return a.call("abs", x);
}

const isInfinite = (x) => (x.parents[0] ?? x).name === "inf";

const CALLS = {
  exp,
  log,
  sign,
  abs,
  "**": (a, x, y) => a.power(x, y),
  where: (a, ...operands) => a.where(...operands),
  clip: (a, x, low, high) => {
    if (isInfinite(low)) return isInfinite(high) ? x : CALLS.min(a, x, high);
    return isInfinite(high) ? CALLS.max(a, x, low) : a.call("clip", x, low, high);
  },
  max: (a, ...xs) => (xs.length > 1 ? a.call("max", ...xs) : xs[0]),
  min: (a, ...xs) => (xs.length > 1 ? a.call("min", ...xs) : xs[0]),
};
// Of these rows the meaning depends on an operand's own, before it is known.
const ROWS = {
  "<": (a, x, y) => comparison(a, "<", x, y),
  "<=": (a, x, y) => comparison(a, "<=", x, y),
  compare: (a, x, y) => sign(a, a.difference(x, y)),
  "==": (a, x, y) => a.where(a.difference(x, y), a.zero, a.one),
};

/** Return whether a part of the table is a held constant, which is written as a number is. */
const isHeld = ([kind, ...parts]) => kind === "sum" && parts.length === 1 && /^c/.test(parts[0][0]);

/** Expressions of the nodes of one graph, and of the graphs of its derivatives. */
export class Meanings {
  constructor(graph, algebra) {
    this.graph = graph;
    this.algebra = algebra;
    this.found = new Map();
  }

  /** The numbers that have a name, with their expressions. */
  get named() {
    const found = new Map(this.graph.table.named.map(([x, tree]) => [x, this.built(tree, [], [])]));
    Object.defineProperty(this, "named", { value: found });
    return found;
  }

  /** Return the expression of a node, or of a number. */
  of(root) {
    if (typeof root === "number") return this.constant(root);
    this.found = new Map(); // what is within a sum in one formula is not in another
    const order = orderOf(root);
    const within = this.within(order);
    within.delete(root);
    for (const node of order) {
      if (within.has(node)) continue;
      const isGuard = node.isDerived && node.key === "where" && this.holdsAt0(node);
      this.found.set(node, isGuard ? this.found.get(node.parents[2]) : this.meaning(node, within));
    }
    return this.found.get(root);
  }

  /** Return the sums that are used only once, in a sum, and such products in a product. */
  within(order) {
    const uses = new Map();
    for (const node of order) {
      for (const parent of node.parents) uses.set(parent, (uses.get(parent) ?? 0) + 1);
    }
    const spreads = (node) => node.key && this.graph.row(node.key).spreads;
    const found = new Set();
    for (const node of order) {
      for (const parent of node.parents) {
        const isSame = spreads(node) && spreads(parent) === spreads(node);
        if (isSame && uses.get(parent) === 1) found.add(parent);
      }
    }
    return found;
  }

  meaning(node, within) {
    if (node.name !== null) return this.algebra.symbol(node.name);
    if (node.isConstant) return this.constant(node.number);
    const { spreads } = this.graph.row(node.key);
    if (spreads) return this.algebra[spreads](this.spread(node, within));
    const operands = node.parents.map((parent) => this.found.get(parent));
    const row = ROWS[node.key];
    if (row) return row(this.algebra, ...operands);
    return this.built(this.graph.row(node.key).meaning, operands, node.held);
  }

  /** Return the terms of a sum, or the factors of a product, and of those within it. */
  spread(root, within) {
    const parts = [];
    const stack = [[root, UNIT]];
    while (stack.length) {
      const [node, weight] = stack.pop();
      if (node !== root && !within.has(node)) {
        parts.push([this.found.get(node), weight]);
        continue;
      }
      const weights = this.weights(node);
      stack.push(...node.parents.map((p, i) => [p, weight.times(weights[i])]).reverse());
    }
    return parts;
  }

  /** Return the weights of a node's operands, as the meaning of its row has them. */
  weights({ key, parents }) {
    this.known ??= new Map();
    if (!this.known.has(key)) {
      const symbols = parents.map((_, i) => this.algebra.symbol(`operand ${i}`));
      const { spreads, meaning } = this.graph.row(key);
      const whole = this.built(meaning, symbols, []);
      const pairs = whole.kind === spreads ? whole.pairs : [[whole, UNIT]];
      const weights = new Map(pairs);
      this.known.set(
        key,
        symbols.map((symbol) => weights.get(symbol)),
      );
    }
    return this.known.get(key);
  }

  constant(x) {
    const a = this.algebra;
    const size = Math.abs(x);
    if (Number.isNaN(x)) return a.symbol("nan");
    const known = this.named.get(size) ?? (size === Infinity ? a.symbol("inf") : a.of(size));
    return a.sum([[known, x < 0 ? MINUS : UNIT]]);
  }

  /** Return an expression of the table, with operands and held constants in their places. */
  built(tree, operands, held) {
    const a = this.algebra;
    if (typeof tree === "number") return operands[tree];
    if (typeof tree === "string") return a.symbol(tree);
    if (isHeld(tree)) return this.constant(held[tree[1][0][1]]);
    const [kind, ...parts] = tree;
    if (kind === "sum" || kind === "product") {
      return a[kind](
        parts.map(([weight, part]) => [this.built(part, operands, held), Exact.parse(weight)]),
      );
    }
    const made = parts.map((part) => this.built(part, operands, held));
    if (COMPARISONS.includes(kind)) return a.call(kind, ...made);
    return CALLS[kind] ? CALLS[kind](a, ...made) : a.call(kind, ...made);
  }

  /** Return whether a choice is made by whether a length is 0, a point that a rule guards. */
  holdsAt0({ parents: [choice] }) {
    const condition = this.found.get(choice);
    const comparison = condition.name === "where" ? condition.parents[0] : condition;
    if (comparison.name !== "<=") return false;
    const [length, limit] = comparison.parents;
    return isLength(length) && Boolean(limit.number?.is(0));
  }
}

/** Return whether an expression is plainly never negative. */
function isLength(x) {
  if (x.number) return x.number.sign >= 0;
  if (x.kind === "sum") return x.pairs.every(([part, weight]) => weight.sign > 0 && isLength(part));
  return x.name === "abs" || (x.kind === "product" && x.weights.every((w) => w.equals(HALF)));
}
