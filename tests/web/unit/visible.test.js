// Characters that can't be seen are marked, and no others.

import assert from "node:assert/strict";
import test from "node:test";

import { parts, plainly } from "../../../crates/server/web/base/visible.js";
import { HOSTILE, name } from "./random.js";

test("the parts of a text are the text", () => {
  for (const text of [...HOSTILE, ...Array.from({ length: 2000 }, () => name(12))]) {
    assert.equal(parts(text).map((part) => part.text).join(""), text);
  }
});

test("what can't be seen or changes the order is marked", () => {
  for (const sign of "\u00a0\u00ad\u200b\u200d\u202e\u2066\u2069\ufeff\u{e0041}\u0085\ue000\u0378\u2028") {
    assert.match(plainly(`a${sign}b`), /^a⟨U\+[0-9A-F]{4,6}⟩b$/, sign.codePointAt(0)?.toString(16));
  }
  assert.equal(plainly("\u202egnp.exe"), "⟨U+202E⟩gnp.exe");
});

test("what can be seen is as it is", () => {
  for (const text of ["a b", "é", "e\u0301", "日本", "👍", "a-b_c.d", "ʻ", "१"]) {
    assert.equal(plainly(text), text);
  }
});

test("spaces are marked where one does not see how many there are", () => {
  assert.equal(plainly(" a"), "⟨␣⟩a");
  assert.equal(plainly("a "), "a⟨␣⟩");
  assert.equal(plainly("a  b"), "a⟨␣⟩⟨␣⟩b");
  assert.deepEqual(parts("a\n b\t", { lines: true }), [{ text: "a\n b\t" }]);
});

test("many marks on one character are cut off from it", () => {
  const all = parts(`e${"\u0301".repeat(100)}`);
  assert.equal(all.length, 97);
  assert.equal(all[0].text, `e${"\u0301".repeat(4)}`);
});

test("no more is taken apart than is shown", () => {
  assert.equal(parts("x".repeat(100), { limit: 10 })[0].text, "x".repeat(10));
});
