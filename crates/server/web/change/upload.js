// Storing files and folders as keys below a folder.

import { CANCEL, openDialog } from "../base/dialog.js";
import { counted, formatBytes } from "../base/format.js";
import { fill, h } from "../base/html.js";
import { plainly, visible } from "../base/visible.js";
import { ApiError } from "../store/answer.js";
import { keyOfFile } from "./files.js";

const MAX_FILES = 1000;
const AT_ONCE = 4;
const SHOWN = 20;

/**
 * @typedef {{ path: string, file: File }} Found
 * @typedef {{ key: string, file: File }} Planned
 * @typedef {"skip" | "replace" | "stop"} OnExisting
 */

/** @typedef {import("../main.js").App} App */

/**
 * Asks for files and stores them.
 *
 * @param {App} app
 * @param {string} folder
 * @param {Found[]} [dropped]
 */
export function openUpload(app, folder, dropped) {
  const zone = h("div.zone", h("p", "Drop files or folders here, or choose "), picker("files", false), picker("a folder", true));
  const opened = openDialog("Upload", {
    class: "upload",
    body: [h("p", "Each file becomes a key below ", h("code", visible(folder)), "."), zone],
    choices: [CANCEL],
  });
  /**
   * @param {string} label
   * @param {boolean} isFolder
   */
  function picker(label, isFolder) {
    const input = h("input", { type: "file", multiple: true, webkitdirectory: isFolder, "aria-label": `Choose ${label}` });
    input.addEventListener("change", () => {
      const files = /** @type {File[]} */ ([...(input.files ?? [])]);
      plan(app, folder, opened, files.map((file) => ({ path: file.webkitRelativePath || file.name, file })));
    });
    return h("label.file", `Choose ${label}`, input);
  }
  zone.addEventListener("dragover", (/** @type {DragEvent} */ event) => event.preventDefault());
  zone.addEventListener("drop", async (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    plan(app, folder, opened, await filesOf(event.dataTransfer));
  });
  if (dropped) {
    plan(app, folder, opened, dropped);
  }
}

/**
 * The files that were dropped, those in folders included.
 *
 * @param {DataTransfer | null} transfer
 * @returns {Promise<Found[]>}
 */
export async function filesOf(transfer) {
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null);
  /** @type {Found[]} */
  const found = [];
  for (const entry of entries) {
    await walk(entry, "", found);
  }
  return found;
}

/**
 * @param {any} entry
 * @param {string} path
 * @param {Found[]} found
 */
async function walk(entry, path, found) {
  if (found.length > MAX_FILES) {
    return;
  }
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ path: path + entry.name, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    /** @type {any[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) {
      return;
    }
    for (const one of some) {
      await walk(one, `${path}${entry.name}/`, found);
    }
  }
}

/**
 * Checks names and sizes before anything is stored.
 *
 * @param {App} app
 * @param {string} folder
 * @param {ReturnType<typeof openDialog>} opened
 * @param {Found[]} files
 */
function plan(app, folder, opened, files) {
  /** @type {Planned[]} */
  const planned = [];
  /** @type {string[]} */
  const refused = [];
  const limit = app.limits.value_bytes;
  for (const { path, file } of files) {
    try {
      if (file.size > limit) {
        throw new Error(`has ${formatBytes(file.size)}; a value has at most ${formatBytes(limit)}`);
      }
      planned.push({ key: keyOfFile(folder, path), file });
    } catch (error) {
      refused.push(`${path}: ${/** @type {Error} */ (error).message}`);
    }
  }
  if (files.length > MAX_FILES) {
    opened.fail(`At most ${MAX_FILES} files at once; prominence kv import takes more.`);
    return;
  }
  const existing = h(
    "select",
    { "aria-label": "Keys that exist" },
    h("option", { value: "skip" }, "leave them as they are"),
    h("option", { value: "replace" }, "replace them"),
    h("option", { value: "stop" }, "stop at the first one"),
  );
  opened.show(
    [
      h("p", `${counted(planned.length, "file")} will be stored`, refused.length > 0 ? `, ${refused.length} can't be:` : "."),
      report(refused),
      h("label.field", h("span", "Keys that exist"), existing),
    ],
    [CANCEL, { label: "Store", class: "primary", isDisabled: planned.length === 0, run: () => store(app, opened, planned, existing.value) }],
  );
}

/** @param {string[]} lines */
function report(lines) {
  const more = lines.length - SHOWN;
  return h("ul.names", lines.slice(0, SHOWN).map((line) => h("li", plainly(line))), more > 0 && h("li.faint", `${more} more`));
}

/**
 * Stores the files, a few at a time, until all are stored or the user stops.
 *
 * @param {App} app
 * @param {ReturnType<typeof openDialog>} opened
 * @param {Planned[]} planned
 * @param {OnExisting} onExisting
 */
async function store(app, opened, planned, onExisting) {
  const abort = new AbortController();
  const progress = h("progress", { max: planned.length, value: 0, "aria-label": "Stored files" });
  const done = { stored: 0, skipped: 0, left: /** @type {string[]} */ ([]) };
  opened.show([progress], [{ label: "Stop", run: () => (abort.abort(), false) }]);
  const waiting = [...planned];
  const work = async () => {
    for (let next = waiting.shift(); next && !abort.signal.aborted; next = waiting.shift()) {
      try {
        await app.session.api.set(next.key, next.file, { absent: onExisting !== "replace", signal: abort.signal });
        done.stored += 1;
      } catch (error) {
        const exists = error instanceof ApiError && error.status === 412;
        if (exists && onExisting === "skip") {
          done.skipped += 1;
        } else {
          done.left.push(`${next.key}: ${exists ? "exists" : /** @type {Error} */ (error).message}`);
        }
        if (exists && onExisting === "stop") {
          abort.abort();
        }
      }
      progress.value = done.stored + done.skipped + done.left.length;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const untouched = waiting.map(({ key }) => `${key}: not tried`);
  const kept = done.skipped > 0 ? `, ${done.skipped} existed and were left` : "";
  opened.show(
    [h("p", `${counted(done.stored, "file")} stored${kept}.`), report([...done.left, ...untouched])],
    [{ label: "Close", class: "primary", run: () => {} }],
  );
  fill(/** @type {Element} */ (opened.dialog.querySelector("h2")), "Upload: done");
  return false;
}
