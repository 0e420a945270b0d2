// The order of names: that of their UTF-8 bytes, as the server has it.

/**
 * Compares two names by their bytes; negative if the first is earlier.
 *
 * JavaScript compares by UTF-16 units, in which characters beyond U+FFFF (surrogates, U+D800 to U+DFFF) come before
 * U+E000 to U+FFFF. In UTF-8 they come after.
 *
 * @param {string} left
 * @param {string} right
 */
export function compareNames(left, right) {
  if (left === right) {
    return 0;
  }
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at += 1) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (a !== b) {
      return rank(a) - rank(b);
    }
  }
  return left.length - right.length;
}

/** @param {number} unit */
function rank(unit) {
  if (unit < 0xd800) {
    return unit;
  }
  return unit <= 0xdfff ? unit + 0x10000 : unit;
}

/**
 * The index, from `start` on, at which a name is or would be inserted in a sorted list.
 *
 * @param {readonly string[]} names
 * @param {string} name
 * @param {number} [start]
 */
export function placeOf(names, name, start = 0) {
  let low = start;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareNames(names[middle], name) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
