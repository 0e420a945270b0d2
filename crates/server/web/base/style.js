// Styles that are loaded with the views that need them.

import { h } from "./html.js";

/** @type {Set<string>} */
const used = new Set();

/**
 * Loads a style, once.
 *
 * @param {string} name in the folder `style`
 */
export function useStyle(name) {
  if (!used.has(name)) {
    used.add(name);
    document.head.append(h("link", { rel: "stylesheet", href: new URL(`../style/${name}`, import.meta.url).href }));
  }
}
