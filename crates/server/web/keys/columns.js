// The columns beside the names, and which of them are shown. The choice is kept in this browser, without any key or
// value.

import { signal } from "../base/signal.js";
import { keep, recall } from "../base/storage.js";

const PLACE = "prominence columns";

/** @typedef {"value" | "size" | "changed" | "job" | "note"} Column */

/** @type {Record<Column, string>} */
export const TITLES = {
  value: "Value",
  size: "Size",
  changed: "Changed",
  job: "Job",
  note: "Expiry and claim",
};

/** @type {Column[]} */
const DEFAULT = ["value", "size", "changed", "job", "note"];

export const columns = signal(load());

/**
 * Shows a column or leaves it out.
 *
 * @param {Column} column
 * @param {boolean} isShown
 */
export function show(column, isShown) {
  const all = /** @type {Column[]} */ (Object.keys(TITLES));
  const chosen = all.filter((one) => (one === column ? isShown : columns.peek().includes(one)));
  columns.set(chosen);
  keep("localStorage", PLACE, chosen.join(" "));
}

/** @returns {Column[]} */
function load() {
  const kept = recall("localStorage", PLACE);
  return kept === null ? DEFAULT : DEFAULT.filter((column) => kept.split(" ").includes(column));
}
