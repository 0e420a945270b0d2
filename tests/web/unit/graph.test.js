// The modules of the page: the document names those that it needs at once, so that they are asked for together.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";

const WEB = fileURLToPath(new URL("../../../crates/server/web/", import.meta.url));

/** The files that a module imports, of these kinds. @param {string} file @param {RegExp} kind */
function imports(file, kind) {
  const text = fs.readFileSync(path.join(WEB, file), "utf8");
  return [...text.matchAll(kind)].map(([, name]) => path.join(path.dirname(file), name));
}

/** All modules that are reached from one. @param {string} start @param {RegExp} kind */
function reached(start, kind) {
  const found = new Set([start]);
  for (const file of found) {
    imports(file, kind).forEach((name) => found.add(name));
  }
  return [...found].sort();
}

const STATIC = /^(?:import|export)\s[^;]*?from "(\.[^"]+)";/gm;
const ANY = /(?:from |import\(|new URL\()"(\.[^"]+\.js)"/g;

const html = fs.readFileSync(path.join(WEB, "index.html"), "utf8");
const named = (/** @type {RegExp} */ kind) => [...html.matchAll(kind)].map(([, name]) => name);

test("the document names the modules that it needs at once, and no others", () => {
  const preloaded = named(/rel="modulepreload" href="web\/([^"]+)"/g);
  assert.deepEqual([...preloaded, "main.js"].sort(), reached("main.js", STATIC));
});

test("every file of the page is used", () => {
  const scripts = reached("main.js", ANY);
  const all = fs.readdirSync(WEB, { recursive: true, encoding: "utf8" });
  const unused = all.filter((file) => file.endsWith(".js") && !scripts.includes(file) && file !== "arrival.js");
  assert.deepEqual(unused, []);
  const text = scripts.map((file) => fs.readFileSync(path.join(WEB, file), "utf8")).join("") + html;
  for (const style of all.filter((file) => file.endsWith(".css"))) {
    assert.ok(text.includes(path.basename(style)), style);
  }
});

test("what is loaded before a plot has at most 60 KB when it is compressed", () => {
  const files = [...reached("main.js", STATIC), ...named(/(?:href|src)="web\/([^"]+)"/g), "index.html"];
  const size = [...new Set(files)].reduce((sum, file) => sum + zlib.gzipSync(fs.readFileSync(path.join(WEB, file))).length, 0);
  console.log(`${new Set(files).size} files, ${size} bytes compressed`);
  assert.ok(size <= 60_000, String(size));
});
