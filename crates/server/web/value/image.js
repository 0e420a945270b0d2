// Images by the first bytes: their media types, and the sizes that their headers say.

/** Larger images are not shown: a header of few bytes can ask for gigabytes of pixels. */
export const MAX_SIDE = 4096;

/** @typedef {{ mediaType: string, width?: number, height?: number }} Image */

/**
 * The image that bytes are, or nothing.
 *
 * @param {Uint8Array} bytes
 * @returns {Image | undefined}
 */
export function imageOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = (/** @type {string} */ text, at = 0) =>
    bytes.length >= at + text.length && [...text].every((sign, index) => bytes[at + index] === sign.charCodeAt(0));
  if (starts("\x89PNG\r\n\x1a\n")) {
    const isWhole = bytes.length >= 24;
    return { mediaType: "image/png", ...(isWhole && { width: view.getUint32(16), height: view.getUint32(20) }) };
  }
  if (starts("GIF87a") || starts("GIF89a")) {
    const isWhole = bytes.length >= 10;
    return { mediaType: "image/gif", ...(isWhole && { width: view.getUint16(6, true), height: view.getUint16(8, true) }) };
  }
  if (starts("\xff\xd8\xff")) {
    return { mediaType: "image/jpeg", ...sizeOfJpeg(view) };
  }
  if (starts("RIFF") && starts("WEBP", 8)) {
    return { mediaType: "image/webp", ...sizeOfWebp(view) };
  }
  return undefined;
}

/**
 * The size in the frame header, which comes behind other segments.
 *
 * @param {DataView} view
 */
function sizeOfJpeg(view) {
  let at = 2;
  while (at + 9 < view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    }
    at += 2 + view.getUint16(at + 2);
  }
  return {};
}

/** @param {DataView} view */
function sizeOfWebp(view) {
  if (view.byteLength < 30) {
    return {};
  }
  const chunk = String.fromCharCode(...[12, 13, 14, 15].map((at) => view.getUint8(at)));
  if (chunk === "VP8X") {
    const side = (/** @type {number} */ at) => 1 + view.getUint16(at, true) + view.getUint8(at + 2) * 65536;
    return { width: side(24), height: side(27) };
  }
  if (chunk === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff) };
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

/**
 * An SVG image, by its first element, with the size in pixels that it or its view box says.
 *
 * @param {string} text
 * @returns {Image | undefined}
 */
export function svgOf(text) {
  const start = /^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--[\s\S]*?-->\s*)*(?:<!DOCTYPE[^[>]*(?:\[[\s\S]*?\]\s*)?>\s*)?<svg\b([^>]*)>/i.exec(text);
  if (!start) {
    return undefined;
  }
  const attribute = (/** @type {string} */ name) => new RegExp(`\\b${name}\\s*=\\s*["']\\s*([\\d.]+)`).exec(start[1])?.[1];
  const box = /\bviewBox\s*=\s*["']\s*[-\d.]+[\s,]+[-\d.]+[\s,]+([\d.]+)[\s,]+([\d.]+)/.exec(start[1]);
  const width = Number(attribute("width") ?? box?.[1] ?? 300);
  const height = Number(attribute("height") ?? box?.[2] ?? 150);
  return { mediaType: "image/svg+xml", width, height };
}

/** True if an image may be shown. @param {Image} image */
export function isShowable({ width, height }) {
  return width !== undefined && height !== undefined && width <= MAX_SIDE && height <= MAX_SIDE;
}
