// Random numbers from a seed, and noise: a data set's points come from Python without any.

/** Return a function that draws from 0 to 1, always the same for a seed: a mixed Weyl sequence. */
export function generator(seed) {
  let state = seed >>> 0;
  const mixed = (x, by, factor) => Math.imul(x ^ (x >>> by), factor);
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    const high = mixed(mixed(state, 16, 0x85ebca6b), 13, 0xc2b2ae35);
    return ((high ^ (high >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** Return a draw from the normal distribution, by Box and Muller. */
export function normal(random) {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/** Return a data set with noise of this standard deviation; the same draws, only scaled. */
export function noisy({ X, y }, noise, seed) {
  const random = generator(seed);
  return { X: X.map((row) => row.map((x) => x + noise * normal(random))), y };
}

/** Return from where to where the axes go: a little further than the points. */
export function axesOf(X) {
  return [0, 1].map((column) => {
    const numbers = X.map((row) => row[column]);
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    const margin = (high - low) / 10 || 1;
    return [low - margin, high + margin];
  });
}
