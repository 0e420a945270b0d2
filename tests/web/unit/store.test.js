// Parts of the store's client: rights, streams, differences, versions, entries after changes.

import assert from "node:assert/strict";
import test from "node:test";

import { diffLines } from "../../../crates/server/web/base/diff.js";
import { formatAge, formatBytes, formatNumber, formatSpan } from "../../../crates/server/web/base/format.js";
import { detailAfter } from "../../../crates/server/web/store/detail.js";
import { jsonLines, serverEvents } from "../../../crates/server/web/store/lines.js";
import { Rights } from "../../../crates/server/web/store/scopes.js";
import { Versions } from "../../../crates/server/web/value/versions.js";
import { below, oneOf } from "./random.js";

/** A body in pieces of random sizes, which may cut characters. @param {string} text */
function body(text) {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + below(7);
        controller.enqueue(bytes.slice(at, at + size));
        at += size;
      }
      controller.close();
    },
  });
}

/** @param {AsyncIterable<any[]>} groups */
async function all(groups) {
  const found = [];
  for await (const group of groups) {
    found.push(...group);
  }
  return found;
}

test("values by the line come whole, however they are cut", async () => {
  const values = ["/a", "/é", "/👍\n", { key: "/b", size: 3 }];
  const text = values.map((value) => `${JSON.stringify(value)}\n`).join("");
  for (let round = 0; round < 50; round += 1) {
    assert.deepEqual(await all(jsonLines(body(text))), values);
  }
  await assert.rejects(all(jsonLines(body('"/a"\n"/b'))), TypeError);
});

test("events come whole, with an id alone as one, and without comments", async () => {
  const text = 'id: 5\n\n:\n\nid: 7\nevent: put\ndata: {"key":"/a"}\n\nevent: reset\ndata: 1\ndata: 2\n\n';
  const expected = [
    { id: "5", event: "message", data: "" },
    { id: "7", event: "put", data: '{"key":"/a"}' },
    { id: "", event: "reset", data: "1\n2" },
  ];
  for (let round = 0; round < 50; round += 1) {
    assert.deepEqual(await all(serverEvents(body(text))), expected);
  }
});

test("rights are those of the scopes", () => {
  const everything = new Rights(["openid"]);
  assert.ok(everything.may("modify", "/"));
  assert.deepEqual(everything.roots(), ["/"]);
  const some = new Rights(["storage.read:/in", "storage.modify:/out/", "read:/a%20b"]);
  assert.ok(some.may("read", "/in") && some.may("read", "/in/") && some.may("read", "/a b/c"));
  assert.ok(!some.may("read", "/inside") && !some.may("read", "/") && !some.may("modify", "/in/x"));
  assert.ok(some.may("create", "/out/x") && !some.may("modify", "/out"));
  assert.deepEqual(some.roots(), ["/in/", "/a b/"]);
  assert.equal(some.rootOf("/in/deep/"), "/in/");
  assert.equal(new Rights(["storage.read:/sweep"]).words(), "reads /sweep, changes nothing");
  const nothing = new Rights(["compute.create"]);
  assert.ok(!nothing.may("read", "/") && nothing.roots().length === 0);
});

test("a difference makes the new text of the old one", () => {
  for (let round = 0; round < 500; round += 1) {
    const text = () => Array.from({ length: below(12) }, () => oneOf(["a", "b", "c", ""])).join("\n");
    const [before, after] = [text(), text()];
    const lines = diffLines(before, after);
    const side = (/** @type {string} */ left) => lines.filter(({ sign }) => sign !== left).map(({ line }) => line).join("\n");
    assert.equal(side("+"), before);
    assert.equal(side("-"), after);
  }
  const moved = diffLines("a\nb\nc", "a\nx\nc").map(({ sign }) => sign);
  assert.deepEqual(moved, [" ", "-", "+", " "]);
});

test("a claim leaves the value and who set it as they were", () => {
  const before = { key: "/a", size: 5, revision: 3, modified: "2026-01-01T00:00:00.000Z", job: "1", created: "2025-12-31T00:00:00.000Z" };
  const claim = /** @type {any} */ ({ event: "put", key: "/a", revision: 4, time: "2026-01-02T00:00:00.000Z", job: "2", change: "claim", claimed_until: "x", claimed_by: "2", claims: 1 });
  const after = detailAfter(before, claim);
  assert.deepEqual([after.revision, after.size, after.modified, after.job], [4, 5, before.modified, "1"]);
  assert.equal(after.claimed_by, "2");
  const release = detailAfter(after, { ...claim, revision: 5, change: "release", claimed_until: undefined, claimed_by: undefined });
  assert.equal(release.claimed_until, undefined);
  const set = detailAfter(release, { event: "put", key: "/a", revision: 6, time: "t", size: 9, change: "set" });
  assert.deepEqual([set.size, set.modified, set.job, set.claims], [9, "t", undefined, undefined]);
});

test("versions that were seen are bounded, by key and in all", () => {
  const versions = new Versions();
  const note = (/** @type {string} */ key, /** @type {number} */ revision, size = 1) =>
    versions.note({ bytes: new Uint8Array(size).fill(revision), detail: { key, revision, size, modified: String(revision) } });
  for (let revision = 1; revision <= 30; revision += 1) {
    note("/a", revision);
    note("/a", revision);
  }
  assert.equal(versions.of("/a").length, 20);
  assert.equal(versions.of("/a")[0].revision, 11);
  for (let at = 0; at < 80; at += 1) {
    note(`/large/${at}`, 1, 16_384);
  }
  assert.ok(versions.bytes <= 1 << 20);
  assert.equal(versions.of("/a").length, 0, "the key that was not looked at for longest is forgotten first");
});

test("numbers are short", () => {
  assert.deepEqual([0, 0.1 + 0.2, 12_345_678, -1.5e-9, 1e6, 123456.7].map(formatNumber), ["0", "0.3", "1.235e7", "−1.5e−9", "1e6", "123457"]);
  assert.deepEqual([0, 1023, 1024, 16_384, 5 << 20].map(formatBytes), ["0 B", "1023 B", "1.0 KiB", "16 KiB", "5.0 MiB"]);
  assert.deepEqual([0, 40_000, 185_000, 7_200_000].map(formatSpan), ["0 s", "40 s", "3 min 5 s", "2 h"]);
  assert.deepEqual([200, 59_000, 61_000].map((age) => formatAge(0, age)), ["now", "59 s", "1 min"]);
});
