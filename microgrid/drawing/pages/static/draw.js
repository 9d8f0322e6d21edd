// The pictures of the playground, on canvases: the regions with the data, the network, the curves.

import { numberText } from "../../stepper/static/explore.js";

export const GRID = 40; // points across and down at which the network is asked
const SMALL = GRID / 2; // of them, in a neuron's circle
const SHADES = 100; // of a class's colour
const CURVE = 400; // points of a curve; of a longer training, evenly chosen ones

// ---- colours and canvases

/** Return the colours that an element's style has by these names, as the theme wants them now. */
export function palette(probe, names) {
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  }
  return found;
}

/** Return an "#rrggbb" as its three parts. */
export function parts(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}

function mixed(from, to, share) {
  return from.map((x, i) => Math.round(x + (to[i] - x) * share));
}

/** Return, for each class, what its colour is over the ground: a function of how much of it. */
function shades({ ground, classes }) {
  const each = classes.map((colour) =>
    Array.from({ length: SHADES + 1 }, (_, k) => mixed(ground, colour, k / SHADES)),
  );
  // a share is nan where sums are infinite
  return (label, share) => each[label][Math.round(SHADES * share)] ?? each[label][SHADES];
}

const css = (colour) => `rgb(${colour.join(" ")})`;

/** Return what draws on a canvas of this size in CSS pixels, cleared; it is as sharp as the screen. */
function surface(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  return context;
}

const images = new Map(); // a size -> a canvas that holds an image until it is drawn

/** Draw an image of size x size colours into a square or a rectangle, smoothly. */
function paint(context, size, colourAt, x, y, width, height) {
  if (!images.has(size)) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    images.set(size, { canvas, data: new ImageData(size, size) });
  }
  const { canvas, data } = images.get(size);
  for (let k = 0; k < size * size; k++) {
    const [red, green, blue] = colourAt(k);
    data.data[4 * k] = red;
    data.data[4 * k + 1] = green;
    data.data[4 * k + 2] = blue;
    data.data[4 * k + 3] = 255;
  }
  canvas.getContext("2d").putImageData(data, 0, 0);
  context.drawImage(canvas, x, y, width, height);
}

// ---- the regions

/** Return the points of the grid, line by line from the top, as columns in one array. */
export function gridOf([[left, right], [bottom, top]]) {
  const columns = new Float64Array(2 * GRID * GRID);
  for (let k = 0; k < GRID * GRID; k++) {
    columns[k] = left + (((k % GRID) + 0.5) / GRID) * (right - left);
    columns[GRID * GRID + k] = top + ((Math.floor(k / GRID) + 0.5) / GRID) * (bottom - top);
  }
  return columns;
}

/** Return each point's class, and how sure the network is of it, from 0 to 1. */
export function confidence(logits, points) {
  const count = logits.length / points;
  const labels = new Uint8Array(points);
  const sure = new Float64Array(points);
  for (let k = 0; k < points; k++) {
    if (count === 1) {
      labels[k] = logits[k] > 0 ? 1 : 0;
      sure[k] = Math.abs(Math.tanh(logits[k] / 2)); // of a probability p, |2p - 1|
      continue;
    }
    let best = 0;
    for (let c = 1; c < count; c++) if (logits[c * points + k] > logits[best * points + k]) best = c;
    let sum = 0;
    for (let c = 0; c < count; c++) sum += Math.exp(logits[c * points + k] - logits[best * points + k]);
    labels[k] = best;
    sure[k] = (1 / sum - 1 / count) / (1 - 1 / count);
  }
  return { labels, sure };
}

/** Draw what the network says of every point, the boundaries, and the data; mark one row of it. */
export function drawRegions(canvas, { logits, axes, X, y, predicted, marked }, colours) {
  const width = canvas.clientWidth;
  const height = Math.round(width * 0.85);
  const context = surface(canvas, width, height);
  const { labels, sure } = confidence(logits, GRID * GRID);
  const shade = shades(colours);
  const tint = (k) => shade(labels[k], 0.06 + 0.5 * sure[k]);
  paint(context, GRID, tint, 0, 0, width, height);
  const count = logits.length / (GRID * GRID);
  context.strokeStyle = css(colours.ink);
  context.lineWidth = 1.5;
  for (let c = count === 1 ? 0 : 1; c < count; c++) {
    drawBoundary(context, lead(logits, count, c), width / GRID, height / GRID);
  }
  const [[left, right], [bottom, top]] = axes;
  const size = X.length > 300 ? 3 : 4.5;
  X.forEach(([x1, x2], r) => {
    const place = [((x1 - left) / (right - left)) * width, ((top - x2) / (top - bottom)) * height];
    context.fillStyle = css(colours.classes[y[r]]);
    context.strokeStyle = css(predicted[r] === y[r] ? colours.ground : colours.ink);
    context.lineWidth = predicted[r] === y[r] ? 1 : 2;
    drawMarker(context, ...place, size, y[r]);
    if (r !== marked) return;
    context.strokeStyle = css(colours.now);
    context.lineWidth = 3;
    context.beginPath();
    context.arc(...place, 11, 0, 2 * Math.PI);
    context.stroke();
  });
}

/** Return by how much a class leads, at each point; it is 0 on the class's boundary. */
function lead(logits, count, c) {
  const points = GRID * GRID;
  if (count === 1) return logits;
  return Float64Array.from({ length: points }, (_, k) => {
    let other = -Infinity;
    for (let d = 0; d < count; d++) if (d !== c) other = Math.max(other, logits[d * points + k]);
    return logits[c * points + k] - other;
  });
}

/** Draw the line on which numbers of the grid are 0, from square to square. */
function drawBoundary(context, numbers, across, down) {
  context.beginPath();
  for (let line = 0; line < GRID - 1; line++) {
    for (let column = 0; column < GRID - 1; column++) {
      const k = line * GRID + column;
      const corners = [[k, 0, 0], [k + 1, 1, 0], [k + GRID + 1, 1, 1], [k + GRID, 0, 1]];
      const crossings = [];
      corners.forEach(([a, x, y], i) => {
        const [b, x2, y2] = corners[(i + 1) % 4];
        if (numbers[a] > 0 === numbers[b] > 0) return;
        const share = numbers[a] / (numbers[a] - numbers[b]);
        const at = [column + 0.5 + x + share * (x2 - x), line + 0.5 + y + share * (y2 - y)];
        crossings.push([at[0] * across, at[1] * down]);
      });
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        context.moveTo(...crossings[i]);
        context.lineTo(...crossings[i + 1]);
      }
    }
  }
  context.stroke();
}

/** Draw a point of a class; classes differ in form too, for who does not see their colours. */
function drawMarker(context, x, y, size, label) {
  const corners = [0, 4, 3, 4, 5, 6][label];
  const turn = [0, Math.PI / 4, -Math.PI / 2, 0, -Math.PI / 2, 0][label];
  context.beginPath();
  if (!corners) context.arc(x, y, size, 0, 2 * Math.PI);
  for (let i = 0; i < corners; i++) {
    const angle = turn + (2 * Math.PI * i) / corners;
    context.lineTo(x + 1.25 * size * Math.cos(angle), y + 1.25 * size * Math.sin(angle));
  }
  context.closePath();
  context.fill();
  context.stroke();
}

// ---- the network

/** Return where each neuron is in a picture of this width: x, y and the radius, the inputs first. */
export function layout(sizes, width) {
  const most = Math.max(...sizes);
  const column = width / sizes.length;
  const pitch = Math.max(26, Math.min(64, 560 / most));
  const height = Math.max(180, pitch * most + 12);
  const radius = Math.min(24, 0.42 * pitch, 0.34 * column);
  const places = sizes.map((size, c) =>
    Array.from({ length: size }, (_, i) => [(c + 0.5) * column, ((i + 0.5) / size) * height]),
  );
  return { places, radius, height, widest: Math.min(6, pitch / 9) };
}

/** Draw the neurons with their own boundaries, and the weights between them. */
export function drawNetwork(canvas, { network, sums, selected, path }, colours) {
  const width = canvas.clientWidth;
  const { places, radius, height, widest } = layout(network.sizes, width);
  const context = surface(canvas, width, height);
  const shade = shades(colours);
  const size = (numbers) => numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0) || 1;
  const [heaviest, steepest] = [size(network.parameters), size(network.gradients)];
  const colour = (gradient) => {
    const sign = gradient < 0 ? colours.below : colours.above;
    return css(mixed(colours.faint, sign, Math.sqrt(Math.abs(gradient) / steepest)));
  };
  const line = (l, j, i) => {
    context.beginPath();
    context.moveTo(...places[l][i]);
    context.lineTo(...places[l + 1][j]);
    context.stroke();
  };
  network.layers.forEach(({ ins, w, gw }, l) => {
    for (let k = 0; k < w.length; k++) {
      context.strokeStyle = colour(gw[k]);
      context.lineWidth = 0.6 + (widest * Math.abs(w[k])) / heaviest;
      context.setLineDash(w[k] < 0 ? [14, 6] : []);
      line(l, Math.floor(k / ins), k % ins);
    }
  });
  context.setLineDash([]);
  context.strokeStyle = css(colours.now);
  context.lineWidth = 3;
  if (selected?.input >= 0) line(selected.layer, selected.neuron, selected.input);
  path?.slice(1).forEach((neuron, k) => line(selected.layer + 1 + k, neuron, path[k]));
  places.forEach((column, c) => {
    column.forEach(([x, y], i) => {
      context.save();
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = css(colours.ground);
      context.fill();
      context.clip();
      if (c) drawNeuron(context, sums[c - 1], c === places.length - 1, i, x, y, radius, shade);
      context.restore();
      const isOnPath = selected && c > selected.layer && path?.[c - selected.layer - 1] === i;
      const isSelected = selected && c === selected.layer + 1 && selected.neuron === i;
      context.strokeStyle = css(isOnPath || isSelected ? colours.now : colours.ink);
      context.lineWidth = isOnPath || isSelected ? 3 : 1;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
      if (!c) {
        context.fillStyle = css(colours.ink);
        context.textAlign = "center";
        context.fillText(["x₁", "x₂"][i], x, y + 4);
        return;
      }
      const { b, gb } = network.layers[c - 1];
      context.beginPath();
      const dot = 2 + 3 * (Math.abs(b[i]) / heaviest);
      context.arc(x - 0.75 * radius, y + 0.75 * radius, dot, 0, 2 * Math.PI);
      context.fillStyle = colour(gb[i]);
      context.fill();
      context.strokeStyle = css(colours.ink);
      context.lineWidth = 1;
      context.stroke();
    });
  });
  return height;
}

/** Draw where a neuron's sum is above 0 and where below; of several outputs, a class's share. */
function drawNeuron(context, sums, isOutput, i, x, y, radius, shade) {
  const points = GRID * GRID;
  const count = sums.length / points;
  const colourAt = (k) => {
    const place = 2 * (Math.floor(k / SMALL) * GRID + (k % SMALL));
    const z = sums[i * points + place];
    if (isOutput && count > 1) {
      let sum = 0;
      for (let c = 0; c < count; c++) sum += Math.exp(sums[c * points + place] - z);
      return shade(i, 1 / sum);
    }
    return shade(z > 0 ? 1 : 0, 0.08 + (0.92 * Math.abs(z)) / (1 + Math.abs(z)));
  };
  paint(context, SMALL, colourAt, x - radius, y - radius, 2 * radius, 2 * radius);
}

/** Return the weight or the bias at a place in the picture, null where there is none. */
export function found(sizes, width, x, y, reach) {
  const { places, radius } = layout(sizes, width);
  for (let c = 1; c < places.length; c++) {
    for (let i = 0; i < sizes[c]; i++) {
      const [x1, y1] = places[c][i];
      if (Math.hypot(x - x1, y - y1) <= radius) return { layer: c - 1, neuron: i, input: -1 };
    }
  }
  let [nearest, least] = [null, reach];
  for (let l = 0; l + 1 < places.length; l++) {
    places[l].forEach(([x1, y1], input) => {
      places[l + 1].forEach(([x2, y2], neuron) => {
        const [dx, dy] = [x2 - x1, y2 - y1];
        const share = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy);
        if (share < 0 || share > 1) return;
        const distance = Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
        if (distance < least) [nearest, least] = [{ layer: l, neuron, input }, distance];
      });
    });
  }
  return nearest;
}

// ---- the curves

/** Draw the loss and the accuracy after every step. */
export function drawCurves(canvas, { losses, accuracies }, colours) {
  const width = canvas.clientWidth;
  const height = 170;
  const context = surface(canvas, width, height);
  const [left, right, top, bottom] = [40, width - 44, 10, height - 24];
  const highest = losses.reduce((most, x) => Math.max(most, x), 0) || 1;
  const last = Math.max(1, losses.length - 1);
  context.strokeStyle = css(colours.faint);
  context.lineWidth = 1;
  context.strokeRect(left, top, right - left, bottom - top);
  const draw = (numbers, most, colour, dashes) => {
    const stride = Math.max(1, Math.floor(numbers.length / CURVE));
    context.strokeStyle = css(colour);
    context.lineWidth = 2;
    context.setLineDash(dashes);
    context.beginPath();
    for (let k = 0; k < numbers.length; k += Math.min(stride, numbers.length - 1 - k) || 1) {
      const y = bottom - (numbers[k] / most) * (bottom - top);
      context.lineTo(left + (k / last) * (right - left), y);
    }
    context.stroke();
    context.setLineDash([]);
  };
  draw(accuracies, 1, colours.above, [5, 4]);
  draw(losses, highest, colours.now, []);
  const write = (text, x, y, align, colour) => {
    context.textAlign = align;
    context.fillStyle = css(colour);
    context.fillText(text, x, y);
  };
  write(numberText(Number(highest.toPrecision(2))), left - 4, top + 9, "right", colours.now);
  write("loss", left - 4, (top + bottom) / 2 + 4, "right", colours.now);
  write("0", left - 4, bottom, "right", colours.now);
  write("100 %", right + 4, top + 9, "left", colours.above);
  write("right", right + 4, (top + bottom) / 2 + 4, "left", colours.above);
  write("0 %", right + 4, bottom, "left", colours.above);
  write("0", left, height - 8, "left", colours.quiet);
  write(`${(losses.length - 1).toLocaleString("en")} steps`, right, height - 8, "right", colours.quiet);
}
