// The order of names, and the sorted list of a level.

import assert from "node:assert/strict";
import test from "node:test";

import { compareNames, placeOf } from "../../../crates/server/web/base/order.js";
import { Names } from "../../../crates/server/web/store/names.js";
import { below, name } from "./random.js";

const bytesOf = (/** @type {string} */ text) => Buffer.from(text, "utf8");

test("names are ordered as their bytes", () => {
  assert.ok(compareNames("\uffff", "\u{10000}") < 0);
  assert.ok("\uffff" > "\u{10000}", "JavaScript has another order");
  for (let round = 0; round < 20_000; round += 1) {
    const [left, right] = [name(), name()];
    assert.equal(Math.sign(compareNames(left, right)), Buffer.compare(bytesOf(left), bytesOf(right)), JSON.stringify([left, right]));
  }
});

test("a place is where a name is or would be", () => {
  const names = [...new Set(Array.from({ length: 500 }, () => name()))].sort(compareNames);
  names.forEach((one, at) => assert.equal(placeOf(names, one), at));
  assert.equal(placeOf(names, ""), 0);
  assert.equal(placeOf(names, "\u{10ffff}".repeat(9)), names.length);
});

test("changes one by one and merged make the list that a set makes", () => {
  for (let round = 0; round < 200; round += 1) {
    const names = new Names();
    const model = new Set();
    for (let step = 0; step < 10; step += 1) {
      const changes = new Map(Array.from({ length: below(40) }, () => [name(2), below(2) === 0]));
      changes.forEach((isThere, one) => (isThere ? model.add(one) : model.delete(one)));
      names.change(changes);
      assert.deepEqual(names.list, [...model].sort(compareNames));
    }
    const some = names.list[0];
    assert.equal(some === undefined || names.indexOf(some) === 0, true);
    assert.equal(names.has("not there"), false);
  }
});

test("a listing is appended, and merged where it overlaps", () => {
  const names = new Names();
  names.append(["a", "c"]);
  names.append(["e"]);
  names.append(["b", "c", "d"]);
  names.append([]);
  assert.deepEqual(names.list, ["a", "b", "c", "d", "e"]);
});
