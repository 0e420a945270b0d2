// Draws a plot on a canvas: axes, and points, a line, a histogram or a density.

import { titleOf } from "./fields.js";
import { density, histogram, runningBest } from "./bins.js";
import { rangeOf, scale } from "./scale.js";

/** From so many points on, a scatter is a density. */
export const MANY_POINTS = 20_000;
const MARGIN = { left: 72, right: 20, top: 14, bottom: 46 };
const CELL = 3;
const BAR = 8;
/** A range is drawn with some room around it. */
const ROOM = 0.04;

/**
 * @typedef {"points" | "line" | "histogram" | "best" | "parallel"} Kind
 * @typedef {{ x: [number, number], y: [number, number] }} Area
 * @typedef {{ kind: Kind, x: string, y: string, c: string, logX: boolean, logY: boolean, goal: "min" | "max",
 *   zoom?: Area, hover: number, selected?: Area }} Choice
 * @typedef {{ across: import("./scale.js").Scale, up: import("./scale.js").Scale }} Frame
 */

/** The colours of the page. @param {Element} element */
export function inks(element) {
  const style = getComputedStyle(element);
  const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return { ink: ink("--ink"), faint: ink("--faint"), line: ink("--line"), accent: ink("--accent"), bad: ink("--bad"), paper: ink("--paper"), mono: ink("--sans"), isDark: style.colorScheme === "dark" };
}

/**
 * A canvas fitted to its element, cleared, in units of CSS pixels.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/**
 * Draws the plot; answers its scales, or nothing where there is nothing to draw.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {import("./points.js").Points} points
 * @param {Choice} choice
 * @returns {Frame | undefined}
 */
export function drawPlot(canvas, points, choice) {
  const { pen, width, height } = prepare(canvas);
  const colours = inks(canvas);
  const frame = frameOf(points, choice, width, height);
  if (!frame) {
    return undefined;
  }
  drawAxes(pen, frame, choice, colours);
  pen.save();
  pen.beginPath();
  pen.rect(frame.across.from, frame.up.to, frame.across.to - frame.across.from, frame.up.from - frame.up.to);
  pen.clip();
  if (choice.kind === "histogram") {
    drawHistogram(pen, points, frame, choice, colours);
  } else {
    drawPoints(pen, points, frame, choice, colours);
  }
  pen.restore();
  drawHover(pen, points, frame, choice, colours);
  drawSelection(pen, frame, choice, colours);
  return frame;
}

/**
 * @param {import("./points.js").Points} points
 * @param {Choice} choice
 * @param {number} width
 * @param {number} height
 * @returns {Frame | undefined}
 */
function frameOf(points, { kind, x, y, logX, logY, zoom }, width, height) {
  const isHistogram = kind === "histogram";
  const field = isHistogram ? y : x;
  const isLog = isHistogram ? logY : logX;
  const wide = zoom?.x ?? rangeOf(points.column(field), points.length, isLog);
  if (!wide || width < MARGIN.left + 40 || height < 120) {
    return undefined;
  }
  const horizontal = { from: MARGIN.left, to: width - MARGIN.right };
  const [low, high] = zoom ? wide : withRoom(wide, isLog);
  const across = scale({ low, high, ...horizontal, isLog, isTime: field === "#changed" });
  const vertical = { from: height - MARGIN.bottom, to: MARGIN.top };
  if (isHistogram) {
    const bins = histogram(points.column(field), points.length, across, barsOf(across));
    return { across, up: scale({ low: 0, high: Math.max(1, ...bins), ...vertical }) };
  }
  const tall = zoom?.y ?? rangeOf(points.column(y), points.length, logY);
  if (!tall) {
    return undefined;
  }
  const [bottom, top] = zoom ? tall : withRoom(tall, logY);
  return { across, up: scale({ low: bottom, high: top, ...vertical, isLog: logY, isTime: y === "#changed" }) };
}

/**
 * @param {[number, number]} range
 * @param {boolean} isLog
 * @returns {[number, number]}
 */
function withRoom([low, high], isLog) {
  if (isLog) {
    const factor = (high / low) ** ROOM;
    return [low / factor, high * factor];
  }
  const room = (high - low) * ROOM;
  return [low - room, high + room];
}

/** @param {import("./scale.js").Scale} across */
function barsOf(across) {
  return Math.max(1, Math.min(80, Math.floor((across.to - across.from) / BAR)));
}

/** @typedef {ReturnType<typeof inks>} Inks */

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Frame} frame
 * @param {Choice} choice
 * @param {Inks} colours
 */
function drawAxes(pen, { across, up }, { kind, x, y }, colours) {
  pen.lineWidth = 1;
  pen.font = `12px ${colours.mono}`;
  pen.strokeStyle = colours.line;
  pen.fillStyle = colours.faint;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const { at, text } of across.ticks()) {
    stroke(pen, Math.round(at) + 0.5, up.to, Math.round(at) + 0.5, up.from);
    pen.fillText(text, at, up.from + 6);
  }
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const { at, text } of up.ticks()) {
    stroke(pen, across.from, Math.round(at) + 0.5, across.to, Math.round(at) + 0.5);
    pen.fillText(text, across.from - 8, at);
  }
  pen.fillStyle = colours.ink;
  pen.textAlign = "right";
  pen.textBaseline = "bottom";
  pen.fillText(titleOf(kind === "histogram" ? y : x), across.to, up.from + 42);
  pen.save();
  pen.translate(14, up.to);
  pen.rotate(-Math.PI / 2);
  pen.textBaseline = "top";
  pen.fillText(kind === "histogram" ? "entries" : titleOf(y), 0, -4);
  pen.restore();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {number} toX
 * @param {number} toY
 */
function stroke(pen, x, y, toX, toY) {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(toX, toY);
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./points.js").Points} points
 * @param {Frame} frame
 * @param {Choice} choice
 * @param {Inks} colours
 */
function drawHistogram(pen, points, { across, up }, { y }, colours) {
  const count = barsOf(across);
  const bins = histogram(points.column(y), points.length, across, count);
  const width = (across.to - across.from) / count;
  pen.fillStyle = colours.accent;
  bins.forEach((entries, at) => {
    const top = up.at(entries);
    pen.fillRect(across.from + at * width + 0.5, top, Math.max(1, width - 1), up.from - top);
  });
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./points.js").Points} points
 * @param {Frame} frame
 * @param {Choice} choice
 * @param {Inks} colours
 */
function drawPoints(pen, points, frame, choice, colours) {
  const xs = points.column(choice.x);
  const ys = points.column(choice.y);
  if (choice.kind !== "line" && points.size >= MANY_POINTS) {
    drawDensity(pen, { xs, ys, length: points.length, ...frame, cell: CELL }, colours);
  } else if (choice.kind === "line") {
    drawLine(pen, sorted(xs, points.length).map((place) => ({ x: xs[place], y: ys[place] })), frame, colours, false);
  } else {
    drawDots(pen, points, frame, choice, colours);
  }
  if (choice.kind === "best") {
    const steps = runningBest(xs, ys, sorted(xs, points.length), choice.goal);
    drawLine(pen, [...steps, { x: frame.across.high, y: steps.at(-1)?.y ?? NaN }], frame, { ...colours, accent: colours.ink }, true);
  }
}

/**
 * Places in the order of their numbers.
 *
 * @param {Float64Array} column
 * @param {number} length
 */
export function sorted(column, length) {
  const places = [];
  for (let at = 0; at < length; at += 1) {
    if (Number.isFinite(column[at])) {
      places.push(at);
    }
  }
  return places.sort((left, right) => column[left] - column[right]);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {{ x: number, y: number }[]} line
 * @param {Frame} frame
 * @param {Inks} colours
 * @param {boolean} isStepped
 */
function drawLine(pen, line, { across, up }, colours, isStepped) {
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  pen.beginPath();
  let before = NaN;
  for (const { x, y } of line) {
    const [left, top] = [across.at(x), up.at(y)];
    if (!Number.isFinite(left) || !Number.isFinite(top)) {
      continue;
    }
    if (Number.isNaN(before)) {
      pen.moveTo(left, top);
    } else if (isStepped) {
      pen.lineTo(left, before);
      pen.lineTo(left, top);
    } else {
      pen.lineTo(left, top);
    }
    before = top;
  }
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./points.js").Points} points
 * @param {Frame} frame
 * @param {Choice} choice
 * @param {Inks} colours
 */
function drawDots(pen, points, { across, up }, { kind, x, y, c }, colours) {
  const [xs, ys] = [points.column(x), points.column(y)];
  const colour = c ? points.column(c) : undefined;
  const range = colour && rangeOf(colour, points.length, false);
  const radius = points.size > 4000 ? 1.5 : points.size > 500 ? 2 : 3;
  pen.globalAlpha = points.size > 4000 ? 0.6 : kind === "best" ? 0.45 : 0.85;
  pen.fillStyle = colours.accent;
  for (let at = 0; at < points.length; at += 1) {
    const [left, top] = [across.at(xs[at]), up.at(ys[at])];
    if (Number.isFinite(left) && Number.isFinite(top)) {
      if (colour && range) {
        const part = (colour[at] - range[0]) / (range[1] - range[0] || 1);
        pen.fillStyle = Number.isFinite(part) ? shade(part, colours.isDark) : colours.faint;
      }
      pen.beginPath();
      pen.arc(left, top, radius, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
}

/**
 * The colour of a number between 0 and 1: the more, the more it differs from the paper, so that it needs no sense of hues.
 *
 * @param {number} part
 * @param {boolean} isDark
 */
export function shade(part, isDark) {
  return isDark ? `hsl(172 48% ${28 + 52 * part}%)` : `hsl(177 62% ${70 - 50 * part}%)`;
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Parameters<typeof density>[0]} what
 * @param {Inks} colours
 */
function drawDensity(pen, what, colours) {
  const { counts, columns, most } = density(what);
  pen.fillStyle = colours.accent;
  for (let at = 0; at < counts.length; at += 1) {
    if (counts[at] > 0) {
      // By the logarithm, so that one point is seen beside thousands.
      pen.globalAlpha = 0.18 + 0.82 * (Math.log1p(counts[at]) / Math.log1p(most));
      pen.fillRect(what.across.from + (at % columns) * CELL, what.up.to + Math.floor(at / columns) * CELL, CELL, CELL);
    }
  }
  pen.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./points.js").Points} points
 * @param {Frame} frame
 * @param {Choice} choice
 * @param {Inks} colours
 */
function drawHover(pen, points, { across, up }, { kind, x, y, hover }, colours) {
  if (hover < 0 || kind === "histogram") {
    return;
  }
  const [left, top] = [across.at(points.column(x)[hover]), up.at(points.column(y)[hover])];
  if (Number.isFinite(left) && Number.isFinite(top)) {
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(left, top, 6, 0, 2 * Math.PI);
    pen.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Frame} frame
 * @param {Choice} choice
 * @param {Inks} colours
 */
function drawSelection(pen, { across, up }, { selected }, colours) {
  if (!selected) {
    return;
  }
  const [left, right] = selected.x.map(across.at);
  const [bottom, top] = selected.y.map(up.at);
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 1;
  pen.setLineDash([4, 3]);
  pen.strokeRect(left, top, right - left, bottom - top);
  pen.setLineDash([]);
}
