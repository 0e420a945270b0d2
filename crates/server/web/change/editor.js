// Creating and editing a value. Nothing that was typed is lost by a conflict, an error, a reload or a sign-in.

import { CANCEL, field, openDialog } from "../base/dialog.js";
import { formatBytes } from "../base/format.js";
import { button, fill, h } from "../base/html.js";
import { whyNoKey } from "../base/path.js";
import { setKey } from "../base/snippet.js";
import { visible } from "../base/visible.js";
import { ApiError } from "../store/answer.js";
import { showDifference } from "../value/difference.js";
import { textOf } from "../value/kind.js";
import { snippets } from "../value/snippets.js";
import { keepDraft, loadDraft } from "./draft.js";
import { lifetime } from "./lifetime.js";

const encoder = new TextEncoder();

/** @typedef {import("../store/api.js").Read} Read */

/** A dialog with a value in a text area. */
export class Editor {
  /**
   * @param {import("../main.js").App} app
   * @param {{ folder: string, read?: Read }} subject the key that is edited, or the folder of a new one
   */
  constructor(app, { folder, read }) {
    this.app = app;
    /** What the user started from; a new key starts from nothing. */
    this.base = read;
    const before = read ? (textOf(read.bytes) ?? "") : "";
    /** The content of a file instead of what is typed. @type {Uint8Array<ArrayBuffer> | undefined} */
    this.file = undefined;
    this.lineEnd = before.includes("\r\n") ? "\r\n" : "\n";
    this.draftName = read?.detail.key ?? `new in ${folder}`;
    const draft = loadDraft(this.draftName);
    this.key = h("input.key", { type: "text", value: folder, spellcheck: "false", autocomplete: "off", oninput: () => this.typed() });
    this.area = h("textarea", { rows: 12, spellcheck: "false", "aria-label": "Value", oninput: () => this.typed() });
    this.area.value = draft ?? before;
    this.lifetime = lifetime(read?.detail.expires, () => this.typed());
    this.size = h("span.size", { role: "status" });
    this.bar = h("div.banner", { role: "status" });
    this.lines = h("div");
    this.stop = app.watch((changes) => this.changed(changes));
    const title = read ? ["Edit ", visible(read.detail.key)] : ["New key"];
    this.opened = openDialog("", {
      class: "editor",
      body: [],
      closed: () => this.stop(),
    });
    fill(/** @type {Element} */ (this.opened.dialog.querySelector("h2")), title);
    this.edit();
    if (draft !== null && draft !== before) {
      const text = "What was typed here before is restored. ";
      fill(this.bar, h("p", text, button("Begin again", () => this.restart(before))));
    }
  }

  /** @param {string} text */
  restart(text) {
    this.area.value = text;
    fill(this.bar);
    this.typed();
    this.area.focus();
  }

  /** The first step: what is typed. */
  edit() {
    const isNew = this.base === undefined;
    const label = isNew ? "Create" : "Compare and save";
    this.opened.show(
      [
        this.bar,
        isNew && field("Key", this.key),
        field("Value", this.area),
        h("p.under-field", this.size, h("button.link", { type: "button", onclick: () => this.pickFile() }, "take a file instead")),
        this.lifetime.element,
        isNew && this.lines,
      ],
      [
        { ...CANCEL, run: () => keepDraft(this.draftName, null) },
        { label, class: "primary", run: () => (isNew ? this.save() : this.compare()) },
      ],
    );
    this.typed();
    const start = isNew ? this.key : this.area;
    start.focus();
    start.setSelectionRange(start.value.length, start.value.length);
  }

  /** The bytes to be stored. A text area knows one kind of line break; the value's own is restored. */
  bytes() {
    return this.file ?? encoder.encode(this.area.value.replaceAll("\n", this.lineEnd));
  }

  typed() {
    const limit = this.app.limits.value_bytes;
    const size = this.bytes().length;
    fill(this.size, `${formatBytes(size)} of ${formatBytes(limit)}`);
    this.size.classList.toggle("bad", size > limit);
    if (this.file === undefined) {
      keepDraft(this.draftName, this.area.value);
    }
    if (!this.base) {
      const why = whyNoKey(this.key.value);
      this.key.setCustomValidity(why ?? "");
      this.showLines();
    }
  }

  /** The lines that would do the same from a shell or a script. */
  showLines() {
    let ttl;
    try {
      ttl = this.lifetime.ttl();
    } catch {
      ttl = undefined;
    }
    if (whyNoKey(this.key.value) || this.file || this.area.value.includes("\0")) {
      fill(this.lines);
      return;
    }
    fill(this.lines, snippets("The same from a job", setKey(this.key.value, this.area.value, { ttl, ifAbsent: true })));
  }

  pickFile() {
    const input = h("input", { type: "file" });
    input.addEventListener("change", async () => {
      const [file] = input.files ?? [];
      if (file && file.size <= this.app.limits.value_bytes) {
        this.file = new Uint8Array(await file.arrayBuffer());
        this.area.value = `(the content of ${file.name})`;
        this.area.disabled = true;
        this.typed();
      } else if (file) {
        this.opened.fail(`The file has ${formatBytes(file.size)}; a value has at most ${formatBytes(this.app.limits.value_bytes)}.`);
      }
    });
    input.click();
  }

  /** The reason why this can't be stored. */
  check() {
    const key = this.base?.detail.key ?? this.key.value;
    const why = this.base ? undefined : whyNoKey(key);
    const limit = this.app.limits.value_bytes;
    if (why) {
      throw new Error(why);
    }
    if (this.bytes().length > limit) {
      throw new Error(`The value has ${this.bytes().length} bytes; ${limit} are allowed.`);
    }
    return { key, ttl: this.lifetime.ttl() };
  }

  /** The second step of an edit: the difference, before anything is stored. */
  compare() {
    this.check();
    this.opened.show(
      [this.bar, h("p.faint", "This will change:"), showDifference(/** @type {Read} */ (this.base).bytes, this.bytes())],
      [
        { label: "Edit again", run: () => (this.edit(), false) },
        { label: "Save", class: "primary", run: () => this.save() },
      ],
    );
    return false;
  }

  /** Stores the value, unless somebody else has changed the key since. */
  async save() {
    const { key, ttl } = this.check();
    const { base } = this;
    const condition = base ? { revision: base.detail.revision } : { absent: true };
    try {
      await this.app.session.api.set(key, this.bytes(), { ttl, ...condition });
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        return this.conflict(key);
      }
      throw error;
    }
    keepDraft(this.draftName, null);
    this.app.say(`${key} is stored.`);
    this.app.openKey(key);
    return true;
  }

  /**
   * Shows both versions; nothing has been changed.
   *
   * @param {string} key
   */
  async conflict(key) {
    /** @type {Read | undefined} */
    let theirs;
    try {
      theirs = await this.app.session.api.read(key);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) {
        throw error;
      }
    }
    const mine = this.bytes();
    const empty = new Uint8Array();
    const started = this.base?.bytes ?? empty;
    const by = theirs?.detail.job ? ["by job ", visible(theirs.detail.job)] : ["by somebody else"];
    const revision = theirs?.detail.revision;
    this.opened.show(
      [
        h("p.warn", theirs ? ["This key was changed ", ...by, " meanwhile. Nothing was stored."] : "This key was deleted meanwhile. Nothing was stored."),
        theirs && h("h3", "Theirs, against what you started from"),
        theirs && showDifference(started, theirs.bytes),
        h("h3", theirs ? "Yours, against theirs" : "Yours"),
        showDifference(theirs?.bytes ?? empty, mine),
      ],
      [
        { label: theirs ? "Keep theirs" : "Leave it deleted", run: () => keepDraft(this.draftName, null) },
        { label: "Edit again", run: () => (this.rebase(theirs), this.edit(), false) },
        {
          label: theirs ? `Save mine over revision ${revision}` : "Create it again",
          class: "primary",
          run: () => (this.rebase(theirs, key), this.save()),
        },
      ],
    );
    return false;
  }

  /**
   * Goes on from the version that is stored now.
   *
   * @param {Read | undefined} theirs
   * @param {string} [key]
   */
  rebase(theirs, key) {
    if (!theirs && this.base) {
      this.key.value = key ?? this.base.detail.key;
    }
    this.base = theirs;
  }

  /** @param {import("../live/stream.js").Change[]} changes */
  changed(changes) {
    const { base } = this;
    const key = base?.detail.key ?? "";
    const change = changes.findLast((one) => one.key === key && one.revision > (base?.detail.revision ?? 0));
    if (!change) {
      return;
    }
    const verb = change.event === "put" ? "changed" : "deleted";
    const by = change.job ? [" by job ", visible(change.job)] : [];
    const look = button("Look", async () => (await this.conflict(key), undefined));
    const ignore = button("Ignore", () => fill(this.bar));
    fill(this.bar, h("p.warn", `This key was ${verb}`, by, " just now. ", look, " ", ignore));
  }
}

/**
 * True if a text area can hold a text: it knows one kind of line break.
 *
 * @param {string} text
 */
export function isEditable(text) {
  const count = (/** @type {string} */ sign) => text.split(sign).length - 1;
  const pairs = count("\r\n");
  return count("\r") === pairs && (pairs === 0 || pairs === count("\n"));
}
