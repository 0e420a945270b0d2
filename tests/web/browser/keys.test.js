// Walking through the levels: lists, links, filters, folders of many keys, and names that mean harm.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { HOSTILE } from "../unit/random.js";
import { accessible, launch, names, open, Server, shot, until } from "./harness.js";

const MANY = 5_000;

/** @type {Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {string} */
let token;
before(async () => {
  server = await Server.start();
  browser = await launch();
  token = server.token("alice");
  const many = Array.from({ length: MANY }, (_, at) => /** @type {[string, string]} */ ([`/many/key-${String(at).padStart(5, "0")}`, String(at)]));
  await server.setAll("alice", [["/a", "1"], ["/a/b", "2"], ["/sweep/out/1", '{"loss": 0.5}'], ["/sweep/out/2", '{"loss": 0.25}'], ...many]);
});
after(async () => {
  await browser?.close();
  await server?.end();
});

/** @param {import("playwright-core").Page} page */
const counted = (page) => page.locator(".toolbar .summary").textContent();

test("folders are walked with links, back, forward and reload", async () => {
  const { page, close } = await open(browser, server, { token });
  await until(async () => String(await names(page)) === "a,a/,many/,sweep/");
  await shot(page, "root");
  await accessible(page, "a level with folders");
  await page.locator(".row", { hasText: "sweep/" }).click();
  await page.locator(".row", { hasText: "out/" }).click();
  await until(async () => String(await names(page)) === "1,2");
  await page.locator(".row").first().click();
  await page.locator(".panel .title", { hasText: "1" }).waitFor();
  assert.match(page.url(), /#\/sweep\/out\/1$/);
  await page.getByText("0.5").last().waitFor();
  await shot(page, "value-open");
  await accessible(page, "a value that is open");
  await page.goBack();
  await page.locator(".panel").waitFor({ state: "hidden" });
  await page.goBack();
  await until(async () => String(await names(page)) === "out/");
  await page.goForward();
  await page.reload();
  await until(async () => String(await names(page)) === "1,2");
  await page.locator(".crumbs a").first().click();
  await until(async () => String(await names(page)) === "a,a/,many/,sweep/");
  await close();
});

test("a sent link opens the key that it names", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/sweep/out/2" });
  await page.locator(".panel .title", { hasText: "2" }).waitFor();
  await page.locator(".row[aria-selected=true]", { hasText: "2" }).waitFor();
  await close();
});

test("a folder of many keys is complete, has few elements, and goes to its last row", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/many/" });
  await until(async () => (await counted(page)) === "5,000 entries");
  await shot(page, "many");
  await page.locator(".list").focus();
  await page.keyboard.press("End");
  await page.locator(".row.cursor", { hasText: "key-04999" }).waitFor();
  await until(async () => (await page.locator(".row.cursor .size").textContent()) === "4 B");
  assert.ok((await page.locator(".row").count()) <= 120);
  assert.equal(await page.locator(".row.cursor").getAttribute("aria-posinset"), "5000");
  await page.keyboard.press("PageUp");
  await page.keyboard.press("Home");
  await page.locator(".row.cursor", { hasText: "key-00000" }).waitFor();
  await page.getByRole("button", { name: "Name ↓" }).click();
  await until(async () => (await names(page))[0] === "key-04999");
  await close();
});

test("filters ask the server for a start, and search the names that are there", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/many/" });
  await until(async () => (await counted(page)) === "5,000 entries");
  await page.keyboard.press("/");
  await page.keyboard.type("key-0499");
  await until(async () => (await counted(page)) === "10 entries");
  assert.match(page.url(), /begins=key-0499/);
  await page.getByLabel("How the filter fits").selectOption("contains");
  await until(async () => (await counted(page)) === "10 of 5,000 contain it");
  await page.getByLabel("Filter names").fill("9999");
  await page.getByText("No name fits the filter").waitFor();
  await page.getByLabel("Filter names").press("Escape");
  await until(async () => (await counted(page)) === "5,000 entries");
  await close();
});

test("names are found in the folders below", async () => {
  const { page, close } = await open(browser, server, { token });
  await page.locator(".row").first().waitFor();
  await page.getByRole("button", { name: "Find below" }).first().click();
  await page.getByLabel("Part of a name").fill("out/2");
  await page.locator("dialog .hits a", { hasText: "/out/2".slice(1) }).waitFor();
  await page.getByText("1 found in 5,004 names.").waitFor();
  await shot(page, "find");
  await accessible(page, "finding");
  await page.locator("dialog .hits a").click();
  await page.locator(".panel .title", { hasText: "2" }).waitFor();
  await close();
});

test("a level without keys says how one is stored", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/nothing/here/" });
  await page.getByText("No keys yet").waitFor();
  await page.getByRole("button", { name: "Python" }).click();
  await page.getByText('kv.set("/nothing/here/hello", "world")').waitFor();
  await shot(page, "empty");
  await accessible(page, "an empty level");
  await close();
});

test("a key that does not exist is shown as soon as it is set", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/later/result", tolerated: /status of 404/ });
  await page.getByText("There is no such key").waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await shot(page, "no-such-key");
  await server.set("alice", "/later/result", "it came");
  await page.locator(".panel pre", { hasText: "it came" }).waitFor();
  await close();
});

test("the keyboard walks, opens, goes up, and shows its own list", async () => {
  const { page, close } = await open(browser, server, { token });
  await page.locator(".row").first().waitFor();
  await page.locator(".list").focus();
  for (const key of ["End", "Enter"]) {
    await page.keyboard.press(key);
  }
  await until(async () => String(await names(page)) === "out/");
  await page.keyboard.press("Backspace");
  await until(async () => (await names(page)).includes("sweep/"));
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard" }).waitFor();
  await shot(page, "keyboard");
  await accessible(page, "the list of keys of the keyboard");
  await page.getByLabel("single letters do something").uncheck();
  await page.keyboard.press("Escape");
  await until(async () => (await page.locator("dialog").count()) === 0);
  await page.keyboard.press("n");
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.equal(await page.locator("dialog").count(), 0);
  await close();
});

test("names that mean harm are shown, opened and copied, and nothing runs", async () => {
  await server.setAll("mallory", HOSTILE.map((key) => [key, key]));
  const { page, close } = await open(browser, server, { token: server.token("mallory") });
  await page.locator(".row").first().waitFor();
  await shot(page, "hostile");
  for (const key of HOSTILE) {
    const place = `#${key.split("/").map(encodeURIComponent).join("/")}`;
    await page.evaluate((fragment) => (location.hash = fragment), place);
    // An astral or combined name is compared by what the panel would copy: the value is the key itself.
    await until(async () => (await page.locator(".panel .content").textContent().catch(() => "")) !== "", key);
    await until(async () => page.evaluate(() => document.title.endsWith("· PROMINENCE")));
  }
  await page.evaluate(() => (location.hash = "#/%E2%80%AEgnp.exe"));
  await page.locator(".panel .mark", { hasText: "U+202E" }).first().waitFor();
  await accessible(page, "hostile names");
  await close();
});
