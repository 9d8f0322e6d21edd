// A playground of small networks: they train in the page, and every number in it can be asked why.
// One module, two hosts: anywidget calls `render` with its model, and a stand-alone page `page`.
//
// Every text is put in place as text, never as HTML: a name may be anything.

import { element, fitFrame, numberText } from "../../stepper/static/explore.js";
import { axesOf, generator, noisy } from "./data.js";
import { drawCurves, drawNetwork, drawRegions, found, GRID, gridOf, palette, parts } from "./draw.js";
import { classes, Network, Pass, Training } from "./network.js";
import { largestPaths } from "./paths.js";

const MOST_PATHS = 8;
const DOWNLOAD = 1000; // milliseconds that a browser has for taking a file
const RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];
const BATCHES = [1, 5, 10, 25];
const SPEEDS = { "2 steps per second": 0, "1 step per frame": 1, "10 steps per frame": 10 };
const PAUSE = 500; // milliseconds for a step at the slowest speed
const RENEWAL = 250; // milliseconds until the reasons are written again while it runs
const COLOURS = ["ink", "quiet", "faint", "ground", "now", "above", "below"];

const digits = (i, marks) => [...String(i)].map((digit) => marks[digit]).join("");
const below = (i) => digits(i, "₀₁₂₃₄₅₆₇₈₉");
const layerMark = (l) => `⁽${digits(l, "⁰¹²³⁴⁵⁶⁷⁸⁹")}⁾`;

/** Return the name of a weight or a bias, as a formula of the network has it. */
export function nameOf({ layer, neuron, input }) {
  const [mark, place] = [layerMark(layer), below(neuron)];
  return input < 0 ? `b${mark}${place}` : `w${mark}${place},${below(input)}`;
}

/** Return the neurons of a path in words: what goes in, each neuron's result, and the loss. */
export function pathText(sizes, { layer, input }, { row, neurons }) {
  const last = sizes.length - 2;
  const result = (l, i) => {
    if (l < 0) return ["x₁", "x₂"][i];
    if (l < last) return `a${layerMark(l)}${below(i)}`;
    return sizes.at(-1) === 1 ? "z" : `z${below(i)}`;
  };
  const start = input < 0 ? "1" : result(layer - 1, input);
  const ways = neurons.map((neuron, k) => result(layer + k, neuron));
  return [start, ...ways, `loss of row\u00a0${row}`].join(" → ");
}

/** Return the factors of a path as a product; the last divides by the number of rows. */
export function factorsText(factors, rows) {
  const numbers = factors.slice(0, -1).map(({ number }) => numberText(number));
  return `${numbers.map((text) => (text.startsWith("-") ? `(${text})` : text)).join(" · ")}\u00a0/\u00a0${rows}`;
}

function plural(count, what) {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

function cellsOf(number, path, factors) {
  return [
    element("span", { class: "number" }, numberText(number)),
    element("span", {}, path),
    element("span", { class: "factors" }, factors),
  ];
}

function render({ model, el }) {
  const state = model.get("state");
  const random = generator(state.seed);
  let sizes = [...state.sizes];
  let network = null;
  let beginning = null; // the parameters that the network was made with
  let training = null;
  let grid = null;
  let axes = null;
  let data = null;
  let selected = null;
  let reasons = null;
  let marked = -1; // the place of the path that is lit
  let running = false;
  let last = 0; // when the last step was taken, and when the reasons were written
  let written = 0;
  let history = { losses: [], accuracies: [] };

  // ---- controls

  const options = (names) => names.map((name) => element("option", { value: name }, name));
  const choice = (names, chosen, onchange) => {
    const select = element("select", { onchange }, ...options(names.map(String)));
    select.value = String(chosen);
    return select;
  };
  const field = (text, ...inputs) => element("label", {}, element("span", {}, text), ...inputs);
  const button = (text, onclick, label = text) =>
    element("button", { type: "button", "aria-label": label, title: label, onclick }, text);

  const run = button("Run", () => (running ? pause() : go()));
  const step = button("Step", () => pause() || advance(1, true), "One step (→)");
  const reset = button("Reset", restart, "Back to the weights that this network began with");
  const draws = button("New weights", () => pause() || begin({ isDrawn: true }), "Draw new weights");
  const speed = choice(Object.keys(SPEEDS), "1 step per frame", () => {});
  const status = element("p", { class: "status", role: "status", "aria-live": "polite" });
  const error = element("p", { class: "error", role: "alert" });
  const dataset = choice(Object.keys(state.datasets), state.dataset, () => {
    noise.value = state.datasets[dataset.value].noise;
    renewData();
  });
  const noise = element("input", { type: "range", min: 0, max: 0.5, step: 0.01, oninput: renewData });
  const noiseText = element("output", {});
  const activation = choice(Object.keys(state.activations), state.activation, () => begin({}));
  const rate = choice(RATES, state.rate, () => (training.rate = Number(rate.value)));
  const optimizer = choice(Object.keys(state.optimizers), state.optimizer, () => {
    training.choose(state.optimizers[optimizer.value]);
  });
  const batch = choice(["all", ...BATCHES], "all", () => {
    training.batch = batch.value === "all" ? training.rows : Number(batch.value);
    training.order = [];
  });
  const layers = counter("Layers", ["Remove a layer", "Add a layer"], (by) => (by > 0 ? addLayer() : removeLayer()));
  noise.value = state.datasets[state.dataset].noise;

  function counter(name, [removal, addition], change) {
    const text = element("output", {});
    const fewer = button("−", () => change(-1), removal);
    const more = button("+", () => change(1), addition);
    const group = element("div", { class: "counter", role: "group", "aria-label": name }, fewer, text, more);
    return { group, text, fewer, more };
  }

  // ---- pictures

  const regions = element("canvas", { role: "img" });
  const curves = element("canvas", { role: "img" });
  const picture = element("canvas", { class: "network", role: "img", onpointerdown: pick });
  const heads = element("div", { class: "heads" });
  const probe = element("span", { hidden: true });
  const which = {
    layer: choice([], "", () => choose({ layer: Number(which.layer.value), neuron: 0, input: 0 })),
    neuron: choice([], "", () => choose({ ...selected, neuron: Number(which.neuron.value) })),
    input: choice([], "", () => choose({ ...selected, input: Number(which.input.value) })),
  };
  const why = element("div", { class: "why" });
  const give = model.send
    ? button("Give the weights to Python", () => model.send(result()))
    : button("Save the weights", save, "Save the weights as JSON, for load_state_dict");
  const given = element("span", { class: "note", role: "status" });

  const root = element(
    "div",
    {
      ...{ class: "microgrid-box microgrid-playground", tabindex: 0, role: "group", onkeydown: press },
      ...{ "aria-label": "Playground of networks", "data-lm-suppress-shortcuts": "true" },
    },
    element(
      "div",
      { class: "controls", role: "group", "aria-label": "Training" },
      ...[run, step, reset, draws, field("Speed", speed)],
    ),
    element(
      "div",
      { class: "controls", role: "group", "aria-label": "Settings" },
      ...[field("Data", dataset), field("Noise", noise, noiseText), field("Activation", activation)],
      ...[field("Learning rate", rate), field("Optimizer", optimizer), field("Batch", batch)],
      element("div", { class: "labelled" }, element("span", {}, "Hidden layers"), layers.group),
    ),
    status,
    error,
    element(
      "div",
      { class: "pictures" },
      element(
        "div",
        { class: "results" },
        element("figure", { class: "regions" }, regions),
        element("figure", { class: "curves" }, curves),
      ),
      element(
        "figure",
        { class: "net" },
        ...[heads, picture],
        element(
          "figcaption",
          {},
          ...["Width: size of the weight, dashed if negative. Colour: its gradient, "],
          ...[element("b", { class: "above" }, "above 0"), ", "],
          ...[element("b", { class: "below" }, "below 0"), ", or grey where it is small. "],
          "In each neuron: where its sum is positive and where negative. Its dot is the bias.",
        ),
      ),
      element(
        "section",
        { class: "reasons", "aria-label": "Why a gradient is what it is" },
        element(
          "div",
          { class: "controls" },
          element("b", {}, "Why this gradient?"),
          ...[field("Layer", which.layer), field("Neuron", which.neuron), field("From", which.input)],
        ),
        why,
      ),
    ),
    element("p", { class: "keys" }, "Space runs and pauses, → takes a step, R resets"),
    element("div", { class: "controls" }, give, given),
    probe,
  );
  el.replaceChildren(root);

  // ---- the state of things

  function renewData() {
    data = noisy(state.datasets[dataset.value], Number(noise.value), state.seed + 1);
    noiseText.textContent = Number(noise.value).toFixed(2);
    axes = axesOf(data.X);
    begin({});
  }

  /** Begin a training with the weights that there are; of `wanted` sizes they stay up to a layer.
   *
   * Or begin with weights that are all drawn; the first of all are those that Python gave.
   */
  function begin({ isDrawn = false, wanted = sizes, depth = wanted.length - 1 }) {
    const before = network;
    if (!before || isDrawn || wanted !== sizes) {
      network = new Network(wanted);
      if (before) {
        network.draw(random);
        if (!isDrawn) network.keep(before, depth);
      } else {
        network.load(state.weights);
      }
      beginning = network.parameters.slice();
      [sizes, selected] = [wanted, null];
    }
    const settings = {
      ...{ activation: state.activations[activation.value], loss: state.loss },
      ...{ optimizer: state.optimizers[optimizer.value], rate: Number(rate.value) },
      batch: batch.value === "all" ? data.X.length : Number(batch.value),
      random: generator(state.seed + 2), // so that a training that is repeated takes the same batches
    };
    training = new Training(network, data, settings);
    grid = new Pass(network, settings.activation, gridOf(axes), GRID * GRID, { withSlopes: false });
    history = { losses: [training.value], accuracies: [training.accuracy] };
    error.textContent = "";
    showSizes();
    choose(selected ?? { layer: 0, neuron: 0, input: 0 });
  }

  function restart() {
    pause();
    network.parameters.set(beginning);
    begin({});
  }

  function addLayer() {
    const before = sizes.length - 1; // the layer of the outputs
    const wanted = [...sizes.slice(0, -1), sizes.length > 2 ? sizes.at(-2) : 4, sizes.at(-1)];
    begin({ wanted, depth: before - 1 });
  }

  function removeLayer() {
    begin({ wanted: [...sizes.slice(0, -2), sizes.at(-1)], depth: sizes.length - 3 });
  }

  function resize(layer, by) {
    begin({ wanted: sizes.map((size, c) => (c === layer ? size + by : size)) });
  }

  /** Take some steps; say so, unless they follow each other too fast. */
  function advance(count, aloud) {
    for (let k = 0; k < count; k++) {
      if (training.step() === null || !Number.isFinite(training.value)) {
        pause();
        error.textContent =
          "This step would leave a weight or the loss infinite: take a lower learning rate, and reset";
        break;
      }
      history.losses.push(training.value);
      history.accuracies.push(training.accuracy);
    }
    draw(aloud);
  }

  function go() {
    [running, last] = [true, 0];
    run.textContent = "Pause";
    status.setAttribute("aria-live", "off");
    requestAnimationFrame(frame);
  }

  function frame(now) {
    if (!running || !root.isConnected) return;
    const steps = SPEEDS[speed.value];
    if (steps || now - last >= PAUSE) {
      last = now;
      advance(steps || 1, false);
    }
    requestAnimationFrame(frame);
  }

  function pause() {
    if (!running) return;
    running = false;
    run.textContent = "Run";
    status.setAttribute("aria-live", "polite");
    draw(true);
  }

  function result() {
    return { weights: network.state(), sizes, activation: activation.value };
  }

  function save() {
    const url = URL.createObjectURL(new Blob([JSON.stringify(network.state())]));
    element("a", { href: url, download: "weights.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD);
    const { value } = activation;
    const python = value === state.own ? "…" : `"${value}"`; // Python's name of it is not known here
    given.replaceChildren(
      "In Python: ",
      element("code", {}, `model = MLP(2, [${sizes.slice(1).join(", ")}], activation=${python})`),
      "; ",
      element("code", {}, 'model.load_state_dict(json.load(open("weights.json")))'),
    );
  }

  // ---- what is seen

  function showSizes() {
    const most = state.limits;
    const hidden = sizes.length - 2;
    layers.text.textContent = hidden;
    layers.fewer.disabled = hidden === 0;
    layers.more.disabled = hidden >= most.layers;
    heads.style.gridTemplateColumns = `repeat(${sizes.length}, 1fr)`;
    heads.classList.toggle("many", sizes.length > 5);
    const focus = heads.contains(document.activeElement) && document.activeElement.ariaLabel;
    heads.replaceChildren(
      ...sizes.map((size, c) => {
        if (c === 0) return element("span", {}, "inputs");
        if (c === sizes.length - 1) return element("span", {}, size > 1 ? "outputs" : "output");
        const layer = `layer ${c - 1}`;
        const labels = [`Remove a neuron from ${layer}`, `Add a neuron to ${layer}`];
        const { group, text, fewer, more } = counter(`Neurons of ${layer}`, labels, (by) => resize(c, by));
        text.textContent = size;
        fewer.disabled = size === 1;
        more.disabled = size >= most.neurons;
        return group;
      }),
    );
    if (focus) heads.querySelector(`[aria-label="${focus}"]`)?.focus();
  }

  function choose(wanted) {
    selected = wanted;
    marked = -1;
    const { ins, outs } = network.layers[selected.layer];
    const fill = (select, entries, chosen) => {
      select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
      select.value = chosen;
    };
    const numbers = (count) => Array.from({ length: count }, (_, i) => [i, String(i)]);
    const from = (i) => (selected.layer ? `neuron ${i}` : ["x₁", "x₂"][i]);
    fill(which.layer, numbers(network.layers.length), selected.layer);
    fill(which.neuron, numbers(outs), selected.neuron);
    const inputs = Array.from({ length: ins }, (_, i) => [i, from(i)]);
    fill(which.input, [...inputs, [-1, "its bias"]], selected.input);
    draw(true);
  }

  function pick(event) {
    const reach = event.pointerType === "touch" ? 16 : 7;
    const { offsetX, offsetY } = event;
    const place = found(sizes, picture.clientWidth, offsetX, offsetY, reach);
    if (place) choose(place);
  }

  function draw(aloud = true) {
    if (!root.isConnected) return; // a notebook puts it in its place later, and gives it a size
    const colours = palette(probe, COLOURS);
    colours.classes = state.colours.map(parts);
    grid.forward();
    const isDue = aloud || performance.now() - written >= RENEWAL;
    if (isDue) explain();
    const path = reasons.paths[marked];
    const predicted = classes(training.pass.logits, training.rows);
    const { X, y } = data;
    drawRegions(regions, { logits: grid.logits, axes, X, y, predicted, marked: path?.row }, colours);
    const { sums } = grid;
    drawNetwork(picture, { network, sums, selected, path: path?.neurons }, colours);
    drawCurves(curves, history, colours);
    const right = `${Math.round(1000 * training.accuracy) / 10} % right`;
    status.textContent = [
      ...[`step ${training.steps}`, `epoch ${training.epochs}`],
      ...[`loss ${numberText(training.value)}`, right],
    ].join(" · ");
    if (aloud) describe(right);
  }

  function describe(right) {
    const range = ([low, high]) => `from ${numberText(low)} to ${numberText(high)}`;
    const where = `x₁ ${range(axes[0])}, x₂ ${range(axes[1])}`;
    regions.setAttribute("aria-label", `Regions of the classes and ${data.X.length} points; ${where}; ${right}`);
    const steps = history.losses.length - 1;
    const [first, now] = [history.losses[0], training.value].map(numberText);
    curves.setAttribute("aria-label", `Loss and accuracy over ${steps} steps: the loss went from ${first} to ${now}`);
    picture.setAttribute("aria-label", `Network of sizes ${sizes.join(", ")}; choose a weight below`);
  }

  /** Write why the selected weight has its gradient. */
  function explain() {
    written = performance.now();
    reasons = largestPaths(training.pass, selected, MOST_PATHS);
    const { layer, neuron, input } = selected;
    const { ins, w, b } = network.layers[layer];
    const weight = input < 0 ? b[neuron] : w[neuron * ins + input];
    const name = nameOf(selected);
    const { gradient, paths, rest, count } = reasons;
    const others = count - paths.length;
    const key = `layers.${layer}.neurons.${neuron}.${input < 0 ? "b" : `w.${input}`}`;
    const focus = [...why.querySelectorAll("button")].indexOf(document.activeElement);
    why.replaceChildren(
      element("p", {}, `${name} = ${numberText(weight)}, in Python ${key}`),
      element(
        "p",
        {},
        `∂loss/∂${name} = ${numberText(gradient)}, the sum over ${plural(count, "path")}; `,
        `the loss is the mean over all ${training.rows} rows`,
      ),
      element(
        "ol",
        {},
        ...paths.map((path, k) => {
          const light = () => {
            marked = marked === k ? -1 : k;
            draw();
          };
          const pressed = String(marked === k);
          const cells = [pathText(sizes, selected, path), `= ${factorsText(path.factors, training.rows)}`];
          const line = cellsOf(path.gradient, ...cells);
          return element("li", {}, element("button", { onclick: light, "aria-pressed": pressed }, ...line));
        }),
        ...(others ? [element("li", { class: "rest" }, ...cellsOf(rest, plural(others, "other path"), ""))] : []),
      ),
      element("p", { class: "note" }, meaning()),
    );
    if (focus >= 0) why.querySelectorAll("button")[focus]?.focus();
  }

  /** Return in words which partials a path multiplies. */
  function meaning() {
    const slope = `the slope of ${activation.value}`;
    const passed = network.layers.length - 1 - selected.layer;
    return [
      "Factors: ",
      selected.input < 0 ? "" : `${selected.layer ? "the neuron's result" : "the input"}, `,
      passed ? `then ${slope} and the next weight, layer by layer, ` : "",
      "the slope of the loss; divided by the number of rows. Choose a path to see it.",
    ].join("");
  }

  function press(event) {
    const { key, target } = event;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const acts = { " ": () => run.click(), ArrowRight: () => step.click(), r: () => reset.click() };
    const act = acts[key === "R" ? "r" : key];
    if (!act || target.matches("select, input") || (key === " " && target.matches("button"))) return;
    act();
    event.preventDefault();
    event.stopPropagation(); // notebooks have uses of their own for these keys
  }

  const resized = new ResizeObserver(() => draw(!running));
  const theme = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => draw(false);
  const taken = (message) => (given.textContent = message.text);
  renewData();
  resized.observe(root);
  theme.addEventListener("change", redraw);
  model.on?.("msg:custom", taken);
  return () => {
    pause();
    resized.disconnect();
    theme.removeEventListener("change", redraw);
    model.off?.("msg:custom", taken);
  };
}

/** Show a playground in a page without Python. */
export function page(el, state) {
  render({ model: { get: () => state }, el });
  fitFrame();
}

/** Tell Python that there is a front end, which can show the widget. */
function initialize({ model }) {
  model.send({ ready: true });
}

export default { initialize, render };
