// A folder seen as a queue of work: how much is left, who holds what until when, and what came back.

import { counted, formatAge, formatCount, formatExact, formatRate, formatSpan } from "../base/format.js";
import { button, fill, h } from "../base/html.js";
import { useStyle } from "../base/style.js";
import { visible } from "../base/visible.js";
import { releases } from "../change/actions.js";
import { aboutFailure } from "../keys/states.js";
import { inks, prepare } from "../plot/draw.js";
import { serverNow } from "../store/clock.js";
import { Recent } from "../store/recent.js";
import { Queue } from "./model.js";

const MANY = 200_000;
const MAX_ROWS = 200;
const DRAW_MS = 500;
const HEADS = ["Key", "By job", "Since", "Ends", "Renewed", "Given out"];
/** A key that was claimed so often has probably ended its workers. */
const OFTEN = 3;

/** @typedef {import("../main.js").App} App */

/** The queue of a folder. */
export class QueueView {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.folder = "";
    this.queue = new Queue(serverNow());
    this.recent = new Recent();
    this.abort = new AbortController();
    this.notice = h("div.notice", { role: "status" });
    this.totals = h("dl.totals");
    this.canvas = h("canvas", { role: "img", "aria-label": "Keys done in the last ten minutes" });
    this.heading = h("h2", "In hands");
    /** The rows of the table, by keys. @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    this.order = "";
    this.body = h("tbody");
    const heads = HEADS.map((title) => h("th", { scope: "col" }, title));
    const last = h("th", { scope: "col" }, h("span.said", "Action"));
    this.table = h("table.claims", { hidden: true }, h("thead", h("tr", heads, last)), this.body);
    this.rest = h("p.faint");
    this.filter = h("input", { type: "search", placeholder: "Job", "aria-label": "Filter by job", oninput: () => this.draw() });
    this.element = h(
      "section.queue",
      { "aria-label": "Queue" },
      this.notice,
      this.totals,
      this.canvas,
      h("div.row-of-fields", this.heading, h("span.grow"), this.filter),
      this.table,
      this.rest,
    );
    this.timer = setInterval(() => this.draw(), DRAW_MS);
    useStyle("plot.css");
  }

  close() {
    clearInterval(this.timer);
    this.abort.abort();
  }

  /** @param {import("../base/route.js").Place} place */
  show({ folder }) {
    if (folder !== this.folder) {
      this.folder = folder;
      this.load();
    }
  }

  reset() {
    this.load();
  }

  async load() {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    const queue = new Queue(serverNow());
    const recent = new Recent();
    this.queue = queue;
    this.recent = recent;
    fill(this.notice, h("p.faint", "Reading the queue …"));
    try {
      let read = 0;
      await this.app.live.settled();
      for await (const group of this.app.session.api.stream(this.folder, { detail: true, signal })) {
        group.filter((entry) => !recent.isNewer(entry)).forEach((entry) => queue.add(entry));
        read += group.length;
        if (read >= MANY) {
          break;
        }
      }
      recent.end();
      fill(this.notice, read >= MANY && h("p.warn", `Only the first ${formatCount(read)} keys are counted.`));
    } catch (error) {
      if (!signal.aborted) {
        fill(this.notice, aboutFailure(this.app, /** @type {Error} */ (error), () => this.load()));
      }
    }
  }

  /** @param {import("../live/stream.js").Change[]} changes */
  changes(changes) {
    const now = serverNow();
    for (const change of changes) {
      if (change.key.startsWith(this.folder)) {
        this.recent.note(change);
        this.queue.apply(change, now);
      }
    }
  }

  draw() {
    if (!this.element.isConnected) {
      return;
    }
    const now = serverNow();
    const totals = this.queue.totals(now);
    this.showTotals(totals);
    this.showHistory(now);
    this.showTable(totals, now);
  }

  /** @param {import("./model.js").Totals} totals */
  showTotals({ waiting, claimed, ranOut, done, perMinute, leftMs }) {
    const total = (/** @type {string} */ name, /** @type {string} */ value, note = "", tone = "") =>
      h("div", h("dt", name), h("dd", { class: tone }, value, note && h("small", note)));
    fill(
      this.totals,
      total("Waiting", formatCount(waiting)),
      total("Claimed", formatCount(claimed.length)),
      total("Ran out", formatCount(ranOut.length), ranOut.length > 0 ? "not finished in time" : "", ranOut.length > 0 ? "warn" : ""),
      total("Done", formatCount(done), `since ${new Date(this.queue.opened).toLocaleTimeString("en-GB")}`),
      total("A minute", formatRate(perMinute)),
      total("Left", leftMs === undefined ? "unknown" : formatSpan(leftMs), leftMs === undefined ? "nothing was done yet" : "at this rate"),
    );
  }

  /** @param {number} now */
  showHistory(now) {
    const history = this.queue.history(now);
    const { pen, width, height } = prepare(this.canvas);
    const colours = inks(this.canvas);
    const most = Math.max(1, ...history);
    const bar = width / history.length;
    pen.font = `11px ${colours.mono}`;
    pen.fillStyle = colours.line;
    pen.fillRect(0, height - 17, width, 1);
    pen.fillStyle = colours.accent;
    history.forEach((count, at) => {
      const size = (count / most) * (height - 36);
      pen.fillRect(at * bar + 1, height - 17 - size, Math.max(1, bar - 2), size);
    });
    pen.fillStyle = colours.faint;
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    pen.fillText("10 min ago", 0, height);
    pen.textAlign = "right";
    pen.fillText("now", width, height);
    pen.textBaseline = "top";
    pen.fillText(history.every((count) => count === 0) ? "nothing was done yet" : `most ${counted(most, "key")} in 10 s`, width, 0);
  }

  /**
   * @param {import("./model.js").Totals} totals
   * @param {number} now
   */
  showTable({ claimed, ranOut }, now) {
    const job = this.filter.value.trim();
    const all = [...ranOut, ...claimed].filter((work) => !job || work.claimed_by === job);
    fill(this.heading, `In hands: ${counted(all.length, "key")}`);
    const shown = all.slice(0, MAX_ROWS);
    const rows = shown.map((work) => this.row(work, now));
    const order = shown.map(({ key }) => key).join("\n");
    if (order !== this.order) {
      this.order = order;
      this.place(rows);
    }
    this.table.hidden = all.length === 0;
    const more = all.length - shown.length;
    fill(this.rest, all.length === 0 ? "No key is claimed." : more > 0 && `${formatCount(more)} more`);
  }

  /**
   * Puts rows into the table. The one that has the focus keeps it.
   *
   * @param {HTMLElement[]} rows
   */
  place(rows) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    fill(this.body, rows);
    for (const [key, row] of this.rows) {
      if (!row.isConnected) {
        this.rows.delete(key);
      }
    }
    if (focused?.isConnected) {
      /** @type {HTMLElement} */ (focused).focus();
    } else if (focused) {
      this.filter.focus();
    }
  }

  /**
   * The row of a key, with what is known of its claim now. Its link and its button stay the same elements.
   *
   * @param {import("./model.js").Work} work
   * @param {number} now
   */
  row(work, now) {
    const { key, claims = 0 } = work;
    const row = this.rows.get(key) ?? this.makeRow(key);
    const left = Date.parse(work.claimed_until ?? "") - now;
    const [, by, since, ends, renewed, given, action] = /** @type {HTMLElement[]} */ ([...row.children]);
    row.classList.toggle("warn", left <= 0);
    fill(by, work.claimed_by ? visible(work.claimed_by) : h("span.faint", "no job"));
    fill(since, work.since ? formatAge(work.since, now) : h("span.faint", "before this page"));
    fill(ends, left > 0 ? `in ${formatSpan(left)}` : `ran out ${formatSpan(-left)} ago`);
    ends.title = formatExact(work.claimed_until ?? "");
    fill(renewed, formatCount(work.renewals ?? 0));
    fill(given, claims > 0 && `${formatCount(claims)} ${claims === 1 ? "time" : "times"}`);
    given.classList.toggle("bad", claims >= OFTEN);
    /** @type {HTMLElement} */ (action.firstElementChild).hidden = left <= 0 || !this.app.session.rights.may("modify", key);
    return row;
  }

  /** @param {string} key */
  makeRow(key) {
    const { app } = this;
    const name = key.slice(this.folder.length);
    const href = app.link({ ...app.place.peek(), key });
    const release = () => {
      const work = this.queue.claimed.get(key);
      if (work) {
        releases(app, { bytes: new Uint8Array(), detail: work });
      }
    };
    const row = h(
      "tr",
      h("td.key", h("a", { href }, visible(name))),
      [1, 2, 3, 4, 5].map(() => h("td")),
      h("td", button("Release", release, { "aria-label": `Release ${name}` })),
    );
    this.rows.set(key, row);
    return row;
  }
}
