// The page and the viewer below a path that a real nginx puts in front.

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, test } from "node:test";

import { launch, names, open, Server, until } from "./harness.js";

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

/** A port that is free. @returns {Promise<number>} */
const freePort = () =>
  new Promise((resolve) => {
    const listener = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {net.AddressInfo} */ (listener.address());
      listener.close(() => resolve(port));
    });
  });

test("everything works below a path", async () => {
  const port = await freePort();
  const folder = path.join(server.home, "nginx");
  fs.mkdirSync(folder);
  const configuration = `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events {}
http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${port}; location /node/c017/8080/ {
    proxy_pass ${server.origin}/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }`;
  fs.writeFileSync(path.join(folder, "nginx.conf"), configuration);
  const nginx = spawn("/usr/sbin/nginx", ["-c", path.join(folder, "nginx.conf"), "-p", folder], { stdio: "inherit" });
  try {
    const origin = `http://127.0.0.1:${port}/node/c017/8080`;
    await until(() => fetch(`${origin}/healthz`).then((answer) => answer.ok, () => false));
    const { page, close } = await open(browser, server, { token: server.token("alice"), at: "#/below/", origin });
    await page.getByText("No keys yet").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await server.set("alice", "/below/x", "1");
    await until(async () => String(await names(page)) === "x");
    await page.locator(".row").click();
    await page.locator(".panel .content").waitFor();
    await page.goto(`${origin}/docs/`);
    await page.getByText("PROMINENCE key-value store").first().waitFor();
    await page.locator(".opblock").first().waitFor();
    await close();
  } finally {
    nginx.kill();
  }
});

test("the viewer of the interface works under its policy", async () => {
  const { page, close } = await open(browser, server, {});
  await page.goto(`${server.origin}/docs/`);
  await page.locator(".opblock").first().click();
  await page.locator(".opblock-body").first().waitFor();
  await close();
});
