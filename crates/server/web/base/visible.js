// Characters that can't be seen, or that change the order of others, shown as marked code points.

import { h } from "./html.js";

/**
 * Everything that has no shape of its own: controls, formats (direction, joiners, tags), separators, surrogates,
 * private use, unassigned characters, and the fillers that have the property Default_Ignorable_Code_Point.
 */
const UNSEEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/** More marks on one character than any script needs; the others would cover the lines around it. */
const MAX_MARKS = 4;

const MARK = /\p{M}/u;

/**
 * A part of a text: characters as they are, or one that is marked.
 *
 * @typedef {{ text: string, code?: string }} Part
 */

/**
 * Cuts a text into parts. A single space between other characters is as it is; spaces at the ends, and those beside
 * another one, are marked. A line break and a tab are as they are if `lines` says so.
 *
 * @param {string} text
 * @param {{ lines?: boolean, limit?: number }} [options]
 * @returns {Part[]}
 */
export function parts(text, { lines = false, limit = Infinity } = {}) {
  /** @type {Part[]} */
  const all = [];
  let plain = "";
  let marks = 0;
  let shown = 0;
  const characters = [...text];
  for (let at = 0; at < characters.length && shown < limit; at += 1, shown += 1) {
    const character = characters[at];
    marks = MARK.test(character) ? marks + 1 : 0;
    const isPlain = isSeen(characters, at, lines) && marks <= MAX_MARKS;
    if (isPlain) {
      plain += character;
      continue;
    }
    if (plain) {
      all.push({ text: plain });
      plain = "";
    }
    all.push({ text: character, code: codeOf(character) });
  }
  if (plain) {
    all.push({ text: plain });
  }
  return all;
}

/**
 * @param {string[]} characters
 * @param {number} at
 * @param {boolean} lines
 */
function isSeen(characters, at, lines) {
  const character = characters[at];
  if (character === " ") {
    const beside = (/** @type {string | undefined} */ other) => lines || (other !== undefined && other !== " ");
    return beside(characters[at - 1]) && beside(characters[at + 1]);
  }
  if (lines && (character === "\n" || character === "\t")) {
    return true;
  }
  return !UNSEEN.test(character);
}

/** @param {string} character */
function codeOf(character) {
  if (character === " ") {
    return "␣";
  }
  const code = character.codePointAt(0) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * A text with marks in angle brackets, for places that hold nothing but text, such as a title.
 *
 * @param {string} text
 */
export function plainly(text) {
  return parts(text)
    .map((part) => (part.code ? `⟨${part.code}⟩` : part.text))
    .join("");
}

/**
 * Nodes that show a text. Each is isolated, so that the direction of one text does not change that of its neighbours.
 *
 * @param {string} text
 * @param {{ lines?: boolean, limit?: number }} [options]
 * @returns {HTMLElement}
 */
export function visible(text, options) {
  const nodes = parts(text, options).map((part) =>
    part.code ? h("span.mark", { title: "a character that can't be seen" }, part.code) : part.text,
  );
  return h("bdi", nodes);
}
