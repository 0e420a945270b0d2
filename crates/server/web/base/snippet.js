// The lines that do from a shell, a script or a job what the page shows. They never contain the token.

import { encodePath } from "./path.js";

/** @typedef {{ tool: "curl" | "CLI" | "Python", text: string }} Snippet */

const CURL = 'curl -sf -H "Authorization: Bearer $PROMINENCE_TOKEN"';

/**
 * A text as one word of sh, bash and zsh. Within single quotes nothing but a single quote has a meaning.
 *
 * @param {string} text
 */
export function shellWord(text) {
  return /^[A-Za-z0-9_\/.,:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A text as a literal of Python, in ASCII.
 *
 * @param {string} text
 */
export function pythonText(text) {
  let literal = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '"' || character === "\\") {
      literal += `\\${character}`;
    } else if (code >= 0x20 && code < 0x7f) {
      literal += character;
    } else if (code <= 0xffff) {
      literal += `\\u${code.toString(16).padStart(4, "0")}`;
    } else {
      literal += `\\U${code.toString(16).padStart(8, "0")}`;
    }
  }
  return `"${literal}"`;
}

/**
 * The address of a key or prefix in double quotes: percent-encoding leaves no character with a meaning there.
 *
 * @param {string} path
 * @param {string} [query]
 */
function address(path, query = "") {
  return `"$PROMINENCE_URL/kv${encodePath(path)}${query}"`;
}

const IMPORT = "from prominence_kv import Store\nkv = Store()\n";

/**
 * Reads a key.
 *
 * @param {string} key
 * @returns {Snippet[]}
 */
export function readKey(key) {
  return [
    { tool: "curl", text: `${CURL} ${address(key)}` },
    { tool: "CLI", text: `prominence kv get ${shellWord(key)}` },
    { tool: "Python", text: `${IMPORT}value = kv[${pythonText(key)}]` },
  ];
}

/**
 * Lists a folder.
 *
 * @param {string} folder
 * @returns {Snippet[]}
 */
export function listFolder(folder) {
  return [
    { tool: "curl", text: `${CURL} ${address(folder, "?list")}` },
    { tool: "CLI", text: `prominence kv list ${shellWord(folder)}` },
    { tool: "Python", text: `${IMPORT}keys = list(kv.keys(${pythonText(folder)}))` },
  ];
}

/**
 * Puts the values of a folder into one table.
 *
 * @param {string} folder
 * @returns {Snippet[]}
 */
export function gatherFolder(folder) {
  return [
    { tool: "curl", text: `${CURL} -H "Accept: application/x-ndjson" ${address(folder, "?list&detail&values")}` },
    { tool: "CLI", text: `prominence kv gather ${shellWord(folder)} -o results.csv` },
    { tool: "Python", text: `${IMPORT}rows = kv.table(${pythonText(folder)})` },
  ];
}

/**
 * Waits until a folder has so many keys.
 *
 * @param {string} folder
 * @param {number} count
 * @returns {Snippet[]}
 */
export function waitForFolder(folder, count) {
  return [
    { tool: "curl", text: `${CURL} ${address(folder, `?count&at_least=${count}&wait=10m`)}` },
    { tool: "CLI", text: `prominence kv wait ${shellWord(folder)} --count ${count} --timeout 10m` },
    { tool: "Python", text: `${IMPORT}kv.wait_count(${pythonText(folder)}, ${count}, timeout="10m")` },
  ];
}

/**
 * Sets a key.
 *
 * @param {string} key
 * @param {string} value
 * @param {{ ttl?: string, ifAbsent?: boolean }} [options]
 * @returns {Snippet[]}
 */
export function setKey(key, value, { ttl, ifAbsent } = {}) {
  const query = ttl ? `?ttl=${encodeURIComponent(ttl)}` : "";
  const condition = ifAbsent ? ` -H "If-None-Match: *"` : "";
  const options = `${ttl ? ` --ttl ${shellWord(ttl)}` : ""}${ifAbsent ? " --if-absent" : ""}`;
  const named = `${ttl ? `, ttl=${pythonText(ttl)}` : ""}${ifAbsent ? ", if_absent=True" : ""}`;
  return [
    { tool: "curl", text: `${CURL} -X PUT${condition} --data-raw ${shellWord(value)} ${address(key, query)}` },
    { tool: "CLI", text: `prominence kv set ${shellWord(key)} --string=${shellWord(value)}${options}` },
    { tool: "Python", text: `${IMPORT}kv.set(${pythonText(key)}, ${pythonText(value)}${named})` },
  ];
}

/**
 * Deletes a folder.
 *
 * @param {string} folder
 * @returns {Snippet[]}
 */
export function deleteFolder(folder) {
  return [
    { tool: "curl", text: `${CURL} -X DELETE ${address(folder, "?prefix")}` },
    { tool: "CLI", text: `prominence kv delete --prefix ${shellWord(folder)}` },
    { tool: "Python", text: `${IMPORT}kv.delete_prefix(${pythonText(folder)})` },
  ];
}

/**
 * Works on a queue.
 *
 * @param {string} folder
 * @returns {Snippet[]}
 */
export function workOn(folder) {
  return [
    { tool: "curl", text: `${CURL} -D - -X POST ${address(folder, "?claim=10m&wait=10m")}` },
    { tool: "CLI", text: `prominence kv claim ${shellWord(folder)} --until-empty -- ./work.sh` },
    { tool: "Python", text: `${IMPORT}with kv.claim(${pythonText(folder)}, for_="10m") as work:\n    print(work.key)` },
  ];
}
