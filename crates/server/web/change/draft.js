// What was typed and not stored yet. It outlives a reload and a sign-in, in this tab alone.

import { keep, placesOfTab, recall } from "../base/storage.js";

const START = "prominence draft ";

/** @param {string} key */
function placeOf(key) {
  return `${START}${location.pathname} ${key}`;
}

/** @param {string} key */
export function loadDraft(key) {
  return recall("sessionStorage", placeOf(key));
}

/**
 * @param {string} key
 * @param {string | null} text
 */
export function keepDraft(key, text) {
  keep("sessionStorage", placeOf(key), text);
}

/** Forgets all drafts, because another user signs in or this one signs out. */
export function forgetDrafts() {
  placesOfTab(START).forEach((place) => keep("sessionStorage", place, null));
}
