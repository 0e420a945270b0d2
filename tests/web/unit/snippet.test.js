// The lines to copy: shells and Python read in them what was meant.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

import * as snippet from "../../../crates/server/web/base/snippet.js";
import { HOSTILE, name } from "./random.js";

const texts = [...HOSTILE, "", "'", "''", "\n", "a\nb", "@file", "=x", "-x", ...Array.from({ length: 60 }, () => name(10))];

for (const shell of ["sh", "bash", "zsh"]) {
  const isThere = spawnSync(shell, ["-c", "true"]).status === 0;
  test(`${shell} reads a word as the text`, { skip: !isThere }, () => {
    const script = texts.map((text) => `printf '%s\\0' ${snippet.shellWord(text)}`).join("\n");
    const read = spawnSync(shell, ["-c", script], { encoding: "utf8" });
    assert.deepEqual(read.stdout.split("\0").slice(0, -1), texts, read.stderr);
  });
}

test("Python reads a literal as the text", () => {
  const list = texts.map(snippet.pythonText).join(", ");
  const read = spawnSync("python3", ["-c", `import json; print(json.dumps([${list}]))`], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(read.stdout), texts, read.stderr);
});

test("a line has neither a token nor an address of its own", () => {
  for (const key of HOSTILE) {
    for (const { text } of [...snippet.readKey(key), ...snippet.setKey(key, "1", { ttl: "1h", ifAbsent: true })]) {
      assert.ok(!text.includes("Bearer e") && !text.includes("http:"), text);
    }
  }
});

test("a value that begins with @ is no file", () => {
  const [curl] = snippet.setKey("/a", "@/etc/passwd");
  assert.match(curl.text, /--data-raw @\/etc\/passwd /);
});
