// A multi-layer perceptron and its training, as microgrid.MLP and microgrid.fit have them: a sum
// starts with the bias, the last layer is linear, the loss of a batch is the mean over its rows.
//
// Numbers are in columns: neuron after neuron, and for each of them row after row.

import { overColumns } from "./columns.js";

/** Weights and biases with their gradients, all in two arrays, of which each layer sees its part. */
export class Network {
  constructor(sizes) {
    this.sizes = sizes;
    const count = sizes.slice(1).reduce((sum, outs, l) => sum + outs * (sizes[l] + 1), 0);
    this.parameters = new Float64Array(count);
    this.gradients = new Float64Array(count);
    let start = 0;
    this.layers = sizes.slice(1).map((outs, l) => {
      const ins = sizes[l];
      const [weights, end] = [start, start + outs * ins];
      start = end + outs;
      return {
        ...{ ins, outs, w: this.parameters.subarray(weights, end) },
        b: this.parameters.subarray(end, start),
        ...{ gw: this.gradients.subarray(weights, end), gb: this.gradients.subarray(end, start) },
      };
    });
  }

  /** Draw the weights by Glorot and Bengio's rule, "xavier"; biases start at 0. */
  draw(random) {
    for (const { ins, outs, w, b } of this.layers) {
      const bound = Math.sqrt(6 / (ins + outs));
      for (let k = 0; k < w.length; k++) w[k] = bound * (2 * random() - 1);
      b.fill(0);
    }
  }

  /** Take over what another network has of the layers before `depth`. */
  keep(other, depth) {
    this.layers.slice(0, depth).forEach(({ ins, outs, w, b }, l) => {
      const from = other.layers[l];
      if (!from) return;
      for (let j = 0; j < Math.min(outs, from.outs); j++) {
        b[j] = from.b[j];
        for (let i = 0; i < Math.min(ins, from.ins); i++) w[j * ins + i] = from.w[j * from.ins + i];
      }
    });
  }

  /** Return the numbers by the paths that a `state_dict` has. */
  state(numbers = this.parameters) {
    const found = {};
    let start = 0;
    this.layers.forEach(({ ins, outs }, l) => {
      for (let j = 0; j < outs; j++) {
        const neuron = `layers.${l}.neurons.${j}`;
        for (let i = 0; i < ins; i++) found[`${neuron}.w.${i}`] = numbers[start + j * ins + i];
        found[`${neuron}.b`] = numbers[start + outs * ins + j];
      }
      start += outs * (ins + 1);
    });
    return found;
  }

  load(state) {
    this.layers.forEach(({ ins, outs, w, b }, l) => {
      for (let j = 0; j < outs; j++) {
        const neuron = `layers.${l}.neurons.${j}`;
        for (let i = 0; i < ins; i++) w[j * ins + i] = state[`${neuron}.w.${i}`];
        b[j] = state[`${neuron}.b`];
      }
    });
  }
}

/** What a network computes of rows: of each layer the sums, what becomes of them, and the slopes. */
export class Pass {
  /** `activation` has the value and the slope, `of` the columns of the inputs, all in one array. */
  constructor(network, activation, of, rows, { withSlopes = true } = {}) {
    this.network = network;
    this.rows = rows;
    this.outputs = withSlopes ? [0, 1] : [0];
    this.activate = overColumns(activation, 1, this.outputs);
    const columns = () => network.layers.map(({ outs }) => new Float64Array(outs * rows));
    this.sums = columns();
    this.values = [of, ...columns()];
    this.slopes = withSlopes ? columns() : [];
    this.deltas = withSlopes ? columns() : []; // derivatives with respect to the sums
    this.slopes.at(-1)?.fill(1);
    this.values[network.layers.length] = this.sums.at(-1); // the last layer is linear
  }

  get logits() {
    return this.sums.at(-1);
  }

  forward() {
    const { rows, sums, values, slopes } = this;
    this.network.layers.forEach(({ ins, outs, w, b }, l) => {
      const [sum, before] = [sums[l], values[l]];
      for (let j = 0; j < outs; j++) {
        const start = j * rows;
        sum.fill(b[j], start, start + rows);
        for (let i = 0; i < ins; i++) {
          const weight = w[j * ins + i];
          const from = i * rows;
          for (let r = 0; r < rows; r++) sum[start + r] += weight * before[from + r];
        }
      }
      if (l === sums.length - 1) return;
      const results = slopes.length ? [values[l + 1], slopes[l]] : [values[l + 1]];
      this.activate([sum], results, outs * rows);
    });
  }

  /** From the derivatives of the rows' losses, in the last deltas, to the gradients of their mean. */
  backward() {
    const { rows, values, slopes, deltas } = this;
    for (let l = deltas.length - 1; l >= 0; l--) {
      const { ins, outs, w, gw, gb } = this.network.layers[l];
      const [delta, before] = [deltas[l], values[l]];
      for (let j = 0; j < outs; j++) {
        const start = j * rows;
        for (let i = 0; i < ins; i++) {
          let sum = 0;
          for (let r = 0; r < rows; r++) sum += delta[start + r] * before[i * rows + r];
          gw[j * ins + i] = sum / rows; // divided after they are summed, as in `fit`
        }
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += delta[start + r];
        gb[j] = sum / rows;
      }
      if (l === 0) return;
      const [earlier, slope] = [deltas[l - 1], slopes[l - 1]];
      earlier.fill(0);
      for (let j = 0; j < outs; j++) {
        for (let i = 0; i < ins; i++) {
          const weight = w[j * ins + i];
          for (let r = 0; r < rows; r++) earlier[i * rows + r] += weight * delta[j * rows + r];
        }
      }
      for (let k = 0; k < earlier.length; k++) earlier[k] *= slope[k];
    }
  }
}

/** Return the loss of every row's logits; write its derivatives into `deltas`. */
export class Loss {
  /** Of one output, a program of the logit and the target; of more, of the logits, the right first. */
  constructor(program, outputs) {
    this.outputs = outputs;
    this.isBinary = outputs === 1;
    this.apply = overColumns(program, this.isBinary ? 2 : outputs);
  }

  of(logits, targets, deltas, losses) {
    const rows = targets.length;
    if (this.isBinary) {
      this.apply([logits, Float64Array.from(targets)], [losses, deltas, new Float64Array(rows)], rows);
      return;
    }
    const order = (r) => [targets[r], ...[...Array(this.outputs).keys()].filter((k) => k !== targets[r])];
    const places = Array.from(targets, (_, r) => order(r).map((k) => k * rows + r));
    const columns = (make) => Array.from({ length: this.outputs }, make);
    const given = columns((_, k) => Float64Array.from(places, (place) => logits[place[k]]));
    const slopes = columns(() => new Float64Array(rows));
    this.apply(given, [losses, ...slopes], rows);
    places.forEach((place, r) => place.forEach((at, k) => (deltas[at] = slopes[k][r])));
  }
}

/** Return the class that each row's logits are for: the sign of one, or the place of the largest. */
export function classes(logits, rows) {
  const count = logits.length / rows;
  return Array.from({ length: rows }, (_, r) => {
    if (count === 1) return logits[r] > 0 ? 1 : 0;
    let best = 0;
    for (let k = 1; k < count; k++) if (logits[k * rows + r] > logits[best * rows + r]) best = k;
    return best;
  });
}

/** The training of a network on points and their classes, step after step. */
export class Training {
  constructor(network, { X, y }, { activation, loss, optimizer, rate, batch = X.length, random }) {
    Object.assign(this, { network, y, activation, rate, batch, random });
    this.rows = X.length;
    this.inputs = columnsOf(X);
    this.loss = new Loss(loss, network.sizes.at(-1));
    this.pass = new Pass(network, activation, this.inputs, this.rows);
    this.passes = new Map(); // of batches, by their numbers of rows
    this.steps = 0;
    this.seen = 0; // rows, those of all steps together
    this.order = [];
    this.choose(optimizer);
    this.evaluate();
  }

  /** Take an optimizer's rule, a program; it starts without any memory. */
  choose(optimizer) {
    const slots = optimizer.outputs.length - 1;
    const { length } = this.network.parameters;
    const column = () => new Float64Array(length);
    this.memory = Array.from({ length: slots }, column);
    this.renewed = Array.from({ length: slots + 1 }, column);
    this.options = [column(), column()]; // the rate, and the number of the step
    this.update = overColumns(optimizer, 4 + slots);
    this.moves = 0;
  }

  /** Compute the loss of all rows, the share that is right, and the gradient of that loss. */
  evaluate() {
    const { pass, y } = this;
    const { loss } = this.derive(pass, y);
    const right = classes(pass.logits, this.rows).filter((label, r) => label === y[r]).length;
    Object.assign(this, { value: loss, accuracy: right / this.rows });
  }

  derive(pass, targets) {
    const losses = new Float64Array(targets.length);
    pass.forward();
    this.loss.of(pass.logits, targets, pass.deltas.at(-1), losses);
    pass.backward();
    return { loss: losses.reduce((sum, x) => sum + x, 0) / targets.length };
  }

  /** Take a step on the next rows; return the loss that these had, or null where it went too far. */
  step() {
    let { value } = this;
    if (this.batch < this.rows) {
      if (!this.order.length) this.order = shuffled(this.rows, this.random);
      value = this.stepOn(this.order.splice(0, this.batch));
    } else if (!this.move(this.rows)) {
      value = null;
    }
    if (value !== null) this.evaluate();
    return value;
  }

  /** Take a step on some rows alone, by their numbers. */
  stepOn(places) {
    const rows = places.length;
    const inputs = columnsOf(places.map((r) => [this.inputs[r], this.inputs[this.rows + r]]));
    if (!this.passes.has(rows)) {
      this.passes.set(rows, new Pass(this.network, this.activation, inputs, rows));
    }
    const pass = this.passes.get(rows);
    pass.values[0] = inputs;
    const { loss } = this.derive(pass, places.map((r) => this.y[r]));
    return this.move(rows) ? loss : null;
  }

  /** Move all parameters by the gradients of so many rows, or none if one would not be finite. */
  move(rows) {
    const { parameters, gradients } = this.network;
    this.options[0].fill(this.rate);
    this.options[1].fill(this.moves + 1);
    const given = [parameters, gradients, ...this.memory, ...this.options];
    this.update(given, this.renewed, parameters.length);
    if (!this.renewed.every((column) => column.every(Number.isFinite))) return false;
    const [moved, ...memory] = this.renewed;
    parameters.set(moved);
    memory.forEach((column, k) => this.memory[k].set(column));
    this.steps += 1;
    this.seen += rows;
    this.moves += 1;
    return true;
  }

  get epochs() {
    return Math.floor(this.seen / this.rows); // whatever the batches were
  }
}

/** Return rows as columns, one after another in one array. */
export function columnsOf(X) {
  const columns = new Float64Array(2 * X.length);
  X.forEach(([x1, x2], r) => {
    columns[r] = x1;
    columns[X.length + r] = x2;
  });
  return columns;
}

function shuffled(count, random) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
