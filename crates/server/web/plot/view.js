// The plot of a level: its fields are found, a plot stands at once, and new values appear in it as they are set.

import { counted, formatCount } from "../base/format.js";
import { button, fill, h } from "../base/html.js";
import { entryOf } from "../base/path.js";
import { useStyle } from "../base/style.js";
import { Recent } from "../store/recent.js";
import { aboutFailure } from "../keys/states.js";
import { formatTable } from "../value/table.js";
import { download } from "../value/copy.js";
import { Controls } from "./controls.js";
import { drawPlot } from "./draw.js";
import { firstChoice } from "./fields.js";
import { drawParallel } from "./parallel.js";
import { Points } from "./points.js";
import { Pointer } from "./pointer.js";
import { showSummary } from "./summary.js";

/** More values are read only if the user says so. */
const MANY = 200_000;
/** With changes, a plot is drawn again at most this often. */
const DRAW_MS = 500;

/**
 * @typedef {import("../main.js").App} App
 * @typedef {import("./draw.js").Choice} Choice
 */

/** The plot. */
export class PlotView {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.folder = "";
    this.points = new Points();
    this.recent = new Recent();
    this.hover = -1;
    this.abort = new AbortController();
    this.timer = 0;
    this.lastDraw = 0;
    /** @type {number | undefined} */
    this.revision = undefined;
    /** @type {import("./draw.js").Frame | undefined} */
    this.frame = undefined;
    /** @type {import("./parallel.js").Axis[]} */
    this.axes = [];
    /** @type {import("./draw.js").Area | undefined} */
    this.selected = undefined;
    /** @type {import("./draw.js").Area | undefined} */
    this.zoom = undefined;
    /** @type {import("./parallel.js").Brushes} */
    this.brushes = new Map();
    useStyle("plot.css");
    this.canvas = h("canvas", { tabIndex: 0, role: "img", "aria-label": "Plot" });
    this.controls = new Controls(app, this);
    this.notice = h("div.notice", { role: "status" });
    this.reading = h("p.reading", { role: "status" });
    this.summary = h("div.summary-of-plot");
    this.holder = h("div.canvas-holder", this.canvas);
    this.element = h("section.plot", { "aria-label": "Plot" }, this.controls.element, this.notice, this.holder, this.reading, this.summary);
    this.pointer = new Pointer(this);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.holder);
  }

  close() {
    this.observer.disconnect();
    this.abort.abort();
    clearTimeout(this.timer);
  }

  /** @param {import("../base/route.js").Place} place */
  show(place) {
    if (place.folder !== this.folder) {
      this.folder = place.folder;
      this.zoom = undefined;
      this.selected = undefined;
      this.brushes.clear();
      this.load(MANY);
    }
    this.draw();
  }

  reset() {
    this.load(MANY);
  }

  /**
   * Reads the values of the level.
   *
   * @param {number} most
   */
  async load(most) {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    this.points = new Points();
    this.hover = -1;
    const recent = new Recent();
    this.recent = recent;
    fill(this.notice, h("p.faint", "Reading values …"));
    try {
      await this.app.live.settled();
      await this.readAll(most, signal, recent);
    } catch (error) {
      if (!signal.aborted) {
        fill(this.notice, aboutFailure(this.app, /** @type {Error} */ (error), () => this.load(most)));
      }
    }
  }

  /**
   * @param {number} most
   * @param {AbortSignal} signal
   * @param {Recent} recent
   */
  async readAll(most, signal, recent) {
    const enough = new AbortController();
    const ends = AbortSignal.any([signal, enough.signal]);
    for await (const group of this.app.session.api.stream(this.folder, { level: true, detail: true, values: true, signal: ends })) {
      for (const entry of group) {
        if (entry.key && !recent.isNewer(entry)) {
          this.points.set({ name: entry.key, value: entry.value, size: entry.size, modified: entry.modified });
        }
      }
      this.drawSoon();
      if (this.points.size >= most) {
        enough.abort();
        break;
      }
    }
    recent.end();
    this.controls.show();
    this.draw();
    fill(this.notice);
    if (this.points.size >= most) {
      const text = `The first ${formatCount(this.points.size)} values are shown. `;
      fill(this.notice, h("p", text, button("Read all", () => this.load(Infinity))));
    } else if (this.points.size === 0) {
      fill(this.notice, h("div.message", h("h2", "Nothing to plot"), h("p.faint", "This folder has no keys of its own. What arrives is plotted at once.")));
    }
  }

  /** @param {import("../live/stream.js").Change[]} changes */
  changes(changes) {
    for (const change of changes) {
      const { key, event, value, size = 0, time = "" } = change;
      this.recent.note(change);
      const isHere = key.startsWith(this.folder) && entryOf(this.folder, key) === key;
      const isSet = event === "put" && (change.change === undefined || change.change === "set");
      if (isHere && isSet && (value !== undefined || change.value_base64 !== undefined)) {
        this.points.set({ name: key, value, size, modified: time });
      } else if (isHere && event !== "put") {
        this.points.remove(key);
      }
    }
    if (this.points.size > 0 && this.notice.querySelector(".message")) {
      fill(this.notice);
    }
    this.drawSoon();
  }

  drawSoon() {
    if (!this.timer) {
      const pause = Math.max(0, this.lastDraw + DRAW_MS - performance.now());
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.draw();
      }, pause);
    }
  }

  /** What is plotted, by the place's options. @returns {Choice & { isParallel: boolean }} */
  get choice() {
    const { options, key } = this.app.place.peek();
    const { fields, places } = this.points;
    const first = firstChoice(fields);
    const known = (/** @type {string | undefined} */ field, /** @type {string} */ other) =>
      field && fields.includes(field) ? field : other;
    const kind = /** @type {any} */ (options.kind ?? "points");
    return {
      kind,
      isParallel: kind === "parallel",
      x: known(options.x, first.x),
      y: known(options.y, first.y),
      c: known(options.c, ""),
      logX: options.logx === "1",
      logY: options.logy === "1",
      goal: options.goal === "max" ? "max" : "min",
      zoom: this.zoom,
      hover: this.hover >= 0 ? this.hover : (places.get(key) ?? -1),
      selected: this.selected,
    };
  }

  draw() {
    if (!this.element.isConnected) {
      return;
    }
    this.lastDraw = performance.now();
    const { choice, points } = this;
    this.controls.show();
    if (choice.isParallel) {
      this.frame = undefined;
      this.axes = drawParallel(this.canvas, points, { colour: choice.y, brushes: this.brushes, hover: choice.hover });
    } else {
      this.axes = [];
      this.frame = drawPlot(this.canvas, points, choice);
    }
    this.canvas.setAttribute("aria-label", this.describe(choice));
    showSummary(this, choice);
  }

  /** @param {Choice} choice */
  describe({ kind, x, y }) {
    const size = counted(this.points.size, "entry", "entries");
    return kind === "histogram" ? `Histogram of ${y}, ${size}` : `Plot of ${y} over ${x}, ${size}; arrow keys go from point to point`;
  }

  /** Saves the fields that are found as a table. */
  saveTable() {
    const { points } = this;
    const rows = [...points.places].map(([name, place]) => [name, ...points.fields.map((field) => number(points.column(field)[place]))]);
    download("plot.csv", formatTable([["key", ...points.fields], ...rows]), "text/csv");
  }

  saveImage() {
    this.canvas.toBlob((/** @type {Blob | null} */ image) => image && download("plot.png", image, "image/png"));
  }
}

/** @param {number} number */
function number(number) {
  return Number.isFinite(number) ? number : "";
}
