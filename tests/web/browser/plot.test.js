// Plots that stand at once and live, and queues with workers of which one dies.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";

import { accessible, launch, open, Server, shot, until } from "./harness.js";

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

/** @param {number} count @param {string} folder */
const results = (count, folder) =>
  Array.from({ length: count }, (_, at) => {
    const lr = 10 ** (-4 + (3 * ((at * 7919) % count)) / count);
    const depth = 2 + (at % 6);
    const loss = 0.05 + Math.abs(Math.log10(lr) + 2.4) * 0.2 + 0.02 * Math.abs(depth - 4) + 0.05 * Math.sin(at * 12.9) ** 2;
    return /** @type {[string, string]} */ ([`${folder}${at + 1}`, JSON.stringify({ lr, depth, loss, seconds: 20 + (at % 17) })]);
  });

/** How many pixels of the plot are not empty. @param {import("playwright-core").Page} page */
const inked = (page) =>
  page.locator(".plot canvas").evaluate((canvas) => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    const pen = /** @type {CanvasRenderingContext2D} */ (copy.getContext("2d", { willReadFrequently: true }));
    pen.drawImage(/** @type {HTMLCanvasElement} */ (canvas), 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    return data.filter((value, at) => at % 4 === 3 && value > 0).length;
  });

test("results are plotted at once, and a new one appears", async () => {
  await server.setAll("alice", [...results(300, "/sweep/out/"), ["/sweep/out/note", "no number"]]);
  const { page, close } = await open(browser, server, { token, at: "#/sweep/out/" });
  await page.locator(".row").first().waitFor();
  await page.keyboard.press("p");
  await page.locator(".summary-of-plot dd", { hasText: "300" }).first().waitFor();
  await page.getByRole("button", { name: "1 left out" }).waitFor();
  assert.ok((await inked(page)) > 2000);
  await shot(page, "plot-points");
  await accessible(page, "a plot");
  // The picture in the README.
  await page.locator(".summary-of-plot a").first().click();
  await page.locator(".panel .content").waitFor();
  await shot(page, "page");
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
  await server.set("alice", "/sweep/out/301", '{"lr": 0.01, "depth": 4, "loss": 0.001}');
  await page.locator(".summary-of-plot dd", { hasText: "301" }).first().waitFor();
  await page.locator(".summary-of-plot a", { hasText: "301" }).waitFor();
  for (const [name, picture] of [["Line", "line"], ["Histogram", "histogram"], ["Running best", "best"], ["Parallel", "parallel"]]) {
    await page.getByRole("button", { name, exact: true }).click();
    await until(async () => (await inked(page)) > 500);
    await shot(page, `plot-${picture}`);
    await accessible(page, `a plot: ${picture}`);
  }
  assert.match(page.url(), /view=plot/);
  await page.reload();
  await page.getByRole("button", { name: "Parallel", pressed: true }).waitFor();
  await close();
});

test("the pointer and the arrow keys name points, and Enter opens one", async () => {
  await server.setAll("alice", results(5, "/five/"));
  const { page, close } = await open(browser, server, { token, at: "#/five/?view=plot" });
  await page.locator(".summary-of-plot dd", { hasText: "5" }).first().waitFor();
  await shot(page, "plot-five");
  await page.locator("canvas").focus();
  await page.keyboard.press("ArrowRight");
  await page.locator(".reading .key", { hasText: "1" }).waitFor();
  await page.keyboard.press("ArrowRight");
  await page.locator(".reading .key", { hasText: "2" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".panel .title h2", { hasText: "2" }).waitFor();
  await shot(page, "plot-with-value");
  await close();
});

test("an area is selected, listed and zoomed into", async () => {
  await server.setAll("alice", results(60, "/area/"));
  const { page, close } = await open(browser, server, { token, at: "#/area/?view=plot&x=lr&logx=1" });
  await page.locator(".summary-of-plot dd", { hasText: "60" }).first().waitFor();
  const box = await page.locator("canvas").boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 90, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height - 60, { steps: 4 });
  await page.mouse.up();
  await page.getByText(/keys? selected/).waitFor();
  await shot(page, "plot-selection");
  await accessible(page, "a selection in a plot");
  await page.getByRole("button", { name: "List", exact: true }).click();
  await page.locator("dialog .hits a").first().waitFor();
  await page.getByRole("button", { name: "Close" }).last().click();
  await page.getByRole("button", { name: "Zoom in" }).click();
  await page.getByRole("button", { name: "Whole range" }).click();
  await close();
});

test("a plot of very many points is a density", async () => {
  await server.setAll("alice", Array.from({ length: 25_000 }, (_, at) => [`/dense/${at}`, String(Math.sin(at / 900) + Math.sin(at * 17.3) / 3)]));
  const { page, close } = await open(browser, server, { token, at: "#/dense/?view=plot" });
  await page.locator(".summary-of-plot dd", { hasText: "25,000" }).first().waitFor();
  await shot(page, "plot-dense");
  assert.ok((await inked(page)) > 10_000);
  await close();
});

test("a queue shows who holds what, what ran out, and what is done", async () => {
  await server.setAll("alice", Array.from({ length: 12 }, (_, at) => [`/todo/${String(at).padStart(2, "0")}`, `{"n": ${at}}`]));
  const { page, close } = await open(browser, server, { token, at: "#/todo/?view=queue" });
  await page.locator(".totals div", { hasText: "Waiting" }).locator("dd", { hasText: "12" }).waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  const program = /** @type {string} */ (process.env.PROMINENCE_TEST_PROGRAM);
  /** @param {string} job @param {string} lease @param {string} command */
  const worker = (job, lease, command) => {
    const environment = { ...server.environment(), PROMINENCE_URL: server.url, PROMINENCE_TOKEN: server.token("alice", ["--job", job]) };
    return spawn(program, ["kv", "claim", "/todo/", "--for", lease, "--", "sh", "-c", command], { env: environment, stdio: "ignore", detached: true });
  };
  const dying = worker("dies-1", "3s", "sleep 600");
  const steady = worker("lives-2", "60s", "sleep 600");
  await page.locator(".claims tr", { hasText: "dies-1" }).waitFor();
  await page.locator(".claims tr", { hasText: "lives-2" }).waitFor();
  // The whole group, so that no guard of the claim gives the key back.
  process.kill(-/** @type {number} */ (dying.pid), "SIGKILL");
  await page.locator(".claims tr.warn", { hasText: "ran out" }).waitFor();
  await server.send("alice", "kv/todo/11", { method: "DELETE" });
  await page.locator(".totals div", { hasText: "Done" }).locator("dd", { hasText: "1" }).first().waitFor();
  await shot(page, "queue");
  await accessible(page, "a queue");
  await page.locator(".claims tr", { hasText: "lives-2" }).getByRole("button", { name: "Release" }).click();
  await page.locator("dialog").getByRole("button", { name: "Release", exact: true }).click();
  await until(async () => (await page.locator(".claims tr", { hasText: "lives-2" }).count()) === 0);
  process.kill(-/** @type {number} */ (steady.pid), "SIGKILL");
  await close();
});
