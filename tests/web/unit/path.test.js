// Keys in addresses, folders, places in the fragment, and names of files.

import assert from "node:assert/strict";
import test from "node:test";

import * as path from "../../../crates/server/web/base/path.js";
import { formatPlace, parsePlace } from "../../../crates/server/web/base/route.js";
import { fileOfKey, keyOfFile } from "../../../crates/server/web/change/files.js";
import { HOSTILE, name } from "./random.js";

const keys = () => [...HOSTILE, ...Array.from({ length: 2000 }, () => `/${name()}`)].filter((key) => !path.whyNoKey(key));

test("an encoded key has no character with a meaning, and decodes to itself", () => {
  for (const key of keys()) {
    const encoded = path.encodePath(key);
    assert.match(encoded, /^[A-Za-z0-9\-_.~%/]+$/);
    assert.equal(decodeURIComponent(encoded), key);
  }
});

test("folders end in a slash and hold their keys", () => {
  assert.equal(path.folderOf("/a/b"), "/a/");
  assert.equal(path.folderOf("/a/b/"), "/a/");
  assert.equal(path.folderOf("/a"), "/");
  assert.equal(path.folderOf("/"), "/");
  assert.equal(path.lastPart("/a/b/"), "b/");
  assert.deepEqual(path.ancestors("/a/b/"), ["/", "/a/", "/a/b/"]);
  assert.deepEqual(path.ancestors("/"), ["/"]);
  assert.equal(path.entryOf("/a/", "/a/b/c"), "/a/b/");
  assert.equal(path.entryOf("/a/", "/a/b"), "/a/b");
});

test("a key that the server would refuse is refused with a reason", () => {
  const wrong = ["", "a", "/", "/a/", "/a//b", "/a/../b", "/.", "/\u0000", "/\u007f", `/${"x".repeat(1024)}`, "/\ud800"];
  for (const key of wrong) {
    assert.ok(path.whyNoKey(key), JSON.stringify(key));
  }
  assert.equal(path.whyNoKey(`/${"x".repeat(1023)}`), undefined);
  assert.equal(path.whyNoKey("/a/..b"), undefined);
});

test("a place comes back from its fragment", () => {
  for (const key of keys()) {
    const place = { folder: path.folderOf(key), key, view: "plot", options: { x: name(), contains: key } };
    const fragment = formatPlace(/** @type {any} */ (place));
    assert.deepEqual(parsePlace(fragment), place, fragment);
    assert.equal(new URL(`http://h/${fragment}`).hash, fragment);
  }
});

test("a fragment that names no place is the root", () => {
  for (const fragment of ["", "#", "#/", "#x", "#%", "#%ff", "#?view=nothing", "#/%zz?view=plot"]) {
    const { folder, key } = parsePlace(fragment);
    assert.deepEqual([folder, key], ["/", ""], fragment);
  }
  assert.equal(parsePlace("#/a//b/").folder, "/a/b/");
});

test("names of files are those of export, and back", () => {
  assert.equal(keyOfFile("/in/", "a/100%25.csv"), "/in/a/100%.csv");
  assert.equal(keyOfFile("/in/", "a/%="), "/in/a");
  assert.equal(keyOfFile("/in/", "%="), "/in");
  for (const key of keys().filter((one) => !one.includes("//"))) {
    const names = fileOfKey("/", key);
    assert.ok(names.every((one) => path.byteLength(one) <= 255));
    assert.equal(keyOfFile("/", names.join("/")), key);
  }
  for (const wrong of ["100%", "a/../b", "%+x", "x%-"]) {
    assert.throws(() => keyOfFile("/in/", wrong), undefined, wrong);
  }
});
