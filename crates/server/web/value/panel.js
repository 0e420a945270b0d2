// The key that is open: its value, what is known about it, and the lines that read it.

import { button, fill, h } from "../base/html.js";
import { lastPart } from "../base/path.js";
import { readKey } from "../base/snippet.js";
import { plainly, visible } from "../base/visible.js";
import { formatExact } from "../base/format.js";
import { openDialog } from "../base/dialog.js";
import { ApiError } from "../store/answer.js";
import { detailAfter } from "../store/detail.js";
import { aboutFailure } from "../keys/states.js";
import { find } from "../frame/commands.js";
import { abilities, actions } from "../change/actions.js";
import { copyButton, download } from "./copy.js";
import { showDifference } from "./difference.js";
import { showFacts } from "./facts.js";
import { kindOf, textOf } from "./kind.js";
import { views } from "./show.js";
import { snippets } from "./snippets.js";
import { isSame, Versions } from "./versions.js";

/** A value that changes all the time is read again at most so often. */
const REREAD_MS = 250;

/** The panel. */
export class ValuePanel {
  /** @param {import("../main.js").App} app */
  constructor(app) {
    this.app = app;
    this.key = "";
    /** @type {import("../store/api.js").Read | undefined} */
    this.read = undefined;
    this.isGone = false;
    this.chosen = "";
    this.headState = "";
    this.versions = new Versions();
    this.abort = new AbortController();
    this.timer = 0;
    this.lastRead = 0;
    this.head = h("header");
    this.banner = h("div.banner", { role: "status" });
    this.facts = h("div");
    this.value = h("div.value-holder");
    this.foot = h("div.foot");
    this.element = h("section.panel", { "aria-label": "Value", hidden: true }, this.head, this.banner, this.value, this.facts, this.foot);
    this.tick = setInterval(() => this.showFacts(), 1000);
  }

  close() {
    clearInterval(this.tick);
    this.abort.abort();
    clearTimeout(this.timer);
  }

  /** @param {import("../base/route.js").Place} place */
  show({ key }) {
    if (key === this.key) {
      return;
    }
    this.key = key;
    this.element.hidden = !key;
    this.read = undefined;
    this.isGone = false;
    this.chosen = "";
    clearTimeout(this.timer);
    this.timer = 0;
    this.abort.abort();
    for (const part of [this.banner, this.facts, this.value, this.foot]) {
      fill(part);
    }
    this.showHead();
    if (key) {
      this.load();
    }
  }

  async load() {
    const { key } = this;
    this.lastRead = performance.now();
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      const read = await this.app.session.api.read(key, signal);
      if (this.key === key && !signal.aborted) {
        this.accept(read);
      }
    } catch (error) {
      if (!signal.aborted && this.key === key) {
        this.fail(/** @type {Error} */ (error));
      }
    }
  }

  /** @param {import("../store/api.js").Read} read */
  accept(read) {
    const before = this.read;
    this.read = read;
    this.isGone = false;
    this.versions.note(read);
    this.showHead();
    this.showFacts();
    fill(this.banner);
    if (!before || !isSame(before.bytes, read.bytes)) {
      this.showValue(read);
    }
    this.showFoot();
  }

  /** @param {Error} error */
  fail(error) {
    if (error instanceof ApiError && error.status === 404) {
      if (this.read) {
        this.showGone();
        return;
      }
      fill(this.value, h("div.message", h("h2", "There is no such key"), h("p.faint", "If it is set, its value is shown here at once.")));
      fill(this.foot, snippets("Read it from a job", readKey(this.key)));
      return;
    }
    if (!this.read) {
      fill(this.value, aboutFailure(this.app, error, () => this.load()));
    }
  }

  /** @param {import("../live/stream.js").Change[]} changes */
  changes(changes) {
    const mine = changes.filter(({ key }) => key === this.key);
    for (const change of mine) {
      const revision = this.read?.detail.revision ?? 0;
      if (change.revision > revision) {
        this.change(change);
      }
    }
  }

  /** @param {import("../live/stream.js").Change} change */
  change(change) {
    if (change.event !== "put") {
      this.showGone();
      return;
    }
    const { read } = this;
    const isValueSame = change.change !== undefined && change.change !== "set";
    if (read && isValueSame && !this.isGone) {
      this.read = { ...read, detail: detailAfter(read.detail, change) };
      this.showFacts();
      this.showHead();
      return;
    }
    if (!this.timer) {
      const pause = Math.max(0, this.lastRead + REREAD_MS - performance.now());
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.load();
      }, pause);
    }
  }

  reset() {
    if (this.key) {
      this.load();
    }
  }

  showGone() {
    this.isGone = true;
    this.showHead();
    fill(this.banner, h("p.bad", this.read ? "This key was deleted. Its last value is shown." : "This key was deleted."));
  }

  showHead() {
    const { key, app } = this;
    // The head is drawn again only if it changes, so that a change that arrives takes the focus from none of its buttons.
    const state = JSON.stringify([key, this.isGone, this.read && abilities(app, this.read)]);
    if (state === this.headState) {
      return;
    }
    this.headState = state;
    const back = button("Close", () => app.go({ ...app.place.peek(), key: "" }), { class: "quiet", title: "close this key (Escape)" });
    const name = h("h2.key", visible(lastPart(key)));
    const menu = this.read && !this.isGone ? actions(app, abilities(app, this.read), () => this.read) : [];
    fill(
      this.head,
      h("div.title", name, copyButton("Copy key", () => key, () => name), back),
      h("div.actions", menu),
    );
  }

  showFacts() {
    if (this.read && !this.element.hidden && !this.facts.contains(document.activeElement)) {
      fill(this.facts, showFacts(this.read.detail, (job) => find(this.app, { job })));
    }
  }

  /** @param {import("../store/api.js").Read} read */
  showValue({ bytes }) {
    const all = views(kindOf(bytes), bytes);
    const current = all.find(({ name }) => name === this.chosen) ?? all[0];
    const tabs = all.map(({ name }) =>
      h("button", { type: "button", "aria-pressed": String(name === current.name), onclick: () => this.choose(name) }, name),
    );
    const text = textOf(bytes);
    const shown = h("div.content", { class: current.name.toLowerCase().replace(" ", "-") }, current.make());
    fill(
      this.value,
      h(
        "div.value-bar",
        h("div.tabs", { role: "group", "aria-label": "View" }, tabs),
        text !== undefined && copyButton("Copy value", () => text, () => shown),
        button("Download", () => download(lastPart(this.key), bytes)),
      ),
      shown,
    );
  }

  /** @param {string} name */
  choose(name) {
    this.chosen = name;
    if (this.read) {
      this.showValue(this.read);
    }
    /** @type {HTMLElement | null} */ (this.value.querySelector("[aria-pressed=true]"))?.focus();
  }

  showFoot() {
    const earlier = this.versions.of(this.key).slice(0, -1);
    if (!this.foot.querySelector(".snippet")) {
      fill(this.foot, snippets("Read it from a job", readKey(this.key)), h("div"));
    }
    fill(
      this.foot.lastElementChild ?? this.foot,
      earlier.length > 0 && button(`${earlier.length} earlier, seen here`, () => this.showVersions()),
    );
  }

  showVersions() {
    const versions = this.versions.of(this.key);
    const list = versions.map((version, at) => {
      const before = versions[at - 1];
      return h(
        "details",
        h("summary", `Revision ${version.revision}, ${formatExact(version.modified)}`, version.job ? `, job ${plainly(version.job)}` : ""),
        showDifference(before?.bytes ?? new Uint8Array(), version.bytes),
      );
    });
    openDialog("Versions seen since this page was opened", {
      body: [h("p.faint", "The server keeps no history. These are lost when the page is left."), ...list.reverse()],
      choices: [{ label: "Close", run: () => {} }],
    });
  }
}
