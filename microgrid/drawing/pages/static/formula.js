// A page of a formula: type it, and see its graph, its steps, and the formulas of its derivatives.

import explore, { alone, element, fitFrame } from "../../stepper/static/explore.js";
import { numberText, parsed, recomputed, run } from "../../stepper/static/explore.js";
import { Algebra } from "./algebra.js";
import { Graph } from "./graph.js";
import { Meanings } from "./meanings.js";
import { MathNotation, TextNotation, chooseParts } from "./notation.js";
import { FormulaError } from "./parse.js";
import { stepsOf } from "./steps.js";

const PAUSE = 200; // milliseconds after a key before the formula is read
const AROUND = 16; // signs before and after a mistake
const MOST_NAMES = 6; // with second derivatives: they are 21 formulas
const RANGE = 4; // of a slider, which a number beyond it makes wider
const EXAMPLES = [
  "tanh(w*x + b)",
  "(w*x + b - y)**2",
  "log_softmax([a, b, c])[0]",
  "exp(-x**2 / 2) / sqrt(2*pi)",
  "where(x > 0, x, a*(exp(x) - 1))",
  "sin(x) / x",
];
// Values to begin with, until one of these rows has a finite value and finite derivatives.
const STARTS = [
  [0.5, -1, 0.8, 2, -0.4, 1.5],
  [0.5, 0.8, 0.3, 0.6, 0.2, 0.4],
  [1.5, 2.5, 2, 3, 1.2, 1.8],
  [2.5, 1.5, 0.5, 0.2, 3, 4],
  [-0.5, -1.5, -1, -2, -0.2, -3],
];

/**
 * Return what a text computes and all its derivatives: `name`, which the result has, `graph` for the
 * stepper, `numbers` at given leaves, and `formulas`: the names to differentiate with respect to,
 * and an expression. `derivatives` are their numbers at given leaves.
 */
export function differentiate(table, text) {
  const graph = new Graph(table);
  const { root, leaves } = graph.read(text);
  const meanings = new Meanings(graph, new Algebra());
  const first = graph.gradients(root, leaves);
  const formulas = [{ by: [], node: root }];
  leaves.forEach((leaf, i) => formulas.push({ by: [leaf.name], node: first[i] }));
  if (leaves.length <= MOST_NAMES) {
    first.forEach((slope, i) => {
      graph.gradients(slope, leaves.slice(i)).forEach((node, j) => {
        formulas.push({ by: [leaves[i].name, leaves[i + j].name], node });
      });
    });
  }
  for (const formula of formulas) formula.expression = meanings.of(formula.node);
  const steps = stepsOf(graph, root, leaves);
  const program = graph.program(
    formulas.map(({ node }) => node),
    leaves,
  );
  return {
    name: steps.names.at(-1),
    names: leaves.map((leaf) => leaf.name),
    graph: steps,
    formulas,
    numbers: (values) =>
      recomputed(
        steps,
        steps.leaves.map((i) => values[i]),
      ),
    derivatives: (values) => run(program, values),
  };
}

/** Return the expressions of a formula that have a line of their own, with their names. */
function partsOf(expression, taken) {
  const parts = chooseParts(expression);
  const numbered = Array.from({ length: parts.length + taken.length }, (_, i) => `u${i + 1}`);
  const names = [...(parts.length === 1 ? ["u"] : []), ...numbered];
  const free = names.filter((name) => !taken.includes(name));
  return new Map(parts.map((part, i) => [part, free[i]]));
}

/** Return a formula as Python, with its parts below it. */
export function asText({ expression }, names) {
  const parts = partsOf(expression, names);
  const notation = new TextNotation(parts);
  const lines = [...parts].map(([part, name]) => `${name} = ${notation.line(part)}`);
  return [notation.line(expression), ...lines];
}

const SUPERSCRIPTS = { 1: "", 2: "²" };

/** Return the left side of a formula of L as text: L, ∂L/∂x, ∂²L/∂x∂y or ∂²L/∂x². */
function leftSide(name, by) {
  if (!by.length) return name;
  const [x, y] = by;
  const below = x === y ? `∂${x}²` : by.map((name) => `∂${name}`).join("");
  return `∂${SUPERSCRIPTS[by.length]}${name}/${below}`;
}

// ---- the page

/** Show the page; its state is the table, the formula and values of its names. */
export function page(main, { table, text, values }) {
  const given = new Map(Object.entries(values));
  const fixed = new Set(given.keys()); // which the user has chosen, and the page never changes
  const state = { found: null, stop: () => {}, model: null, isText: false };
  let timer = null;

  const input = element("input", {
    ...{ id: "formula", type: "text", spellcheck: "false", autocapitalize: "off" },
    ...{ autocomplete: "off", "aria-errormessage": "mistake", value: text },
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(read, PAUSE);
    },
    onchange: () => read(),
  });
  const mistake = element("div", { id: "mistake", class: "mistake", role: "alert" });
  const result = element("output", { class: "result", for: "formula", "aria-live": "polite" });
  const fields = element("div", { class: "names" });
  const trouble = element("p", { class: "error", role: "alert" });
  const stepper = element("section", { "aria-label": "Graph and steps" });
  const rows = element("div", { class: "derivatives" });
  const asPython = element("input", {
    type: "checkbox",
    onchange: () => {
      state.isText = asPython.checked;
      showFormulas();
    },
  });

  main.classList.add("microgrid-formula");
  main.replaceChildren(
    element(
      "section",
      { class: "microgrid-box microgrid-explore", "aria-label": "Formula" },
      element("label", { for: "formula", class: "what" }, "A formula in Python's syntax"),
      input,
      mistake,
      examples((example) => {
        input.value = example;
        read();
      }),
      functions(table, insert),
      element("h2", {}, "Values"),
      fields,
      trouble,
      result,
    ),
    stepper,
    element(
      "section",
      { class: "microgrid-box microgrid-explore", "aria-label": "Derivatives" },
      element("h2", {}, "Derivatives"),
      element("label", { class: "choice" }, asPython, element("span", {}, "as Python")),
      rows,
    ),
  );
  read();
  fitFrame();

  function insert(word) {
    const { selectionStart: start, selectionEnd: end } = input;
    input.setRangeText(word, start, end, "end");
    input.focus();
    input.setSelectionRange(start + word.indexOf("(") + 1, start + word.length - 1);
    read();
  }

  /** Read the formula; where it is wrong, say so and keep what is shown. */
  function read() {
    clearTimeout(timer);
    let found;
    try {
      found = differentiate(table, input.value);
    } catch (error) {
      if (!(error instanceof FormulaError)) throw error;
      showMistake(error);
      return;
    }
    input.setAttribute("aria-invalid", "false");
    mistake.replaceChildren();
    main.classList.remove("is-wrong");
    const before = state.found?.names.join(" ");
    state.found = found;
    const isChanged = start(found);
    if (isChanged || before !== found.names.join(" ")) showFields();
    compute(true);
    showFormulas();
  }

  function showMistake(error) {
    const from = Math.max(0, error.at - AROUND);
    const around = input.value.slice(from, error.at + AROUND).replace(/\s/g, " ");
    const [before, after] = [from ? "…" : "", error.at + AROUND < input.value.length ? "…" : ""];
    const caret =
      " ".repeat(before.length + error.at - from) + "^".repeat(shownLength(error, around, from));
    const text = `${before}${around}${after}\n${caret}`;
    input.setAttribute("aria-invalid", "true");
    main.classList.add("is-wrong");
    const place = `Place ${error.at + 1}: `;
    mistake.replaceChildren(
      element("pre", { "aria-hidden": "true" }, text),
      element("p", {}, element("span", { class: "said" }, place), error.message),
    );
  }

  /**
   * Give each name a value: the one that it had, or that of the first row that computes, unless the
   * user has chosen it. If no row does, `compute` asks for another value.
   */
  function start({ names, numbers }) {
    const others = names.filter((name) => !given.has(name));
    const completed = (row) =>
      names.map((name) => given.get(name) ?? row[others.indexOf(name) % row.length]);
    const renewed = (row) =>
      names.map((name, i) => (fixed.has(name) ? given.get(name) : row[i % row.length]));
    const candidates = [...STARTS.map(completed), ...STARTS.map(renewed)];
    const values = candidates.find((each) => isFine(() => numbers(each))) ?? candidates[0];
    const isChanged = names.some((name, i) => given.get(name) !== values[i]);
    names.forEach((name, i) => given.set(name, values[i]));
    return isChanged;
  }

  function current() {
    return state.found.names.map((name) => given.get(name));
  }

  function showFields() {
    fields.replaceChildren(...state.found.names.map(field));
  }

  function field(name) {
    const value = given.get(name);
    const set = (x, source) => {
      if (!Number.isFinite(x)) return;
      given.set(name, x);
      fixed.add(name);
      if (source !== slider) widen(x);
      if (source !== slider) slider.value = x;
      number.value = x;
      compute(false);
    };
    const slider = element("input", {
      ...{ type: "range", min: -RANGE, max: RANGE, step: 0.01, "aria-label": `${name}, slider` },
      oninput: () => set(Number(slider.value), slider),
    });
    const number = element("input", {
      ...{ type: "text", inputmode: "decimal", "aria-label": name, value },
      onchange: () => {
        try {
          set(parsed(number.value, name), number);
        } catch (error) {
          number.value = given.get(name);
          trouble.textContent = error.message;
        }
      },
    });
    const widen = (x) => {
      const most = Math.max(RANGE, 2 * Math.abs(x));
      [slider.min, slider.max] = [-most, most];
    };
    widen(value);
    slider.value = value;
    return element(
      "div",
      { class: "name", role: "group", "aria-label": name },
      name,
      slider,
      number,
    );
  }

  /** Compute all numbers; where there are none, say why and keep those that are shown. */
  function compute(isNew) {
    const { found } = state;
    let numbers;
    try {
      numbers = found.numbers(current());
      trouble.textContent = "";
    } catch (error) {
      trouble.textContent = `${error.message}: change a value`;
    }
    main.classList.toggle("is-stale", !numbers);
    if (isNew) {
      state.stop();
      stepper.replaceChildren();
      state.model = null;
    }
    if (numbers && !state.model) {
      state.model = alone({ graph: found.graph, numbers, step: 0, fixed: "" });
      state.stop = explore.render({ model: state.model, el: stepper });
    } else if (numbers) {
      state.model.set("numbers", numbers);
    }
    const root = numbers && numberText(Number(numbers[found.graph.names.length - 1]));
    result.textContent = numbers ? `${found.name} = ${root}` : "";
    showNumbers();
  }

  function showFormulas() {
    if (!state.found) return;
    const { formulas, names, name } = state.found;
    const write = state.isText ? textRow : mathRow;
    rows.replaceChildren(
      ...formulas.map((formula) => {
        const value = element("output", { class: "answer" });
        const row = element("div", { class: "derivative" }, write(name, formula, names), value);
        row.dataset.name = leftSide(name, formula.by);
        return row;
      }),
    );
    if (names.length > MOST_NAMES) {
      const note = `Second derivatives are shown for at most ${MOST_NAMES} names.`;
      rows.append(element("p", { class: "note" }, note));
    }
    showNumbers();
  }

  function showNumbers() {
    const numbers = state.found.derivatives(current());
    rows.querySelectorAll(".answer").forEach((value, i) => {
      const isFinite = Number.isFinite(numbers[i]);
      value.textContent = isFinite ? `= ${numberText(numbers[i])}` : "not finite here";
      value.title = String(numbers[i]);
    });
  }
}

const shownLength = (error, around, from) =>
  Math.max(1, Math.min(error.length, around.length - (error.at - from)));

function isFine(compute) {
  try {
    compute();
    return true;
  } catch {
    return false;
  }
}

function examples(choose) {
  const buttons = EXAMPLES.map((example) =>
    element("button", { type: "button", onclick: () => choose(example) }, example),
  );
  return element(
    "div",
    { class: "examples buttons", role: "group", "aria-label": "Examples" },
    ...buttons,
  );
}

function functions(table, insert) {
  const graph = new Graph(table);
  const buttons = Object.keys(table.functions).map((word) => {
    const [usage] = graph.usage(word).split(" or ");
    const label = `insert ${usage}`;
    const act = () => insert(usage);
    return element("button", { type: "button", "aria-label": label, onclick: act }, usage);
  });
  const summary = element("summary", {}, `All ${buttons.length} functions, and pi and e`);
  return element(
    "details",
    { class: "functions" },
    summary,
    element("div", { class: "buttons" }, ...buttons),
  );
}

function textRow(name, formula, names) {
  const [line, ...parts] = asText(formula, names);
  const rest = parts.map((part, i) => `${i ? "      " : "where "}${part}`);
  return element("pre", { tabindex: 0 }, [`${leftSide(name, formula.by)} = ${line}`, ...rest].join("\n"));
}

function mathRow(root, { by, expression }, names) {
  const parts = partsOf(expression, names);
  const notation = new MathNotation(parts);
  const lines = [notation.equation(root, by, notation.line(expression))];
  for (const [part, name] of parts) {
    lines.push(notation.equality(notation.symbol(name), notation.line(part)));
  }
  const label = asText({ expression }, names).join(", where ");
  const frame = {
    class: "mathematics",
    tabindex: 0,
    role: "math",
    "aria-label": `${leftSide(root, by)} = ${label}`,
  };
  return element("div", frame, ...lines);
}
