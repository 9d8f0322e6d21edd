// Expressions that are simplified as they are made, as in microgrid's own algebra.py: symbols,
// calls, sums of terms with coefficients, and products of factors with exponents. Equal ones are one
// object, and arithmetic is exact: a float is the decimal that it prints as.

export const COMPARISONS = ["<", "<=", ">", ">="];
export const SHORT = 5; // what has at most so many symbols is written out wherever it is
const MOST_POWER = 64;
const MOST_SIZE = 1e9;

const sizeOf = (n) => (n < 0n ? -n : n);
const bits = (n) => sizeOf(n).toString(2).length;

function greatestDivisor(a, b) {
  while (b) [a, b] = [b, a % b];
  return sizeOf(a);
}

/** A rational number, and whether it is written as a decimal, 0.5, or as a fraction, 1/2. */
export class Exact {
  constructor(above, below = 1n, isDecimal = false) {
    const divisor = greatestDivisor(above, below) || 1n;
    const sign = below < 0n ? -1n : 1n;
    this.above = (sign * above) / divisor;
    this.below = (sign * below) / divisor;
    const isPlain = this.isWhole && sizeOf(this.above) < 2n ** 53n;
    this.isDecimal = isDecimal && !isPlain;
  }

  /** Return the number that a text is, of digits, with a point and an exponent, or a fraction. */
  static parse(text) {
    const [whole, below] = text.split("/");
    if (below) return new Exact(BigInt(whole), BigInt(below));
    const [, sign, digits, rest = "", power = "0"] = text.match(
      /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/,
    );
    const exponent = Number(power) - rest.length;
    const above = BigInt(`${sign}${digits}${rest}`);
    const isDecimal = /[.eE]/.test(text);
    const scale = 10n ** BigInt(Math.abs(exponent));
    return exponent < 0
      ? new Exact(above, scale, isDecimal)
      : new Exact(above * scale, 1n, isDecimal);
  }

  static of(x) {
    const text = String(x);
    return Exact.parse(/[.e]/.test(text) ? text : `${text}.0`);
  }

  get isWhole() {
    return this.below === 1n;
  }

  get sign() {
    return this.above < 0n ? -1 : this.above > 0n ? 1 : 0;
  }

  get isShort() {
    if (Math.max(bits(this.above), bits(this.below)) <= 53) return !this.isDecimal || this.isFloat;
    return this.isDecimal && this.isFloat;
  }

  /** Whether a float prints as this decimal. */
  get isFloat() {
    const x = this.value;
    if (!Number.isFinite(x)) return false;
    const printed = Exact.of(x);
    return printed.above === this.above && printed.below === this.below;
  }

  get value() {
    const direct = Number(this.above) / Number(this.below);
    const isExact = bits(this.above) <= 53 && bits(this.below) <= 53;
    if (isExact) return direct;
    const digits = 40 - (String(sizeOf(this.above)).length - String(this.below).length);
    const scaled = digits > 0 ? this.above * 10n ** BigInt(digits) : this.above;
    const below = digits > 0 ? this.below : this.below * 10n ** BigInt(-digits);
    return Number(`${scaled / below}e${-digits}`);
  }

  is(n) {
    return this.isWhole && this.above === BigInt(n);
  }

  equals(other) {
    return this.above === other.above && this.below === other.below;
  }

  plus(other) {
    const above = this.above * other.below + other.above * this.below;
    return new Exact(above, this.below * other.below, this.isDecimal || other.isDecimal);
  }

  times(other) {
    if (this === UNIT || other === UNIT) return this === UNIT ? other : this;
    const isDecimal = this.isDecimal || other.isDecimal;
    return new Exact(this.above * other.above, this.below * other.below, isDecimal);
  }

  toThe(exponent) {
    const n = BigInt(Math.abs(exponent));
    const [above, below] = exponent < 0 ? [this.below, this.above] : [this.above, this.below];
    return new Exact(above ** n, below ** n, this.isDecimal);
  }

  get magnitude() {
    return new Exact(sizeOf(this.above), this.below, this.isDecimal);
  }

  get text() {
    return `${this.above}/${this.below}${this.isDecimal ? "d" : ""}`;
  }
}

export const UNIT = new Exact(1n);
export const MINUS = new Exact(-1n);
export const HALF = new Exact(1n, 2n);
export const TWO = new Exact(2n);
const ZERO = new Exact(0n);

let count = 0;

/** An expression; the weights are the coefficients of a sum's parts, or a product's exponents. */
export class Expression {
  constructor(kind, name, pairs) {
    this.id = count++;
    this.kind = kind;
    this.name = name;
    this.parents = pairs.map(([part]) => part);
    this.weights = pairs.map(([, weight]) => weight);
    this.ownSize = this.weights.filter((w) => !w.is(1) && !w.is(-1)).length;
    this.ownSize += kind === "symbol" || kind === "call";
    const within = this.parents.reduce((total, part) => total + part.size, 0);
    this.size = Math.min(this.ownSize + within, MOST_SIZE);
  }

  /** The number that this is, or null. */
  get number() {
    if (this.kind === "product") return this.parents.length ? null : UNIT;
    if (this.kind !== "sum" || this.parents.length > 1) return null;
    if (!this.parents.length) return ZERO;
    return this.parents[0].number?.is(1) ? this.weights[0] : null;
  }

  get pairs() {
    return this.parents.map((part, i) => [part, this.weights[i]]);
  }

  get factors() {
    return this.kind === "product" ? this.pairs : [[this, UNIT]];
  }
}

/** Weights of parts, in the order in which the parts came. */
class Weights extends Map {
  add(part, weight) {
    this.set(part, this.has(part) ? this.get(part).plus(weight) : weight);
  }

  /** Dissolve long sums, or products, within one that has a part in common: (x / y) / y. */
  dissolve(kind) {
    for (const inner of [...this.keys()]) {
      if (inner.kind !== kind || inner.parents.length < 2 || inner.parents.length > SHORT) continue;
      const weight = this.get(inner);
      const isSimple = kind === "product" ? weight.isWhole : weight.magnitude.is(1);
      if (!isSimple || !inner.parents.some((part) => this.has(part))) continue;
      this.delete(inner);
      for (const [part, own] of inner.pairs) this.add(part, own.times(weight));
    }
  }
}

const isScale = (x) => x.name === "exp" && x.parents[0].name === "max";

/** Makes expressions, and returns the same object for equal ones. */
export class Algebra {
  constructor() {
    this.made = new Map();
    this.one = this.make("product");
    this.zero = this.make("sum");
  }

  make(kind, name = null, pairs = []) {
    const parts = pairs.map(([part, weight]) => `${part.id}:${weight.text}`);
    if (kind !== "call") parts.sort();
    const key = [kind, typeof name === "object" && name ? `#${name.id}` : name, ...parts].join(" ");
    if (!this.made.has(key)) this.made.set(key, new Expression(kind, name, pairs));
    return this.made.get(key);
  }

  symbol(name) {
    return this.make("symbol", name);
  }

  call(name, ...operands) {
    return this.make(
      "call",
      name,
      operands.map((operand) => [operand, UNIT]),
    );
  }

  numeral(exact) {
    return this.make("sum", null, [[this.one, exact]]);
  }

  of(x) {
    return this.sum([[this.one, x instanceof Exact ? x : Exact.of(x)]]);
  }

  /** Return the sum of expressions times their coefficients, with equal terms collected. */
  sum(terms) {
    const total = new Weights();
    for (const [expression, coefficient] of terms) {
      for (let [part, weight] of this.terms(expression, coefficient)) {
        if (total.has(part) && !total.get(part).plus(weight).isShort) {
          part = this.make("product", null, [[this.numeral(weight), UNIT], ...part.factors]);
          weight = UNIT;
        }
        total.add(part, weight);
      }
    }
    total.dissolve("sum");
    const kept = this.joinChoices([...total].filter(([, weight]) => weight.sign));
    if (kept.length === 1 && kept[0][1].is(1)) return kept[0][0];
    return this.chooseNumbers(kept) ?? this.takeScaleOut(kept) ?? this.make("sum", null, kept);
  }

  /** Return x - y with both as they are: in floats, too, it is 0 where they are equal. */
  difference(x, y) {
    const pairs = [
      [x, UNIT],
      [y, MINUS],
    ];
    return x === y || x.number || y.number ? this.sum(pairs) : this.make("sum", null, pairs);
  }

  /** Return a sum's terms if it may dissolve in another, else the expression itself. */
  terms(expression, coefficient) {
    if (expression.kind === "sum") {
      const isShort = coefficient.magnitude.is(1) && expression.size <= SHORT;
      if (isShort || expression.parents.length < 2) {
        return expression.pairs.map(([part, weight]) => [part, weight.times(coefficient)]);
      }
    }
    if (expression.name === "where" && coefficient.sign < 0) {
      const [condition, x, y] = expression.parents;
      if (x === this.one && y === this.zero && !COMPARISONS.includes(condition.name)) {
        const other = this.where(condition, this.zero, this.one);
        return [
          [this.one, coefficient],
          [other, coefficient.times(MINUS)],
        ];
      }
    }
    return [[expression, coefficient]];
  }

  /** Return terms with those that are 0 where one condition holds, or fails, as one choice. */
  joinChoices(terms) {
    const isPart = ([part]) => part.name === "where" && part.parents.includes(this.zero, 1);
    const groups = new Map();
    for (const term of terms.filter(isPart)) {
      const [condition] = term[0].parents;
      groups.set(condition, [...(groups.get(condition) ?? []), term]);
    }
    let joined = terms;
    for (const [condition, group] of groups) {
      if (group.length < 2) continue;
      const branch = (i) => this.sum(group.map(([part, weight]) => [part.parents[i], weight]));
      const choice = this.where(condition, branch(1), branch(2));
      joined = joined.filter((term) => !group.includes(term));
      joined.push(...(choice === this.zero ? [] : [[choice, UNIT]]));
    }
    return joined;
  }

  /** Return n + m * where(condition, k, l) as a choice between two numbers, if it is one. */
  chooseNumbers(terms) {
    const choices = terms.filter(([part]) => part.name === "where");
    if (choices.length !== 1) return null;
    const [[choice, weight]] = choices;
    if (!terms.every(([part]) => part === choice || part === this.one)) return null;
    const shift = terms.find(([part]) => part === this.one)?.[1] ?? ZERO;
    const [condition, ...branches] = choice.parents;
    const numbers = branches.map((branch) => branch.number);
    if (numbers.includes(null)) return null;
    const moved = numbers.map((n) => shift.plus(weight.times(n)));
    if (!moved.every((n) => n.isShort)) return null;
    return this.where(condition, ...moved.map((n) => this.sum([[this.one, n]])));
  }

  /** Return exp(m) times a sum, if m is a maximum and all terms have this factor. */
  takeScaleOut(terms) {
    if (terms.length < 2) return null;
    const split = terms.map(([part]) => this.split(part));
    const key = (scale) => scale.map(([part, weight]) => `${part.id}:${weight.text}`).join(" ");
    const [[scale]] = split;
    if (!scale.length || split.some(([other]) => key(other) !== key(scale))) return null;
    const rest = this.sum(split.map(([, x], i) => [x, terms[i][1]]));
    return this.product([...scale, [rest, UNIT]]);
  }

  /** Return a product's factors exp(m), with m a maximum, and the rest. */
  split(part) {
    const scale = part.factors.filter(([base]) => isScale(base));
    if (!scale.length) return [[], part];
    const rest = part.factors.filter(([base]) => !isScale(base));
    if (rest.length === 1 && rest[0][1].is(1)) return [scale, rest[0][0]];
    return [scale, this.make("product", null, rest)];
  }

  /** Return the product of expressions to their exponents, with equal bases collected. */
  product(factors) {
    const powers = new Weights();
    for (const [base, exponent] of factors) {
      if (base === this.zero && exponent.sign > 0) return this.zero;
      for (const [part, power] of this.powers(base, exponent)) powers.add(part, power);
    }
    powers.dissolve("product");
    let coefficient = UNIT;
    const kept = [];
    for (let [base, exponent] of powers) {
      const number = base.number;
      const whole = exponent.above / exponent.below; // 2**(3/2) is 2 * sqrt(2)
      if (number?.sign && sizeOf(whole) < MOST_POWER) {
        const folded = coefficient.times(number.toThe(Number(whole)));
        const isAsGiven = (coefficient.magnitude.is(1) && whole === 1n) || number.magnitude.is(1);
        if (isAsGiven || folded.isShort) {
          coefficient = folded;
          exponent = exponent.plus(new Exact(-whole));
        }
      }
      if (exponent.sign) kept.push([base, exponent]);
    }
    if (kept.length === 1 && kept[0][1].is(1) && !kept[0][0].number) {
      return this.sum([[kept[0][0], coefficient]]);
    }
    return this.sum([[this.make("product", null, kept), coefficient]]);
  }

  /** Return a product's factors if it may dissolve in another, else the base itself. */
  powers(base, exponent) {
    if (!exponent.isWhole || base === this.zero) return [[base, exponent]];
    const isTerm = base.kind === "sum" && base.parents.length === 1;
    const [coefficient, inner] = isTerm ? [base.weights[0], base.parents[0]] : [UNIT, base];
    const found = [];
    if (coefficient.sign < 0) {
      found.push([this.numeral(MINUS), new Exact(sizeOf(exponent.above % 2n))]);
    }
    if (!coefficient.magnitude.is(1)) found.push([this.numeral(coefficient.magnitude), exponent]);
    const [scale, rest] = this.split(inner);
    const raised = ([part, weight]) => [part, weight.times(exponent)];
    found.push(...scale.map(raised));
    const within = rest.factors.map(raised);
    const isShort = rest.size <= SHORT || within.every(([, weight]) => weight.sign < 0);
    if (isShort && within.every(([, weight]) => weight.isShort)) found.push(...within);
    else found.push([rest, exponent]);
    return found;
  }

  /** Return the base to an exponent that need not be a number. */
  power(base, exponent) {
    if (exponent.number) return this.product([[base, exponent.number]]);
    return base === this.one ? this.one : this.call("**", base, exponent);
  }

  /** Return a branch, which knows whether the condition holds: choices by it in there are made. */
  chosen(branch, condition, i, known = new Map()) {
    if (known.has(branch)) return known.get(branch);
    const isMade = branch.name === "where" && branch.parents[0] === condition;
    const inner = (part) => this.chosen(part, condition, i, known);
    const result = isMade
      ? inner(branch.parents[i])
      : this.rebuilt(branch, branch.parents.map(inner));
    known.set(branch, result);
    return result;
  }

  /** Return an expression with other parts. */
  rebuilt(x, parts) {
    if (parts.every((part, i) => part === x.parents[i])) return x;
    if (x.kind === "call")
      return x.name === "where" ? this.where(...parts) : this.call(x.name, ...parts);
    return this[x.kind](parts.map((part, i) => [part, x.weights[i]]));
  }

  /** Return x if the condition, a comparison or any number, is not 0, else y. */
  where(condition, x, y) {
    if (condition.number) return condition.number.sign ? x : y;
    if (condition.name === "where") {
      const [inner, ...choices] = condition.parents;
      const holds = choices.map((choice) => Boolean(choice.number?.sign));
      const fails = choices.map((choice) => choice === this.zero);
      if (holds[0] && fails[1]) return this.where(inner, x, y);
      if (fails[0] && holds[1]) return this.where(inner, y, x);
    }
    const [one, other] = [this.chosen(x, condition, 1), this.chosen(y, condition, 2)];
    return one === other ? one : this.call("where", condition, one, other);
  }
}
