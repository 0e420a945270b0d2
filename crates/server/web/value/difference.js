// The difference of two values, as lines.

import { formatBytes } from "../base/format.js";
import { h } from "../base/html.js";
import { diffLines } from "../base/diff.js";
import { visible } from "../base/visible.js";
import { textOf } from "./kind.js";

/** Lines around a change. */
const CONTEXT = 3;
const MAX_LINES = 1000;

/** @type {Record<string, string>} */
const WORDS = { " ": "", "-": "removed: ", "+": "added: " };

/**
 * @param {Uint8Array} before
 * @param {Uint8Array} after
 */
export function showDifference(before, after) {
  const [left, right] = [textOf(before), textOf(after)];
  if (left === undefined || right === undefined) {
    const size = `${formatBytes(before.length)} before, ${formatBytes(after.length)} after`;
    return h("p.faint", `The values are not both text: ${size}.`);
  }
  const lines = diffLines(left, right);
  const isNear = lines.map((_, at) => lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ sign }) => sign !== " "));
  const shown = lines.filter((_, at) => isNear[at]).slice(0, MAX_LINES);
  if (shown.length === 0) {
    return h("p.faint", "Nothing has changed.");
  }
  return h(
    "pre.diff",
    { tabIndex: 0 },
    shown.map(({ sign, line }) =>
      h("div", { class: sign === "-" ? "removed" : sign === "+" ? "added" : "same" },
        h("span.sign", { "aria-label": WORDS[sign] }, sign),
        visible(line, { lines: true }),
      ),
    ),
  );
}
