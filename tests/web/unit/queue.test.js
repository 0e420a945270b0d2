// A queue as changes arrive: what waits, what is held, what ran out, what is done.

import assert from "node:assert/strict";
import test from "node:test";

import { Queue } from "../../../crates/server/web/queue/model.js";

const START = Date.parse("2026-01-01T00:00:00Z");
const at = (/** @type {number} */ seconds) => new Date(START + seconds * 1000).toISOString();

/** @param {string} key @param {any} more @returns {any} */
const change = (key, more) => ({ event: "put", key, revision: 1, size: 1, time: at(0), change: "set", ...more });

test("a key goes from waiting to claimed to done", () => {
  const queue = new Queue(START);
  for (const name of ["/q/1", "/q/2", "/q/3"]) {
    queue.add({ key: name, size: 1, revision: 1, modified: at(0) });
  }
  queue.apply(change("/q/1", { change: "claim", time: at(5), claimed_until: at(60), claimed_by: "job", claims: 1 }), START);
  let totals = queue.totals(START + 10_000);
  assert.deepEqual([totals.waiting, totals.claimed.length, totals.ranOut.length, totals.done], [2, 1, 0, 0]);
  assert.equal(totals.claimed[0].since, START + 5000);
  queue.apply(change("/q/1", { change: "renew", claimed_until: at(120), claimed_by: "job", claims: 1 }), START);
  totals = queue.totals(START + 90_000);
  assert.deepEqual([totals.claimed[0].renewals, totals.claimed[0].since], [1, START + 5000]);
  totals = queue.totals(START + 130_000);
  assert.deepEqual([totals.waiting, totals.claimed.length, totals.ranOut.length], [2, 0, 1]);
  queue.apply(change("/q/1", { event: "delete" }), START + 130_000);
  totals = queue.totals(START + 130_000);
  assert.deepEqual([totals.waiting, totals.claimed.length, totals.ranOut.length, totals.done], [2, 0, 0, 1]);
});

test("a release makes a key wait again, and keeps how often it was given out", () => {
  const queue = new Queue(START);
  queue.apply(change("/q/1", { change: "claim", claimed_until: at(60), claims: 3 }), START);
  queue.apply(change("/q/1", { change: "release", claims: 3 }), START);
  const totals = queue.totals(START);
  assert.deepEqual([totals.waiting, totals.claimed.length], [1, 0]);
});

test("the rate is that of the last two minutes, and tells what is left", () => {
  const queue = new Queue(START);
  for (let step = 0; step < 120; step += 1) {
    queue.add({ key: `/q/${step}`, size: 1, revision: 1, modified: at(0) });
  }
  for (let step = 0; step < 60; step += 1) {
    queue.apply(change(`/q/${step}`, { event: "delete" }), START + step * 1000);
  }
  const totals = queue.totals(START + 59_000);
  assert.equal(totals.done, 60);
  assert.ok(Math.abs(totals.perMinute - 61) < 2, String(totals.perMinute));
  assert.ok(totals.leftMs !== undefined && Math.abs(totals.leftMs - 59_000) < 3000);
  assert.equal(queue.history(START + 59_000).reduce((sum, count) => sum + count), 60);
  assert.equal(queue.totals(START + 3_600_000).perMinute, 0);
});

test("an expiry is no work that was done, and an unknown key changes nothing", () => {
  const queue = new Queue(START);
  queue.add({ key: "/q/1", size: 1, revision: 1, modified: at(0) });
  queue.apply(change("/q/1", { event: "expire" }), START);
  queue.apply(change("/q/9", { event: "delete" }), START);
  assert.equal(queue.totals(START).done, 0);
});
