// The choices of a plot. They are kept in the address.

import { button, fill, h } from "../base/html.js";
import { plainly } from "../base/visible.js";
import { titleOf } from "./fields.js";

/** @type {[string, string][]} */
const KINDS = [
  ["points", "Points"],
  ["line", "Line"],
  ["histogram", "Histogram"],
  ["best", "Running best"],
  ["parallel", "Parallel"],
];

/** The bar above a plot. */
export class Controls {
  /**
   * @param {import("../main.js").App} app
   * @param {import("./view.js").PlotView} view
   */
  constructor(app, view) {
    this.app = app;
    this.view = view;
    this.shown = "";
    this.element = h("div.toolbar.plot-bar");
  }

  /** Draws the bar again if the fields or choices have changed. */
  show() {
    const { choice, points } = this.view;
    const { kind, x, y, c, logX, logY, goal } = choice;
    const state = JSON.stringify([kind, x, y, c, logX, logY, goal, points.fields, Boolean(choice.zoom), choice.selected]);
    if (state === this.shown || this.element.contains(document.activeElement?.closest("select") ?? null)) {
      return;
    }
    this.shown = state;
    const hadFocus = this.element.contains(document.activeElement) ? document.activeElement?.textContent : undefined;
    const isPlane = kind !== "histogram" && kind !== "parallel";
    const kinds = KINDS.map(([name, label]) =>
      h("button", { type: "button", "aria-pressed": String(name === kind), onclick: () => this.set({ kind: name === "points" ? "" : name }) }, label),
    );
    fill(
      this.element,
      h("div.tabs", { role: "group", "aria-label": "Kind of plot" }, kinds),
      this.field(kind === "parallel" ? "colour" : "y", y, "y"),
      kind !== "parallel" && this.check("log", logY, "logy", "logarithmic axis of y"),
      isPlane && this.field("over x", x, "x"),
      isPlane && this.check("log", logX, "logx", "logarithmic axis of x"),
      kind === "points" && this.field("colour", c, "c", true),
      kind === "best" && this.goal(goal),
      choice.zoom && button("Whole range", () => this.view.pointer.zoomOut()),
    );
    if (hadFocus) {
      const again = [...this.element.querySelectorAll("button")].find((one) => one.textContent === hadFocus);
      again?.focus();
    }
  }

  /**
   * @param {string} label
   * @param {string} chosen
   * @param {string} option
   * @param {boolean} [isOptional]
   */
  field(label, chosen, option, isOptional = false) {
    const fields = [...(isOptional ? [""] : []), ...this.view.points.fields];
    const select = h(
      "select",
      { onchange: () => this.set({ [option]: select.value }) },
      fields.map((field) => h("option", { value: field, selected: field === chosen }, field ? plainly(titleOf(field)) : "none")),
    );
    return h("label.inline", label, select);
  }

  /**
   * @param {string} label
   * @param {boolean} isOn
   * @param {string} option
   * @param {string} title
   */
  check(label, isOn, option, title) {
    const box = h("input", { type: "checkbox", checked: isOn, "aria-label": title, onchange: () => this.set({ [option]: box.checked ? "1" : "" }) });
    return h("label.check", { title }, box, label);
  }

  /** @param {string} goal */
  goal(goal) {
    const select = h(
      "select",
      { onchange: () => this.set({ goal: select.value === "max" ? "max" : "" }) },
      h("option", { value: "min", selected: goal === "min" }, "lowest"),
      h("option", { value: "max", selected: goal === "max" }, "highest"),
    );
    return h("label.inline", "best is", select);
  }

  /** @param {Record<string, string>} options */
  set(options) {
    const place = this.app.place.peek();
    this.view.pointer.zoomOut();
    /** @type {HTMLElement | null} */ (document.activeElement)?.matches("select") && /** @type {HTMLElement} */ (document.activeElement).blur();
    this.app.go({ ...place, options: { ...place.options, ...options } }, { replace: true });
  }
}
