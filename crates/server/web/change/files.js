// Names of files as keys, as `prominence kv import` reads them and `prominence kv export` writes them.

import { byteLength, whyNoKey } from "../base/path.js";

/** The file with the value of the key that its folder is named after. */
const OWN_VALUE = "%=";
/** At the end of a folder's name: the segment goes on in the next name. */
const GOES_ON = "%-";
/** Bytes of a name on the usual file systems. */
const MAX_NAME_BYTES = 255;

/**
 * The key that a file stands for below a folder; throws where it stands for none.
 *
 * @param {string} folder that ends in `/`
 * @param {string} path the names of folders and of the file, with `/` between them
 */
export function keyOfFile(folder, path) {
  const given = path.split("/");
  const isOwn = given[given.length - 1] === OWN_VALUE;
  const names = isOwn ? given.slice(0, -1) : given;
  let rest = "";
  let goesOn = true;
  for (const name of names) {
    const text = name.endsWith(GOES_ON) ? name.slice(0, -GOES_ON.length) : name;
    if (text.replaceAll("%25", "").includes("%")) {
      throw new Error("has a % that is not as export writes it (% itself is %25)");
    }
    rest += (goesOn ? "" : "/") + text.replaceAll("%25", "%");
    goesOn = name.endsWith(GOES_ON);
  }
  const key = isOwn && rest === "" ? folder.slice(0, -1) : folder + rest;
  const why = whyNoKey(key);
  if (why) {
    throw new Error(why);
  }
  if (fileOfKey(folder, key).join("/") !== names.join("/") && rest !== "") {
    throw new Error("is not as export writes the name of a key");
  }
  return key;
}

/**
 * The names of folders and of the file for a key below a folder.
 *
 * @param {string} folder
 * @param {string} key
 */
export function fileOfKey(folder, key) {
  return key.slice(folder.length).split("/").flatMap((segment) => cut(segment.replaceAll("%", "%25")));
}

/**
 * Cuts a name into pieces that a file system can hold, between characters and escapes.
 *
 * @param {string} name
 */
function cut(name) {
  const pieces = [];
  let rest = [...name];
  while (byteLength(rest.join("")) > MAX_NAME_BYTES) {
    let end = rest.length;
    let size = byteLength(rest.join(""));
    while (size > MAX_NAME_BYTES - GOES_ON.length || rest.slice(Math.max(0, end - 2), end).includes("%")) {
      end -= 1;
      size -= byteLength(rest[end]);
    }
    pieces.push(rest.slice(0, end).join("") + GOES_ON);
    rest = rest.slice(end);
  }
  return [...pieces, rest.join("")];
}
