// Sends a value from a file, with fetch and with node:http, and prints status and body of the answers.

import { readFileSync } from "node:fs";
import { request } from "node:http";

const address = process.env.PROMINENCE_URL + "/kv/upload";
const headers = { authorization: "Bearer " + process.env.PROMINENCE_TOKEN };
const body = readFileSync(process.argv[2]);

if (process.argv.length < 4) {
  const answer = await fetch(address, { method: "PUT", headers, body });
  console.log(answer.status, await answer.text());
} else {
  headers.expect = "100-continue";
}

headers["content-length"] = body.length;
const sent = request(address, { method: "PUT", headers }, (answer) => {
  let text = "";
  answer.on("data", (part) => (text += part));
  answer.on("end", () => console.log(answer.statusCode, text));
});
sent.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
if (headers.expect) {
  sent.on("continue", () => {
    console.log("continue");
    sent.end(body);
  });
  sent.flushHeaders();
} else {
  sent.end(body);
}
