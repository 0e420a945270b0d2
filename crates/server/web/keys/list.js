// A list of any length, of which only the visible rows are elements.
//
// Browsers lose elements that are higher than some ten million pixels. Beyond that the height is scaled: a small
// movement scrolls by as much as it says, a large one to the same part of the list.

import { h } from "../base/html.js";

const MAX_HEIGHT = 8_000_000;
/** Rows beyond the visible ones, above and below. */
const SPARE = 6;
const MAX_ROWS = 120;

/** Fingers need more room than a mouse. */
const COARSE = matchMedia("(pointer: coarse)");

/**
 * @typedef {{ label: string, make: () => HTMLElement, show: (row: HTMLElement, index: number) => void,
 *   open: (index: number) => void, moved: (index: number) => void, seen: (from: number, to: number) => void }} Model
 */

/** The list. It has the focus itself, so that no change of its rows takes the focus away. */
export class VirtualList {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.count = 0;
    this.cursor = -1;
    /** The first pixel that is shown, of the list as if it were not scaled. */
    this.top = 0;
    this.lastScroll = 0;
    /** @type {HTMLElement[]} */
    this.rows = [];
    this.spacer = h("div.spacer", { role: "presentation" });
    this.layer = h("div.layer", { role: "presentation" });
    this.element = h(
      "div.list",
      { role: "listbox", tabIndex: 0, "aria-label": model.label },
      this.spacer,
      this.layer,
    );
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.element.addEventListener("click", (/** @type {MouseEvent} */ event) => this.clicked(event));
    this.element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.pressed(event));
    this.observer = new ResizeObserver(() => this.refresh());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  get rowHeight() {
    return COARSE.matches ? 44 : 28;
  }

  get height() {
    return this.element.clientHeight;
  }

  /** The height of the whole list. */
  get full() {
    return this.count * this.rowHeight;
  }

  get mostTop() {
    return Math.max(0, this.full - this.height);
  }

  /** @param {number} count */
  resize(count) {
    this.count = count;
    this.cursor = Math.min(this.cursor, count - 1);
    this.spacer.style.height = `${Math.min(this.full, MAX_HEIGHT)}px`;
    this.moveTo(Math.min(this.top, this.mostTop));
  }

  scrolled() {
    const now = this.element.scrollTop;
    const moved = now - this.lastScroll;
    if (moved === 0) {
      return;
    }
    this.lastScroll = now;
    const range = this.element.scrollHeight - this.height;
    if (this.full <= MAX_HEIGHT) {
      this.top = now;
    } else if (now <= 0 || now >= range - 1) {
      this.top = now <= 0 ? 0 : this.mostTop;
    } else if (Math.abs(moved) <= this.height) {
      this.top = Math.min(Math.max(0, this.top + moved), this.mostTop);
    } else {
      this.top = (now / range) * this.mostTop;
    }
    this.refresh();
  }

  /**
   * Shows the list from a pixel on.
   *
   * @param {number} top
   */
  moveTo(top) {
    this.top = Math.min(Math.max(0, top), this.mostTop);
    const range = this.element.scrollHeight - this.height;
    const scroll = this.full <= MAX_HEIGHT ? this.top : (this.top / (this.mostTop || 1)) * range;
    this.element.scrollTop = scroll;
    this.lastScroll = this.element.scrollTop;
    this.refresh();
  }

  /** The row that stays where it is when others come or go: that of the cursor if it is seen, or the first. */
  anchor() {
    const at = this.cursor * this.rowHeight;
    const isSeen = this.cursor >= 0 && at >= this.top && at < this.top + this.height;
    const index = isSeen ? this.cursor : Math.floor(this.top / this.rowHeight);
    return { index, offset: this.top - index * this.rowHeight, isTop: !isSeen && this.top === 0 };
  }

  /**
   * Scrolls as little as needed to show a row.
   *
   * @param {number} index
   */
  reveal(index) {
    const from = index * this.rowHeight;
    if (from < this.top) {
      this.moveTo(from);
    } else if (from + this.rowHeight > this.top + this.height) {
      this.moveTo(from + this.rowHeight - this.height);
    } else {
      this.refresh();
    }
  }

  refresh() {
    const { rowHeight } = this;
    const first = Math.max(0, Math.floor(this.top / rowHeight) - SPARE);
    const visible = Math.ceil(this.height / rowHeight) + 1;
    const last = Math.min(this.count, first + Math.min(visible + 2 * SPARE, MAX_ROWS));
    while (this.rows.length < last - first) {
      const row = this.model.make();
      row.id = `row-${this.rows.length}`;
      row.setAttribute("role", "option");
      this.rows.push(row);
      this.layer.append(row);
    }
    this.rows.splice(Math.max(0, last - first)).forEach((row) => row.remove());
    const shift = this.element.scrollTop - this.top;
    let active = "";
    for (let index = first; index < last; index += 1) {
      // A row keeps its element while it is visible.
      const row = this.rows[index - first];
      row.style.transform = `translateY(${index * rowHeight + shift}px)`;
      row.dataset.index = String(index);
      row.ariaSetSize = String(this.count);
      row.ariaPosInSet = String(index + 1);
      row.classList.toggle("cursor", index === this.cursor);
      active = index === this.cursor ? row.id : active;
      this.model.show(row, index);
    }
    if (active) {
      this.element.setAttribute("aria-activedescendant", active);
    } else {
      this.element.removeAttribute("aria-activedescendant");
    }
    this.model.seen(Math.min(first, last), last);
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const row = /** @type {Element} */ (event.target).closest("[role=option]");
    if (row instanceof HTMLElement) {
      this.cursor = Number(row.dataset.index);
      this.refresh();
      this.model.open(this.cursor);
    }
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 1);
    /** @type {Record<string, number>} */
    const moves = {
      ArrowDown: this.cursor + 1,
      ArrowUp: this.cursor - 1,
      PageDown: this.cursor + page,
      PageUp: this.cursor - page,
      Home: 0,
      End: this.count - 1,
    };
    if (event.key === "Enter" && this.cursor >= 0) {
      event.preventDefault();
      this.model.open(this.cursor);
    } else if (event.key in moves && this.count > 0) {
      event.preventDefault();
      this.cursor = Math.min(Math.max(0, moves[event.key]), this.count - 1);
      this.reveal(this.cursor);
      this.model.moved(this.cursor);
    }
  }
}
