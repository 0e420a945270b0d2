// What can be done with the key that is open.

import { CANCEL, field, openDialog } from "../base/dialog.js";
import { button, h } from "../base/html.js";
import { whyNoKey } from "../base/path.js";
import { visible } from "../base/visible.js";
import { textOf } from "../value/kind.js";
import { Editor, isEditable } from "./editor.js";
import { lifetime } from "./lifetime.js";

/**
 * @typedef {import("../main.js").App} App
 * @typedef {import("../store/api.js").Read} Read
 */

/**
 * @typedef {{ mayChange: boolean, isText: boolean, isNumber: boolean, isClaimed: boolean }} Abilities
 */

/**
 * What can be done with a key, by the token and the value.
 *
 * @param {App} app
 * @param {Read} read
 * @returns {Abilities}
 */
export function abilities(app, { bytes, detail }) {
  const text = textOf(bytes);
  return {
    mayChange: app.session.rights.may("modify", detail.key),
    isText: text !== undefined && isEditable(text),
    isNumber: /^-?\d+$/.test(text ?? ""),
    isClaimed: detail.claimed_until !== undefined,
  };
}

/**
 * The buttons for a key.
 *
 * @param {App} app
 * @param {Abilities} able
 * @param {() => Read | undefined} current
 * @returns {HTMLElement[]}
 */
export function actions(app, { mayChange, isText, isNumber, isClaimed }, current) {
  const why = mayChange ? undefined : "this token may not change this key";
  const whyNoEdit = why ?? (isText ? undefined : "not text with one kind of line break");
  /** @param {(app: App, read: Read) => void} run */
  const on = (run) => () => {
    const now = current();
    if (now) {
      run(app, now);
    }
  };
  const edit = button("Edit", on(edits), { disabled: !mayChange || !isText, title: whyNoEdit, "aria-keyshortcuts": "e" });
  const remove = button("Delete", on(removes), { disabled: !mayChange, title: why, "aria-keyshortcuts": "d" });
  const others = [
    button("Lifetime …", on(setsLifetime), { disabled: !mayChange }),
    button("Add to number …", on(adds), { disabled: !mayChange || !isNumber }),
    button("Duplicate …", on((one, two) => copies(one, two, false))),
    button("Rename …", on((one, two) => copies(one, two, true)), { disabled: !mayChange }),
    button("Release claim …", on(releases), { disabled: !mayChange || !isClaimed }),
  ];
  const menu = h("div.menu", { id: "key-menu", popover: "auto", role: "group", "aria-label": "More actions", onclick: () => menu.hidePopover() }, others);
  const more = h("button", { type: "button", popovertarget: "key-menu" }, "More");
  return [edit, remove, more, menu];
}

/** @param {App} app @param {Read} read */
export function edits(app, read) {
  new Editor(app, { folder: "", read });
}

/** @param {App} app @param {Read} read */
export function removes(app, { detail }) {
  const { key, revision } = detail;
  openDialog("Delete this key?", {
    body: [h("p", h("code", visible(key))), h("p.faint", `Only if it still has revision ${revision}. The server keeps no history.`)],
    choices: [
      CANCEL,
      {
        label: "Delete",
        class: "danger",
        run: async () => {
          await app.session.api.remove(key, revision);
          app.say(`${key} is deleted.`);
        },
      },
    ],
  });
}

/** Sets the lifetime by setting the same value again. @param {App} app @param {Read} read */
function setsLifetime(app, { bytes, detail }) {
  const chosen = lifetime(detail.expires);
  openDialog("Lifetime", {
    body: [h("p", h("code", visible(detail.key))), chosen.element, h("p.faint", "The same value is set again; a claim on it ends.")],
    choices: [
      CANCEL,
      {
        label: "Set",
        class: "primary",
        run: async () => {
          await app.session.api.set(detail.key, bytes, { ttl: chosen.ttl(), revision: detail.revision });
        },
      },
    ],
  });
}

/** @param {App} app @param {Read} read */
function adds(app, { detail }) {
  const input = h("input", { type: "text", inputMode: "numeric", value: "1" });
  openDialog("Add to the number", {
    body: [h("p", h("code", visible(detail.key))), field("Whole number", input, "It may be negative.")],
    choices: [
      CANCEL,
      {
        label: "Add",
        class: "primary",
        run: async () => {
          if (!/^[+-]?\d+$/.test(input.value.trim())) {
            throw new Error("This is not a whole number.");
          }
          await app.session.api.add(detail.key, input.value.trim());
        },
      },
    ],
  });
}

/**
 * Copies or moves a key in one commit: only if the other key does not exist and this one is as it was shown.
 *
 * @param {App} app
 * @param {Read} read
 * @param {boolean} isMove
 */
function copies(app, { bytes, detail }, isMove) {
  const { key, revision, expires } = detail;
  const input = h("input.key", { type: "text", value: key, spellcheck: "false" });
  const chosen = lifetime(expires);
  openDialog(isMove ? "Rename" : "Duplicate", {
    body: [field("New key", input), expires && chosen.element],
    choices: [
      CANCEL,
      {
        label: isMove ? "Rename" : "Duplicate",
        class: "primary",
        run: async () => {
          const to = input.value;
          const why = whyNoKey(to) ?? (to === key ? "This is the same key." : undefined);
          if (why) {
            throw new Error(why);
          }
          const set = { set: to, value_base64: base64(bytes), ttl: chosen.ttl() };
          await app.session.api.batch({
            if: [{ key: to, absent: true }, { key, revision }],
            do: [set, ...(isMove ? [{ delete: key }] : [])],
          });
          app.openKey(to);
        },
      },
    ],
  });
}

/** @param {App} app @param {Read} read */
export function releases(app, { detail }) {
  openDialog("Release this claim?", {
    body: [
      h("p", h("code", visible(detail.key))),
      h("p", "Another worker may take it at once. The one that holds it loses it."),
    ],
    choices: [
      CANCEL,
      {
        label: "Release",
        class: "danger",
        run: async () => {
          await app.session.api.release(detail.key, detail.revision);
        },
      },
    ],
  });
}

/** @param {Uint8Array} bytes */
export function base64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
