// Numbers put into bins: for histograms, and for scatters with so many points that single ones would be a blob.

/**
 * The counts of numbers in bins of the same width between two pixels.
 *
 * @param {Float64Array} column
 * @param {number} length
 * @param {import("./scale.js").Scale} along
 * @param {number} count
 */
export function histogram(column, length, along, count) {
  const bins = new Uint32Array(count);
  const width = (along.to - along.from) / count;
  for (let at = 0; at < length; at += 1) {
    const place = Math.floor((along.at(column[at]) - along.from) / width);
    if (place >= 0 && place <= count) {
      bins[Math.min(place, count - 1)] += 1;
    }
  }
  return bins;
}

/**
 * The counts of points in squares of a grid.
 *
 * @param {{ xs: Float64Array, ys: Float64Array, length: number, across: import("./scale.js").Scale,
 *   up: import("./scale.js").Scale, cell: number }} what
 */
export function density({ xs, ys, length, across, up, cell }) {
  const columns = Math.max(1, Math.ceil((across.to - across.from) / cell));
  const rows = Math.max(1, Math.ceil((up.from - up.to) / cell));
  const counts = new Uint32Array(columns * rows);
  let most = 0;
  for (let at = 0; at < length; at += 1) {
    const column = Math.floor((across.at(xs[at]) - across.from) / cell);
    const row = Math.floor((up.at(ys[at]) - up.to) / cell);
    const isInside = column >= 0 && row >= 0 && column <= columns && row <= rows;
    if (isInside) {
      const place = Math.min(row, rows - 1) * columns + Math.min(column, columns - 1);
      counts[place] += 1;
      most = Math.max(most, counts[place]);
    }
  }
  return { counts, columns, rows, most };
}

/**
 * The best number so far, in the order of another: the history of an optimisation.
 *
 * @param {Float64Array} xs
 * @param {Float64Array} ys
 * @param {number[]} order places sorted by their x
 * @param {"min" | "max"} goal
 */
export function runningBest(xs, ys, order, goal) {
  const isBetter = goal === "min" ? (/** @type {number} */ a, /** @type {number} */ b) => a < b : (/** @type {number} */ a, /** @type {number} */ b) => a > b;
  /** @type {{ place: number, x: number, y: number }[]} */
  const steps = [];
  for (const place of order) {
    const last = steps[steps.length - 1];
    if (Number.isFinite(ys[place]) && (!last || isBetter(ys[place], last.y))) {
      steps.push({ place, x: xs[place], y: ys[place] });
    }
  }
  return steps;
}

/**
 * Count, extremes with their places, and mean of the numbers of a column.
 *
 * @param {Float64Array} column
 * @param {number} length
 */
export function summary(column, length) {
  let [count, sum, lowest, highest] = [0, 0, -1, -1];
  for (let at = 0; at < length; at += 1) {
    const number = column[at];
    if (Number.isFinite(number)) {
      count += 1;
      sum += number;
      lowest = lowest < 0 || number < column[lowest] ? at : lowest;
      highest = highest < 0 || number > column[highest] ? at : highest;
    }
  }
  return { count, mean: sum / count, lowest, highest };
}
