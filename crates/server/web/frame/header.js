// The head of the page: where one is, whether what is shown is live, how much is stored, and who is signed in.

import { formatBytes, formatCount, formatExact, formatRate, formatSpan } from "../base/format.js";
import { button, fill, h } from "../base/html.js";
import { ancestors, lastPart } from "../base/path.js";
import { effect } from "../base/signal.js";
import { plainly, visible } from "../base/visible.js";
import { serverNow } from "../store/clock.js";
import { find, goTo, removeFolder, showLines } from "./commands.js";
import { showKeyboard } from "./keyboard.js";
import { theme, useTheme } from "./theme.js";

const USAGE_MS = 60_000;
/** The end of the token is counted down for so long. */
const LAST_MINUTES_MS = 15 * 60_000;

/** @type {Record<string, string>} */
const STATES = {
  connecting: "Connecting",
  live: "Live",
  lost: "Connection lost",
  refused: "Not live",
};

/** @type {[import("../base/route.js").View, string][]} */
const VIEWS = [
  ["keys", "Keys"],
  ["plot", "Plot"],
  ["queue", "Queue"],
];

/** The head. */
export class Header {
  /** @param {import("../main.js").App} app */
  constructor(app) {
    this.app = app;
    this.crumbs = h("nav.crumbs", { "aria-label": "Place" });
    this.views = h("div.tabs.views", { role: "group", "aria-label": "View" });
    this.state = h("span.live", { role: "status" });
    this.rate = h("span.rate");
    this.pause = button("Pause", () => app.live.pause(!app.live.isPaused.peek()), { class: "quiet" });
    this.usage = h("span.usage");
    this.end = h("span.end");
    this.remove = button("Delete this folder …", () => removeFolder(app));
    this.element = h(
      "header.top",
      h("div.bar", h("h1", h("a.brand", { href: "#/" }, "PROMINENCE")), h("div.status", this.state, this.pause, this.rate), this.usage, this.end, this.userMenu()),
      h("div.bar.place", this.crumbs, this.folderMenu(), this.views),
    );
    this.ends = [effect(() => this.showLive()), effect(() => this.showPlace(app.place.get()))];
    this.readUsage();
    this.timers = [setInterval(() => this.readUsage(), USAGE_MS), setInterval(() => this.showEnd(), 1000)];
    this.showEnd();
  }

  close() {
    this.ends.forEach((end) => end());
    this.timers.forEach((timer) => clearInterval(timer));
  }

  showLive() {
    const { live } = this.app;
    const state = live.state.get();
    const isPaused = live.isPaused.get();
    const waiting = live.waiting.get();
    const rate = live.rate.get();
    this.state.dataset.state = isPaused ? "paused" : state;
    fill(this.state, isPaused ? "Paused" : STATES[state]);
    const text = isPaused ? `${formatCount(waiting)} waiting` : state === "live" && rate > 0 ? `${formatRate(rate)} changes/s` : "";
    fill(this.rate, text);
    fill(this.pause, isPaused ? "Go on" : "Pause");
  }

  /** @param {import("../base/route.js").Place} place */
  showPlace(place) {
    const { app } = this;
    const folders = ancestors(place.folder);
    fill(
      this.crumbs,
      folders.map((folder, at) => {
        const isLast = at === folders.length - 1;
        const text = folder === "/" ? "/" : lastPart(folder);
        const href = app.link({ folder, key: "", view: place.view, options: {} });
        return h("a", { href, "aria-current": isLast ? "page" : undefined }, visible(text));
      }),
    );
    fill(
      this.views,
      VIEWS.map(([view, label]) =>
        h("button", { type: "button", "aria-pressed": String(view === place.view), onclick: () => app.go({ ...place, view, options: {} }) }, label),
      ),
    );
    this.remove.disabled = place.folder === "/" || !app.session.rights.may("modify", place.folder);
    document.title = `${plainly(place.key || place.folder)} · PROMINENCE`;
  }

  folderMenu() {
    const { app } = this;
    const menu = h(
      "div.menu",
      { id: "folder-menu", popover: "auto", role: "group", "aria-label": "Folder", onclick: () => menu.hidePopover() },
      button("Lines to copy", () => showLines(app)),
      button("Find below here", () => find(app)),
      button("Go to a key …", () => goTo(app), { "aria-keyshortcuts": "g" }),
      this.remove,
    );
    return h("span.menu-holder", h("button", { type: "button", popovertarget: "folder-menu", "aria-label": "Folder actions", title: "what can be done with this folder" }, "⋯"), menu);
  }

  userMenu() {
    const { app } = this;
    const who = app.session.who.peek();
    const themes = ["system", "light", "dark"].map((name) => h("option", { value: name, selected: name === theme() }, name));
    const choice = h("select", { "aria-label": "Colours", onchange: () => useTheme(choice.value) }, themes);
    const menu = h(
      "div.menu.wide",
      { id: "user-menu", popover: "auto", role: "group", "aria-label": "Signed in" },
      h(
        "dl.facts",
        h("div", h("dt", "User"), h("dd", visible(who?.user ?? ""))),
        who?.job && h("div", h("dt", "Job"), h("dd", visible(who.job))),
        h("div", h("dt", "Token"), h("dd", app.session.rights.words())),
        h("div", h("dt", "From"), h("dd", visible(who?.issuer ?? ""))),
        h("div", h("dt", "Ends"), h("dd", who ? formatExact(who.expires) : "")),
      ),
      h("label.field", h("span", "Colours"), choice),
      h("div.row-of-fields", button("Keyboard", () => (menu.hidePopover(), showKeyboard()), { "aria-keyshortcuts": "?" }), h("a", { href: "docs/" }, "Interface")),
      button("Sign out", () => app.signOut(), { class: "danger" }),
    );
    return h("span.menu-holder", h("button.user", { type: "button", popovertarget: "user-menu" }, visible(who?.user ?? "")), menu);
  }

  async readUsage() {
    const { session } = this.app;
    if (document.hidden || !session.rights.may("read", "/")) {
      return;
    }
    try {
      const { keys, bytes, limits } = await session.api.usage();
      const part = Math.max(keys / limits.keys, bytes / limits.bytes);
      const percent = Math.floor(part * 100);
      this.usage.dataset.level = part >= 0.95 ? "bad" : part >= 0.8 ? "warn" : "";
      fill(this.usage, `${formatCount(keys)} keys, ${formatBytes(bytes)}`, percent >= 80 && ` · ${percent} % of the quota`);
      this.usage.title = `of ${formatCount(limits.keys)} keys and ${formatBytes(limits.bytes)}`;
    } catch {
      // The last usage that was seen stays.
    }
  }

  showEnd() {
    const who = this.app.session.who.peek();
    const left = who ? Date.parse(who.expires) - serverNow() : Infinity;
    fill(this.end, left < LAST_MINUTES_MS && `token ends in ${formatSpan(left)}`);
  }
}
