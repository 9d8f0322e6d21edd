// Backpropagation, step by step. One module, two hosts: anywidget calls `render` with its model; a
// stand-alone page calls `page`, whose model answers an edit by computing the graph itself.
//
// Every text is put in place as text, never as HTML: a label may be anything.

const SVG = "http://www.w3.org/2000/svg";
const PAUSE = 1200; // milliseconds for a step while it plays
const SWIPE = 40; // points that a finger moves at least

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// ---- numbers and sentences

// Return 1.235e+4 or the like, rounded as Python does: a tie goes to the even digit, where
// toExponential takes the greater.
function rounded(x, digits) {
  const [, sign, kept, left, exponent] = x
    .toExponential(40)
    .match(`^(-?)(\\d\\.\\d{${digits - 1}})(\\d*)(.*)`);
  const isTie = /^50*$/.test(left) && "02468".includes(kept.at(-1));
  return isTie ? sign + kept + exponent : x.toExponential(digits - 1);
}

/** Return a number to 4 significant digits, as `number_text` does in Python. */
export function numberText(x) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x < 0 ? "-inf" : "inf";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const whole = size < 1e7 ? Math.floor(Math.log10(size)) + 1 : 0; // digits before the point
  const text = rounded(x, Math.max(4, whole));
  const isPlain = Math.abs(Number(text)) >= 1e-4 && size < 1e7;
  return isPlain ? String(Number(text)) : text.replace(/\.?0*e\+?/, "e");
}

/** Return a number of a state, in which infinity is a text. */
function readNumber(x) {
  return x === null ? null : Number(x);
}

/** Return a text with its numbers put in: a hole in a list of its own has brackets if negative. */
export function sentence(parts, numbers) {
  return parts
    .map((part) => {
      if (typeof part === "string") return part;
      const [place] = [part].flat();
      const text = numberText(numbers[place] ?? 0);
      return Array.isArray(part) && text.startsWith("-") ? `(${text})` : text;
    })
    .join("");
}

const WORDS = {
  ...{ " + ": " plus ", " - ": " minus ", "-": "minus ", " · ": " times ", " / ": " over " },
  ...{ " // ": " floor-divided by ", " % ": " modulo ", "**": " to the power " },
  ...{ " < ": " less than ", " ≤ ": " at most ", " = ": " equals ", " += ": " gets " },
  "; ": "; in all ",
};

/** Return a text with words for its signs, for a screen reader. */
function inWords(parts, root) {
  return parts.map((part) => {
    const derivative = typeof part === "string" && part.match(/^∂(.*)\/∂(.*)$/s);
    if (!derivative) return WORDS[part] ?? part;
    const [, of, by] = derivative;
    return of === root ? `the gradient of ${by}` : `the derivative of ${of} with respect to ${by}`;
  });
}

// ---- asking before it is shown

const CLOSE = 0.005; // of a share: what is typed with three digits is near enough

/** Return whether a number passes for another one; only itself passes for an infinite one. */
function isNear(x, y) {
  return x === y || (Number.isFinite(x - y) && Math.abs(x - y) <= CLOSE * Math.abs(y));
}

/** Return the question about a step's share, with answers to choose from; null if it has none. */
export function question({ names, edges, steps }, numbers, step) {
  const [, edge, parts] = steps[step];
  if (edge === null) return null;
  const [child, , parent] = edges[edge];
  const at = (place) => numbers[2 * names.length + place];
  const [arrived, slope, share, total] = [
    numbers[names.length + child],
    ...[0, 1, 2].map((list) => at(list * edges.length + edge)),
  ];
  if (share === null) return null;
  const [received, , gradient, , derivative] = parts;
  const written = (text, x) => {
    const bare = text.replace(/^\(([^()]*)\)$/, "$1"); // a factor's brackets
    return bare === numberText(x) ? bare : `${bare} = ${numberText(x)}`;
  };
  const made =
    `the gradient that has arrived at ${names[child]}, ${written(gradient, arrived)}, times the ` +
    `derivative of ${names[child]} with respect to ${names[parent]}, ${written(derivative, slope)}`;
  const wrong = [
    [slope, "that is the derivative alone"],
    [arrived, "that is what has arrived, not yet multiplied"],
    [arrived + slope, "the two are multiplied, not added"],
    [-share, "its sign is the other one"],
    [total, `that is all that ${names[parent]} has received so far, not this share alone`],
    [0, "nothing goes along an edge only where one of the two is 0"],
    [2 * share, "it is counted twice"],
    [1, "that is what the pass begins with"],
  ].filter(([x]) => !isNear(x, share)); // which would be called right
  const options = [...new Set([share, ...wrong.map(([x]) => x)].map(numberText))].slice(0, 4);
  options.sort((x, y) => Number(x) - Number(y));
  const line = `${received} += ${gradient} · ${derivative} = ?`;
  const ask = `How large a share of the gradient goes along the edge to ${names[parent]}?`;
  return { step, edge, parent, line, ask, options, share, made, wrong };
}

/** Return whether an answer, a text, is right, and what to say of it. */
export function judged({ share, made, wrong }, answer) {
  const x = typedNumber(answer);
  const isRight = isNear(x, share) || answer === numberText(share);
  if (isRight) return { isRight, words: `Right: ${numberText(share)}, ${made}.` };
  if (Number.isNaN(x)) return { isRight, words: `Not a number: "${answer}".` };
  const isChosen = ([y]) => numberText(y) === numberText(x); // two mistakes may be near each other
  const why = wrong.find(isChosen) ?? wrong.find(([y]) => isNear(x, y));
  return { isRight, words: `Not ${numberText(x)}${why ? `: ${why[1]}` : ""}. The share is ${made}.` };
}

/**
 * Return a number as people type it, nan if a text is not one: with a decimal comma, which is all
 * that the keyboards of some phones have, a minus sign, or as a fraction.
 */
export function typedNumber(text) {
  const plain = text.replaceAll("−", "-").replaceAll(",", ".");
  const [above, below = 1, ...more] = plain.split("/").map((part) => {
    const word = part.trim();
    return word ? Number({ inf: "Infinity", "-inf": "-Infinity" }[word] ?? word) : NaN;
  });
  return more.length ? NaN : above / below;
}

// ---- before and now

/** Return what changed of each value: its name, and of data and gradient the old and the new. */
export function changes({ names, kinds }, before, now) {
  const rows = [];
  names.forEach((name, i) => {
    if (kinds[i] === "constant") return;
    const pairs = [i, names.length + i].map((place) => [before[place], now[place]]);
    rows.push({ place: i, name, data: pairs[0], gradient: pairs[1] });
  });
  return rows;
}

/** Return how much larger a number is than it was, with its sign. */
export function difference([before, now]) {
  if (before === null || now === null) return "";
  const text = numberText(now - before);
  return now > before ? `+${text}` : text;
}

// ---- recomputing a graph, without Python

function erf(x) {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) >= 1) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let term = x;
  let sum = x;
  for (let n = 1; n < 40; n++) sum += term *= (2 * x * x) / (2 * n + 1); // all of one sign
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function erfc(x) {
  if (!(x >= 1)) return x < -6 ? 2 : 1 - erf(x);
  if (x > 27.3) return 0;
  let fraction = x;
  for (let n = 200; n > 0; n--) fraction = x + n / 2 / fraction; // Laplace's continued fraction
  const high = Math.fround(x); // its square is exact, and exp(-x * x) would lose digits
  const power = Math.exp(-high * high) * Math.exp((high - x) * (high + x));
  return power / Math.sqrt(Math.PI) / fraction;
}

// log(|gamma(x)|): Stirling's series for 10 and more, and down from there by the recurrence.
function lgamma(x) {
  if (x === 1 || x === 2) return 0;
  if (x <= 0 && Number.isInteger(x)) return Infinity;
  if (!Number.isFinite(x)) return Math.abs(x);
  if (Math.abs(x) < 1e-300) return -Math.log(Math.abs(x));
  if (x < 0) {
    const beyond = x - Math.round(x);
    return Math.log(Math.PI) - Math.log(Math.abs(Math.sin(Math.PI * beyond))) - lgamma(1 - x);
  }
  let product = 1;
  let far = x;
  for (; far < 10; far++) product *= far;
  const terms = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
  let series = 0;
  for (const term of terms.reverse()) series = term + series / (far * far);
  const halfLog = Math.log(2 * Math.PI) / 2;
  return (far - 0.5) * Math.log(far) - far + halfLog + series / far - Math.log(product);
}

// a * b + c, of which c cancels a * b as rounded: what is left is what the rounding lost.
function exactFma(a, b, c) {
  const split = (x) => {
    const high = x * 134217729 - (x * 134217729 - x);
    return [high, x - high];
  };
  const [[a1, a2], [b1, b2]] = [split(a), split(b)];
  const product = a * b;
  return a1 * b1 - product + a1 * b2 + a2 * b1 + a2 * b2 + (product + c);
}

function roundToEven(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

const isNegative = (x) => x < 0 || Object.is(x, -0);

/** What the lowerings of microgrid's primitives are made of. */
export const OPERATIONS = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  neg: (x) => -x,
  fma: (x, y, z) => x * y + z,
  exact_fma: exactFma,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  rint: roundToEven,
  copysign: (x, y) => (isNegative(x) === isNegative(y) ? x : -x),
  select: (c, x, y) => (c ? x : y),
  less: (x, y) => x < y,
  less_equal: (x, y) => x <= y,
  equal: (x, y) => x === y,
  not_zero: (x) => x !== 0,
  is_nan: Number.isNaN,
  both: (x, y) => x && y,
  either: (x, y) => x || y,
  not: (x) => !x,
  fmod: (x, y) => x % y,
  pow: (x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y),
  exp2: (x) => 2 ** x,
  erf,
  erfc,
  lgamma,
};
for (const name of [
  ...["acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "exp"],
  ...["expm1", "hypot", "log", "log10", "log1p", "log2", "sin", "sinh", "tan", "tanh"],
]) {
  OPERATIONS[name] = Math[name];
}

/** Run a straight-line program: an operand is the place of an earlier result, or a text. */
export function run({ steps, outputs }, inputs) {
  const slots = [...inputs];
  const number = (operand) => (typeof operand === "string" ? Number(operand) : slots[operand]);
  for (const [operation, ...operands] of steps) {
    slots.push(OPERATIONS[operation](...operands.map(number)));
  }
  return outputs.map(number);
}

/** Return all numbers of a graph, by those of its leaves; throw where Python would raise. */
export function recomputed(graph, leaves) {
  const { kinds, names, operands, symbols, edges, program } = graph;
  const results = run(program, leaves);
  const data = results.slice(0, names.length);
  data.forEach((x, i) => {
    if (!operands[i].length) return; // a constant may be infinite
    if (!Number.isFinite(x) && operands[i].every((parent) => Number.isFinite(data[parent]))) {
      throw new Error(`${symbols[i]} of ${shown(operands[i])} has no finite value`);
    }
  });
  const gradients = names.map(() => null);
  gradients[names.length - 1] = 1;
  const partials = [];
  const shares = [];
  const sums = [];
  edges.forEach(([child, operand, parent], k) => {
    const g = gradients[child];
    let partial = g === null ? null : results[names.length + k];
    if (symbols[child] === "where" && partial === 0) partial = null; // the other was chosen
    if (partial !== null && !Number.isFinite(partial) && Number.isFinite(data[child])) {
      const what = `the derivative of ${symbols[child]} with respect to operand ${operand + 1}`;
      throw new Error(`${what} at ${shown(operands[child])} has no finite value`);
    }
    const share = partial === null ? null : g * partial;
    if (share !== null) gradients[parent] = (gradients[parent] ?? 0) + share;
    partials.push(partial);
    shares.push(share);
    sums.push(gradients[parent]);
  });
  return [...data, ...gradients, ...partials, ...shares, ...sums];

  function shown(places) {
    const text = (i) => (kinds[i] === "constant" ? names[i] : `${names[i]} = ${data[i]}`);
    return places.map(text).join(", ");
  }
}

/** Return a number that was typed; throw an error if it is not finite. */
export function parsed(text, what = "a leaf") {
  const number = typedNumber(text);
  if (!Number.isFinite(number)) {
    throw new Error(`${what} needs a finite number, got "${text}"`);
  }
  return number;
}

/** What stands in for anywidget's model in a page without Python. */
export function alone(state) {
  const listeners = {};
  const tell = (event, ...told) => (listeners[event] ?? []).forEach((listen) => listen(...told));
  return {
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      tell(`change:${name}`);
    },
    save_changes() {},
    on: (event, listen) => (listeners[event] ??= []).push(listen),
    off() {},
    send({ leaf, text, rate }) {
      try {
        const { names, kinds } = state.graph;
        const leaves = [];
        const speed = rate === undefined ? 0 : parsed(rate, "a learning rate");
        kinds.forEach((kind, i) => {
          if (kind !== "leaf") return;
          const slope = speed && Number(state.numbers[names.length + i] ?? 0);
          leaves.push(i === leaf ? parsed(text) : Number(state.numbers[i]) - speed * slope);
        });
        this.set("numbers", recomputed(state.graph, leaves));
      } catch (error) {
        tell("msg:custom", { error: error.message });
      }
    },
  };
}

// ---- the picture

function arrow(points) {
  const [start, ...rest] = pairs(points);
  const [before, end] = [rest.at(-2), rest.at(-1)];
  const angle = (Math.atan2(end[1] - before[1], end[0] - before[0]) * 180) / Math.PI;
  const transform = `translate(${end}) rotate(${angle})`;
  return shape(
    "g",
    { class: "edge" },
    shape("path", { class: "line", d: `M${start} C${rest.join(" ")}` }),
    shape("path", { class: "head", d: "M0-2.5L6 0L0 2.5Z", transform }),
  );
}

function pairs(points) {
  return Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);
}

/** Draw a graph; return the svg, and what of it belongs to each value. */
function drawn({ picture, names, kinds }) {
  const [width, height] = picture.size;
  const svg = shape("svg", { viewBox: `-3 -3 ${width + 6} ${height + 6}`, "aria-hidden": "true" });
  svg.style.cssText = `min-width: ${0.75 * width}px; max-width: ${1.4 * width}px`;
  const parts = picture.values.map((value, i) => {
    const [x, y, across, down] = value.box;
    const [left, right] = [x - across / 2 + 7, x + across / 2 - 7];
    const place = { x: x - across / 2, y: y - down / 2, width: across, height: down };
    const isRoot = i === names.length - 1;
    const part = { group: shape("g", { class: `value ${kinds[i]}${isRoot ? " root" : ""}` }) };
    part.title = shape("title");
    part.group.append(part.title, shape("rect", { ...place, rx: kinds[i] === "leaf" ? 6 : 0 }));
    const text = (x, y, look, ...words) => shape("text", { x, y, class: look }, ...words);
    if (kinds[i] === "constant") {
      part.group.append(text(x, y + 4, "middle", names[i]));
    } else {
      part.data = text(right, y + 4, "number");
      part.grad = text(right, y + 19, "number");
      const words = [text(x, y - 11, "middle name", names[i]), text(left, y + 4, "what", "data")];
      part.group.append(...words, text(left, y + 19, "what", "grad"), part.data, part.grad);
    }
    if (value.oval) {
      const [cx, cy, width, height] = value.oval;
      part.operation = shape(
        "g",
        { class: "operation" },
        shape("ellipse", { cx, cy, rx: width / 2, ry: height / 2 }),
        text(cx, cy + 4, "middle", value.symbol),
      );
      part.operands = value.operands.map(arrow);
      part.result = arrow(value.result);
      svg.append(...part.operands, part.result, part.operation);
      for (const [place, [x, y, width, height]] of value.again) {
        const at = { x: x - width / 2, y: y - height / 2, width, height, rx: 6 };
        const name = text(x, y + 4, "middle", names[place]);
        svg.append(shape("g", { class: `again ${kinds[place]}` }, shape("rect", at), name));
      }
    }
    svg.append(part.group);
    return part;
  });
  return { svg, parts };
}

/** Put a number in its place, of 50 points; one that is too long for it is set closer. */
function put(text, number) {
  text.textContent = number === null ? "" : numberText(number);
  const isWide = text.textContent.length > 8;
  if (isWide) filled(text, { textLength: 50, lengthAdjust: "spacingAndGlyphs" }, []);
  else text.removeAttribute("textLength");
}

// ---- parts of the page

/** Return the fields in which a question is answered, and what shows a question in them. */
function answering(answer, reveal) {
  const legend = element("legend");
  const options = element("div", { class: "options" });
  const typed = element("input", {
    ...{ type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false" },
    ...{ "aria-label": "The share", placeholder: "a number" },
  });
  const check = () => typed.value.trim() && answer(typed.value);
  const button = (text, onclick) => element("button", { type: "button", onclick }, text);
  const fields = element(
    "fieldset",
    { class: "asked", hidden: true },
    legend,
    options,
    element("div", { class: "typed" }, typed, button("Check", check), button("Show it", reveal)),
  );
  function ask(asked) {
    fields.hidden = !asked;
    if (!asked) return;
    typed.value = "";
    legend.textContent = `${asked.ask} Choose it, or type it.`;
    const choices = asked.options.map((text, i) => {
      const choice = button(text, () => answer(text));
      return filled(choice, { "aria-keyshortcuts": String(i + 1) }, []);
    });
    options.replaceChildren(...choices);
  }
  return { fields, ask, check };
}

/** Return the table of two runs, and what shows their numbers in it. */
function compared(graph, forget) {
  const body = element("tbody");
  const heads = ["value", "before", "now", "change"].map((text) =>
    element("th", { scope: "col" }, text),
  );
  const again = element("button", { type: "button", onclick: forget }, "Compare from here on");
  const table = element(
    "table",
    {},
    element("caption", {}, "Before and now"),
    element("thead", {}, element("tr", {}, ...heads)),
    body,
  );
  const look = { class: "compared", hidden: true, tabindex: 0, "aria-label": "Before and now" };
  const whole = element("section", look, table, again);
  function row(what, pair) {
    const cell = (text) => element("td", {}, text);
    const numbers = pair.map((x) => cell(x === null ? "" : numberText(x)));
    const head = element("th", { scope: "row" }, what);
    return element("tr", {}, head, ...numbers, cell(difference(pair)));
  }
  function show(before, now, node) {
    whole.hidden = !before;
    if (!before) return;
    const rows = changes(graph, before, now).map(({ place, name, data, gradient }) => {
      const head = element("th", { scope: "rowgroup", colspan: 4 }, name);
      const lines = [element("tr", { class: "named" }, head)];
      lines.push(row("data", data), row("grad", gradient));
      lines.forEach((tr) => tr.classList.toggle("is-now", place === node));
      return lines;
    });
    body.replaceChildren(...rows.flat());
  }
  return { whole, show };
}

/** Call a function with 1 or -1 when a finger swipes to the left or to the right. */
function swiped(thing, act) {
  let start = null;
  thing.addEventListener("pointerdown", ({ pointerType, clientX, clientY }) => {
    start = pointerType === "mouse" ? null : [clientX, clientY];
  });
  thing.addEventListener("pointerup", ({ clientX, clientY }) => {
    if (!start) return;
    const [x, y] = [clientX - start[0], clientY - start[1]];
    start = null;
    if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) act(x < 0 ? 1 : -1);
  });
  thing.addEventListener("pointercancel", () => (start = null)); // it scrolls
}

// ---- the whole

function render({ model, el }) {
  const graph = model.get("graph");
  const { names, kinds, edges, steps } = graph;
  const forward = kinds.filter((kind) => kind !== "constant").length; // steps; the next is the seed
  const count = steps.length;
  const rootName = names.at(-1);
  const fixed = model.get("fixed");
  const picture = graph.picture && drawn(graph);
  let timer = null;
  let predicts = false;
  let asked = null; // the question, while it waits for an answer
  let tries = 0; // at the question
  const score = { right: 0, asked: 0 };
  let before = model.get("before") ?? null;
  let last = model.get("numbers");

  const line = element("p", { class: "line", "aria-hidden": "true" });
  const earlier = element("p", { class: "earlier", hidden: true });
  const reply = element("p", { class: "reply", "aria-hidden": "true" });
  const answers = answering(answer, () => go(asked.step));
  const table = compared(graph, forget);
  const said = element("p", { class: "said", "aria-live": "polite", "aria-atomic": "true" });
  const error = element("p", { class: "error", role: "alert" });
  const slider = element("input", {
    ...{ type: "range", min: 0, max: count - 1, "aria-label": "Step" },
    oninput: () => go(Number(slider.value)),
  });
  const position = element("span", { class: "position" });
  const button = (label, text, act) =>
    element("button", { type: "button", "aria-label": label, onclick: act }, text);
  const back = button("One step back", "◀ Back", () => move(-1));
  const next = button("One step forward", "Next ▶", () => move(1));
  const play = button("Play", "Play", () => (timer ? pause() : start()));
  const jump = button("To the backward pass", "Backward pass", () => go(isBackward() ? 0 : forward));
  const predict = button("Predict", "Predict", () => askBefore(!predicts));
  predict.title = "Ask for each share of a gradient before it is shown";
  const controls = element(
    "div",
    { class: "controls", role: "group", "aria-label": "Steps" },
    ...[back, next, play, slider, position, jump, predict],
  );

  const inputs = new Map();
  kinds.forEach((kind, i) => {
    if (kind !== "leaf") return;
    const look = { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false" };
    const onchange = ({ target }) => {
      if (target.value !== numberOf(i)) model.send({ leaf: i, text: target.value });
    };
    inputs.set(i, element("input", { ...look, disabled: Boolean(fixed), onchange }));
  });
  const leaves = element(
    "fieldset",
    { class: "leaves" },
    element("legend", {}, fixed ? "Leaves" : "Leaves: change a number, and everything is recomputed"),
    ...(fixed ? [element("p", { class: "note" }, fixed)] : []),
    element(
      "div",
      { class: "fields" },
      ...[...inputs].map(([i, input]) =>
        element("label", {}, element("span", { title: names[i] }, names[i]), input),
      ),
    ),
    ...(fixed ? [] : [descent()]),
  );

  const items = steps.map((_, k) => {
    const choose = element("button", { type: "button", onclick: () => go(k) });
    return element("li", {}, choose);
  });
  const list = element("details", { class: "steps" }, element("summary", {}, "All steps"));
  list.append(element("ol", {}, ...items));
  list.open = !picture;

  const root = element(
    "div",
    {
      ...{ class: "microgrid-box microgrid-explore", tabindex: 0, role: "group", onkeydown: press },
      ...{ "aria-label": "Backpropagation, step by step", "data-lm-suppress-shortcuts": "true" },
    },
    line,
    earlier,
    said,
    picture
      ? element("div", { class: "picture" }, picture.svg)
      : element("p", { class: "note" }, graph.note),
    controls,
    answers.fields,
    reply,
    element(
      "p",
      { class: "keys" },
      "← → or a swipe steps, Home and End jump, B to the backward pass, P predicts, space plays",
    ),
    error,
    leaves,
    table.whole,
    list,
  );
  el.replaceChildren(root);
  swiped(line, move);
  if (picture) {
    const frame = picture.svg.parentElement;
    swiped(frame, (by) => frame.scrollWidth <= frame.clientWidth && move(by));
  }

  /** Return the field of a learning rate, and the button that moves all leaves by it. */
  function descent() {
    const rate = element("input", {
      ...{ type: "text", inputmode: "decimal", autocomplete: "off", value: "0.1" },
      "aria-label": "Learning rate",
    });
    const descend = () => model.send({ rate: rate.value });
    const text = "Take a step of gradient descent";
    return element(
      "div",
      { class: "descent" },
      element("button", { type: "button", onclick: descend }, text),
      element("label", {}, "leaf − ", rate, " · gradient"),
    );
  }

  function numbersNow() {
    return model.get("numbers").map(readNumber);
  }

  function numberOf(i) {
    return String(Number(model.get("numbers")[i]));
  }

  function step() {
    return Math.min(Math.max(model.get("step") ?? 0, 0), count - 1);
  }

  function isBackward() {
    return step() >= forward;
  }

  /** Take a step, or ask first what it brings. */
  function move(by) {
    const k = step() + by;
    const isNew = by > 0 && predicts && !asked && k < count;
    const found = isNew ? question(graph, numbersNow(), k) : null;
    if (!found) return go(asked && by > 0 ? asked.step : k);
    pause();
    [asked, tries] = [found, 0];
    score.asked += 1;
    reply.textContent = "";
    root.classList.remove("is-right");
    show();
  }

  function askBefore(does) {
    predicts = does;
    Object.assign(score, { right: 0, asked: 0 });
    go(step());
  }

  function answer(text) {
    const { isRight, words } = judged(asked, text);
    tries += 1;
    if (isRight) {
      score.right += tries === 1;
      go(asked.step);
      root.classList.add("is-right");
    }
    const counted = `${score.right} of ${score.asked} right at once.`;
    reply.textContent = isRight ? `${words} ${counted}` : words;
    said.textContent = reply.textContent;
  }

  /** Compare what comes with the numbers that are there now. */
  function forget() {
    before = null;
    show();
    root.focus();
  }

  function go(k) {
    asked = null;
    reply.textContent = "";
    root.classList.remove("is-right");
    const at = step();
    model.set("step", Math.min(Math.max(k, 0), count - 1));
    model.save_changes(); // and so it is shown
    if (step() === at) show(); // anywidget's model says nothing of what stays
  }

  function start() {
    if (step() === count - 1) go(0);
    timer = setInterval(() => (step() < count - 1 ? move(1) : pause()), PAUSE);
    showPlaying();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    showPlaying();
  }

  function showPlaying() {
    play.textContent = timer ? "Pause" : "Play";
    play.setAttribute("aria-label", play.textContent);
  }

  function press(event) {
    const { key, target } = event;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (target.type === "text") {
      // JupyterLab takes the change away that Enter is otherwise
      if (key !== "Enter") return;
      if (answers.fields.contains(target)) answers.check();
      else target.dispatchEvent(new Event("change"));
      return;
    }
    const acts = {
      ArrowRight: () => move(1),
      ArrowLeft: () => move(-1),
      b: () => go(forward),
      p: () => askBefore(!predicts),
      Home: () => go(0),
      End: () => go(count - 1),
      " ": () => play.click(),
    };
    asked?.options.forEach((text, i) => (acts[i + 1] = () => answer(text)));
    const isSpace = key === " ";
    const isItsOwn = target === slider ? !isSpace : target.matches("button, summary") && isSpace;
    if (isItsOwn || !acts[key]) return;
    acts[key]();
    event.preventDefault();
    event.stopPropagation(); // notebooks and slides have uses of their own for these keys
  }

  function text([, edge, parts], numbers, inSigns = (parts) => parts) {
    if (edge === null || numbers[2 * names.length + edges.length + edge] !== null) {
      return sentence(inSigns(parts), numbers);
    }
    const [child, , parent] = edges[edge];
    const gradient = sentence(inSigns([`∂${rootName}/∂${names[parent]}`]), numbers);
    return `${gradient} gets no share: ${rootName} does not depend on it through ${names[child]}`;
  }

  function show() {
    const numbers = numbersNow();
    const k = step();
    const words = text(steps[k], numbers, (parts) => inWords(parts, rootName));
    line.textContent = asked ? asked.line : text(steps[k], numbers);
    said.textContent = asked
      ? `${asked.ask} Choose ${asked.options.join(", ")}, or type it.`
      : `Step ${k + 1} of ${count}: ${words}`;
    earlier.hidden = !before || asked !== null;
    earlier.textContent = before ? `before: ${text(steps[k], before.map(readNumber))}` : "";
    table.show(before?.map(readNumber), numbers, steps[k][0]);
    answers.ask(asked);
    jump.textContent = isBackward() ? "Forward pass" : "Backward pass";
    jump.setAttribute("aria-label", `To the ${isBackward() ? "forward" : "backward"} pass`);
    predict.setAttribute("aria-pressed", String(predicts));
    slider.value = k;
    slider.setAttribute("aria-valuetext", `${k + 1} of ${count}`);
    position.textContent = `${k + 1} / ${count}`;
    root.classList.toggle("is-backward", isBackward() || asked !== null);
    back.disabled = k === 0;
    next.disabled = k === count - 1;
    items.forEach((item, i) => {
      item.classList.toggle("is-now", i === k);
      item.firstChild.setAttribute("aria-current", i === k ? "step" : "false");
    });
    if (picture) light(numbers, k);
  }

  function light(numbers, k) {
    const [node, edge] = steps[asked?.step ?? k];
    const data = kinds.map(() => null);
    const gradients = kinds.map(() => null);
    steps.slice(0, k + 1).forEach(([at, along], i) => {
      if (along !== null) gradients[at] = numbers[2 * names.length + 2 * edges.length + along];
      else if (i === forward) gradients[at] = 1;
      else data[at] = numbers[at];
    });
    picture.svg.querySelectorAll(".is-lit, .is-source").forEach((lit) => {
      lit.classList.remove("is-lit", "is-source");
    });
    picture.parts.forEach((part, i) => {
      if (kinds[i] === "constant") return;
      put(part.data, data[i]);
      put(part.grad, gradients[i]);
      const known = [["data", data[i]], ["grad", gradients[i]]].filter(([, x]) => x !== null);
      part.title.textContent = [names[i], ...known.map(([what, x]) => `${what} ${x}`)].join(", ");
      part.group.classList.toggle("is-unknown", data[i] === null);
    });
    const part = picture.parts[node];
    const lit = [part.group];
    if (edge !== null) {
      const [child, operand] = edges[edge];
      const above = picture.parts[child];
      above.group.classList.add("is-source");
      lit.push(above.operation, above.operands[operand], above.result);
    } else if (part.operation && k < forward) {
      lit.push(part.operation, part.result, ...part.operands);
    }
    lit.forEach((thing) => thing.classList.add("is-lit"));
    const source = edge === null ? [] : [picture.parts[edges[edge][0]].group];
    bringIntoView(part.group, ...source);
  }

  /** Scroll the picture so that the things are seen, or at least the first of them. */
  function bringIntoView(first, ...others) {
    const frame = picture.svg.parentElement;
    const outer = frame.getBoundingClientRect();
    const rectangles = [first, ...others].map((thing) => thing.getBoundingClientRect());
    const far = (start, end, size) => {
      let low = Math.min(...rectangles.map((rectangle) => rectangle[start]));
      let high = Math.max(...rectangles.map((rectangle) => rectangle[end]));
      if (high - low > size) [low, high] = [rectangles[0][start], rectangles[0][end]];
      const isSeen = low >= outer[start] && high <= outer[end];
      return isSeen ? 0 : (low + high - outer[start] - outer[end]) / 2;
    };
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    frame.scrollBy({
      left: far("left", "right", frame.clientWidth),
      top: far("top", "bottom", frame.clientHeight),
      behavior: still ? "auto" : "smooth",
    });
  }

  function renewed() {
    error.textContent = "";
    asked = null;
    reply.textContent = "";
    const current = model.get("numbers");
    if (String(current) !== String(last)) before ??= last;
    last = current;
    for (const [i, input] of inputs) {
      const isBeingTyped = input === document.activeElement;
      if (!isBeingTyped) input.value = numberOf(i);
    }
    const numbers = numbersNow();
    items.forEach((item, i) => item.firstChild.replaceChildren(text(steps[i], numbers)));
    show();
  }

  function failed(message) {
    for (const [i, input] of inputs) input.value = numberOf(i);
    error.textContent = message.error;
  }

  model.on("change:numbers", renewed);
  model.on("change:step", show);
  model.on("msg:custom", failed);
  renewed();
  return () => {
    pause();
    model.off("change:numbers", renewed);
    model.off("change:step", show);
    model.off("msg:custom", failed);
  };
}

/** Show a graph in a page without Python. */
export function page(el, state) {
  render({ model: alone(state), el });
  fitFrame();
}

/** Inside of a notebook, take its theme, and give the frame the height of the page. */
export function fitFrame() {
  if (window === window.parent) return;
  document.documentElement.classList.add("is-framed");
  const frame = window.frameElement;
  if (!frame) return; // of another origin: it keeps the height that it has
  const theme = () => {
    const { jpThemeLight } = window.parent.document.body.dataset;
    const scheme = { true: "light", false: "dark" }[jpThemeLight] ?? "";
    document.documentElement.style.colorScheme = scheme;
  };
  theme();
  new MutationObserver(theme).observe(window.parent.document.body, { attributes: true });
  new ResizeObserver(() => {
    frame.style.height = `${document.body.scrollHeight + 2}px`;
  }).observe(document.body);
}

/** Tell Python that there is a front end, which can show the widget. */
function initialize({ model }) {
  model.send({ ready: true });
}

export default { initialize, render };
