// A real OpenID provider for the tests of the page: `tests/oidc/provider.mjs` as a process of its own.

import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

const PROGRAM = new URL("../../oidc/provider.mjs", import.meta.url).pathname;

/** A provider that runs until it is ended. */
export class Provider {
  static async start() {
    const provider = new Provider();
    provider.state = fs.mkdtempSync(path.join(os.tmpdir(), "prominence-provider-"));
    const words = [PROGRAM, "--state", provider.state];
    const env = { ...process.env, NODE_NO_WARNINGS: "1" };
    provider.child = spawn("node", words, { env, stdio: ["ignore", "pipe", "ignore"] });
    for await (const line of readline.createInterface({ input: provider.child.stdout })) {
      // It prints other lines before this one.
      if (line.startsWith("{")) {
        provider.issuer = JSON.parse(line).issuer;
        break;
      }
    }
    return provider;
  }

  /** The table of this issuer, as a file of settings has it. */
  table() {
    return `name = "campus"
title = "The Campus"
issuer = "${this.issuer}"
user-claim = "preferred_username"
namespace-prefix = ""
audience = ["https://kv.example.org"]
[login]
client-id = "prominence-cli"
scopes = ["openid", "profile"]
web-client-id = "prominence-web"
`;
  }

  end() {
    this.child.kill("SIGKILL");
    fs.rmSync(this.state, { recursive: true, force: true });
  }
}
