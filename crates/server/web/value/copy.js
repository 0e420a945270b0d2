// Copying and downloading. Where the clipboard is not available, the text is selected instead.

import { button } from "../base/html.js";

/**
 * Copies a text; answers whether the clipboard took it.
 *
 * @param {string} text
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // There is no clipboard in a page that is not a secure context, or it may not be written.
    return false;
  }
}

/**
 * A button that copies a text. Where that is not possible, it selects the element that shows the text.
 *
 * @param {string} label
 * @param {() => string} text
 * @param {() => Element | null | undefined} [shownIn]
 */
export function copyButton(label, text, shownIn) {
  const made = button(label, async () => {
    const done = await copy(text());
    const element = shownIn?.();
    if (!done && element) {
      getSelection()?.selectAllChildren(element);
    }
    made.textContent = done ? "Copied" : element ? "Selected" : "No clipboard";
    setTimeout(() => (made.textContent = label), 1500);
  });
  return made;
}

/**
 * Saves bytes as a file.
 *
 * @param {string} name
 * @param {BlobPart} content
 * @param {string} [mediaType]
 */
export function download(name, content, mediaType = "application/octet-stream") {
  const address = URL.createObjectURL(new Blob([content], { type: mediaType }));
  const link = document.createElement("a");
  link.href = address;
  link.download = fileName(name);
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * A name that every file system takes, and that shows what it is.
 *
 * @param {string} name
 */
export function fileName(name) {
  const safe = name.normalize("NFC").replace(/[^\p{L}\p{N}._ ()+,=@-]/gu, "_").replace(/^[. ]+|[. ]+$/g, "_");
  return safe.slice(0, 120) || "value";
}
