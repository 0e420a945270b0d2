// The numbers of a plot: fields, columns, scales, bins.

import assert from "node:assert/strict";
import test from "node:test";

import { density, histogram, runningBest, summary } from "../../../crates/server/web/plot/bins.js";
import { fieldsOf, firstChoice, numberIn, numbersOf } from "../../../crates/server/web/plot/fields.js";
import { Points } from "../../../crates/server/web/plot/points.js";
import { linearTicks, logTicks, rangeOf, scale } from "../../../crates/server/web/plot/scale.js";
import { below } from "./random.js";

/** @param {string} name @param {string} value */
const entry = (name, value) => ({ name, value, size: value.length, modified: "2026-01-01T00:00:00.000Z" });

test("numbers are found in values and names", () => {
  assert.equal(numberIn("/sweep/run-12/3.5"), 3.5);
  assert.equal(numberIn("/a"), undefined);
  const numbers = numbersOf(entry("/x/7", '{"a": 1, "b": {"c": 2, "d": {"e": 3, "f": {"g": 4}}}, "t": "5", "n": null}'));
  assert.deepEqual([...numbers].filter(([field]) => !field.startsWith("#")), [["a", 1], ["b.c", 2], ["b.d.e", 3]]);
  assert.equal(numbers.get("#number"), 7);
  for (const [value, number] of /** @type {[string, number | undefined][]} */ ([["42", 42], [" -1.5e3\n", -1500], ["+.5", 0.5], ["1e400", undefined], ["NaN", undefined], ["", undefined], ["x", undefined], ["[1]", undefined]])) {
    assert.equal(numbersOf(entry("/x", value)).get("#value"), number, value);
  }
});

test("a plot begins with a result over the numbers of the keys", () => {
  const fields = fieldsOf([numbersOf(entry("/1", '{"lr": 1, "loss": 2, "depth": 3}')), numbersOf(entry("/2", '{"lr": 1, "loss": 2}'))]);
  assert.deepEqual(fields, ["lr", "loss", "depth", "#number", "#changed", "#size"]);
  assert.deepEqual(firstChoice(fields), { x: "#number", y: "loss" });
  assert.deepEqual(firstChoice(["#changed", "#size"]), { x: "#changed", y: "#size" });
});

test("columns have what a map of entries has, through changes and deletions", () => {
  const points = new Points();
  /** @type {Map<string, number>} */
  const model = new Map();
  for (let round = 0; round < 20_000; round += 1) {
    const name = `/${below(3000)}`;
    if (below(4) === 0) {
      points.remove(name);
      model.delete(name);
    } else {
      points.set(entry(name, `{"y": ${round}}`));
      model.set(name, round);
    }
  }
  assert.equal(points.size, model.size);
  const column = points.column("y");
  for (const [name, number] of model) {
    assert.equal(column[points.places.get(name) ?? -1], number);
  }
  assert.equal([...column.subarray(0, points.length)].filter(Number.isFinite).length, model.size);
});

test("a field that comes later has the numbers of the entries before", () => {
  const points = new Points();
  points.set(entry("/1", "1"));
  points.set(entry("/2", '{"y": 5}'));
  assert.equal(points.column("y")[1], 5);
  assert.ok(Number.isNaN(points.column("y")[0]));
});

test("ticks are round, within the range, and not too many", () => {
  for (let round = 0; round < 2000; round += 1) {
    const low = (below(2000) - 1000) * 10 ** (below(12) - 6);
    const high = low + (1 + below(1000)) * 10 ** (below(12) - 6);
    const ticks = linearTicks(low, high, 8);
    const room = (high - low) * 1e-6;
    assert.ok(ticks.length >= 1 && ticks.length <= 10, `${low} ${high}: ${ticks}`);
    assert.ok(ticks.every((tick) => tick >= low - room && tick <= high + room), `${low} ${high}: ${ticks}`);
  }
  assert.deepEqual(linearTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(logTicks(1, 1000, 4), [1, 10, 100, 1000]);
  assert.deepEqual(logTicks(1, 100, 8), [1, 2, 5, 10, 20, 50, 100]);
});

test("a scale goes to pixels and back", () => {
  for (const isLog of [false, true]) {
    const of = scale({ low: 0.5, high: 200, from: 10, to: 500, isLog });
    assert.ok(Math.abs(of.at(0.5) - 10) < 1e-9 && Math.abs(of.at(200) - 500) < 1e-9);
    assert.ok(Math.abs(of.number(of.at(17)) - 17) < 1e-9);
  }
  const single = scale({ low: 3, high: 3, from: 0, to: 100 });
  assert.ok(Math.abs(single.at(3) - 50) < 1e-9);
});

test("bins count every number once", () => {
  const length = 5000;
  const xs = Float64Array.from({ length }, () => below(1000) / 10);
  const ys = Float64Array.from({ length }, (_, at) => (at % 50 === 0 ? NaN : below(100)));
  const across = scale({ low: 0, high: 100, from: 40, to: 640 });
  const up = scale({ low: 0, high: 100, from: 400, to: 10 });
  assert.equal(histogram(xs, length, across, 37).reduce((sum, count) => sum + count), length);
  const { counts, most } = density({ xs, ys, length, across, up, cell: 3 });
  assert.equal(counts.reduce((sum, count) => sum + count), length - length / 50);
  assert.equal(most, Math.max(...counts));
  assert.deepEqual(rangeOf(ys, length, true), [1, 99]);
});

test("the running best and the summary are those of a plain loop", () => {
  const ys = Float64Array.from([5, NaN, 3, 4, 1, 2]);
  const xs = Float64Array.from([0, 1, 2, 3, 4, 5]);
  const order = [0, 1, 2, 3, 4, 5];
  assert.deepEqual(runningBest(xs, ys, order, "min").map(({ y }) => y), [5, 3, 1]);
  assert.deepEqual(runningBest(xs, ys, order, "max").map(({ y }) => y), [5]);
  assert.deepEqual(summary(ys, 6), { count: 5, mean: 3, lowest: 4, highest: 0 });
  assert.equal(summary(Float64Array.from([NaN]), 1).lowest, -1);
});
