// Single keys that do what buttons do. They never act while somebody types, and one switch turns them off (WCAG 2.1.4).

import { openDialog } from "../base/dialog.js";
import { h } from "../base/html.js";
import { keep, recall } from "../base/storage.js";
import { create, goTo } from "./commands.js";

const PLACE = "prominence single keys";

/** @type {[string, string][]} */
const LIST = [
  ["↑ ↓ Home End Page ↑ Page ↓", "move in the list"],
  ["Enter", "open the key or folder"],
  ["Backspace", "to the folder above"],
  ["Escape", "close the key that is open"],
  ["/", "filter names"],
  ["g", "go to a key"],
  ["n", "new key"],
  ["e", "edit the key that is open"],
  ["d", "delete the key that is open"],
  ["p", "plot this folder, and back"],
  ["y", "copy the key that is open"],
  ["?", "this list"],
];

/** Whether single keys do something. */
function isOn() {
  return recall("localStorage", PLACE) !== "off";
}

/**
 * Listens for keys.
 *
 * @param {import("../main.js").App} app
 */
export function listen(app) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const isTyping = target.matches("input, textarea, select, [contenteditable]");
    const isBusy = document.querySelector("dialog[open]") !== null || !app.session.who.peek();
    if (isTyping || isBusy || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const always = ["Backspace", "Escape"].includes(event.key);
    const action = actions(app)[event.key];
    if (action && (always || isOn())) {
      event.preventDefault();
      action();
    }
  });
}

/**
 * @param {import("../main.js").App} app
 * @returns {Record<string, () => void>}
 */
function actions(app) {
  return {
    "/": () => /** @type {HTMLElement | null} */ (document.querySelector("input.filter"))?.focus(),
    g: () => goTo(app),
    n: () => create(app),
    e: () => press("[aria-keyshortcuts=e]"),
    d: () => press("[aria-keyshortcuts=d]"),
    y: () => press(".panel .title button"),
    p: () => app.switchView("plot"),
    "?": () => showKeyboard(),
    Backspace: () => app.up(),
    Escape: () => app.closeKey(),
  };
}

/** @param {string} selector */
function press(selector) {
  /** @type {HTMLButtonElement | null} */ (document.querySelector(selector))?.click();
}

/** Shows the list of keys. */
export function showKeyboard() {
  const box = h("input", {
    type: "checkbox",
    checked: isOn(),
    onchange: () => keep("localStorage", PLACE, box.checked ? "on" : "off"),
  });
  const rows = LIST.map(([keys, does]) => h("div", h("dt", h("kbd", keys)), h("dd", does)));
  openDialog("Keyboard", {
    body: [h("dl.facts.keyboard", rows), h("label.check", box, "single letters do something")],
    choices: [{ label: "Close", run: () => {} }],
  });
}
