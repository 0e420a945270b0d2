// Dark, and the size of a phone: every view once more, for the accessibility checker and for people to look at.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, launch, open, Server, shot, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
  const sweep = Array.from({ length: 300 }, (_, at) => /** @type {[string, string]} */ ([`/sweep/out/${at + 1}`, JSON.stringify({ loss: 0.1 + Math.sin(at / 20) ** 2, lr: 0.001 * (at + 1) })]));
  await server.setAll("alice", [...sweep, ["/a-key-with-a-rather-long-name-that-says-what-it-is-for/and-a-part-below", "1"], ["/mpi/address", "node7:4711"], ["/done", "42"]]);
  await server.set("alice", "/lock/solver", "node3", "?ttl=1h");
});
after(async () => {
  await browser?.close();
  await server?.end();
});

const VIEWS = { root: "#/", folder: "#/sweep/out/", value: "#/sweep/out/1", plot: "#/sweep/out/?view=plot", queue: "#/sweep/out/?view=queue", empty: "#/none/" };
const SIZES = [
  { name: "dark", width: 1280, height: 800, dark: true, touch: false },
  { name: "phone", width: 320, height: 640, dark: false, touch: true },
  { name: "phone-dark", width: 390, height: 780, dark: true, touch: true },
  { name: "zoomed", width: 640, height: 400, dark: false, touch: false },
];

for (const { name, ...look } of SIZES) {
  test(`every view is readable: ${name}`, async () => {
    const { page, close } = await open(browser, server, look);
    await shot(page, `${name}-signed-out`);
    await accessible(page, `${name}: signed out`);
    await signIn(page, server.token("alice"));
    for (const [view, place] of Object.entries(VIEWS)) {
      await page.evaluate((fragment) => (location.hash = fragment), place);
      await page.locator(".row, .message, .panel .content, .plot .facts, .totals").filter({ visible: true }).first().waitFor();
      await until(async () => !/Loading|Reading/.test((await page.locator(".stage").textContent()) ?? ""), view);
      await shot(page, `${name}-${view}`);
      await accessible(page, `${name}: ${view}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${name}: ${view} is ${overflow} pixels too wide`);
    }
    await close();
  });
}
