// Values of every kind, values that mean harm, and the lines that read them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import zlib from "node:zlib";

import { HOSTILE } from "../unit/random.js";
import { accessible, launch, open, Server, shot, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {string} */
let token;

/** A PNG of one colour. @param {number} width @param {number} height */
function png(width, height) {
  const chunk = (/** @type {string} */ type, /** @type {Buffer} */ data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const framed = Buffer.alloc(8 + body.length);
    framed.writeUInt32BE(data.length);
    body.copy(framed, 4);
    framed.writeUInt32BE(zlib.crc32 ? zlib.crc32(body) : crc(body), 4 + body.length);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.concat(Array.from({ length: Math.min(height, 64) }, () => Buffer.concat([Buffer.from([0]), Buffer.alloc(Math.min(width, 64) * 3, 0x80)])));
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", header), chunk("IDAT", zlib.deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

/** The checksum of PNG, where zlib does not offer it. @param {Buffer} bytes */
function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      sum = (sum >>> 1) ^ (0xedb88320 & -(sum & 1));
    }
  }
  return ~sum >>> 0;
}

const DRAWING = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="alert(1)">
<script>alert(1)</script><foreignObject><img src="http://127.0.0.1:9/x.png"/></foreignObject>
<image href="http://127.0.0.1:9/y.png" width="9" height="9"/><circle cx="20" cy="20" r="15" fill="teal"/></svg>`;

/** @type {Record<string, [string | Buffer, string]>} */
const KINDS = {
  json: ['{"loss": 1.10, "big": 12345678901234567890, "deep": {"a": {"b": {"c": 1}}}, "x": 1, "x": 2, "list": [1, 2, 3]}', "12345678901234567890"],
  number: ["0.1250", "0.1250"],
  text: ["two\nlines", "two\nlines"],
  table: ["name,loss\na,0.5\nb,0.25\n", "0.25"],
  png: [png(32, 32), "image/png, 32 × 32"],
  svg: [DRAWING, "image/svg+xml, 40 × 40"],
  empty: ["", "no bytes"],
  binary: [Buffer.from([0xff, 0x00, 0x41]), "ff 00 41"],
};

/** @type {Record<string, [string | Buffer, RegExp]>} */
const HARMFUL = {
  "huge-png": [png(60_000, 60_000), /60000 × 60000 pixels is not shown/],
  "huge-svg": ['<svg width="60000" height="60000">', /is not shown/],
  "cut-png": [png(32, 32).subarray(0, 60), /damaged|image\/png/],
  "deep-json": ["[".repeat(8000) + "]".repeat(8000), /1 item/],
  "open-json": ["[".repeat(8000), /\[\[\[/],
  html: ["<script>alert(1)</script><img src=x onerror=alert(1)>", /<script>alert/],
  "long-line": ["x".repeat(16_000), /xxxx/],
  overrides: ["\u202e".repeat(5000), /U\+202E/],
  prototype: ['{"__proto__": {"polluted": 1}, "constructor": 1}', /__proto__/],
  "long-number": ["9".repeat(400), /9{400}/],
  nan: ['{"a": NaN}', /NaN/],
  "bad-utf8": [Buffer.from('{"a": "\xff"}', "latin1"), /7b 22 61/],
  wide: [`${Array.from({ length: 2000 }, (_, at) => `c${at}`).join(",")}\n${Array.from({ length: 2000 }, () => "1").join(",")}`, /1,800 columns more/],
  formula: ["a,b\n=1+1,@x\n", /=1\+1/],
  ansi: ["\u001b[31mred\u001b[0m", /U\+001B/],
  polyglot: ["GIF89a/*\u0001*/=alert(1)//", /image|GIF|pixels|damaged/i],
};

before(async () => {
  server = await Server.start();
  browser = await launch();
  token = server.token("alice");
  for (const [name, [value]] of Object.entries({ ...KINDS, ...HARMFUL })) {
    await server.set("alice", `/kinds/${name}`, value);
  }
  for (const key of HOSTILE) {
    await server.set("alice", key, `value of ${key}`);
  }
});
after(async () => {
  await browser?.close();
  await server?.end();
});

test("each kind of value is shown as what it is", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/kinds/" });
  for (const [name, [, shown]] of Object.entries(KINDS)) {
    await page.evaluate((fragment) => (location.hash = fragment), `#/kinds/${name}`);
    await page.locator(".panel .title h2", { hasText: name }).waitFor();
    await until(async () => (await page.locator(".panel .content").textContent().catch(() => ""))?.includes(shown), name);
    await shot(page, `value-${name}`);
    await accessible(page, `a value: ${name}`);
  }
  await close();
});

test("a number keeps its digits and a member that occurs twice is shown twice", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/kinds/json" });
  await page.locator(".json .member", { hasText: /^x$/ }).nth(1).waitFor();
  assert.ok((await page.getByLabel("JSON").textContent())?.includes("1.10"));
  await page.getByRole("button", { name: "Hex" }).click();
  await page.getByText("0000  7b 22 6c").waitFor();
  await close();
});

test("values that mean harm do nothing", async () => {
  const { page, close } = await open(browser, server, { token, at: "#/kinds/" });
  for (const [name, [, shown]] of Object.entries(HARMFUL)) {
    await page.evaluate((fragment) => (location.hash = fragment), `#/kinds/${name}`);
    await page.locator(".panel .title h2", { hasText: new RegExp(`^${name}$`) }).waitFor();
    await until(async () => shown.test((await page.locator(".panel .content").textContent().catch(() => "")) ?? ""), name);
  }
  assert.equal(await page.evaluate(() => /** @type {any} */ ({}).polluted), undefined);
  await close();
});

test("the lines to copy read the bytes of every key", async () => {
  const { page, close } = await open(browser, server, { token });
  const environment = { ...server.environment(), PROMINENCE_URL: server.url, PROMINENCE_TOKEN: token };
  const program = /** @type {string} */ (process.env.PROMINENCE_TEST_PROGRAM);
  for (const key of HOSTILE) {
    const place = `#${key.split("/").map(encodeURIComponent).join("/")}`;
    await page.evaluate((fragment) => (location.hash = fragment), place);
    for (const tool of ["curl", "CLI", "Python"]) {
      await page.locator(".panel .foot").getByRole("button", { name: tool, exact: true }).click();
      // Marks of characters that can't be seen stand for these; the copy button has the text itself.
      const text = await page.evaluate(async ([path, chosen]) => {
        const { readKey } = await import(`${location.origin}/web/base/snippet.js`);
        return readKey(path).find((/** @type {any} */ one) => one.tool === chosen).text;
      }, [key, tool]);
      const read =
        tool === "Python"
          ? execFileSync("python3", ["-c", `${text}\nimport sys; sys.stdout.buffer.write(value)`], { env: { ...environment, PYTHONPATH: `${process.cwd()}/python/src` } })
          : execFileSync("bash", ["-c", text.replace(/^prominence/, `'${program}'`)], { env: environment });
      assert.equal(read.toString(), `value of ${key}`, text);
    }
  }
  await close();
});
