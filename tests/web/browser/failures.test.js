// Answers that say no, answers that are cut off, and answers that are not the server's: each is told as what it is, and
// the page goes on by itself or on a click.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, launch, names, open, Server, shot, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
  await server.setAll("alice", Array.from({ length: 400 }, (_, at) => [`/many/${1000 + at}`, "1"]));
});
after(async () => {
  await browser?.close();
  await server?.end();
});

const TOLERATED = /status of|ERR_/;

/** @type {[number, string, RegExp][]} */
const ANSWERS = [
  [500, '{"error": "stored data is damaged", "code": "internal", "request_id": "abc-1"}', /stored data is damaged/],
  [503, '{"error": "no quorum", "code": "unavailable", "request_id": "abc-2"}', /no quorum/],
  [429, '{"error": "too many requests", "code": "rate_limited"}', /too many requests/],
  [200, "<h1>Log in to the network</h1>", /Something between this page and the server answered/],
  [502, "<h1>Bad gateway</h1>", /Something between this page and the server answered/],
];

for (const [status, body, told] of ANSWERS) {
  test(`a listing that is answered ${status} ${body.slice(0, 12)} is told, and tried again`, async () => {
    const { page, close } = await open(browser, server, { token: server.token("alice"), tolerated: TOLERATED });
    await page.locator(".row").first().waitFor();
    const contentType = body.startsWith("{") ? "application/json" : "text/html";
    await page.route("**/prominence/v1/kv/many/?list**", (route) => route.fulfill({ status, contentType, body }));
    await page.evaluate(() => (location.hash = "#/many/"));
    await page.getByText(told).waitFor();
    if (status === 500) {
      await page.getByText("abc-1").waitFor();
      await shot(page, "failed");
      await accessible(page, "a failure");
    }
    await page.unroute("**/prominence/v1/kv/many/?list**");
    await page.getByRole("button", { name: "Try again" }).click();
    await until(async () => (await page.locator(".toolbar .summary").textContent()) === "400 entries");
    await close();
  });
}

test("a listing that breaks off is never taken for the whole", async () => {
  const { page, close } = await open(browser, server, { token: server.token("alice"), tolerated: TOLERATED });
  await page.locator(".row").first().waitFor();
  await page.route(/kv\/many\/\?list=&delimiter/, (route) => route.fulfill({ status: 200, contentType: "application/x-ndjson", body: '"/many/1200"\n"/many/1201"\n"/many/12' }));
  await page.evaluate(() => (location.hash = "#/many/"));
  await page.getByText("the answer ended within a line").waitFor();
  assert.ok(!(await page.locator(".toolbar .summary").textContent())?.includes("entries"));
  await page.unroute(/kv\/many\/\?list=&delimiter/);
  await page.getByRole("button", { name: "Try again" }).click();
  await until(async () => (await page.locator(".toolbar .summary").textContent()) === "400 entries");
  await close();
});

test("a stream that is refused for a while is made again after the time that the server says", async () => {
  const first = await open(browser, server, { tolerated: TOLERATED });
  // Without shared workers the page makes the stream itself, where a test can refuse it.
  await first.context.addInitScript(() => Reflect.deleteProperty(window, "SharedWorker"));
  await first.page.reload();
  await signIn(first.page, server.token("alice"));
  await first.page.locator(".row").first().waitFor();
  let refused = 0;
  await first.context.route("**/kv/busy/?watch**", (route) => {
    refused += 1;
    return refused > 2 ? route.continue() : route.fulfill({ status: 429, contentType: "application/json", headers: { "Retry-After": "1" }, body: '{"error": "too many", "code": "rate_limited"}' });
  });
  await first.page.evaluate(() => (location.hash = "#/busy/"));
  await first.page.locator(".live[data-state=live]").waitFor();
  await server.set("alice", "/busy/x", "1");
  await until(async () => String(await names(first.page)) === "x");
  assert.equal(refused, 3);
  await first.close();
});

test("a page that has no storage works until it is left", async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, name, { get: () => { throw new DOMException("forbidden", "SecurityError"); } });
    }
  });
  const page = await context.newPage();
  /** @type {string[]} */
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  await page.goto(`${server.origin}/#/many/`);
  await page.getByLabel("Access token").fill(server.token("alice"));
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.locator(".row").first().waitFor();
  await page.locator(".row").first().click();
  await page.locator(".panel .content").waitFor();
  assert.deepEqual(wrong, []);
  await context.close();
});
