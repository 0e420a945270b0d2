// Signing in and out, and what a token may do.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import readline from "node:readline";
import { after, before, test } from "node:test";

import { accessible, launch, names, open, Server, shot, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
  await server.setAll("alice", [["/sweep/out/1", "0.5"], ["/sweep/in/1", "{}"], ["/note", "hello"]]);
});
after(async () => {
  await browser?.close();
  await server?.end();
});

test("a token signs in, is in no place that others see, and is gone after signing out", async () => {
  const { page, close } = await open(browser, server);
  await accessible(page, "signed out");
  await shot(page, "signed-out");
  const token = server.token("alice");
  await signIn(page, token);
  await until(async () => (await names(page)).includes("note"));
  const seen = await page.evaluate(() => [location.href, document.documentElement.outerHTML, JSON.stringify(localStorage), document.cookie].join());
  assert.ok(!seen.includes(token));
  assert.ok((await page.evaluate(() => JSON.stringify(sessionStorage))).includes(token));
  await page.reload();
  await page.locator(".row").first().waitFor();
  await page.getByRole("button", { name: "alice" }).click();
  await shot(page, "user-menu");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Access token").waitFor();
  assert.equal(await page.evaluate(() => JSON.stringify(sessionStorage)), "{}");
  assert.ok(!(await page.content()).includes("sweep"));
  await close();
});

test("a token that is only kept in memory does not outlive a reload", async () => {
  const { page, close } = await open(browser, server);
  await page.getByLabel("only in memory").check();
  await signIn(page, server.token("alice"));
  await page.locator(".row").first().waitFor();
  assert.equal(await page.evaluate(() => JSON.stringify(sessionStorage)), "{}");
  await page.reload();
  await page.getByLabel("Access token").waitFor();
  await close();
});

test("what is no token, and a token of another server, are refused in words", async () => {
  const other = await Server.start();
  const foreign = other.token("alice");
  await other.end();
  const { page, close } = await open(browser, server, { tolerated: /status of 401/ });
  const field = page.getByLabel("Access token");
  for (const [token, answer] of [["two words", "has no spaces"], ["x".repeat(100_000), "at most 32 KiB"], [foreign, "does not accept"]]) {
    await field.fill(token);
    await field.press("Enter");
    await page.getByRole("alert").filter({ hasText: answer }).waitFor();
  }
  await shot(page, "token-refused");
  await accessible(page, "a token that is refused");
  await close();
});

test("a token for one folder begins there, and the rest is refused with the scope that it needs", async () => {
  const token = server.token("alice", ["--scope", "storage.read:/sweep"]);
  const { page, close } = await open(browser, server, { token, tolerated: /status of 403/ });
  await until(async () => (await names(page)).includes("out/"));
  assert.match(page.url(), /#\/sweep\/$/);
  assert.ok(await page.getByRole("button", { name: "New key" }).isDisabled());
  await page.getByRole("button", { name: "alice" }).click();
  await page.getByText("reads /sweep, changes nothing").waitFor();
  await page.keyboard.press("Escape");
  await page.goto(`${server.origin}/#/`);
  await page.getByText("This token may not read here").waitFor();
  await page.locator("code", { hasText: "storage.read:/" }).waitFor();
  await shot(page, "refused");
  await accessible(page, "a folder that is refused");
  await page.locator(".refused a", { hasText: "/sweep/" }).click();
  await until(async () => (await names(page)).includes("out/"));
  await close();
});

test("a token that ends asks for another; the same user goes on, with what was typed", async () => {
  const token = server.token("alice", ["--for", "6s"]);
  const { page, close } = await open(browser, server, { token, at: "#/note", tolerated: /status of 401/ });
  await page.getByText("hello").first().waitFor();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Value", { exact: true }).last().fill("typed before the end");
  await page.getByText("Your token has ended").waitFor();
  await shot(page, "token-ended");
  await accessible(page, "a token that has ended");
  await signIn(page, server.token("alice"));
  await page.getByRole("button", { name: "Compare and save" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await until(async () => (await server.get("alice", "/note"))?.toString() === "typed before the end");
  await close();
});

test("another user who signs in sees nothing of the one before", async () => {
  const token = server.token("alice", ["--for", "4s"]);
  const { page, close } = await open(browser, server, { token, at: "#/sweep/", tolerated: /status of 401/ });
  await page.locator(".row").first().waitFor();
  await page.getByText("Your token has ended").waitFor();
  await signIn(page, server.token("bob"));
  await page.getByText("No keys yet").waitFor();
  assert.ok(!(await page.content()).includes("sweep"));
  await close();
});

test("signing out ends the session of all tabs with this token", async () => {
  const token = server.token("alice");
  const first = await open(browser, server, { token });
  const page = await first.context.newPage();
  await page.goto(`${server.origin}/`);
  await signIn(page, token);
  await page.getByText("Live", { exact: true }).waitFor();
  await first.page.bringToFront();
  await first.page.getByRole("button", { name: "alice" }).click();
  await first.page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Access token").waitFor();
  await first.close();
});

test("no other page can frame this one", async () => {
  const { page, wrong, context } = await open(browser, server, { tolerated: /frame|request/i });
  await page.goto("data:text/html,<p>other");
  await page.evaluate((address) => {
    const frame = document.createElement("iframe");
    frame.src = address;
    document.body.append(frame);
  }, `${server.origin}/`);
  await until(() => page.frames().length === 2);
  const inside = await until(async () => page.frames()[1].url());
  assert.ok(!inside.startsWith(server.origin) || (await page.frames()[1].content()).length < 200, inside);
  assert.deepEqual(wrong, []);
  await context.close();
});

test("the address that a trial server prints signs in once", async () => {
  const program = /** @type {string} */ (process.env.PROMINENCE_TEST_PROGRAM);
  const words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir", `${server.home}/trial`];
  const trial = spawn(program, words, { env: { ...server.environment(), USER: "tester" }, stdio: ["ignore", "ignore", "pipe"] });
  let address = "";
  for await (const line of readline.createInterface({ input: trial.stderr })) {
    address = /http:\S+#sign-in=\S+/.exec(line)?.[0] ?? "";
    if (address) {
      break;
    }
  }
  const { origin } = new URL(address);
  const { page, close } = await open(browser, server, { origin, tolerated: /status of 404/ });
  await page.goto("about:blank");
  await page.goto(address);
  await page.getByText("No keys yet").waitFor();
  assert.ok(!page.url().includes("sign-in"));
  const again = await (await page.context().browser())?.newPage();
  await again?.goto(address);
  await again?.getByText("used already").waitFor();
  await again?.close();
  await close();
  trial.kill();
});
