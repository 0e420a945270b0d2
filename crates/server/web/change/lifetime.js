// The choice of a lifetime: for ever, as it is, or a time.

import { field } from "../base/dialog.js";
import { formatSpan } from "../base/format.js";
import { h } from "../base/html.js";
import { serverNow } from "../store/clock.js";

const DURATION = /^(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?$|^\d+$/;

/**
 * @param {string} [expires] when the value is gone now
 * @param {() => void} [changed]
 */
export function lifetime(expires, changed = () => {}) {
  const left = expires === undefined ? 0 : Date.parse(expires) - serverNow();
  const choice = h(
    "select",
    { onchange: () => update() },
    left > 0 && h("option", { value: "keep" }, `as it is: gone in ${formatSpan(left)}`),
    h("option", { value: "" }, "until it is deleted"),
    h("option", { value: "job" }, "as long as this token"),
    h("option", { value: "time" }, "for a time"),
  );
  const time = h("input", { type: "text", value: "1h", size: 8, "aria-label": "Time, such as 90s, 15m, 12h or 7d", oninput: changed });
  const update = () => {
    time.hidden = choice.value !== "time";
    changed();
  };
  time.hidden = true;
  return {
    element: field("Lifetime", h("span.row-of-fields", choice, time)),
    /** The parameter `ttl`; throws where what was typed is no time. @returns {string | undefined} */
    ttl() {
      if (choice.value === "keep") {
        const seconds = Math.ceil((Date.parse(expires ?? "") - serverNow()) / 1000);
        return `${Math.max(1, seconds)}s`;
      }
      if (choice.value !== "time") {
        return choice.value || undefined;
      }
      const text = time.value.trim();
      if (text === "" || !DURATION.test(text)) {
        throw new Error("A time is 90s, 15m, 12h, 7d, or several units such as 1h30m.");
      }
      return text;
    },
  };
}
