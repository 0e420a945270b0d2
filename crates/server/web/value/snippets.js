// Lines to copy, for one of three tools. The choice of the tool holds for all of them, in this browser.

import { fill, h } from "../base/html.js";
import { effect, signal } from "../base/signal.js";
import { keep, recall } from "../base/storage.js";
import { visible } from "../base/visible.js";
import { copyButton } from "./copy.js";

const PLACE = "prominence snippet tool";
const chosen = signal(recall("localStorage", PLACE) ?? "curl");

/**
 * A box with the lines that do something.
 *
 * @param {string} title
 * @param {import("../base/snippet.js").Snippet[]} all
 */
export function snippets(title, all) {
  const code = h("code");
  const tabs = h("div.tabs", { role: "group", "aria-label": `${title}: tool` });
  const current = () => all.find(({ tool }) => tool === chosen.peek()) ?? all[0];
  const box = h(
    "section.snippet",
    { "aria-label": title },
    h("header", h("h3", title), tabs, copyButton("Copy", () => current().text, () => code)),
    h("pre", { tabIndex: 0 }, code),
  );
  const end = effect(() => {
    const tool = chosen.get();
    if (box.dataset.shown && !box.isConnected) {
      // The box was taken out of the page.
      queueMicrotask(end);
      return;
    }
    box.dataset.shown = "yes";
    fill(code, visible(current().text, { lines: true }));
    fill(tabs, all.map((one) => tab(one.tool, one.tool === (tool || all[0].tool))));
  });
  return box;
}

/**
 * @param {string} tool
 * @param {boolean} isChosen
 */
function tab(tool, isChosen) {
  return h("button", { type: "button", "aria-pressed": String(isChosen), onclick: () => choose(tool) }, tool);
}

/** @param {string} tool */
function choose(tool) {
  chosen.set(tool);
  keep("localStorage", PLACE, tool);
}
