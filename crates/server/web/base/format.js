// Numbers, sizes, times and durations as people read them.

const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const exact = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "long",
});

/** @param {number} number */
export function formatCount(number) {
  return count.format(number);
}

/**
 * `1 key`, `2,000 keys`.
 *
 * @param {number} number
 * @param {string} noun
 * @param {string} [several]
 */
export function counted(number, noun, several = `${noun}s`) {
  return `${formatCount(number)} ${number === 1 ? noun : several}`;
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 1024) {
    return `${bytes} B`;
  }
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

const STEPS = /** @type {const} */ ([
  ["y", 365 * 86400],
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
]);

/**
 * A duration in its largest unit, or in two where the first is small: `40 s`, `3 min 5 s`, `2 h`.
 *
 * @param {number} milliseconds
 */
export function formatSpan(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const first = STEPS.findIndex(([, size]) => seconds >= size);
  if (first < 0) {
    return "0 s";
  }
  const [unit, size] = STEPS[first];
  const whole = Math.floor(seconds / size);
  const next = STEPS[first + 1];
  const rest = next ? Math.floor((seconds - whole * size) / next[1]) : 0;
  return whole < 10 && next && rest > 0 ? `${whole} ${unit} ${rest} ${next[0]}` : `${whole} ${unit}`;
}

/**
 * The age of an instant in one unit: `now`, `12 s`, `5 min`.
 *
 * @param {number} then in milliseconds
 * @param {number} now
 */
export function formatAge(then, now) {
  const seconds = Math.round((now - then) / 1000);
  if (seconds < 1) {
    return "now";
  }
  const [unit, size] = STEPS.find(([, step]) => seconds >= step) ?? STEPS[STEPS.length - 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/**
 * The exact time with its zone.
 *
 * @param {number | string} instant
 */
export function formatExact(instant) {
  const date = new Date(instant);
  return Number.isNaN(date.getTime()) ? String(instant) : exact.format(date);
}

/**
 * A number in a plot or beside one: at most six digits, without a tail of zeros.
 *
 * @param {number} number
 */
export function formatNumber(number) {
  if (number === 0) {
    return "0";
  }
  const size = Math.abs(number);
  if (size >= 1e6 || size < 1e-4) {
    return number.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e").replace("-", "−").replace("e-", "e−");
  }
  return String(Number(number.toPrecision(6))).replace("-", "−");
}

/** Digits of a changing number that is read as a rate. @param {number} perSecond */
export function formatRate(perSecond) {
  return perSecond < 10 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond));
}
