// The keys of a level: a list that is complete, live, and says so where it is not.

import { counted } from "../base/format.js";
import { button, fill, h } from "../base/html.js";
import { effect } from "../base/signal.js";
import { visible } from "../base/visible.js";
import { Level } from "../store/level.js";
import { columns, TITLES } from "./columns.js";
import { VirtualList } from "./list.js";
import { makeRow, showRow } from "./row.js";
import { aboutFailure, emptyLevel } from "./states.js";
import { Toolbar } from "./toolbar.js";

/** Ages and countdowns are drawn again this often. */
const TICK_MS = 1000;
/** A key that the cursor passes is opened only if it stays there. */
const SETTLE_MS = 120;

/** @typedef {import("../main.js").App} App */

/** The list of the level that is open. */
export class KeysView {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.place = app.place.peek();
    /** @type {Level | undefined} */
    this.level = undefined;
    /** The names that contain the text of the filter, or nothing where all are shown. @type {string[] | undefined} */
    this.found = undefined;
    /** The name of the row that stays where it is, and the one at the cursor. @type {(string | undefined)[] | undefined} */
    this.shown = undefined;
    this.isDescending = false;
    this.settle = 0;
    this.list = new VirtualList({
      label: "Keys",
      make: makeRow,
      show: (row, index) => this.showRow(row, index),
      open: (index) => this.open(index),
      moved: (index) => this.moved(index),
      seen: (from, to) => this.seen(from, to),
    });
    this.toolbar = new Toolbar(app, this);
    this.heads = h("div.heads");
    this.notice = h("div.notice", { role: "status" });
    this.element = h("section.keys", { "aria-label": "Keys" }, this.toolbar.element, this.heads, this.list.element, this.notice);
    this.ends = [effect(() => this.showColumns())];
    this.tick = setInterval(() => this.list.refresh(), TICK_MS);
  }

  close() {
    clearInterval(this.tick);
    this.ends.forEach((end) => end());
    this.level?.close();
    this.list.close();
  }

  /**
   * Shows a place; the list is loaded again only if the level is another one.
   *
   * @param {import("../base/route.js").Place} place
   */
  show(place) {
    const before = this.place;
    this.place = place;
    const prefix = place.folder + (place.options.begins ?? "");
    if (this.level?.prefix !== prefix) {
      this.begin(prefix);
    } else if (before.options.contains !== place.options.contains) {
      this.update();
    }
    this.toolbar.show(place);
    this.level?.pin(place.key);
    this.showSelected(before.key);
  }

  /** @param {string} prefix */
  begin(prefix) {
    this.level?.close();
    this.ends.splice(1).forEach((end) => end());
    const level = new Level(this.app.session.api, prefix, { values: columns.peek().includes("value") });
    this.level = level;
    this.list.cursor = -1;
    this.shown = undefined;
    this.list.resize(0);
    this.ends.push(
      effect(() => {
        level.version.get();
        this.update();
      }),
      effect(() => this.showState(level.state.get())),
    );
    level.load();
  }

  /** @param {number} revision */
  ready(revision) {
    this.level?.follow(revision);
  }

  reset() {
    if (this.level) {
      // Another token may have been given meanwhile.
      this.level.api = this.app.session.api;
      this.level.followed = undefined;
      this.level.load();
    }
  }

  /** @param {import("../live/stream.js").Change[]} changes */
  changes(changes) {
    this.level?.apply(changes);
  }

  /** The names that are shown, in the order of the server. */
  get names() {
    return this.found ?? this.level?.names.list ?? [];
  }

  /** @param {number} index */
  nameAt(index) {
    const { names } = this;
    return names[this.isDescending ? names.length - 1 - index : index];
  }

  /** @param {string} name */
  indexOf(name) {
    const place = this.found ? this.found.indexOf(name) : (this.level?.names.indexOf(name) ?? -1);
    return place >= 0 && this.isDescending ? this.names.length - 1 - place : place;
  }

  /** Draws the list again; what is seen and where the cursor is stay with their keys. */
  update() {
    const { level, list } = this;
    if (!level) {
      return;
    }
    const { index, offset, isTop } = list.anchor();
    const first = this.shown?.[0];
    const cursor = this.shown?.[1];
    const contains = this.place.options.contains ?? "";
    this.found = contains ? level.names.list.filter((name) => name.slice(level.prefix.length).includes(contains)) : undefined;
    list.resize(this.names.length);
    const moved = first === undefined || isTop ? -1 : this.indexOf(first);
    if (moved >= 0 && moved !== index) {
      list.moveTo(moved * list.rowHeight + offset);
    }
    const at = cursor === undefined ? -1 : this.indexOf(cursor);
    if (at >= 0 && at !== list.cursor) {
      list.cursor = at;
      list.refresh();
    }
    if (list.cursor < 0 && this.place.key) {
      this.showSelected("");
    }
    this.remember();
    this.toolbar.count(level, this.found?.length);
    this.showState(level.state.peek());
  }

  /** Notes the names by which the list is put back after a change. */
  remember() {
    const { list } = this;
    this.shown = [this.nameAt(list.anchor().index), list.cursor < 0 ? undefined : this.nameAt(list.cursor)];
  }

  /**
   * @param {HTMLElement} row
   * @param {number} index
   */
  showRow(row, index) {
    const { level, place } = this;
    const name = this.nameAt(index);
    if (level && name !== undefined) {
      const entry = level.details.get(name);
      showRow(row, {
        name,
        prefix: level.prefix,
        entry,
        isSelected: name === place.key,
        isTouched: level.isTouched(name),
      });
    }
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  seen(from, to) {
    const { level } = this;
    this.remember();
    if (!level || to <= from) {
      return;
    }
    const places = [this.nameAt(from), this.nameAt(to - 1)].map((name) => level.names.indexOf(name ?? ""));
    const [low, high] = [Math.min(...places), Math.max(...places)];
    // Names that were found may be far from each other; then only those from the first on are fetched.
    level.need(low, Math.min(high + 1, low + 120));
  }

  /** @param {number} index */
  open(index) {
    const name = this.nameAt(index);
    clearTimeout(this.settle);
    if (name?.endsWith("/")) {
      this.app.go({ folder: name, key: "", view: "keys", options: {} });
    } else if (name) {
      this.app.go({ ...this.place, key: name });
    }
  }

  /**
   * The cursor has moved. Where a key is open already, the one at the cursor is opened instead.
   *
   * @param {number} index
   */
  moved(index) {
    const name = this.nameAt(index);
    this.remember();
    clearTimeout(this.settle);
    if (this.place.key && name && !name.endsWith("/")) {
      this.settle = setTimeout(() => this.app.go({ ...this.place, key: name }, { replace: true }), SETTLE_MS);
    }
  }

  /** @param {string} before */
  showSelected(before) {
    const { key } = this.place;
    const index = key ? this.indexOf(key) : -1;
    if (index >= 0 && key !== before && index !== this.list.cursor) {
      this.list.cursor = index;
      this.list.reveal(index);
    } else {
      this.list.refresh();
    }
  }

  reverse() {
    this.isDescending = !this.isDescending;
    this.list.cursor = -1;
    this.shown = undefined;
    this.list.moveTo(0);
    this.showColumns();
  }

  showColumns() {
    const chosen = columns.get();
    const arrow = this.isDescending ? "↑" : "↓";
    const title = this.isDescending ? "last name first" : "first name first";
    const name = button(`Name ${arrow}`, () => this.reverse(), { class: "quiet", title });
    fill(
      this.heads,
      h("span.name", name),
      Object.entries(TITLES).map(([column, text]) => h(`span.${column}`, text)),
    );
    this.element.dataset.columns = chosen.join(" ");
    const wantsValues = chosen.includes("value");
    if (this.level && this.level.values !== wantsValues) {
      this.begin(this.level.prefix);
      this.app.follow();
    }
    this.list.refresh();
  }

  /** @param {import("../store/level.js").LevelState} state */
  showState({ kind, error }) {
    const { level } = this;
    if (!level) {
      return;
    }
    const isEmpty = this.names.length === 0;
    this.element.classList.toggle("empty", isEmpty && kind !== "loading");
    if (kind === "failed") {
      fill(this.notice, aboutFailure(this.app, /** @type {Error} */ (error), () => level.load()));
    } else if (kind === "asking") {
      const text = `Only the first ${counted(level.names.length, "entry", "entries")} are shown. `;
      fill(this.notice, text, button("Load all", () => level.loadAll()), " or filter by the start of their names.");
    } else if (kind === "ready" && isEmpty) {
      fill(this.notice, emptyLevel(this.app, this.place));
    } else if (kind === "loading" && isEmpty) {
      fill(this.notice, h("p.faint", "Loading ", visible(level.prefix), " …"));
    } else {
      fill(this.notice);
    }
  }
}
