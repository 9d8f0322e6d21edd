// How an expression is written: as text, which is Python or as on a blackboard, and as MathML, which
// browsers show. What holds together how strongly is as in microgrid's own notation.py.

import { COMPARISONS, HALF, SHORT, UNIT } from "./algebra.js";

// How strongly a written expression holds together; where it is too weak, it needs parentheses.
const [LOOSE, SUM, PRODUCT] = [0, 1, 2];
export const POWER = 3;
const ATOM = 4;

/** What all notations share. `names` are the names of expressions that have one. */
class Notation {
  constructor(names = new Map()) {
    this.names = names;
  }

  /** Write an expression out, even if it has a name. */
  line(x) {
    return this.writeOut(x)[0];
  }

  writeOut(x) {
    if (x.kind === "symbol") return [this.symbol(x.name), ATOM];
    if (x.kind === "call") return this.call(x);
    return x.kind === "sum" ? this.sum(x) : this.product(UNIT, x.pairs);
  }

  write(x) {
    return this.names.has(x) ? [this.symbol(this.names.get(x)), ATOM] : this.writeOut(x);
  }

  within(x, least) {
    return this.parenthesized(this.write(x), least);
  }

  parenthesized([text, level], least) {
    return level >= least ? text : this.inParentheses(text);
  }

  sum(x) {
    const terms = x.pairs;
    if (!terms.length) return [this.digits("0"), ATOM];
    const first = terms.findIndex(([, weight]) => weight.sign > 0);
    if (first > 0) terms.unshift(...terms.splice(first, 1));
    if (terms.length === 1 && terms[0][1].sign > 0) return this.term(terms[0][1], terms[0][0]);
    const signed = terms.flatMap(([part, weight]) => this.signed(part, weight));
    return [this.terms(signed), SUM];
  }

  /** Return terms with their signs; a sum in a sum needs no parentheses. */
  signed(part, weight) {
    if (weight.is(1) && part.kind === "sum" && !this.names.has(part)) {
      return part.pairs.flatMap(([inner, own]) => this.signed(inner, own));
    }
    const term = this.parenthesized(this.term(weight.magnitude, part), PRODUCT);
    return [[weight.sign < 0 ? "-" : "+", term]];
  }

  term(coefficient, part) {
    const isProduct = part.kind === "product" && !this.names.has(part);
    return this.product(coefficient, isProduct ? part.pairs : [[part, UNIT]]);
  }

  /** Write a positive number times factors; those with negative exponents divide. */
  product(coefficient, factors) {
    const sorted = [...factors].sort(([x], [y]) => this.place(x) - this.place(y));
    const [above, below] = this.numerals(coefficient);
    for (const [base, exponent] of sorted) {
      const size = exponent.magnitude;
      const written = size.is(1) ? this.write(base) : this.power(base, size);
      (exponent.sign < 0 ? below : above).push(written);
    }
    return this.ratio(above, below);
  }

  /** Return a positive number's numerator and denominator as factors, without a 1. */
  numerals(number) {
    if (number.isDecimal && number.isFloat) return [[this.decimal(number.value)], []];
    return [number.above, number.below].map((n) =>
      n === 1n ? [] : [[this.digits(String(n)), ATOM]],
    );
  }

  /** Where a factor stands: numbers, leaves, what has a name, functions, and sums at the end. */
  place(base) {
    if (base.number) return 0;
    if (base.kind === "symbol") return 1;
    return this.names.has(base) ? 2 : base.kind === "sum" ? 4 : 3;
  }
}

/** Return a number as Python prints it. */
export function pythonNumber(x) {
  const text = String(x);
  if (!Number.isFinite(x)) return text.replace("Infinity", "inf").replace("NaN", "nan");
  const [digits, exponent] = text.split("e");
  const size = Math.abs(x);
  if (exponent === undefined && size < 1e16 && (size >= 1e-4 || x === 0)) {
    return text.includes(".") ? text : `${text}.0`;
  }
  const [mantissa, power] =
    exponent === undefined ? x.toExponential().split("e") : [digits, exponent];
  return `${mantissa}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/** Python's own notation, or with dots and spaces in place of asterisks. */
export class TextNotation extends Notation {
  constructor(names, isSpaced = false) {
    super(names);
    [this.times, this.over] = isSpaced ? [" · ", " / "] : ["*", "/"];
  }

  symbol = (name) => name;
  digits = (text) => text;
  inParentheses = (text) => `(${text})`;
  decimal = (x) => [pythonNumber(x), ATOM];

  terms(signed) {
    const text = signed.map(([sign, term]) => ` ${sign} ${term}`).join("");
    return text.startsWith(" + ") ? text.slice(3) : `-${text.slice(3)}`;
  }

  power(base, exponent) {
    if (exponent.equals(HALF)) return [`sqrt(${this.write(base)[0]})`, ATOM];
    const [above, below] = this.numerals(exponent).map(([factor]) => factor?.[0]);
    const written = below ? [`${above ?? 1}/${below}`, PRODUCT] : [above ?? "1", ATOM];
    return [`${this.within(base, ATOM)}**${this.parenthesized(written, ATOM)}`, POWER];
  }

  ratio(above, below) {
    if (above.length < 2 && !below.length) return above[0] ?? ["1", ATOM];
    const side = (factors, least) =>
      factors.map((factor) => this.parenthesized(factor, least)).join(this.times);
    const numerator = side(above, PRODUCT) || "1";
    if (!below.length) return [numerator, PRODUCT];
    const denominator = side(below, POWER);
    const divisor = below.length === 1 ? denominator : `(${denominator})`;
    return [`${numerator}${this.over}${divisor}`, PRODUCT];
  }

  call({ name, parents }) {
    const infix = (sign, least) => parents.map((x) => this.within(x, least)).join(sign);
    if (name === "**") return [infix("**", ATOM), POWER];
    if (name === "%") return [infix(" % ", ATOM), SUM];
    if (COMPARISONS.includes(name)) return [infix(` ${name} `, SUM), LOOSE];
    return [`${name}(${parents.map((x) => this.write(x)[0]).join(", ")})`, ATOM];
  }
}

// ---- MathML

const MATHML = "http://www.w3.org/1998/Math/MathML";
const RELATIONS = { "<": ["<", "≥"], "<=": ["≤", ">"], ">": [">", "≤"], ">=": ["≥", "<"] };
const UPRIGHT = {
  ...{ log: "ln", asin: "arcsin", acos: "arccos", atan: "arctan", asinh: "arsinh" },
  ...{ acosh: "arcosh", atanh: "artanh", sign: "sgn", digamma: "ψ", leaky_relu: "leaky relu" },
};
const THIN = { lspace: "0.08em", rspace: "0.08em" };
const TRIGONOMETRIC = ["sin", "cos", "tan", "sinh", "cosh", "tanh"];
const GREEK = Object.fromEntries(
  [..."αβγδεζηθικλμνξπρστυφχψω"].map((letter, i) => [
    (
      "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau " +
      "upsilon phi chi psi omega"
    ).split(" ")[i],
    letter,
  ]),
);

function element(name, attributes, ...children) {
  const made = document.createElementNS(MATHML, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const row = (...parts) => (parts.length === 1 ? parts[0] : element("mrow", {}, ...parts));
const sign = (text, attributes = {}) => element("mo", attributes, text);
const fenced = (left, inside, right) =>
  row(sign(left, { stretchy: true }), inside, sign(right, { stretchy: true }));

/** Elements of MathML, made at each call: an element has one place. */
export class MathNotation extends Notation {
  /** Return a name: a letter leans, a word does not, and digits at the end are a subscript. */
  symbol(name) {
    const [, word, below] = name.match(/^(.*?)_?(\d*)$/su);
    if (below && word) return element("msub", {}, this.symbol(word), element("mn", {}, below));
    return element("mi", {}, GREEK[name] ?? name);
  }

  /** Return a formula of a named result, or of its derivative with respect to names. */
  equation(name, by, right) {
    const root = this.symbol(name);
    if (!by.length) return this.equality(root, right);
    const d = () => sign("∂", { form: "prefix", rspace: "0" });
    const square = (x) => element("msup", {}, x, this.digits("2"));
    const isSquare = by.length === 2 && by[0] === by[1];
    const above = row(by.length === 2 ? square(d()) : d(), root);
    const below = isSquare
      ? [d(), square(this.symbol(by[0]))]
      : by.flatMap((name) => [d(), this.symbol(name)]);
    return this.equality(element("mfrac", {}, above, row(...below)), right);
  }

  equality(left, right) {
    return element("math", { display: "block" }, row(left, sign("="), right));
  }

  digits = (text) => element("mn", {}, text);
  inParentheses = (inside) => fenced("(", inside, ")");

  decimal(x) {
    const [digits, exponent] = String(x).split("e");
    if (exponent === undefined) return [this.digits(digits), ATOM];
    const power = element("msup", {}, this.digits("10"), exponentOf(exponent));
    if (digits === "1") return [power, POWER];
    return [row(this.digits(digits), sign("⋅"), power), PRODUCT];
  }

  terms(signed) {
    const parts = signed.flatMap(([symbol, term], i) => {
      if (i === 0 && symbol === "+") return [term];
      return [sign(symbol === "-" ? "−" : "+", i === 0 ? { form: "prefix" } : {}), term];
    });
    return row(...parts);
  }

  power(base, exponent) {
    if (exponent.equals(HALF)) return [element("msqrt", {}, this.write(base)[0]), ATOM];
    const [above, below] = this.numerals(exponent).map(([factor]) => factor?.[0]);
    const numerator = above ?? this.digits("1");
    const raised = below ? row(numerator, sign("/"), below) : numerator;
    if (TRIGONOMETRIC.includes(base.name) && exponent.isWhole && !this.names.has(base)) {
      const name = element("msup", {}, functionName(base.name), raised); // tanh²(x)
      return [row(name, this.operands(base)), ATOM];
    }
    return [element("msup", {}, this.within(base, ATOM), raised), POWER];
  }

  ratio(above, below) {
    if (above.length < 2 && !below.length) return above[0] ?? [this.digits("1"), ATOM];
    if (!below.length) return [this.sideBySide(above), PRODUCT];
    const sides = [above, below].map((factors) =>
      factors.length ? this.sideBySide(factors) : this.digits("1"),
    );
    return [element("mfrac", {}, ...sides), PRODUCT];
  }

  sideBySide(factors) {
    if (factors.length === 1) return factors[0][0];
    const parts = factors.flatMap((factor, i) => {
      const [written, level] = factor;
      const first = written.localName === "mrow" ? written.firstChild : written;
      const isNumber = level >= PRODUCT && first.localName === "mn";
      const between = i === 0 ? [] : [isNumber ? sign("⋅") : sign("\u2062", THIN)];
      return [...between, this.parenthesized(factor, PRODUCT)];
    });
    return row(...parts);
  }

  call(x) {
    const { name, parents } = x;
    if (name === "where") return this.choice(...parents);
    if (name === "**") {
      const [base, exponent] = parents;
      return [element("msup", {}, this.within(base, ATOM), this.write(exponent)[0]), POWER];
    }
    if (name === "%") {
      const [left, right] = parents.map((part) => this.within(part, ATOM));
      return [row(left, sign("mod", { lspace: "0.4em", rspace: "0.4em" }), right), SUM];
    }
    if (COMPARISONS.includes(name)) return [this.condition(x, true), LOOSE];
    const [first] = parents;
    const inside = () => this.write(first)[0];
    switch (name) {
      case "exp":
        return [
          element("msup", {}, element("mi", { mathvariant: "normal" }, "e"), inside()),
          POWER,
        ];
      case "cbrt":
        return [element("mroot", {}, inside(), this.digits("3")), ATOM];
      case "abs":
        return [fenced("|", inside(), "|"), ATOM];
      case "floor":
        return [fenced("⌊", inside(), "⌋"), ATOM];
      case "ceil":
        return [fenced("⌈", inside(), "⌉"), ATOM];
      case "lgamma":
        return [
          row(functionName("ln"), fenced("|", row(functionName("Γ"), this.operands(x)), "|")),
          ATOM,
        ];
      default:
        return [row(functionName(name), this.operands(x)), ATOM];
    }
  }

  operands({ parents }) {
    const parts = parents.flatMap((part, i) => {
      const written = this.write(part)[0];
      return i ? [sign(",", { separator: true }), written] : [written];
    });
    return row(sign("\u2061"), this.inParentheses(row(...parts)));
  }

  choice(condition, x, y) {
    for (const [one, other, holds] of [
      [x, y, true],
      [y, x, false],
    ]) {
      if (one.number?.is(1) && other.number?.is(0)) {
        const symbol = element("mn", { class: "indicator" }, "1");
        return [row(symbol, fenced("[", this.condition(condition, holds), "]")), ATOM];
      }
    }
    const cell = (...content) => element("mtd", { class: "case" }, ...content);
    const word = (text) => element("mtext", {}, text);
    const rows = [
      [this.write(x)[0], [word("if\u00a0"), this.condition(condition, true)]],
      [this.write(y)[0], [word("otherwise")]],
    ].map(([value, when]) => element("mtr", {}, cell(value), cell(row(...when))));
    return [row(sign("{", { stretchy: true }), element("mtable", {}, ...rows)), SUM];
  }

  /** Write that a comparison holds, or a number is not 0; or the opposite. */
  condition(condition, holds) {
    const between = (x, symbol, y) => row(this.write(x)[0], sign(symbol), y);
    if (COMPARISONS.includes(condition.name)) {
      const [x, y] = condition.parents;
      const symbol = RELATIONS[condition.name][holds ? 0 : 1];
      return between(x, symbol, this.write(y)[0]);
    }
    const symbol = holds ? "≠" : "=";
    const [one, other] = condition.weights;
    const isDifference = condition.kind === "sum" && condition.weights.length === 2;
    if (isDifference && one.is(1) && other.is(-1) && !this.names.has(condition)) {
      const [x, y] = condition.parents;
      return between(x, symbol, this.within(y, PRODUCT));
    }
    return between(condition, symbol, this.digits("0"));
  }
}

function functionName(name) {
  return element("mi", { mathvariant: "normal" }, UPRIGHT[name] ?? name.replaceAll("_", " "));
}

function exponentOf(text) {
  const digits = element("mn", {}, text.replace(/[+-]/, ""));
  return text.startsWith("-") ? row(sign("−", { form: "prefix" }), digits) : digits;
}

// ---- what has a name and a line of its own

const DEEP = 12;
const LONG = 60;

/** Return the expressions to name, in the order in which a reader comes across them. */
export function chooseParts(root) {
  const order = [];
  const seen = new Set();
  const visit = (x) => {
    if (seen.has(x)) return;
    seen.add(x);
    x.parents.forEach(visit);
    order.push(x);
  };
  visit(root);
  const uses = new Map();
  for (const x of order) for (const p of x.parents) uses.set(p, (uses.get(p) ?? 0) + 1);
  const sizes = new Map();
  const depths = new Map();
  const parts = new Set();
  for (const x of order) {
    sizes.set(x, x.ownSize + x.parents.reduce((total, p) => total + sizes.get(p), 0));
    for (const [part, around] of sizes.get(x) > LONG ? nameable(x, sizes) : []) {
      if (sizes.get(x) <= LONG) break;
      parts.add(part);
      for (const whole of around) sizes.set(whole, sizes.get(whole) - sizes.get(part) + 1);
    }
    depths.set(
      x,
      1 + Math.max(0, ...x.parents.filter((p) => !parts.has(p)).map((p) => depths.get(p))),
    );
    const isLong = depths.get(x) > DEEP || (sizes.get(x) > SHORT && uses.get(x) > 1);
    if (isLong && x !== root && !COMPARISONS.includes(x.name)) {
      parts.add(x);
      sizes.set(x, 1);
    }
  }
  const read = [root];
  for (const x of read) {
    for (const parent of x.parents) {
      uses.set(parent, uses.get(parent) - 1);
      if (!uses.get(parent)) read.push(parent);
    }
  }
  return read.filter((x) => parts.has(x));
}

/** Return what may have a name within x, longest first, each with what gets shorter by it. */
function nameable(x, sizes) {
  const isLong = (part) => sizes.get(part) > SHORT && !COMPARISONS.includes(part.name);
  const found = x.parents.filter(isLong).flatMap((parent) => {
    const factors = parent.kind === "product" ? parent.parents.filter(isLong) : [];
    return factors.length
      ? factors.map((f) => [f, new Set([x, parent])])
      : [[parent, new Set([x])]];
  });
  return found.sort(([a], [b]) => sizes.get(b) - sizes.get(a));
}
