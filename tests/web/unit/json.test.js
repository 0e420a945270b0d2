// JSON as it is written, tables, images, and the kinds of values.

import assert from "node:assert/strict";
import test from "node:test";

import { imageOf, isShowable, svgOf } from "../../../crates/server/web/value/image.js";
import { parseJson, unquote } from "../../../crates/server/web/value/json.js";
import { kindOf } from "../../../crates/server/web/value/kind.js";
import { formatTable, parseTable } from "../../../crates/server/web/value/table.js";
import { below, name, oneOf } from "./random.js";

/** @param {any} node @returns {any} */
const valueOf = (node) => {
  if (node.type === "object") {
    return Object.fromEntries(node.members.map((/** @type {any} */ { name: one, value }) => [unquote(one), valueOf(value)]));
  }
  return node.type === "array" ? node.members.map((/** @type {any} */ { value }) => valueOf(value)) : JSON.parse(node.text);
};

/** @param {number} depth @returns {any} */
const random = (depth) => {
  const scalar = () => oneOf([null, true, false, below(1000) - 500, 1e300, -0.5, name(), ""]);
  if (depth === 0 || below(3) === 0) {
    return scalar();
  }
  const members = Array.from({ length: below(4) }, () => random(depth - 1));
  return below(2) === 0 ? members : Object.fromEntries(members.map((member, at) => [`${at}${name()}`, member]));
};

test("what JSON.parse reads is read the same", () => {
  for (let round = 0; round < 2000; round += 1) {
    const value = random(5);
    const text = JSON.stringify(value, null, below(3));
    const root = parseJson(text);
    assert.ok(root, text);
    assert.deepEqual(valueOf(root), value);
  }
});

test("what JSON.parse refuses is refused", () => {
  const signs = [..."{}[],:\"1.-e0tnul \\"];
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + below(8) }, () => oneOf(signs)).join("");
    let isRead = true;
    try {
      JSON.parse(text);
    } catch {
      isRead = false;
    }
    assert.equal(parseJson(text) !== undefined, isRead, text);
  }
  for (const text of ["NaN", "[1,]", "{a:1}", "'a'", "[Infinity]", "01", '{"a":1,}']) {
    assert.equal(parseJson(text), undefined, text);
  }
});

test("digits and members are as they are written", () => {
  const root = /** @type {any} */ (parseJson('{"n":12345678901234567890,"x":1.10,"e":1e400,"n":-0,"__proto__":1}'));
  const shown = root.members.map((/** @type {any} */ { name: one, value }) => [one, value.text]);
  assert.deepEqual(shown, [['"n"', "12345678901234567890"], ['"x"', "1.10"], ['"e"', "1e400"], ['"n"', "-0"], ['"__proto__"', "1"]]);
});

test("no nesting is too deep", () => {
  assert.ok(parseJson("[".repeat(8000) + "]".repeat(8000)));
  assert.equal(parseJson("[".repeat(8000)), undefined);
});

test("a table is read as it was written", () => {
  for (let round = 0; round < 500; round += 1) {
    const width = 2 + below(4);
    const cell = () => oneOf(["x", "a,b", 'q"q', "two\nlines", name(), "9"]);
    const head = Array.from({ length: width }, (_, at) => `column ${at}`);
    const rows = Array.from({ length: 1 + below(5) }, () => Array.from({ length: width }, cell));
    const safe = rows.map((row) => row.map((one) => (/^[=+\-@\t\r]/.test(one) ? `x${one}` : one)));
    assert.deepEqual(parseTable(formatTable([head, ...safe])), { head, rows: safe });
  }
  assert.equal(parseTable("1,2\n3,4"), undefined, "a table has a head");
  assert.equal(parseTable("a,b\n1"), undefined);
  assert.deepEqual(parseTable("a\tb\r\n1\t\r\n"), { head: ["a", "b"], rows: [["1", ""]] });
});

test("a cell that a spreadsheet would compute is quoted", () => {
  assert.equal(formatTable([["=1+1", "-1", "@x", "+y"]]), "'=1+1,-1,'@x,'+y");
});

const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

test("an image is known by its first bytes, and shown only up to a size", () => {
  const png = (/** @type {number} */ side) => {
    const bytes = Buffer.alloc(24);
    PNG.copy(bytes);
    bytes.writeUInt32BE(side, 16);
    bytes.writeUInt32BE(side, 20);
    return bytes;
  };
  assert.deepEqual(imageOf(png(16)), { mediaType: "image/png", width: 16, height: 16 });
  assert.ok(isShowable(/** @type {any} */ (imageOf(png(4096)))));
  assert.ok(!isShowable(/** @type {any} */ (imageOf(png(60_000)))));
  assert.ok(!isShowable(/** @type {any} */ (imageOf(PNG))), "an image that is cut short has no size");
  const gif = imageOf(Buffer.from("GIF89a\x0a\x00\x14\x00", "latin1"));
  assert.deepEqual(gif, { mediaType: "image/gif", width: 10, height: 20 });
  assert.equal(imageOf(Buffer.from("GIF")), undefined);
  const jpeg = Buffer.from("ffd8ffe000044a46ffc0001108001000200301ffffffff", "hex");
  assert.deepEqual(imageOf(jpeg), { mediaType: "image/jpeg", width: 32, height: 16 });
});

test("a drawing is known by its element", () => {
  assert.deepEqual(svgOf('<?xml version="1.0"?>\n<!-- x --><svg width="60000" height="5">'), { mediaType: "image/svg+xml", width: 60_000, height: 5 });
  assert.deepEqual(svgOf('<svg viewBox="0 0 10 20" onload="alert(1)"></svg>'), { mediaType: "image/svg+xml", width: 10, height: 20 });
  assert.equal(svgOf("<html><svg></svg>"), undefined);
});

test("kinds are told from the bytes", () => {
  const kind = (/** @type {string | Buffer} */ bytes) => kindOf(Buffer.from(/** @type {string} */ (bytes))).name;
  assert.equal(kind(""), "empty");
  assert.equal(kind("42\n"), "number");
  assert.equal(kind("-1e400"), "number");
  assert.equal(kind('{"a": 1}'), "json");
  assert.equal(kind("[1, 2"), "text");
  assert.equal(kind("a,b\n1,2\n"), "table");
  assert.equal(kind("some words"), "text");
  assert.equal(kind("<svg></svg>"), "image");
  assert.equal(kind(Buffer.from([0xff, 0xfe])), "binary");
  assert.equal(kind("a\0b"), "binary");
  assert.equal(kind("NaN"), "text");
});
