// What can be done from several places of the page. The parts for it are loaded when they are wanted.

import { CANCEL, field, openDialog } from "../base/dialog.js";
import { h } from "../base/html.js";
import { whyNoKey } from "../base/path.js";
import { formatPlace, parsePlace } from "../base/route.js";

/** @typedef {import("../main.js").App} App */

/** Goes to a key or folder that is typed. @param {App} app */
export function goTo(app) {
  const input = h("input.key", { type: "text", value: app.place.peek().folder, spellcheck: "false", autocomplete: "off" });
  const run = () => {
    const text = input.value;
    const why = text.endsWith("/") ? undefined : whyNoKey(text);
    if (why) {
      throw new Error(why);
    }
    app.go(parsePlace(formatPlace({ folder: text, key: "", view: "keys", options: {} })));
  };
  const opened = openDialog("Go to a key or folder", {
    body: [field("Key, or folder with / at the end", input)],
    choices: [CANCEL, { label: "Go", class: "primary", run }],
  });
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") {
      /** @type {HTMLElement} */ (opened.dialog.querySelector(".primary")).click();
    }
  });
  input.focus();
}

/** Makes a key in the folder that is shown. @param {App} app */
export async function create(app) {
  const { Editor } = await import("../change/editor.js");
  new Editor(app, { folder: app.place.peek().folder });
}

/** Stores files below the folder that is shown. @param {App} app */
export async function upload(app) {
  const { openUpload } = await import("../change/upload.js");
  openUpload(app, app.place.peek().folder);
}

/**
 * Finds names below the folder that is shown, or the keys of a job.
 *
 * @param {App} app
 * @param {{ job?: string }} [options]
 */
export async function find(app, options) {
  const { openFind } = await import("../keys/find.js");
  openFind(app, app.place.peek().folder, options);
}

/** Deletes the folder that is shown. @param {App} app */
export async function removeFolder(app) {
  const { openRemoval } = await import("../change/remove.js");
  openRemoval(app, app.place.peek().folder);
}

/** Shows the lines to copy for the folder that is shown. @param {App} app */
export async function showLines(app) {
  const { openLines } = await import("./lines.js");
  openLines(app.place.peek().folder);
}
