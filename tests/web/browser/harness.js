// A real server and a real browser for the tests of the page. Every page is watched: an error on its console, a
// violation of its policy, or a request to elsewhere fails the test.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

import AxeBuilder from "axe-core";
import { chromium } from "playwright-core";

const PROGRAM = required("PROMINENCE_TEST_PROGRAM");
const SHOTS = process.env.PROMINENCE_TEST_SHOTS;
const BROWSER = process.env.PROMINENCE_TEST_CHROMIUM ?? "/usr/bin/chromium";

/** Far longer than anything takes, for busy machines. */
const PATIENCE_MS = 30_000;

/** @param {string} name */
function required(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set; the tests of the page are started by cargo test`);
  return value;
}

/** A running server with a folder of its own. */
export class Server {
  /** @param {string[]} [settings] */
  static async start(settings = []) {
    const server = new Server();
    server.home = fs.mkdtempSync(path.join(os.tmpdir(), "prominence-page-"));
    server.settings = settings;
    await server.launch("127.0.0.1:0");
    return server;
  }

  /** @param {string} address */
  async launch(address) {
    const data = path.join(this.home, "data");
    const extra = process.env.PROMINENCE_TEST_SERVE?.split(" ") ?? [];
    const words = ["serve", "--listen", address, "--data-dir", data, ...extra, ...this.settings];
    this.child = spawn(PROGRAM, words, { env: this.environment(), stdio: ["ignore", "pipe", "inherit"] });
    this.ended = new Promise((resolve) => this.child.once("exit", resolve));
    for await (const line of readline.createInterface({ input: this.child.stdout })) {
      this.url = line.replace("listening on ", "");
      break;
    }
    this.origin = new URL(this.url).origin;
  }

  environment() {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("PROMINENCE_"));
    return { ...Object.fromEntries(kept), HOME: this.home, PROMINENCE_LOG: "warn" };
  }

  /** Ends the process as a crash would, or in good order. @param {NodeJS.Signals} [signal] */
  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    await this.ended;
  }

  /** Starts it again at the same address. */
  async again() {
    await this.launch(new URL(this.url).host);
  }

  /** @param {string} user @param {string[]} [more] */
  token(user, more = []) {
    const words = ["token", "create", "--user", user, "--data-dir", path.join(this.home, "data"), ...more];
    return execFileSync(PROGRAM, words, { env: this.environment(), encoding: "utf8" }).trim();
  }

  /** Sends a request as a user. @param {string} user @param {string} address @param {RequestInit} [request] */
  async send(user, address, request = {}) {
    this.tokens ??= new Map();
    if (!this.tokens.has(user)) {
      this.tokens.set(user, this.token(user, ["--job", `job-${user}`]));
    }
    const headers = { Authorization: `Bearer ${this.tokens.get(user)}`, ...request.headers };
    const answer = await fetch(`${this.url}/${address}`, { ...request, headers });
    return answer;
  }

  /** @param {string} user @param {string} key @param {string | Uint8Array} value @param {string} [query] */
  async set(user, key, value, query = "") {
    const encoded = key.split("/").map(encodeURIComponent).join("/");
    const answer = await this.send(user, `kv${encoded}${query}`, { method: "POST", body: value });
    assert.equal(answer.status, 201, await answer.text());
  }

  /** Sets many keys, a hundred in a batch. @param {string} user @param {[string, string][]} entries */
  async setAll(user, entries) {
    for (let at = 0; at < entries.length; at += 100) {
      const batch = { if: [], do: entries.slice(at, at + 100).map(([set, value]) => ({ set, value })) };
      const headers = { "Content-Type": "application/json" };
      const answer = await this.send(user, "kv", { method: "POST", headers, body: JSON.stringify(batch) });
      assert.equal(answer.status, 200, await answer.text());
    }
  }

  /** @param {string} user @param {string} key */
  async get(user, key) {
    const answer = await this.send(user, `kv${key.split("/").map(encodeURIComponent).join("/")}`);
    return answer.status === 200 ? Buffer.from(await answer.arrayBuffer()) : undefined;
  }

  async end() {
    await this.stop("SIGKILL");
    fs.rmSync(this.home, { recursive: true, force: true });
  }
}

/** One browser for all tests of a file. */
export async function launch() {
  return chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/**
 * A page of its own context.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {Server} server
 * @param {{ token?: string, at?: string, width?: number, height?: number, dark?: boolean, touch?: boolean,
 *   tolerated?: RegExp, origin?: string }} [options]
 */
export async function open(browser, server, { token, at = "", width = 1280, height = 800, dark = false, touch = false, tolerated, origin } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    hasTouch: touch,
    isMobile: touch,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const wrong = watch(page, origin ?? server.origin, tolerated);
  await page.goto(`${origin ?? server.origin}/${at}`);
  if (token) {
    await signIn(page, token);
  }
  return { page, context, wrong, close: async () => (assert.deepEqual(wrong, []), context.close()) };
}

/**
 * Notes everything that must not happen in a page.
 *
 * @param {import("playwright-core").Page} page
 * @param {string} origin
 * @param {RegExp} [tolerated] failures of requests that a test causes
 */
function watch(page, origin, tolerated) {
  /** @type {string[]} */
  const wrong = [];
  const note = (/** @type {string} */ text) => !tolerated?.test(text) && wrong.push(text);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && note(`console: ${message.text()}`));
  page.on("pageerror", (error) => note(`error: ${error.message}`));
  page.on("dialog", (dialog) => (note(`dialog: ${dialog.message()}`), dialog.dismiss()));
  page.on("request", (request) => {
    const address = request.url();
    const isOurs = address.startsWith(`${origin}/`) || address.startsWith("blob:");
    return isOurs || note(`request: ${address}`);
  });
  return wrong;
}

/** @param {import("playwright-core").Page} page @param {string} token */
export async function signIn(page, token) {
  await page.getByLabel("Access token").fill(token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.locator(".page, dialog:not(.sign-in)").first().waitFor();
}

/** The names that are shown. @param {import("playwright-core").Page} page */
export function names(page) {
  return page.locator(".row .name bdi").allTextContents();
}

/** Waits until a condition holds in the page. @param {() => unknown} check @param {string} [about] */
export async function until(check, about = String(check)) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await check();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, `not in time: ${about}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Demands that the accessibility checker finds nothing. @param {import("playwright-core").Page} page @param {string} state */
export async function accessible(page, state) {
  await page.evaluate(AxeBuilder.source.replace(/;\s*$/, ""));
  const found = await page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ["violations"] });
    return violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.map((/** @type {any} */ node) => `${node.html.slice(0, 160)} ${node.any?.[0]?.message ?? ""}`).join(" | ")}`);
  });
  assert.deepEqual(found, [], state);
}

/** Saves a picture for people to look at. @param {import("playwright-core").Page} page @param {string} name */
export async function shot(page, name) {
  if (SHOTS) {
    fs.mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
  }
}
