// Scales: from numbers to pixels and back, and the numbers that are written at an axis.

import { formatNumber } from "../base/format.js";

/**
 * @typedef {{ low: number, high: number, from: number, to: number, isLog: boolean, isTime: boolean,
 *   at: (number: number) => number, number: (pixel: number) => number, ticks: () => Tick[] }} Scale
 * @typedef {{ at: number, text: string }} Tick
 */

/** Pixels between two numbers. */
const APART = { x: 90, y: 44 };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIMES = [1000, 5000, 15_000, 30_000, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY];

/**
 * A scale. A range without a length gets one, so that a single point stands in the middle.
 *
 * @param {{ low: number, high: number, from: number, to: number, isLog?: boolean, isTime?: boolean }} range
 * @returns {Scale}
 */
export function scale({ low, high, from, to, isLog = false, isTime = false }) {
  const [lowest, highest] = widen(low, high, isLog);
  const forward = isLog ? Math.log10 : (/** @type {number} */ number) => number;
  const [start, end] = [forward(lowest), forward(highest)];
  const factor = (to - from) / (end - start);
  const at = (/** @type {number} */ number) => from + (forward(number) - start) * factor;
  const back = (/** @type {number} */ pixel) => start + (pixel - from) / factor;
  const made = {
    low: lowest,
    high: highest,
    from,
    to,
    isLog,
    isTime,
    at,
    number: (/** @type {number} */ pixel) => (isLog ? 10 ** back(pixel) : back(pixel)),
    ticks: () => ticksOf(made),
  };
  return made;
}

/**
 * @param {number} low
 * @param {number} high
 * @param {boolean} isLog
 */
function widen(low, high, isLog) {
  if (low < high) {
    return [low, high];
  }
  if (isLog) {
    return [low / 2, low * 2];
  }
  const room = Math.abs(low) * 0.1 || 1;
  return [low - room, low + room];
}

/**
 * @param {Scale} of
 * @returns {Tick[]}
 */
function ticksOf(of) {
  const isVertical = of.from > of.to;
  const most = Math.max(2, Math.floor(Math.abs(of.to - of.from) / (isVertical ? APART.y : APART.x)));
  const numbers = of.isLog ? logTicks(of.low, of.high, most) : of.isTime ? timeTicks(of.low, of.high, most) : linearTicks(of.low, of.high, most);
  return numbers.map((number) => ({ at: of.at(number), text: of.isTime ? timeText(number, of.high - of.low) : formatNumber(number) }));
}

/**
 * Multiples of 1, 2 or 5 of a power of ten.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function linearTicks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(15)));
}

/**
 * Powers of ten; with their multiples by 2 and 5 where there is room.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function logTicks(low, high, most) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decades = last - first;
  const factors = decades * 3 <= most ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil(decades / most));
  const numbers = [];
  for (let power = first; power <= last; power += stride) {
    numbers.push(...factors.map((factor) => Number((factor * 10 ** power).toPrecision(15))));
  }
  const inside = numbers.filter((number) => number >= low * 0.999 && number <= high * 1.001);
  return inside.length >= 2 ? inside : linearTicks(low, high, most).filter((number) => number > 0);
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
function timeTicks(low, high, most) {
  const step = TIMES.find((size) => (high - low) / size <= most) ?? 365 * DAY;
  const zone = new Date(low).getTimezoneOffset() * MINUTE;
  const first = Math.ceil((low - zone) / step) * step + zone;
  const numbers = [];
  for (let at = first; at <= high; at += step) {
    numbers.push(at);
  }
  return numbers.length > 0 ? numbers : [low, high];
}

/**
 * @param {number} time
 * @param {number} range
 */
function timeText(time, range) {
  const date = new Date(time);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  if (range > 3 * DAY) {
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  }
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return range > 10 * MINUTE ? clock : `${clock}:${two(date.getSeconds())}`;
}

/**
 * The lowest and the highest number of a column that a scale can have.
 *
 * @param {Float64Array} column
 * @param {number} length
 * @param {boolean} isLog
 * @returns {[number, number] | undefined}
 */
export function rangeOf(column, length, isLog) {
  let [low, high] = [Infinity, -Infinity];
  for (let at = 0; at < length; at += 1) {
    const number = column[at];
    if (number < low && (!isLog || number > 0)) {
      low = number;
    }
    if (number > high) {
      high = number;
    }
  }
  return low <= high ? [low, high] : undefined;
}
