// Programs of the library's functions, run over columns: one operation after another, each for many
// numbers. There is a row for each operation of a processor, and none for any function.

import { OPERATIONS } from "../../stepper/static/explore.js";

const BLOCK = 512; // so many numbers of each step stay in the processor's cache

/** Return a function that runs a program over columns. `outputs` are the places of its results. */
export function overColumns(program, inputs, outputs = program.outputs.map((_, k) => k)) {
  const results = outputs.map((k) => program.outputs[k]);
  const needed = new Set(results);
  const steps = [];
  for (let k = program.steps.length - 1; k >= 0; k--) {
    if (!needed.has(inputs + k)) continue;
    const [operation, ...operands] = program.steps[k];
    operands.forEach((operand) => needed.add(operand));
    steps.unshift({ apply: OPERATIONS[operation], place: inputs + k, operands });
  }
  const slots = new Map(); // a place or a constant's text -> its numbers
  for (const operand of needed) {
    const numbers = new Float64Array(BLOCK);
    if (typeof operand === "string") numbers.fill(Number(operand));
    slots.set(operand, numbers);
  }

  /** Fill `columns` with the results for the first `count` numbers of the arguments. */
  return (args, columns, count) => {
    for (let start = 0; start < count; start += BLOCK) {
      const size = Math.min(BLOCK, count - start);
      args.forEach((arg, i) => {
        if (needed.has(i)) slots.set(i, arg.subarray(start, start + size));
      });
      for (const { apply, place, operands } of steps) {
        fill(slots.get(place), apply, operands.map((operand) => slots.get(operand)), size);
      }
      results.forEach((result, k) => {
        columns[k].set(slots.get(result).subarray(0, size), start);
      });
    }
  };
}

function fill(out, apply, [a, b, c], size) {
  if (c) for (let i = 0; i < size; i++) out[i] = apply(a[i], b[i], c[i]);
  else if (b) for (let i = 0; i < size; i++) out[i] = apply(a[i], b[i]);
  else for (let i = 0; i < size; i++) out[i] = apply(a[i]);
}
