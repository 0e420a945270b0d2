// Changes appear by themselves: while the page is open, over a restart, a crash and a loss of the log.

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
});
after(async () => {
  await browser?.close();
  await server?.end();
});

/** @param {import("playwright-core").Page} page */
const isLive = (page) => page.locator(".live[data-state=live]").waitFor();

/** Failures of requests while the server is away. */
const AWAY = /ERR_|Failed to load resource|status of 50/;

test("keys that are set, changed and deleted come and go in the list", async () => {
  const { page, close } = await open(browser, server, { token: server.token("alice"), at: "#/live/" });
  await page.getByText("No keys yet").waitFor();
  await isLive(page);
  await server.set("alice", "/live/b", "1");
  await server.set("alice", "/live/a", "1");
  await server.set("alice", "/live/deep/x", "1");
  await until(async () => String(await names(page)) === "a,b,deep/");
  await server.set("alice", "/live/a", "12345");
  await page.locator(".row", { hasText: "a" }).locator(".size", { hasText: "5 B" }).first().waitFor();
  await server.send("alice", "kv/live/b", { method: "DELETE" });
  await server.send("alice", "kv/live/deep/x", { method: "DELETE" });
  await until(async () => String(await names(page)) === "a");
  await close();
});

test("the key that is open stays when it is deleted, and says so", async () => {
  await server.set("alice", "/gone/x", "last words");
  const { page, close } = await open(browser, server, { token: server.token("alice"), at: "#/gone/x" });
  await page.locator(".panel pre", { hasText: "last words" }).waitFor();
  await isLive(page);
  await server.send("alice", "kv/gone/x", { method: "DELETE" });
  await page.getByText("This key was deleted. Its last value is shown.").waitFor();
  await page.locator(".row.gone").waitFor();
  await shot(page, "deleted");
  await accessible(page, "a key that was deleted");
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByText("No keys yet").waitFor();
  await close();
});

test("the cursor stays on its key when keys come above it", async () => {
  await server.setAll("alice", [["/cursor/m", "1"], ["/cursor/n", "1"]]);
  const { page, close } = await open(browser, server, { token: server.token("alice"), at: "#/cursor/" });
  await until(async () => String(await names(page)) === "m,n");
  await isLive(page);
  await page.locator(".list").focus();
  await page.keyboard.press("End");
  await server.setAll("alice", Array.from({ length: 50 }, (_, at) => [`/cursor/a${at}`, "1"]));
  await until(async () => (await page.locator(".row.cursor").getAttribute("aria-posinset")) === "52");
  assert.equal(await page.locator(".row.cursor .name").textContent(), "n");
  await close();
});

test("a value that changes is shown again, and its versions are kept for a look", async () => {
  await server.set("alice", "/v/x", "first\nsame");
  const { page, close } = await open(browser, server, { token: server.token("alice"), at: "#/v/x" });
  await page.locator(".panel pre", { hasText: "first" }).waitFor();
  await isLive(page);
  await server.set("alice", "/v/x", "second\nsame");
  await page.locator(".panel pre", { hasText: "second" }).waitFor();
  await page.getByRole("button", { name: "1 earlier, seen here" }).click();
  await page.locator("dialog summary").first().click();
  await page.locator("dialog .diff .added", { hasText: "second" }).waitFor();
  await shot(page, "versions");
  await accessible(page, "versions");
  await close();
});

test("a pause holds changes back and says how many wait", async () => {
  const { page, close } = await open(browser, server, { token: server.token("alice"), at: "#/pause/" });
  await page.getByText("No keys yet").waitFor();
  await isLive(page);
  await page.getByRole("button", { name: "Pause" }).click();
  await server.set("alice", "/pause/a", "1");
  await page.locator(".rate", { hasText: "1 waiting" }).waitFor();
  assert.equal(await page.locator(".row").count(), 0);
  await page.getByRole("button", { name: "Go on" }).click();
  await until(async () => String(await names(page)) === "a");
  await close();
});

for (const [how, signal] of /** @type {[string, NodeJS.Signals][]} */ ([["stopped", "SIGTERM"], ["killed", "SIGKILL"]])) {
  test(`a key that was set while the page was cut off appears after the server was ${how}`, async () => {
    const { page, close } = await open(browser, server, { token: server.token("alice"), at: `#/${how}/`, tolerated: AWAY });
    await page.getByText("No keys yet").waitFor();
    await isLive(page);
    await server.stop(signal);
    await page.locator(".live[data-state=lost]").waitFor();
    await shot(page, "connection-lost");
    await accessible(page, "a lost connection");
    await server.again();
    await server.set("alice", `/${how}/x`, "1");
    await until(async () => String(await names(page)) === "x");
    await isLive(page);
    await close();
  });
}

test("a store without the changes that a page has seen is listed again", async () => {
  const { page, close } = await open(browser, server, { token: server.token("carol"), at: "#/", tolerated: AWAY });
  await isLive(page);
  await server.set("carol", "/before", "1");
  await until(async () => String(await names(page)) === "before");
  await server.stop();
  const { host } = new URL(server.url);
  // Another store at the same address, with the same secret.
  const secret = `${server.home}/data/job-token.secret`;
  const other = Object.assign(new Server(), { home: `${server.home}/other`, settings: ["--secret-file", secret] });
  const { mkdirSync } = await import("node:fs");
  mkdirSync(other.home);
  await other.launch(host);
  await until(async () => (await names(page)).length === 0);
  await other.stop();
  await server.again();
  await until(async () => String(await names(page)) === "before");
  await close();
});

test("ten tabs of one browser are all live, over one stream", async () => {
  const token = server.token("dave");
  const first = await open(browser, server, { token, at: "#/tabs/" });
  await isLive(first.page);
  const pages = [first.page];
  for (let at = 1; at < 10; at += 1) {
    const page = await first.context.newPage();
    await page.goto(`${server.origin}/#/tabs/`);
    await signIn(page, token);
    pages.push(page);
  }
  await server.set("dave", "/tabs/x", "1");
  for (const page of pages) {
    await page.bringToFront();
    await until(async () => String(await names(page)) === "x");
  }
  const metrics = await (await fetch(`${server.origin}/metrics`, { headers: { Authorization: `Bearer ${token}` } })).text();
  const watching = metrics.split("\n").filter((line) => /prominence_held_requests.*watch/.test(line) && !line.startsWith("#"));
  assert.ok(watching.length > 0, metrics);
  assert.ok(watching.every((line) => Number(line.split(" ").at(-1)) <= 2), watching.join("\n"));
  await first.close();
});
