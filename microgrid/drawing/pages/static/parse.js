// A formula in Python's syntax, read into a tree. An error knows its place in the text.

/** What is wrong with a formula, from which sign on, and for how many. */
export class FormulaError extends Error {
  constructor(message, at, length = 1) {
    super(message);
    this.at = at;
    this.length = length;
  }
}

const TOKEN = new RegExp(
  [
    String.raw`(?<space>[ \t\n\r]+)`,
    String.raw`(?<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)`,
    String.raw`(?<name>[\p{L}_][\p{L}\p{Nd}_]*)`,
    String.raw`(?<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>()[\],])`,
  ].join("|"),
  "uy",
);

/** Return what to write instead of each of ten digits. */
function advice(digits, write) {
  return Object.fromEntries([...digits].map((digit, i) => [digit, write(i)]));
}

// Signs and words that others write, with what Python's syntax, or a formula, has instead.
const INSTEAD = {
  "^": "write ** for a power, as in x**2",
  ...advice("⁰¹²³⁴⁵⁶⁷⁸⁹", (n) => `write **${n} for a power, as in x**${n} or sin(x)**${n}`),
  ...advice("₀₁₂₃₄₅₆₇₈₉", (n) => `write the digit on the line, as in x${n}`),
  "·": "write * for a product",
  "×": "write * for a product",
  "÷": "write / for a quotient",
  "−": "write the minus sign of the keyboard, -",
  "–": "write the minus sign of the keyboard, -",
  "√": "write sqrt(x)",
  π: "write pi",
  "=": "write == to compare; the formula itself has no name",
  "!": "write exp(lgamma(n + 1)) for a factorial",
  "|": "write abs(x) for a size, and a product of conditions",
  "&": "multiply conditions: (0 < x) * (x < 1)",
  "{": "write round brackets",
  "}": "write round brackets",
  ".": "write the functions without a module, as in tanh(x)",
  and: "multiply conditions: (0 < x) * (x < 1)",
  or: "write maximum(a, b) of two conditions",
  not: "write 1 - c for the opposite of a condition",
  if: "write where(condition, x, y) for `x if condition else y`",
  else: "write where(condition, x, y) for `x if condition else y`",
  lambda: "write the expression alone",
  None: "a formula has numbers alone",
  True: "write 1",
  False: "write 0",
};

function tokensOf(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) {
      const sign = String.fromCodePoint(text.codePointAt(at));
      const advice = INSTEAD[sign] ?? "a formula has none";
      throw new FormulaError(`unexpected ${sign}: ${advice}`, at, sign.length);
    }
    const [kind, written] = Object.entries(match.groups).find(([, word]) => word !== undefined);
    if (kind === "space") continue;
    const word = written.normalize("NFKC"); // as Python: two signs of micro are one name
    const isNext = (other) => text.startsWith(other, TOKEN.lastIndex);
    if (Object.hasOwn(INSTEAD, word)) {
      throw new FormulaError(`unexpected ${word}: ${INSTEAD[word]}`, at, word.length);
    }
    if (kind === "name" && isNext(".")) {
      throw new FormulaError(`unexpected ${word}.: ${INSTEAD["."]}`, at, word.length + 1);
    }
    found.push({ kind, word, at });
  }
  found.push({ kind: "end", word: "", at: text.length });
  return found;
}

const COMPARISONS = ["<", "<=", ">", ">=", "==", "!="];
const LEVELS = [COMPARISONS, ["+", "-"], ["*", "/", "//", "%"]];

/**
 * Return the tree of a formula. A node has a kind, the place `at` and the `length` of what an error
 * about it points to, and `parts`:
 * number (value), name (word), operation (word), call (word), list, item (index).
 */
export function parse(text) {
  const tokens = tokensOf(text);
  let next = 0;

  const is = (...words) => tokens[next].kind === "sign" && words.includes(tokens[next].word);

  function expect(word, opening) {
    if (is(word)) return tokens[next++];
    const { kind, at } = tokens[next];
    if (kind === "end") {
      throw new FormulaError(`expected ${word} to close the ${opening.word} here`, opening.at);
    }
    throw missing(`expected an operator, a comma or ${word}`, at);
  }

  function missing(expected) {
    const { kind, word, at } = tokens[next];
    const got = kind === "end" ? "the formula ends" : `got ${word}`;
    const instead = juxtaposed(tokens[next - 1], tokens[next]);
    return new FormulaError(`${expected}, ${got}${instead}`, at, Math.max(word.length, 1));
  }

  /** Return what to write of two factors side by side; nothing if these are not two. */
  function juxtaposed(before, { kind, word }) {
    const isAtom = ["name", "number"].includes(kind);
    if (!before || !(isAtom || word === "(")) return "";
    if (before.kind !== "name" || !isAtom) return "; write * for a product";
    return `; write ${before.word}(${word}) for a function, ${before.word}*${word} for a product`;
  }

  function binary(level) {
    if (level === LEVELS.length) return unary();
    let left = binary(level + 1);
    for (let count = 0; is(...LEVELS[level]); count++) {
      const { word, at } = tokens[next++];
      if (level === 0 && count > 0) {
        const advice = "multiply two comparisons: (0 < x) * (x < 1)";
        throw new FormulaError(`comparisons cannot be chained: ${advice}`, at, word.length);
      }
      const parts = [left, binary(level + 1)];
      left = { kind: "operation", word, at, length: word.length, parts };
    }
    return left;
  }

  function unary() {
    if (!is("-", "+")) return power();
    const { word, at } = tokens[next++];
    const part = unary();
    return word === "+" ? part : { kind: "operation", word: "neg", at, length: 1, parts: [part] };
  }

  function power() {
    const base = postfix();
    if (!is("**")) return base;
    const { word, at } = tokens[next++];
    return { kind: "operation", word, at, length: 2, parts: [base, unary()] };
  }

  function postfix() {
    let part = atom();
    while (is("[")) {
      const opening = tokens[next++];
      const index = binary(0);
      expect("]", opening);
      part = { kind: "item", at: opening.at, length: 1, parts: [part, index] };
    }
    return part;
  }

  function atom() {
    const { kind, word, at } = tokens[next];
    const length = word.length;
    if (kind === "number") {
      next++;
      const value = Number(word.replaceAll("_", ""));
      if (!Number.isFinite(value)) {
        throw new FormulaError("expected a number that a float can hold", at, length);
      }
      return { kind: "number", value, at, length };
    }
    if (kind === "name") {
      next++;
      if (!is("(")) return { kind: "name", word, at, length };
      return { kind: "call", word, at, length, parts: list(")") };
    }
    if (is("[")) return { kind: "list", at, length, parts: list("]") };
    if (!is("(")) throw missing("expected a number, a name, a function or a bracket");
    const opening = tokens[next++];
    const part = binary(0);
    expect(")", opening);
    return part;
  }

  function list(closing) {
    const opening = tokens[next++];
    const parts = [];
    while (!is(closing)) {
      parts.push(binary(0));
      if (!is(",")) break;
      next++;
    }
    expect(closing, opening);
    return parts;
  }

  if (tokens[0].kind === "end") throw new FormulaError("expected a formula, as tanh(w*x + b)", 0);
  const tree = binary(0);
  if (tokens[next].kind !== "end") throw missing("expected an operator or the end");
  return tree;
}
