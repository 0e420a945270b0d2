// A row of the list: a key or a folder.

import { formatAge, formatBytes, formatCount, formatExact, formatSpan } from "../base/format.js";
import { fill, h, icon } from "../base/html.js";
import { visible } from "../base/visible.js";
import { serverNow } from "../store/clock.js";

/** Characters of a value beside its name. */
const MAX_VALUE = 80;
const FOLDER = "M1.5 4.5v8h13v-7h-7l-1.5-2h-4.5z";

/** The parts of a row. @returns {HTMLElement} */
export function makeRow() {
  return h(
    "div.row",
    h("span.name"),
    h("span.value"),
    h("span.size"),
    h("span.changed"),
    h("span.job"),
    h("span.note"),
  );
}

/** What a row shows; it is drawn again only if this has changed. @type {WeakMap<HTMLElement, string>} */
const shown = new WeakMap();

/**
 * Shows an entry of a level in a row.
 *
 * @param {HTMLElement} row
 * @param {{ name: string, prefix: string, entry?: import("../store/level.js").Entry | import("../store/api.js").Folder,
 *   isSelected: boolean, isTouched: boolean }} what
 */
export function showRow(row, { name, prefix, entry, isSelected, isTouched }) {
  row.classList.toggle("touched", isTouched);
  row.ariaSelected = String(isSelected);
  const now = serverNow();
  const about = entry && "key" in entry ? aboutKey(entry, now) : aboutFolder(entry);
  const text = JSON.stringify([name, prefix, about]);
  if (shown.get(row) === text) {
    return;
  }
  shown.set(row, text);
  const [label, value, size, changed, job, note] = /** @type {HTMLElement[]} */ ([...row.children]);
  const isFolder = name.endsWith("/");
  row.classList.toggle("folder", isFolder);
  row.classList.toggle("gone", about.isGone);
  const rest = name.slice(prefix.lastIndexOf("/") + 1);
  fill(label, isFolder && icon(FOLDER), visible(rest));
  fill(value, about.value !== undefined && visible(about.value));
  fill(size, about.size);
  fill(changed, about.changed);
  changed.title = about.exactly;
  fill(job, about.job && visible(about.job));
  fill(note, about.note && h("span.badge", { class: about.tone, title: about.noteTitle }, about.note));
}

/**
 * @typedef {{ value?: string, size: string, changed: string, exactly: string, job: string, note: string,
 *   noteTitle: string, tone: string, isGone: boolean }} About
 */

/**
 * @param {import("../store/level.js").Entry} entry
 * @param {number} now
 * @returns {About}
 */
function aboutKey(entry, now) {
  const then = Date.parse(entry.modified);
  const value = entry.value ?? (entry.value_base64 === undefined ? undefined : "binary");
  return {
    value: value?.slice(0, MAX_VALUE).replace(/\s+/g, " ").trim(),
    size: formatBytes(entry.size),
    changed: Number.isNaN(then) ? "" : formatAge(then, now),
    exactly: Number.isNaN(then) ? "" : formatExact(then),
    job: entry.job ?? "",
    isGone: entry.isGone ?? false,
    ...noteOf(entry, now),
  };
}

/**
 * @param {import("../store/level.js").Entry} entry
 * @param {number} now
 */
function noteOf(entry, now) {
  if (entry.isGone) {
    return { note: "deleted", noteTitle: "", tone: "bad" };
  }
  if (entry.claimed_until) {
    const left = Date.parse(entry.claimed_until) - now;
    const by = entry.claimed_by ? ` by job ${entry.claimed_by}` : "";
    const title = `claimed${by} until ${formatExact(entry.claimed_until)}`;
    return left > 0
      ? { note: `claimed ${formatSpan(left)}`, noteTitle: title, tone: "held" }
      : { note: "claim ran out", noteTitle: title, tone: "warn" };
  }
  if (entry.expires) {
    const left = Date.parse(entry.expires) - now;
    return { note: `expires in ${formatSpan(left)}`, noteTitle: formatExact(entry.expires), tone: "plain" };
  }
  return { note: "", noteTitle: "", tone: "plain" };
}

/**
 * @param {import("../store/api.js").Folder | undefined} folder
 * @returns {About}
 */
function aboutFolder(folder) {
  const count = folder?.count;
  const text = count === undefined ? "" : `${formatCount(count)}${folder?.more ? "+" : ""} ${count === 1 ? "key" : "keys"}`;
  return { size: text, changed: "", exactly: "", job: "", note: "", noteTitle: "", tone: "plain", isGone: false };
}
