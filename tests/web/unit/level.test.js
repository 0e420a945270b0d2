// A level that is listed while its keys change: at the end it shows what the store has, however both are interleaved.

import assert from "node:assert/strict";
import test from "node:test";

import { compareNames } from "../../../crates/server/web/base/order.js";
import { entryOf } from "../../../crates/server/web/base/path.js";
import { Level } from "../../../crates/server/web/store/level.js";
import { below, oneOf } from "./random.js";

const LEVEL = "/l/";
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A store whose answers take their time, during which it changes. */
class Store {
  constructor() {
    this.revision = 0;
    /** @type {Map<string, number>} */
    this.keys = new Map();
    /** @type {any[]} */
    this.log = [];
  }

  change() {
    const key = LEVEL + oneOf(["a", "b", "c", "d/1", "d/2", "e", "\uffff", "\u{10000}"]) + (below(3) === 0 ? below(300) : "");
    this.revision += 1;
    const { revision } = this;
    if (below(2) === 0 && this.keys.delete(key)) {
      this.log.push({ event: "delete", key, revision });
    } else {
      this.keys.set(key, revision);
      this.log.push({ event: "put", key, revision, size: 1, time: "2026-01-01T00:00:00.000Z", change: "set" });
    }
  }

  /** The entries of the level. */
  names() {
    return [...new Set([...this.keys.keys()].map((key) => entryOf(LEVEL, key)))].sort(compareNames);
  }

  /** @param {string} name */
  entry(name) {
    return name.endsWith("/") ? { prefix: name } : { key: name, size: 1, revision: this.keys.get(name) ?? 0, modified: "" };
  }

  async pause() {
    for (let step = below(4); step > 0; step -= 1) {
      await tick();
    }
  }

  /** @param {string} prefix @param {{ after?: string, limit: number }} options */
  async page(prefix, { after = "", limit }) {
    await this.pause();
    const names = this.names().filter((name) => compareNames(name, after) > 0);
    const answer = { entries: names.slice(0, Math.min(limit, 20)).map((name) => this.entry(name)), revision: this.revision, more: names.length > 20 };
    await this.pause();
    return answer;
  }

  /** @param {string} prefix @param {{ after?: string, signal: AbortSignal }} options */
  async *stream(prefix, { after = "", signal }) {
    let last = after;
    for (;;) {
      await this.pause();
      // Each part is a snapshot of its own.
      const names = this.names().filter((name) => compareNames(name, last) > 0).slice(0, 10);
      await this.pause();
      if (signal.aborted) {
        throw new Error("aborted");
      }
      if (names.length === 0) {
        return;
      }
      last = names[names.length - 1];
      yield names;
    }
  }

  /** @param {string} folder */
  async count(folder) {
    await this.pause();
    return { count: [...this.keys.keys()].filter((key) => key.startsWith(folder)).length };
  }
}

test("a listing and the changes during it make what the store has", async () => {
  for (let round = 0; round < 150; round += 1) {
    const store = new Store();
    for (let step = below(150); step > 0; step -= 1) {
      store.change();
    }
    const level = new Level(/** @type {any} */ (store), LEVEL);
    let told = store.log.length;
    level.load();
    // The stream begins at some time, and from then on reports everything in order.
    let isFollowed = false;
    for (let step = 0; step < 200 && !(isFollowed && level.isListed && level.isComplete); step += 1) {
      if (below(3) === 0) {
        store.change();
      }
      if (!isFollowed && below(6) === 0) {
        isFollowed = true;
        told = store.log.length;
        level.follow(store.revision);
      }
      if (isFollowed && below(3) === 0) {
        level.apply(store.log.slice(told));
        told = store.log.length;
      }
      await tick();
    }
    for (let step = 0; step < 500 && !(level.isListed && level.isComplete); step += 1) {
      await tick();
    }
    level.apply(store.log.slice(told));
    // A folder whose last key went is found by a count.
    await level.countStale();
    await level.countStale();
    level.close();
    assert.ok(level.isComplete, `round ${round}`);
    assert.deepEqual(level.names.list, store.names(), `round ${round}`);
  }
});

test("the row of the key that is open stays when the key is deleted, until it is left", async () => {
  const store = new Store();
  store.keys.set("/l/a", 1).set("/l/b", 2);
  store.revision = 2;
  const level = new Level(/** @type {any} */ (store), LEVEL);
  await level.load();
  level.pin("/l/a");
  level.apply([{ event: "delete", key: "/l/a", revision: 3 }]);
  assert.deepEqual(level.names.list, ["/l/a", "/l/b"]);
  assert.equal(/** @type {any} */ (level.details.get("/l/a")).isGone, true);
  level.apply([{ event: "put", key: "/l/a", revision: 4, size: 9, time: "", change: "set" }]);
  assert.equal(/** @type {any} */ (level.details.get("/l/a")).isGone, undefined);
  level.apply([{ event: "expire", key: "/l/a", revision: 5 }]);
  level.pin("");
  assert.deepEqual(level.names.list, ["/l/b"]);
  level.close();
});
