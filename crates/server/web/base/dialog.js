// Dialogs over the page. The browser keeps the focus inside, and gives it back when one closes.

import { button, h } from "./html.js";

/**
 * @typedef {{ label: string, class?: string, isDisabled?: boolean, run: () => unknown }} Choice a `run` that answers
 *   `false`, or a promise of it, leaves the dialog open
 */

/**
 * Opens a dialog; answers the means to close it and to replace its content.
 *
 * @param {string} title
 * @param {{ body: any[], choices?: Choice[], class?: string, isStuck?: boolean, closed?: () => void }} content
 */
export function openDialog(title, { body, choices = [], class: style, isStuck = false, closed }) {
  const heading = h("h2", { id: `dialog-${crypto.randomUUID?.() ?? Math.random()}` }, title);
  const error = h("p.error", { role: "alert" });
  const main = h("div.body", body);
  const footer = h("footer");
  const dialog = h("dialog", { class: style, "aria-labelledby": heading.id }, heading, main, error, footer);
  const opened = {
    dialog,
    close: () => dialog.close(),
    /** @param {string} text */
    fail: (text) => {
      error.textContent = text;
    },
    /**
     * @param {any[]} next
     * @param {Choice[]} nextChoices
     */
    show: (next, nextChoices) => {
      error.textContent = "";
      main.replaceChildren(...next.flat().filter(Boolean));
      footer.replaceChildren(...nextChoices.map(choose));
    },
  };
  /** @param {Choice} choice */
  const choose = ({ label, class: look, isDisabled, run }) => {
    const made = button(label, async () => {
      made.disabled = true;
      error.textContent = "";
      try {
        if ((await run()) !== false) {
          dialog.close();
        }
      } catch (problem) {
        error.textContent = /** @type {Error} */ (problem).message;
      } finally {
        made.disabled = false;
      }
    });
    made.disabled = isDisabled ?? false;
    made.classList.toggle(look ?? "quiet", true);
    return made;
  };
  footer.append(...choices.map(choose));
  dialog.addEventListener("cancel", (/** @type {Event} */ event) => isStuck && event.preventDefault());
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return opened;
}

/** The choice that closes a dialog and does nothing. @type {Choice} */
export const CANCEL = { label: "Cancel", run: () => {} };

/**
 * A field with its label.
 *
 * @param {string} label
 * @param {HTMLElement} input
 * @param {string} [hint]
 */
export function field(label, input, hint) {
  return h("label.field", h("span", label), input, hint && h("span.faint", hint));
}
