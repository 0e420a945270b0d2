// The main flows in Firefox ESR, driven by WebDriver BiDi. The driver of the other tests needs a Firefox of its own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import puppeteer from "puppeteer-core";

import { Server, until } from "./harness.js";

const BROWSER = process.env.PROMINENCE_TEST_FIREFOX ?? "/usr/bin/firefox-esr";

/** Far longer than anything takes, for busy machines. */
const PATIENCE_MS = 30_000;

/** @type {Server} */
let server;
/** @type {import("puppeteer-core").Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: BROWSER,
    headless: true,
    protocolTimeout: 4 * PATIENCE_MS,
    timeout: PATIENCE_MS,
  });
});
after(async () => {
  await browser?.close();
  await server?.end();
});

/**
 * A page of its own context in which alice is signed in. Errors of it fail the test.
 *
 * @param {string} at
 */
async function open(at) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  page.setDefaultTimeout(PATIENCE_MS);
  /** @type {string[]} */
  const wrong = [];
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => request.url().startsWith(`${server.origin}/`) || wrong.push(request.url()));
  await page.goto(`${server.origin}/${at}`);
  await page.locator("#token").fill(server.token("alice"));
  await button(page, "Sign in");
  await page.locator(".page").wait();
  return { page, close: async () => (assert.deepEqual(wrong, []), context.close()) };
}

/** @param {import("puppeteer-core").Page} page @param {string} name */
const button = (page, name) => page.locator(`::-p-aria([name="${name}"][role="button"])`).click();

/** @param {import("puppeteer-core").Page} page @param {string} selector */
const texts = (page, selector) => page.$$eval(selector, (found) => found.map((one) => one.textContent));

/** @param {import("puppeteer-core").Page} page @param {string} selector @param {string} text */
const shows = (page, selector, text) => until(async () => (await texts(page, selector)).some((one) => one?.includes(text)), text);

/** @param {string} key */
const stored = async (key) => (await server.get("alice", key))?.toString();

test("signing in, changes as they happen, and signing out", async () => {
  const { page, close } = await open("#/live/");
  await page.locator(".live[data-state=live]").wait();
  await server.set("alice", "/live/b", "1");
  await server.set("alice", "/live/a", "12345");
  await until(async () => String(await texts(page, ".row .name bdi")) === "a,b");
  await server.send("alice", "kv/live/b", { method: "DELETE" });
  await until(async () => String(await texts(page, ".row .name bdi")) === "a");
  await page.reload();
  await until(async () => String(await texts(page, ".row .name bdi")) === "a");
  await button(page, "alice");
  await button(page, "Sign out");
  await page.locator("#token").wait();
  await close();
});

test("a key is created by the keyboard, edited after a look at the difference, and deleted", async () => {
  const { page, close } = await open("#/new/");
  await shows(page, "body", "No keys yet");
  await page.keyboard.press("n");
  await page.locator('::-p-aria([name="Key"][role="textbox"])').fill("/new/x");
  await page.locator("textarea[aria-label=Value]").fill("one\ntwo");
  await button(page, "Create");
  await until(async () => (await stored("/new/x")) === "one\ntwo");
  await shows(page, ".panel pre", "two");
  await button(page, "Edit");
  await page.locator("textarea[aria-label=Value]").fill("one\nthree");
  await button(page, "Compare and save");
  await shows(page, "dialog .diff .added", "three");
  assert.equal(await stored("/new/x"), "one\ntwo");
  await button(page, "Save");
  await until(async () => (await stored("/new/x")) === "one\nthree");
  await close();
});

test("results are plotted, and a new one appears", async () => {
  const results = Array.from({ length: 50 }, (_, at) => /** @type {[string, string]} */ ([`/sweep/${at}`, String(at * at)]));
  await server.setAll("alice", results);
  const { page, close } = await open("#/sweep/");
  await page.locator(".row").wait();
  await page.keyboard.press("p");
  await shows(page, ".summary-of-plot dd", "50");
  await server.set("alice", "/sweep/50", "2500");
  await shows(page, ".summary-of-plot dd", "51");
  await close();
});
