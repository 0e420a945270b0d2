// Keys and folders as paths: their parts, and their form in an address.

/** The most bytes of a key. */
export const MAX_KEY_BYTES = 1024;

/** Keys with this segment are shown only inside it. */
export const INTERNAL = "_internal_";

const encoder = new TextEncoder();

/**
 * The bytes of a text in UTF-8.
 *
 * @param {string} text
 */
export function byteLength(text) {
  return encoder.encode(text).length;
}

/**
 * A key or folder in an address, percent-encoded but for its slashes.
 *
 * @param {string} path
 */
export function encodePath(path) {
  return path.split("/").map(encodeSegment).join("/");
}

/**
 * Encodes also the characters that `encodeURIComponent` leaves, since shells and fragments give meaning to some.
 *
 * @param {string} segment
 */
function encodeSegment(segment) {
  const wellFormed = segment.isWellFormed() ? segment : segment.toWellFormed();
  return encodeURIComponent(wellFormed).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * The folder that a key is in, with its `/` at the end; that of a folder is the one above it.
 *
 * @param {string} path
 */
export function folderOf(path) {
  const end = path.endsWith("/") ? path.length - 1 : path.length;
  return path.slice(0, path.lastIndexOf("/", end - 1) + 1) || "/";
}

/**
 * The last part of a key or folder; that of a folder ends in `/`.
 *
 * @param {string} path
 */
export function lastPart(path) {
  return path.slice(folderOf(path).length);
}

/**
 * The folders from the root to a place, each whole.
 *
 * @param {string} folder that ends in `/`
 * @returns {string[]}
 */
export function ancestors(folder) {
  const all = ["/"];
  for (let at = folder.indexOf("/", 1); at >= 0; at = folder.indexOf("/", at + 1)) {
    all.push(folder.slice(0, at + 1));
  }
  return all;
}

/**
 * The entry of a level that a key belongs to: the key itself, or the folder that it is in below the level.
 *
 * @param {string} level that ends in `/`
 * @param {string} key below it
 */
export function entryOf(level, key) {
  const end = key.indexOf("/", level.length);
  return end < 0 ? key : key.slice(0, end + 1);
}

/** @param {string} path */
export function isInternal(path) {
  return path.split("/").includes(INTERNAL);
}

/**
 * The reason why a text can't be a key, or nothing.
 *
 * @param {string} key
 * @returns {string | undefined}
 */
export function whyNoKey(key) {
  const bytes = byteLength(key);
  if (!key.startsWith("/")) {
    return "A key begins with /.";
  }
  if (key === "/" || key.endsWith("/")) {
    return "A key needs a name behind its last /.";
  }
  if (bytes > MAX_KEY_BYTES) {
    return `The key has ${bytes} bytes; ${MAX_KEY_BYTES} are allowed.`;
  }
  if (key.includes("//")) {
    return "Two / follow each other.";
  }
  if (/[\u0000-\u001f\u007f]/.test(key)) {
    return "The key has a control character.";
  }
  if (!key.isWellFormed()) {
    return "The key has half a surrogate pair.";
  }
  const odd = key.split("/").find((segment) => segment === "." || segment === "..");
  return odd && `The key has the segment ${odd}`;
}
