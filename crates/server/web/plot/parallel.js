// Parallel coordinates: an axis for each field, a line for each entry, and a brush on each axis.

import { titleOf } from "./fields.js";
import { inks, prepare, shade } from "./draw.js";
import { rangeOf, scale } from "./scale.js";

const MAX_AXES = 12;
const MARGIN = { left: 56, right: 56, top: 44, bottom: 16 };
/** More lines are drawn for every n-th entry only. */
const MAX_LINES = 4000;

/**
 * @typedef {{ field: string, x: number, up: import("./scale.js").Scale }} Axis
 * @typedef {Map<string, [number, number]>} Brushes the numbers between which an entry has to be, by field
 */

/**
 * Draws the axes and lines; answers the axes.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {import("./points.js").Points} points
 * @param {{ colour: string, brushes: Brushes, hover: number }} choice
 * @returns {Axis[]}
 */
export function drawParallel(canvas, points, { colour, brushes, hover }) {
  const { pen, width, height } = prepare(canvas);
  const colours = inks(canvas);
  const own = points.fields.filter((field) => !field.startsWith("#"));
  const fields = own.length > 1 ? own : points.fields;
  const axes = axesOf(points, fields.slice(0, MAX_AXES), width, height);
  if (axes.length < 2) {
    return [];
  }
  const numbers = points.column(colour);
  const range = rangeOf(numbers, points.length, false) ?? [0, 1];
  const step = Math.max(1, Math.ceil(points.length / MAX_LINES));
  pen.lineWidth = 1;
  for (let place = 0; place < points.length; place += step) {
    const isIn = isInside(points, brushes, place);
    pen.globalAlpha = isIn ? 0.5 : 0.06;
    pen.strokeStyle = isIn ? shade((numbers[place] - range[0]) / (range[1] - range[0] || 1), colours.isDark) : colours.faint;
    strokeEntry(pen, points, axes, place);
  }
  pen.globalAlpha = 1;
  if (hover >= 0) {
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2.5;
    strokeEntry(pen, points, axes, hover);
  }
  axes.forEach((axis) => drawAxis(pen, axis, brushes.get(axis.field), colours));
  return axes;
}

/**
 * @param {import("./points.js").Points} points
 * @param {string[]} fields
 * @param {number} width
 * @param {number} height
 * @returns {Axis[]}
 */
function axesOf(points, fields, width, height) {
  const between = (width - MARGIN.left - MARGIN.right) / Math.max(1, fields.length - 1);
  return fields.flatMap((field, at) => {
    const range = rangeOf(points.column(field), points.length, false);
    const vertical = { from: height - MARGIN.bottom, to: MARGIN.top };
    return range ? [{ field, x: MARGIN.left + at * between, up: scale({ low: range[0], high: range[1], ...vertical, isTime: field === "#changed" }) }] : [];
  });
}

/**
 * True if an entry is within all brushes.
 *
 * @param {import("./points.js").Points} points
 * @param {Brushes} brushes
 * @param {number} place
 */
export function isInside(points, brushes, place) {
  return [...brushes].every(([field, [low, high]]) => {
    const number = points.column(field)[place];
    return number >= low && number <= high;
  });
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./points.js").Points} points
 * @param {Axis[]} axes
 * @param {number} place
 */
function strokeEntry(pen, points, axes, place) {
  pen.beginPath();
  for (const { field, x, up } of axes) {
    const y = up.at(points.column(field)[place]);
    if (Number.isFinite(y)) {
      pen.lineTo(x, y);
    }
  }
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Axis} axis
 * @param {[number, number] | undefined} brush
 * @param {import("./draw.js").Inks} colours
 */
function drawAxis(pen, { field, x, up }, brush, colours) {
  pen.strokeStyle = colours.faint;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(Math.round(x) + 0.5, up.to);
  pen.lineTo(Math.round(x) + 0.5, up.from);
  pen.stroke();
  pen.font = `12px ${colours.mono}`;
  pen.fillStyle = colours.ink;
  pen.textAlign = "center";
  pen.textBaseline = "bottom";
  const title = titleOf(field);
  pen.fillText(title.length > 18 ? `${title.slice(0, 17)}…` : title, x, up.to - 16);
  pen.fillStyle = colours.faint;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const { at, text } of up.ticks()) {
    pen.fillText(text, x + 6, at);
  }
  if (brush) {
    const [bottom, top] = brush.map(up.at);
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 5;
    pen.beginPath();
    pen.moveTo(x, bottom);
    pen.lineTo(x, top);
    pen.stroke();
  }
}
