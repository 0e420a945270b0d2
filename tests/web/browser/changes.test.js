// Creating, editing, conflicts, drafts, deleting and uploading.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { accessible, launch, names, open, Server, shot, until } from "./harness.js";

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
});
after(async () => {
  await browser?.close();
  await server?.end();
});

/** @param {string} key */
const stored = async (key) => (await server.get("alice", key))?.toString();

test("a key is created, and not over one that exists", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/new/", tolerated: /status of 412/ });
  await page.getByText("No keys yet").waitFor();
  await page.keyboard.press("n");
  await page.getByLabel("Key", { exact: true }).fill("/new/x");
  await page.getByLabel("Value", { exact: true }).last().fill("one\ntwo");
  await page.getByLabel("Lifetime").selectOption("time");
  await page.getByText("7 B of 16 KiB").waitFor();
  await shot(page, "new-key");
  await accessible(page, "a new key");
  await page.getByRole("button", { name: "Create" }).click();
  await until(async () => (await stored("/new/x")) === "one\ntwo");
  await page.getByText("expires in", { exact: false }).first().waitFor();
  await page.keyboard.press("n");
  await page.getByLabel("Key", { exact: true }).fill("/new/x");
  await page.getByLabel("Value", { exact: true }).last().fill("mine");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByText("Nothing was stored").waitFor();
  assert.equal(await stored("/new/x"), "one\ntwo");
  await page.getByRole("button", { name: "Keep theirs" }).click();
  await close();
});

test("an edit shows the difference before it is saved, and keeps the lifetime", async () => {
  await server.set("alice", "/edit/x", "a\nb\nc", "?ttl=1h");
  const { page, close } = await open(browser, server, { token, at: "#/edit/x" });
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Value", { exact: true }).last().fill("a\nB\nc");
  await page.getByRole("button", { name: "Compare and save" }).click();
  await page.locator("dialog .diff .removed", { hasText: "b" }).waitFor();
  await page.locator("dialog .diff .added", { hasText: "B" }).waitFor();
  assert.equal(await stored("/edit/x"), "a\nb\nc");
  await shot(page, "difference");
  await accessible(page, "the difference before a save");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await until(async () => (await stored("/edit/x")) === "a\nB\nc");
  const answer = await server.send("alice", "kv/edit/x");
  assert.ok(answer.headers.get("prominence-expires"));
  await close();
});

test("line ends stay as they are", async () => {
  await server.set("alice", "/edit/crlf", "a\r\nb");
  await server.set("alice", "/edit/mixed", "a\r\nb\nc");
  const { page, close } = await open(browser, server, { token, at: "#/edit/crlf" });
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Value", { exact: true }).last().fill("a\nb\nc");
  await page.getByRole("button", { name: "Compare and save" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await until(async () => (await stored("/edit/crlf")) === "a\r\nb\r\nc");
  await page.evaluate(() => (location.hash = "#/edit/mixed"));
  await page.locator(".panel .title h2", { hasText: "mixed" }).waitFor();
  await until(() => page.getByRole("button", { name: "Edit" }).isDisabled());
  await close();
});

test("a conflict shows both versions, and nothing is overwritten unless told", async () => {
  await server.set("alice", "/conflict/x", "start");
  const { page, close } = await open(browser, server, { token, at: "#/conflict/x", tolerated: /status of 412/ });
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Value", { exact: true }).last().fill("mine");
  await server.set("alice", "/conflict/x", "theirs");
  await page.getByText("just now.").waitFor();
  await page.getByRole("button", { name: "Compare and save" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Theirs, against what you started from").waitFor();
  assert.equal(await stored("/conflict/x"), "theirs");
  await shot(page, "conflict");
  await accessible(page, "a conflict");
  await page.getByRole("button", { name: /Save mine over revision/ }).click();
  await until(async () => (await stored("/conflict/x")) === "mine");
  await close();
});

test("what was typed outlives a reload", async () => {
  await server.set("alice", "/draft/x", "stored");
  const { page, close } = await open(browser, server, { token, at: "#/draft/x" });
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Value", { exact: true }).last().fill("half a thought");
  await page.reload();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByText("What was typed here before is restored.").waitFor();
  assert.equal(await page.getByLabel("Value", { exact: true }).last().inputValue(), "half a thought");
  await page.getByRole("button", { name: "Begin again" }).click();
  assert.equal(await page.getByLabel("Value", { exact: true }).last().inputValue(), "stored");
  await close();
});

test("a number is added to, a key is renamed and deleted", async () => {
  await server.set("alice", "/more/n", "41");
  const { page, close } = await open(browser, server, { token, at: "#/more/n" });
  await page.getByRole("button", { name: "More" }).click();
  await shot(page, "key-menu");
  await page.getByRole("button", { name: "Add to number" }).click();
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await until(async () => (await stored("/more/n")) === "42");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByLabel("New key").fill("/more/renamed");
  await page.locator("dialog").getByRole("button", { name: "Rename" }).click();
  await until(async () => (await stored("/more/renamed")) === "42" && (await stored("/more/n")) === undefined);
  await page.locator(".panel .title h2", { hasText: "renamed" }).waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.locator("dialog").getByRole("button", { name: "Delete" }).click();
  await until(async () => (await stored("/more/renamed")) === undefined);
  await close();
});

test("a folder is deleted only with its number, and no other that begins like it", async () => {
  const entries = Array.from({ length: 120 }, (_, at) => /** @type {[string, string]} */ ([`/del/test/${at}`, "1"]));
  await server.setAll("alice", [...entries, ["/del/test2/x", "1"]]);
  const { page, close } = await open(browser, server, { token, at: "#/del/test/" });
  await page.locator(".row").first().waitFor();
  await page.getByRole("button", { name: "Folder actions" }).click();
  await page.getByRole("button", { name: "Delete this folder" }).click();
  await page.getByText("everything below it: 120 keys.").waitFor();
  await shot(page, "delete-folder");
  await accessible(page, "deleting a folder");
  const confirm = page.getByRole("button", { name: "Delete 120 keys" });
  await confirm.click();
  await page.getByText("The number is 120.").waitFor();
  await page.getByLabel("Type the number of keys").fill("120");
  await confirm.click();
  await page.getByText("No keys yet").waitFor();
  assert.equal(await stored("/del/test2/x"), "1");
  await close();
});

test("files become keys, those that exist are asked for, and what can't be stored is said", async () => {
  await server.set("alice", "/up/a.txt", "was there");
  const { page, close } = await open(browser, server, { token, at: "#/up/", tolerated: /status of 412/ });
  await page.locator(".row").first().waitFor();
  await page.getByRole("button", { name: "Upload" }).click();
  await page.getByLabel("Choose files").first().setInputFiles([
    { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("new") },
    { name: "b.bin", mimeType: "application/octet-stream", buffer: Buffer.from([0xff, 0]) },
    { name: "large.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(20_000) },
    { name: "100%.csv", mimeType: "text/csv", buffer: Buffer.from("x") },
  ]);
  await page.getByText("2 files will be stored, 2 can't be:").waitFor();
  await shot(page, "upload");
  await accessible(page, "an upload");
  await page.getByRole("button", { name: "Store" }).click();
  await page.getByText("1 file stored, 1 existed and were left.").waitFor();
  assert.equal(await stored("/up/a.txt"), "was there");
  assert.deepEqual([...(await server.get("alice", "/up/b.bin") ?? [])], [0xff, 0]);
  await page.getByRole("button", { name: "Close" }).first().click();
  await until(async () => String(await names(page)) === "a.txt,b.bin");
  await close();
});
