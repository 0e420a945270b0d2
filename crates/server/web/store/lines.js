// Streams of an answer's body, as they arrive: JSON values by the line, and server-sent events.

/**
 * Whole lines of a body, in groups as large as the pieces in which they arrive.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<string>} texts that end in a line break
 */
async function* wholeLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      const end = value.lastIndexOf("\n") + 1;
      if (end > 0) {
        yield rest + value.slice(0, end);
        rest = value.slice(end);
      } else {
        rest += value;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  if (rest) {
    throw new TypeError("the answer ended within a line");
  }
}

/**
 * The values of a body with one JSON value a line, in groups. Parsing a group at once is faster than line by line.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<any[]>}
 */
export async function* jsonLines(body) {
  for await (const text of wholeLines(body)) {
    yield JSON.parse(`[${text.slice(0, -1).replaceAll("\n", ",")}]`);
  }
}

/** @typedef {{ id: string, event: string, data: string }} ServerEvent */

/**
 * The events of a body (WHATWG, server-sent events), in groups. A group is empty where only a comment arrived, so that
 * its reader learns that the connection lives.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<ServerEvent[]>}
 */
export async function* serverEvents(body) {
  let event = { id: "", event: "message", data: "" };
  for await (const text of wholeLines(body)) {
    const group = [];
    for (const line of text.split("\n").slice(0, -1)) {
      if (line === "") {
        if (event.data || event.id) {
          group.push(event);
        }
        event = { id: "", event: "message", data: "" };
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === "id" || name === "event") {
        event[name] = value;
      } else if (name === "data") {
        event.data += event.data ? `\n${value}` : value;
      }
    }
    yield group;
  }
}
