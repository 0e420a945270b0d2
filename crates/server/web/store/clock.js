// The server's time, as far as the header Date of its answers tells it: countdowns must not depend on this machine's
// clock.

let ahead = 0;

/** The server's time in milliseconds. */
export function serverNow() {
  return Date.now() + ahead;
}

/**
 * Notes the time of an answer. Date has whole seconds, so a difference below two seconds tells nothing.
 *
 * @param {Headers} headers
 */
export function noteTime(headers) {
  const then = Date.parse(headers.get("date") ?? "");
  const difference = then - Date.now();
  if (!Number.isNaN(then)) {
    ahead = Math.abs(difference) < 2_000 ? 0 : difference;
  }
}
