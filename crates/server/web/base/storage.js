// What is kept in this browser or this tab. Storage may be full or forbidden; then nothing outlives the page.

/** @typedef {"localStorage" | "sessionStorage"} Storage */

/**
 * The text that is kept at a place, or null.
 *
 * @param {Storage} storage
 * @param {string} place
 */
export function recall(storage, place) {
  try {
    return globalThis[storage].getItem(place);
  } catch {
    return null;
  }
}

/**
 * Keeps a text at a place; null keeps none there.
 *
 * @param {Storage} storage
 * @param {string} place
 * @param {string | null} text
 */
export function keep(storage, place, text) {
  try {
    if (text === null) {
      globalThis[storage].removeItem(place);
    } else {
      globalThis[storage].setItem(place, text);
    }
  } catch {
    // The text is in memory alone.
  }
}

/**
 * The places in this tab that begin so.
 *
 * @param {string} start
 */
export function placesOfTab(start) {
  try {
    return Object.keys(sessionStorage).filter((place) => place.startsWith(start));
  } catch {
    return [];
  }
}
