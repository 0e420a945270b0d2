// Values of each kind, as elements.

import { counted } from "../base/format.js";
import { button, h } from "../base/html.js";
import { visible } from "../base/visible.js";
import { isShowable, MAX_SIDE } from "./image.js";
import { unquote } from "./json.js";

/** Nodes of a tree that are drawn at once, and levels that are open at first. */
const MAX_NODES = 2000;
const OPEN_LEVELS = 2;
/** Cells of a table, and bytes in hexadecimal, that are drawn at once. */
const MAX_CELLS = 10_000;
const MAX_COLUMNS = 200;

/**
 * The view of a value by its kind; `views` are the others that it can have.
 *
 * @param {import("./kind.js").Kind} kind
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {{ name: string, make: () => HTMLElement }[]}
 */
export function views(kind, bytes) {
  const hex = { name: "Hex", make: () => showHex(bytes) };
  const text = (/** @type {string} */ source) => ({ name: "Text", make: () => showText(source) });
  switch (kind.name) {
    case "empty":
      return [{ name: "Empty", make: () => h("p.faint", "The value is empty: it has no bytes.") }];
    case "number":
      return [{ name: "Number", make: () => h("p.number", visible(kind.text.trim())) }, text(kind.text), hex];
    case "json":
      return [{ name: "JSON", make: () => showJson(kind.root) }, text(kind.text), hex];
    case "table":
      return [{ name: "Table", make: () => showTable(kind.table) }, text(kind.text), hex];
    case "image": {
      const image = { name: "Image", make: () => showImage(kind.image, bytes) };
      return kind.text === undefined ? [image, hex] : [image, text(kind.text), hex];
    }
    case "text":
      return [text(kind.text), hex];
    default:
      return [hex, { name: "Text anyway", make: () => showText(new TextDecoder().decode(bytes)) }];
  }
}

/** @param {string} text */
export function showText(text) {
  return h("pre.text", { tabIndex: 0 }, visible(text, { lines: true }));
}

/** @param {Uint8Array} bytes */
function showHex(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const signs = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${digits.padEnd(47)}  ${signs}`);
  }
  return h("pre.hex", { tabIndex: 0 }, lines.join("\n"));
}

/**
 * An image, through an address of its own in `<img>`: there no script runs, and nothing else is loaded.
 *
 * @param {import("./image.js").Image} image
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
function showImage(image, bytes) {
  const size = image.width === undefined ? "of unknown size" : `of ${image.width} × ${image.height} pixels`;
  if (!isShowable(image)) {
    return h("p.faint", `An image ${size} is not shown; up to ${MAX_SIDE} × ${MAX_SIDE} are.`);
  }
  const address = URL.createObjectURL(new Blob([bytes], { type: image.mediaType }));
  const caption = h("figcaption", `${image.mediaType}, ${image.width} × ${image.height}`);
  const done = () => URL.revokeObjectURL(address);
  const picture = h("img", {
    alt: "the value as an image",
    onload: done,
    onerror: () => {
      done();
      picture.replaceWith(h("p.faint", "The image is damaged and can't be shown."));
    },
    src: address,
  });
  return h("figure.image", picture, caption);
}

/** @param {import("./table.js").Table} table */
function showTable({ head, rows }) {
  const width = Math.min(head.length, MAX_COLUMNS);
  const height = Math.min(rows.length, Math.ceil(MAX_CELLS / width));
  const isNumeric = head.slice(0, width).map((_, column) => rows.every((row) => isNumber(row[column])));
  const cells = (/** @type {string[]} */ row) =>
    row.slice(0, width).map((cell, column) => h("td", { class: isNumeric[column] ? "number" : "" }, visible(cell)));
  const left = [
    height < rows.length ? `${counted(rows.length - height, "row")} more` : "",
    width < head.length ? `${counted(head.length - width, "column")} more` : "",
  ].filter(Boolean);
  return h(
    "div.table-holder",
    { tabIndex: 0, role: "group", "aria-label": "Table" },
    h(
      "table",
      h("thead", h("tr", head.slice(0, width).map((name, column) => h("th", { scope: "col", class: isNumeric[column] ? "number" : "" }, visible(name))))),
      h("tbody", rows.slice(0, height).map((row) => h("tr", cells(row)))),
    ),
    left.length > 0 && h("p.faint", `Not shown: ${left.join(" and ")}; they are in the text.`),
  );
}

/** @param {string | undefined} cell */
function isNumber(cell) {
  return cell !== undefined && cell.trim() !== "" && Number.isFinite(Number(cell));
}

/** @param {import("./json.js").Node} root */
function showJson(root) {
  const left = { nodes: MAX_NODES };
  return h("div.json", { tabIndex: 0, role: "group", "aria-label": "JSON" }, showNode(root, undefined, 0, left));
}

/**
 * @param {import("./json.js").Node} node
 * @param {string | undefined} name
 * @param {number} depth
 * @param {{ nodes: number }} left
 * @returns {HTMLElement}
 */
function showNode(node, name, depth, left) {
  left.nodes -= 1;
  const label = name !== undefined && [h("span.member", visible(spell(name))), ": "];
  if (!("members" in node)) {
    return h("div.leaf", label, h(`span.${node.type}`, visible(node.type === "string" ? spell(node.text) : node.text)));
  }
  const { type, members } = node;
  const noun = type === "object" ? "member" : "item";
  const summary = h("summary", label, h("span.faint", type === "object" ? "{ }" : "[ ]", ` ${counted(members.length, noun)}`));
  if (members.length === 0) {
    return h("div.leaf", label, h("span.faint", type === "object" ? "{ }" : "[ ]"));
  }
  const details = h("details", summary);
  const open = () => {
    if (details.childElementCount === 1) {
      showMembers(details, members, 0, depth, { nodes: MAX_NODES });
    }
  };
  if (depth < OPEN_LEVELS && left.nodes > members.length) {
    details.open = true;
    showMembers(details, members, 0, depth, left);
  }
  details.addEventListener("toggle", open);
  return details;
}

/**
 * Draws members from one on; a button draws those that are too many.
 *
 * @param {HTMLElement} parent
 * @param {import("./json.js").Member[]} members
 * @param {number} from
 * @param {number} depth
 * @param {{ nodes: number }} left
 */
function showMembers(parent, members, from, depth, left) {
  let at = from;
  while (at < members.length && left.nodes > 0) {
    const { name, value } = members[at];
    parent.append(showNode(value, name, depth + 1, left));
    at += 1;
  }
  if (at < members.length) {
    const more = button(`${counted(members.length - at, "more", "more")} …`, () => {
      more.remove();
      showMembers(parent, members, at, depth, { nodes: MAX_NODES });
    });
    parent.append(more);
  }
}

/**
 * A string of JSON without its quotes where it is spelt as people read it; otherwise as it is written.
 *
 * @param {string} source
 */
function spell(source) {
  return source.includes("\\") ? source : unquote(source);
}
