// The difference of two texts, by lines.

/** @typedef {{ sign: " " | "-" | "+", line: string }} Line */

/** More pairs of lines than this are not compared; the lines are then shown as replaced. */
const MAX_PAIRS = 4_000_000;

/**
 * The lines of both texts: those that stay, those that go, those that come.
 *
 * @param {string} before
 * @param {string} after
 * @returns {Line[]}
 */
export function diffLines(before, after) {
  const [left, right] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) {
    start += 1;
  }
  let end = 0;
  const rest = Math.min(left.length, right.length) - start;
  while (end < rest && left[left.length - 1 - end] === right[right.length - 1 - end]) {
    end += 1;
  }
  const same = (/** @type {string[]} */ lines) => lines.map((line) => ({ sign: /** @type {" "} */ (" "), line }));
  return [
    ...same(left.slice(0, start)),
    ...changed(left.slice(start, left.length - end), right.slice(start, right.length - end)),
    ...same(left.slice(left.length - end)),
  ];
}

/**
 * The shortest way from some lines to others (longest common subsequence, by its table of lengths).
 *
 * @param {string[]} left
 * @param {string[]} right
 * @returns {Line[]}
 */
function changed(left, right) {
  const removed = (/** @type {string} */ line) => ({ sign: /** @type {"-"} */ ("-"), line });
  const added = (/** @type {string} */ line) => ({ sign: /** @type {"+"} */ ("+"), line });
  if (left.length * right.length > MAX_PAIRS) {
    return [...left.map(removed), ...right.map(added)];
  }
  const width = right.length + 1;
  const lengths = new Uint32Array((left.length + 1) * width);
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      const at = row * width + column;
      lengths[at] =
        left[row] === right[column]
          ? lengths[at + width + 1] + 1
          : Math.max(lengths[at + width], lengths[at + 1]);
    }
  }
  /** @type {Line[]} */
  const lines = [];
  let [row, column] = [0, 0];
  while (row < left.length || column < right.length) {
    const at = row * width + column;
    if (row < left.length && column < right.length && left[row] === right[column]) {
      lines.push({ sign: " ", line: left[row] });
      row += 1;
      column += 1;
    } else if (column >= right.length || (row < left.length && lengths[at + width] >= lengths[at + 1])) {
      lines.push(removed(left[row]));
      row += 1;
    } else {
      lines.push(added(right[column]));
      column += 1;
    }
  }
  return lines;
}
