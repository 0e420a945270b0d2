// The kind of a value, told from its bytes.

import { imageOf, svgOf } from "./image.js";
import { parseJson } from "./json.js";
import { parseTable } from "./table.js";

/**
 * @typedef {{ name: "empty" } | { name: "number", text: string } | { name: "text", text: string }
 *   | { name: "json", text: string, root: import("./json.js").Node }
 *   | { name: "table", text: string, table: import("./table.js").Table }
 *   | { name: "image", image: import("./image.js").Image, text?: string } | { name: "binary" }} Kind
 */

const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/**
 * @param {Uint8Array} bytes
 * @returns {Kind}
 */
export function kindOf(bytes) {
  if (bytes.length === 0) {
    return { name: "empty" };
  }
  const image = imageOf(bytes);
  if (image) {
    return { name: "image", image };
  }
  const text = textOf(bytes);
  if (text === undefined || text.includes("\0")) {
    return { name: "binary" };
  }
  const drawing = svgOf(text);
  if (drawing) {
    return { name: "image", image: drawing, text };
  }
  if (NUMBER.test(text)) {
    return { name: "number", text };
  }
  const root = /^\s*[[{"]/.test(text) ? parseJson(text) : undefined;
  if (root) {
    return { name: "json", text, root };
  }
  const table = parseTable(text);
  return table ? { name: "table", text, table } : { name: "text", text };
}

/**
 * The text that bytes are in UTF-8, or nothing. A byte order mark is part of it.
 *
 * @param {Uint8Array} bytes
 */
export function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
