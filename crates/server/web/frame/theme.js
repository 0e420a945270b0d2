// Light or dark: as the system has it, or as it was chosen in this browser.

import { keep, recall } from "../base/storage.js";

const PLACE = "prominence theme";
const ALL = ["system", "light", "dark"];

/** The choice. */
export function theme() {
  const kept = recall("localStorage", PLACE) ?? "system";
  return ALL.includes(kept) ? kept : "system";
}

/** @param {string} chosen */
export function useTheme(chosen) {
  document.documentElement.dataset.theme = chosen;
  keep("localStorage", PLACE, chosen);
}
