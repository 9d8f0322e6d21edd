// Where the values and operations of a graph are placed, without Graphviz: in layers from left to
// right, after Sugiyama, Tagawa & Toda (1981). An operation stands close to the left of its value.

const SIZE = 11; // of the letters
const LINE = 15;
const LEAST_WIDTH = 100; // "grad" and a number such as -0.1234
const GAP = { op: 26, layer: 46, row: 14 };
const SWEEPS = 12;

const width = (text) => SIZE * 0.65 * [...text].length;

/** Return the places of all boxes and the paths of all edges, as microgrid's arrangement.py does. */
export function arrange({ names, kinds, operands, symbols }) {
  const items = names.map((name, i) => {
    const isConstant = kinds[i] === "constant";
    const box = isConstant
      ? [width(name) + 12, LINE + 8]
      : [Math.max(width(name) + 14, LEAST_WIDTH), 3 * LINE + 8];
    const oval = operands[i].length ? [Math.max(width(symbols[i]) + 16, 24), 22] : null;
    const across = box[0] + (oval ? oval[0] + GAP.op : 0);
    return { place: i, box, oval, across, down: box[1], above: [], below: [] };
  });
  const layers = layered(items, operands);
  const bends = joined(items, operands, layers);
  order(layers);
  const size = place(layers);
  return {
    size,
    values: items.map((item) => drawn(item, items, operands[item.place], bends, symbols)),
  };
}

/** Put each item into a layer: inner values after their operands, leaves right before their use. */
function layered(items, operands) {
  const depth = items.map(() => 0);
  operands.forEach((own, i) => {
    if (own.length) depth[i] = 1 + Math.max(...own.map((at) => depth[at]));
  });
  const uses = items.map(() => []);
  operands.forEach((own, i) => own.forEach((at) => uses[at].push(i)));
  items.forEach((item, i) => {
    if (!operands[i].length && uses[i].length) {
      depth[i] = Math.min(...uses[i].map((at) => depth[at])) - 1;
    }
    item.layer = depth[i];
  });
  const layers = Array.from({ length: Math.max(...depth) + 1 }, () => []);
  items.forEach((item) => layers[item.layer].push(item));
  return layers;
}

/** Join operands to what uses them, by bends in the layers that an edge crosses. */
function joined(items, operands, layers) {
  const bends = new Map();
  operands.forEach((own, i) => {
    for (const at of new Set(own)) {
      const path = [];
      let before = items[at];
      for (let layer = before.layer + 1; layer < items[i].layer; layer++) {
        const bend = { across: 0, down: 4, above: [], below: [], isBend: true };
        layers[layer].push(bend);
        path.push(bend);
        link(before, bend);
        before = bend;
      }
      link(before, items[i]);
      bends.set(`${at} ${i}`, path);
    }
  });
  return bends;
}

function link(left, right) {
  left.above.push(right);
  right.below.push(left);
}

/** Sort each layer by the middle of its neighbours, forth and back, to cross few edges. */
function order(layers) {
  const number = () => layers.forEach((layer) => layer.forEach((item, k) => (item.rank = k)));
  number();
  let best = layers.map((layer) => [...layer]);
  let least = crossings(layers);
  for (let sweep = 0; sweep < SWEEPS && least; sweep++) {
    const side = sweep % 2 ? "above" : "below";
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      const wanted = new Map(layer.map((item) => [item, middle(item[side]) ?? item.rank]));
      layer.sort((a, b) => wanted.get(a) - wanted.get(b));
      layer.forEach((item, k) => (item.rank = k));
    }
    const count = crossings(layers);
    if (count < least) [least, best] = [count, layers.map((layer) => [...layer])];
  }
  best.forEach((layer, i) => layers[i].splice(0, layers[i].length, ...layer));
  number();
}

const middle = (items) =>
  items.length ? items.reduce((total, item) => total + item.rank, 0) / items.length : null;

function crossings(layers) {
  let count = 0;
  for (const layer of layers) {
    const edges = layer.flatMap((item) => item.above.map((other) => [item.rank, other.rank]));
    edges.forEach(([a, b], i) => {
      for (const [c, d] of edges.slice(i + 1)) count += (a - c) * (b - d) < 0;
    });
  }
  return count;
}

/** Give every item its place; return the width and the height of the whole. */
function place(layers) {
  let left = 0;
  for (const layer of layers) {
    const widest = Math.max(...layer.map((item) => item.across));
    for (const item of layer) [item.left, item.right] = [left, left + widest];
    left += widest + GAP.layer;
    let y = 0;
    for (const item of layer) {
      item.y = y + item.down / 2;
      y += item.down + GAP.row;
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) settle(layer);
  }
  const all = layers.flat();
  const top = Math.min(...all.map((item) => item.y - item.down / 2));
  all.forEach((item) => (item.y -= top));
  return [left - GAP.layer, Math.max(...all.map((item) => item.y + item.down / 2))];
}

/** Move the items of a layer to the mean of their neighbours, as close as their order allows. */
function settle(layer) {
  // Pools of items that touch: each as a whole is at the mean of what its items want.
  const pools = [];
  let offset = 0;
  for (const item of layer) {
    const near = [...item.above, ...item.below];
    const wanted = near.length
      ? near.reduce((sum, other) => sum + other.y, 0) / near.length
      : item.y;
    offset += item.down / 2;
    const weight = item.isBend ? 2 : 1;
    pools.push({ items: [[item, offset]], mean: wanted - offset, weight });
    offset += item.down / 2 + GAP.row;
    while (pools.length > 1 && pools.at(-2).mean > pools.at(-1).mean) {
      const [before, last] = pools.splice(-2);
      const sum = before.weight + last.weight;
      const mean = (before.mean * before.weight + last.mean * last.weight) / sum;
      pools.push({ items: [...before.items, ...last.items], mean, weight: sum });
    }
  }
  for (const { items, mean } of pools) for (const [item, at] of items) item.y = mean + at;
}

// ---- what is drawn

const round = (numbers) => numbers.map((x) => Math.round(x * 10) / 10);

function drawn(item, items, operands, bends, symbols) {
  const { box, oval, right, y, place } = item;
  const x = right - box[0] / 2;
  const shown = { box: round([x, y, ...box]) };
  if (!oval) return shown;
  const edge = right - box[0];
  const centre = edge - GAP.op - oval[0] / 2;
  const start = centre - oval[0] / 2;
  const used = new Map();
  shown.symbol = symbols[place];
  shown.oval = round([centre, y, ...oval]);
  shown.operands = operands.map((at, k) => {
    const pin = y + ((k + 1) / (operands.length + 1) - 0.5) * oval[1];
    const inset = Math.abs(pin - y) > oval[1] / 4 ? 3 : 1; // an oval is narrower above and below
    const again = used.get(at) ?? 0;
    used.set(at, again + 1);
    const path = bends.get(`${at} ${place}`);
    return curve(items[at], path, [start + inset - 4, pin]);
  });
  shown.result = round(straight([centre + oval[0] / 2, y], [edge - 5, y]));
  shown.again = [];
  return shown;
}

const straight = ([x, y], [toX, toY]) => [x, y, x, y, toX, toY, toX, toY];

/** Return a curve from a value by bends to a point: it leaves and arrives level. */
function curve(from, bends, end) {
  const stops = bends.flatMap((bend) => [
    [bend.left, bend.y],
    [bend.right, bend.y],
  ]);
  const points = [from.right, from.y];
  let [x, y] = points;
  for (const [toX, toY] of [...stops, end]) {
    const half = (toX - x) / 2;
    points.push(x + half, y, toX - half, toY, toX, toY);
    [x, y] = [toX, toY];
  }
  return round(points);
}
