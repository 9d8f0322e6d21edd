// Why a weight's gradient is what it is: the largest of the paths that it is a sum over. A path leads
// from the weight in one row of the data, neuron after neuron, to that row's loss; along it the
// partials are multiplied, as `microgrid.explain` does.

/** Return the largest paths from a weight, or from a bias where `input` is -1, to the mean loss.
 *
 * A path has its row, the places of its neurons, its factors in the order of the path, and its
 * gradient. `count` is how many paths there are, and `rest` what those that are not listed add up to.
 */
export function largestPaths(pass, { layer, neuron, input }, most) {
  const { rows, network } = pass;
  const paths = [];
  for (let row = 0; row < rows; row++) {
    const first = input < 0 ? 1 : pass.values[layer][input * rows + row];
    for (const { product, neurons } of onwards(pass, row, layer, most)[neuron]) {
      paths.push({ row, neurons, gradient: product * first });
    }
  }
  const sizes = network.sizes.slice(layer + 2);
  const count = rows * sizes.reduce((product, size) => product * size, 1);
  const { ins, gw, gb } = network.layers[layer];
  const gradient = input < 0 ? gb[neuron] : gw[neuron * ins + input];
  const listed = largest(paths, (path) => path.gradient, most);
  for (const path of listed) path.factors = factorsOf(pass, layer, input, path);
  const sum = listed.reduce((total, path) => total + path.gradient, 0);
  return { gradient, count, paths: listed, rest: gradient - sum };
}

/** Return, for each neuron of a layer, the largest products from its sum to the loss of a row. */
function onwards(pass, row, layer, most) {
  const { rows, network, slopes, deltas } = pass;
  const last = network.layers.length - 1;
  let found = Array.from({ length: network.sizes.at(-1) }, (_, k) => [
    { product: deltas[last][k * rows + row] / rows, neurons: [k] },
  ]);
  for (let l = last; l > layer; l--) {
    const { ins, w } = network.layers[l];
    const after = found;
    found = Array.from({ length: ins }, (_, i) => {
      const slope = slopes[l - 1][i * rows + row];
      const all = after.flatMap((paths, j) =>
        paths.map(({ product, neurons }) => ({
          product: product * w[j * ins + i] * slope,
          neurons: [i, ...neurons],
        })),
      );
      return largest(all, (path) => path.product, most);
    });
  }
  return found;
}

function largest(paths, by, most) {
  const kept = paths.filter((path) => by(path) !== 0);
  return kept.sort((a, b) => Math.abs(by(b)) - Math.abs(by(a))).slice(0, most);
}

/** Return the partials along a path, each with what it is. */
function factorsOf(pass, layer, input, { row, neurons }) {
  const { rows, network, values, slopes, deltas } = pass;
  const last = network.layers.length - 1;
  const factors = [];
  if (input >= 0) factors.push({ kind: "value", number: values[layer][input * rows + row] });
  neurons.forEach((neuron, k) => {
    const l = layer + k;
    if (k) {
      const { ins, w } = network.layers[l];
      factors.push({ kind: "weight", number: w[neuron * ins + neurons[k - 1]] });
    }
    if (l < last) factors.push({ kind: "slope", number: slopes[l][neuron * rows + row] });
  });
  factors.push({ kind: "loss", number: deltas[last][neurons.at(-1) * rows + row] });
  factors.push({ kind: "mean", number: 1 / rows });
  return factors;
}
