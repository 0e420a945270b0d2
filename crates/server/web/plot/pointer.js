// What the pointer and the arrow keys do in a plot: name the point at them, open it, and select an area.

import { formatExact, formatNumber } from "../base/format.js";
import { fill, h } from "../base/html.js";
import { visible } from "../base/visible.js";
import { sorted } from "./draw.js";
import { titleOf } from "./fields.js";
import { isInside } from "./parallel.js";

/** Pixels around the pointer in which a point is found, and from which on a movement selects. */
const NEAR = 24;
const DRAG = 6;

/** @typedef {{ x: number, y: number }} Spot */

/** The pointer. */
export class Pointer {
  /** @param {import("./view.js").PlotView} view */
  constructor(view) {
    this.view = view;
    /** @type {Spot | undefined} */
    this.start = undefined;
    const { canvas } = view;
    const on = (/** @type {string} */ name, /** @type {(event: any) => void} */ run) => canvas.addEventListener(name, run);
    on("pointermove", (event) => this.moved(spot(event)));
    on("pointerleave", () => this.point(-1));
    on("pointerdown", (event) => {
      this.start = spot(event);
      canvas.setPointerCapture(event.pointerId);
    });
    on("pointerup", (event) => this.ended(spot(event)));
    on("pointercancel", () => (this.start = undefined));
    on("dblclick", () => this.zoomOut());
    on("keydown", (event) => this.pressed(event));
  }

  /** @param {Spot} at */
  moved(at) {
    const { start, view } = this;
    if (start && isDrag(start, at)) {
      view.selected = this.area(start, at);
      view.draw();
      return;
    }
    this.point(this.nearest(at));
  }

  /**
   * The area between two spots.
   *
   * @param {Spot} from
   * @param {Spot} to
   * @returns {import("./draw.js").Area | undefined}
   */
  area(from, to) {
    const { frame } = this.view;
    if (!frame) {
      this.brush(from, to);
      return undefined;
    }
    const pair = (/** @type {number} */ a, /** @type {number} */ b) => /** @type {[number, number]} */ (a < b ? [a, b] : [b, a]);
    const { across, up } = frame;
    return { x: pair(across.number(from.x), across.number(to.x)), y: pair(up.number(from.y), up.number(to.y)) };
  }

  /**
   * Brushes the axis of parallel coordinates at which the movement began.
   *
   * @param {Spot} from
   * @param {Spot} to
   */
  brush(from, to) {
    const axis = this.view.axes.find(({ x }) => Math.abs(x - from.x) < NEAR);
    if (axis) {
      const [a, b] = [axis.up.number(from.y), axis.up.number(to.y)];
      this.view.brushes.set(axis.field, a < b ? [a, b] : [b, a]);
    }
  }

  /** @param {Spot} at */
  ended(at) {
    const { start, view } = this;
    this.start = undefined;
    if (start && isDrag(start, at)) {
      view.draw();
      return;
    }
    if (start && view.axes.length > 0) {
      const axis = view.axes.find(({ x }) => Math.abs(x - at.x) < NEAR);
      if (axis && view.brushes.delete(axis.field)) {
        view.draw();
        return;
      }
    }
    view.selected = undefined;
    const place = this.nearest(at);
    view.draw();
    this.open(place);
  }

  /** @param {number} place */
  open(place) {
    const key = this.view.points.names[place];
    if (key) {
      const { app } = this.view;
      app.go({ ...app.place.peek(), key });
    }
  }

  /** The place of the point nearest to a spot, or -1. @param {Spot} at */
  nearest(at) {
    const { frame, points, choice } = this.view;
    if (!frame || choice.kind === "histogram") {
      return -1;
    }
    const [xs, ys] = [points.column(choice.x), points.column(choice.y)];
    let [best, least] = [-1, NEAR * NEAR];
    for (let place = 0; place < points.length; place += 1) {
      const [left, up] = [frame.across.at(xs[place]) - at.x, frame.up.at(ys[place]) - at.y];
      const distance = left * left + up * up;
      if (distance < least) {
        [best, least] = [place, distance];
      }
    }
    return best;
  }

  /** Names a point. @param {number} place */
  point(place) {
    const { view } = this;
    if (place === view.hover) {
      return;
    }
    view.hover = place;
    view.draw();
    const name = view.points.names[place];
    if (!name) {
      fill(view.reading);
      return;
    }
    const { choice, points } = view;
    const fields = choice.isParallel ? points.fields : [choice.x, choice.y, choice.c].filter(Boolean);
    const facts = [...new Set(fields)].map((field) => {
      const number = points.column(field)[place];
      const text = field === "#changed" ? formatExact(number) : Number.isFinite(number) ? formatNumber(number) : "none";
      return h("span.fact", visible(titleOf(field)), " ", h("b", text));
    });
    fill(view.reading, h("span.key", visible(name.slice(view.folder.length))), facts);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const { view } = this;
    const steps = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowLeft: -1, ArrowUp: 10, ArrowDown: -10 });
    if (event.key === "Enter" && view.hover >= 0) {
      event.preventDefault();
      this.open(view.hover);
    } else if (event.key in steps) {
      event.preventDefault();
      const { x, y } = view.choice;
      const ys = view.points.column(y);
      const order = sorted(view.points.column(x), view.points.length).filter((place) => Number.isFinite(ys[place]));
      const at = order.indexOf(view.hover);
      const next = at < 0 ? 0 : Math.min(Math.max(0, at + steps[event.key]), order.length - 1);
      this.point(order[next] ?? -1);
    }
  }

  zoomIn() {
    const { view } = this;
    view.zoom = view.selected;
    view.selected = undefined;
    view.draw();
  }

  zoomOut() {
    const { view } = this;
    view.zoom = undefined;
    view.selected = undefined;
    view.brushes.clear();
    view.draw();
  }

  /** The keys within the selection, in the order of their places. */
  chosen() {
    const { view } = this;
    const { points, choice, selected, brushes } = view;
    if (choice.isParallel) {
      return brushes.size === 0 ? [] : points.names.filter((name, place) => name && isInside(points, brushes, place));
    }
    if (!selected) {
      return [];
    }
    const fields = choice.kind === "histogram" ? [[choice.y, selected.x]] : [[choice.x, selected.x], [choice.y, selected.y]];
    const within = new Map(/** @type {[string, [number, number]][]} */ (fields));
    return points.names.filter((name, place) => name && isInside(points, within, place));
  }
}

/** @param {PointerEvent} event @returns {Spot} */
function spot(event) {
  return { x: event.offsetX, y: event.offsetY };
}

/**
 * @param {Spot} from
 * @param {Spot} to
 */
function isDrag(from, to) {
  return Math.hypot(to.x - from.x, to.y - from.y) > DRAG;
}
