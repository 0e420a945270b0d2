// The stream of changes and the hub that shares it: no change is missed or told twice, whatever happens to connections.

import assert from "node:assert/strict";
import test from "node:test";

import { Hub } from "../../../crates/server/web/live/hub.js";
import { Stream } from "../../../crates/server/web/live/stream.js";
import { ApiError } from "../../../crates/server/web/store/answer.js";
import { below } from "./random.js";

const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A server whose watches are lost again and again. */
class Server {
  constructor() {
    /** @type {{ key: string, revision: number }[]} */
    this.log = [];
    this.oldest = 0;
    this.watches = 0;
    /** @type {string[]} */
    this.prefixes = [];
  }

  /** @param {string} key */
  set(key) {
    this.log.push({ key, revision: this.log.length + 1 });
  }

  /** @param {string} prefix @param {{ since?: string, signal: AbortSignal }} options */
  async *watch(prefix, { since, signal }) {
    this.prefixes.push(prefix);
    await tick();
    let at = since === undefined ? this.log.length : Number(since);
    if (at < this.oldest) {
      throw new ApiError(410, "compacted", "gone");
    }
    if (since === undefined) {
      yield [{ id: String(at), event: "message", data: "" }];
    }
    this.watches += 1;
    try {
      for (let step = 0; ; step += 1) {
        const events = this.log.slice(at).filter(({ key }) => key.startsWith(prefix));
        at = this.log.length;
        yield events.map(({ key, revision }) => ({ id: String(revision), event: "put", data: JSON.stringify({ key, revision }) }));
        await tick();
        if (signal.aborted || below(20) === 0) {
          throw new ApiError(0, "offline", "lost");
        }
      }
    } finally {
      this.watches -= 1;
    }
  }
}

test("a stream that is lost again and again tells every change once, in order", async () => {
  const server = new Server();
  /** @type {number[]} */
  const told = [];
  /** @type {number | undefined} */
  let ready;
  const stream = new Stream(/** @type {any} */ (server), (message) => {
    if (message.type === "ready") {
      ready = message.revision;
    } else if (message.type === "changes") {
      told.push(...message.changes.map(({ revision }) => revision));
    }
  });
  stream.pause = () => 1;
  stream.cover({ prefix: "/a", values: false });
  for (let step = 0; step < 2000; step += 1) {
    if (below(2) === 0) {
      server.set(below(2) === 0 ? "/a/x" : "/b/x");
    }
    if (step === 1000) {
      stream.cover({ prefix: "/", values: false });
    }
    if (step % 10 === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await tick();
  }
  while (told.at(-1) !== server.log.length) {
    await tick();
    stream.retryNow();
  }
  assert.ok(ready !== undefined);
  const sorted = [...new Set(told)].sort((left, right) => left - right);
  assert.deepEqual(told, sorted, "in order and none twice");
  const first = /** @type {number} */ (ready);
  const missing = server.log.filter(({ key, revision }) => key.startsWith("/a") && revision > first && !told.includes(revision));
  assert.deepEqual(missing, []);
  assert.deepEqual([...new Set(server.prefixes)], ["/a", "/"]);
  stream.end();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(server.watches, 0);
});

test("changes that are not kept any more, and another store, have everything listed again", async () => {
  const server = new Server();
  server.set("/x");
  /** @type {string[]} */
  const told = [];
  const stream = new Stream(/** @type {any} */ (server), (message) => told.push(message.type));
  stream.pause = () => 1;
  stream.last = "1";
  server.oldest = 5;
  const watch = server.watch.bind(server);
  server.watch = (prefix, options) => {
    server.oldest = options.since === undefined ? 0 : server.oldest;
    return watch(prefix, options);
  };
  stream.cover({ prefix: "/", values: false });
  while (!told.includes("ready")) {
    await tick();
  }
  assert.deepEqual(told.filter((type) => type !== "state"), ["reset", "ready"]);
  stream.end();
});

test("tabs share a stream of what they have in common, and each is told of its own part", async () => {
  const hub = new Hub();
  /** @param {string} prefix @param {string} root */
  const tab = (prefix, root = "/") => {
    const { port1, port2 } = new MessageChannel();
    hub.connect(port2);
    /** @type {any[]} */
    const heard = [];
    port1.onmessage = ({ data }) => heard.push(data);
    port1.postMessage({ type: "follow", base: "http://127.0.0.1:9/", token: "t", root, prefix, values: false });
    return { port1, heard };
  };
  const first = tab("/sweep/out/");
  const second = tab("/sweep/in/");
  const other = tab("/private/x/", "/private/");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(hub.streams.size, 2);
  const [name, stream] = [...hub.streams][0];
  assert.equal(stream.covered?.prefix, "/sweep/");
  const change = (/** @type {string} */ key) => /** @type {any} */ ({ event: "put", key, revision: 1 });
  hub.spread(name, { type: "changes", changes: [change("/sweep/out/1"), change("/sweep/in/1"), change("/sweep/else")] });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const keys = (/** @type {any} */ { heard }) => heard.filter((/** @type {any} */ { type }) => type === "changes").flatMap((/** @type {any} */ { changes }) => changes.map((/** @type {any} */ one) => one.key));
  assert.deepEqual([keys(first), keys(second), keys(other)], [["/sweep/out/1"], ["/sweep/in/1"], []]);
  first.port1.postMessage({ type: "sign out" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(second.heard.some(({ type }) => type === "signed out") && other.heard.some(({ type }) => type === "signed out"));
  assert.equal(hub.streams.size, 0);
  [first, second, other].forEach(({ port1 }) => port1.close());
  hub.end();
});
