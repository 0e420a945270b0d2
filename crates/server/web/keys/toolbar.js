// The bar above the list: the filter, what is shown of how much, columns, and what can be done with the level.

import { counted, formatCount } from "../base/format.js";
import { button, fill, h } from "../base/html.js";
import { create, find, upload } from "../frame/commands.js";
import { columns, show, TITLES } from "./columns.js";

/** A pause in typing after which the server is asked. */
const TYPED_MS = 200;

/** The bar. */
export class Toolbar {
  /**
   * @param {import("../main.js").App} app
   * @param {import("./keys.js").KeysView} view
   */
  constructor(app, view) {
    this.app = app;
    this.view = view;
    this.timer = 0;
    this.input = h("input.filter", {
      type: "search",
      placeholder: "Filter names",
      "aria-label": "Filter names",
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.typed(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.pressed(event),
    });
    this.mode = h(
      "select",
      { "aria-label": "How the filter fits", onchange: () => this.apply() },
      h("option", { value: "begins" }, "begins with"),
      h("option", { value: "contains" }, "contains"),
    );
    this.summary = h("span.summary");
    this.element = h(
      "div.toolbar",
      h("div.filters", this.mode, this.input),
      this.summary,
      h(
        "div.actions",
        button("Find below", () => find(app), { title: "find names in all folders below" }),
        this.columnMenu(),
        button("Upload", () => upload(app), { title: "store files as keys of this folder" }),
        button("New key", () => create(app), { class: "primary", "aria-keyshortcuts": "n" }),
      ),
    );
  }

  columnMenu() {
    const boxes = /** @type {import("./columns.js").Column[]} */ (Object.keys(TITLES)).map((column) =>
      h(
        "label",
        h("input", {
          type: "checkbox",
          checked: columns.peek().includes(column),
          onchange: (/** @type {Event} */ event) =>
            show(column, /** @type {HTMLInputElement} */ (event.target).checked),
        }),
        TITLES[column],
      ),
    );
    const menu = h("div.menu", { id: "column-menu", popover: "auto", role: "group", "aria-label": "Columns" }, boxes);
    return h("span.menu-holder", h("button", { type: "button", popovertarget: "column-menu" }, "Columns"), menu);
  }

  /** @param {import("../base/route.js").Place} place */
  show({ folder, options }) {
    const mode = options.contains ? "contains" : options.begins ? "begins" : this.mode.value;
    const text = options.contains ?? options.begins ?? "";
    if (document.activeElement !== this.input) {
      this.mode.value = mode;
      this.input.value = text;
    }
    const mayCreate = this.app.session.rights.may("create", folder);
    for (const one of this.element.querySelectorAll(".actions > button:nth-last-child(-n + 2)")) {
      one.disabled = !mayCreate;
      one.title = mayCreate ? one.title : "this token may not create keys here";
    }
  }

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.apply(), TYPED_MS);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.input.value = "";
      this.apply();
      this.view.list.element.focus();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      this.apply();
      this.view.list.element.focus();
    }
  }

  /** Puts the filter into the address. */
  apply() {
    clearTimeout(this.timer);
    const place = this.app.place.peek();
    const { begins, contains, ...others } = place.options;
    const text = this.input.value;
    const chosen = text ? { [this.mode.value]: text } : {};
    if ((begins ?? contains ?? "") !== text || (text && !(this.mode.value in place.options))) {
      this.app.go({ ...place, options: { ...others, ...chosen } }, { replace: true });
    }
  }

  /**
   * Says how much is shown.
   *
   * @param {import("../store/level.js").Level} level
   * @param {number} [found]
   */
  count(level, found) {
    const all = level.names.length;
    const size = level.isComplete ? formatCount(all) : `${formatCount(all)} or more`;
    const isReading = level.state.peek().kind === "loading";
    if (found !== undefined) {
      fill(this.summary, `${formatCount(found)} of ${size} contain it`);
    } else if (isReading && all > 0) {
      fill(this.summary, `${formatCount(all)} so far …`);
    } else {
      fill(this.summary, level.isComplete ? counted(all, "entry", "entries") : `first ${formatCount(all)}`);
    }
  }
}
