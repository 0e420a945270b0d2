// The place in the page as the fragment of its address, so that back, forward, reload and a sent link work. Browsers
// do not send fragments to servers.

import { encodePath, folderOf } from "./path.js";

/**
 * A place: a folder, the key that is open in it, the view, and choices of the view.
 *
 * @typedef {"keys" | "plot" | "queue"} View
 * @typedef {{ folder: string, key: string, view: View, options: Record<string, string> }} Place
 */

const VIEWS = ["keys", "plot", "queue"];

/**
 * The place that a fragment names. A fragment that names none is the root.
 *
 * @param {string} fragment as in `#/sweep/out/?view=plot`
 * @returns {Place}
 */
export function parsePlace(fragment) {
  const text = fragment.replace(/^#/, "");
  const [, path, query] = /^([^?]*)\??(.*)$/s.exec(text) ?? ["", "", ""];
  const options = Object.fromEntries(new URLSearchParams(query));
  const view = /** @type {View} */ (VIEWS.includes(options.view) ? options.view : "keys");
  delete options.view;
  const whole = decode(path);
  const isKey = !whole.endsWith("/");
  return { folder: isKey ? folderOf(whole) : whole, key: isKey ? whole : "", view, options };
}

/**
 * The fragment of a place.
 *
 * @param {Place} place
 */
export function formatPlace({ folder, key, view, options }) {
  const query = new URLSearchParams();
  if (view !== "keys") {
    query.set("view", view);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value) {
      query.set(name, value);
    }
  }
  const text = query.toString();
  return `#${encodePath(key || folder)}${text ? `?${text}` : ""}`;
}

/** @param {string} path */
function decode(path) {
  try {
    const text = decodeURIComponent(path);
    return text.startsWith("/") ? text.replace(/\/{2,}/g, "/") : "/";
  } catch {
    return "/";
  }
}
