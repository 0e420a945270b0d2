// Signing in at an OpenID provider.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { accessible, launch, names, open, Server, shot, until } from "./harness.js";
import { Provider } from "./provider.js";

/** @type {Provider} */
let provider;
/** @type {Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  provider = await Provider.start();
  server = await Server.start();
  await server.stop();
  // The address by which people reach the server is known once it has listened.
  const file = path.join(server.home, "campus.toml");
  fs.writeFileSync(file, provider.table());
  server.settings = ["--public-url", server.origin, "--issuer-file", file];
  await server.again();
  browser = await launch();
  await server.set("alice", "/note", "hello");
});
after(async () => {
  await browser?.close();
  await server?.end();
  provider?.end();
});

/** A page at which somebody has begun to sign in, and the address at the provider. */
async function begun() {
  const opened = await open(browser, server, { tolerated: new RegExp(`^request: ${provider.issuer}/`) });
  const { page } = opened;
  await page.getByRole("button", { name: "Sign in with The Campus" }).waitFor();
  const asked = page.waitForRequest((request) => request.url().startsWith(`${provider.issuer}/auth?`));
  await page.getByRole("button", { name: "Sign in with The Campus" }).click();
  const address = new URL((await asked).url());
  await page.getByRole("button", { name: "alice" }).waitFor();
  return { ...opened, address };
}

/** @param {import("playwright-core").Page} page @param {string} query @param {string} problem */
async function refused(page, query, problem) {
  await page.goto(`${server.origin}/?${query}`);
  await page.getByRole("alert").filter({ hasText: problem }).waitFor();
  assert.equal(new URL(page.url()).search, "");
  assert.equal(await page.evaluate(() => JSON.stringify(sessionStorage)), "{}");
}

// Fails if no challenge is sent (PKCE), and if another redirect URI than the operator's is.
test("a user of the provider signs in, and the code is in no place that others see", async () => {
  const { page, address, close } = await begun();
  assert.equal(address.searchParams.get("redirect_uri"), `${server.origin}/`);
  assert.equal(address.searchParams.get("code_challenge_method"), "S256");
  const returned = page.waitForRequest((request) => request.url().startsWith(`${server.origin}/?`));
  await page.getByRole("button", { name: "alice" }).click();
  const query = new URL((await returned).url()).searchParams;
  await until(async () => (await names(page)).includes("note"));
  const seen = await page.evaluate(() => [location.href, document.documentElement.outerHTML, JSON.stringify(localStorage), document.cookie].join());
  const kept = await page.evaluate(() => JSON.stringify(sessionStorage));
  const token = String(/eyJ[\w.-]+/.exec(kept));
  assert.ok(token.length > 100, kept);
  for (const hidden of [String(query.get("code")), token]) {
    assert.ok(!seen.includes(hidden));
  }
  await page.reload();
  await until(async () => (await names(page)).includes("note"));
  // The same answer again: neither the state nor the code is good a second time.
  await page.getByRole("button", { name: "alice" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Access token").waitFor();
  await refused(page, query.toString(), "was not begun here");
  await close();
});

// Fails if the state is not compared, and if the issuer of the answer is not.
test("an answer of another state or another provider signs nobody in", async () => {
  const { page, address, close } = await begun();
  await refused(page, "code=x&state=invented", "was not begun here");
  await shot(page, "provider-refused");
  await accessible(page, "an answer that is refused");
  await close();
  const other = await begun();
  const state = String(other.address.searchParams.get("state"));
  assert.notEqual(state, address.searchParams.get("state"));
  const query = new URLSearchParams({ code: "x", state, iss: "https://evil.example.org" });
  await refused(other.page, query.toString(), "Another provider than the chosen one");
  await other.close();
});

test("somebody who refuses at the provider is told what it said", async () => {
  const { page, close } = await begun();
  await page.getByRole("button", { name: "refuse" }).click();
  await page.getByRole("alert").filter({ hasText: "has not signed you in" }).waitFor();
  await close();
});
