// One level of the store: its names, what is known about those that are looked at, and the changes that arrive.
//
// It opens in two steps: the first entries with their details, at once; then all names, as a stream.

import { signal } from "../base/signal.js";
import { compareNames } from "../base/order.js";
import { entryOf } from "../base/path.js";
import { Names } from "./names.js";
import { detailAfter } from "./detail.js";

const FIRST = 200;
/** Values may be large, so that fewer of them are the first entries. */
const FIRST_WITH_VALUES = 60;
/** More names are loaded only if the user says so. */
const MANY = 200_000;
const MAX_DETAILS = 20_000;
const FETCH_PAUSE_MS = 1_000;
const TOUCHED_MS = 1_000;
/** Changes that are kept until the first entries are there. */
const MAX_EARLY = 10_000;
/** Keys of a folder are counted up to here. */
const COUNTED = 1000;
/** A folder with changes is counted again at most this often. */
const RECOUNT_MS = 2_000;

/**
 * @typedef {import("./api.js").Detail & { isGone?: boolean }} Entry
 * @typedef {import("./api.js").Folder} Folder
 * @typedef {{ kind: "loading" | "ready" | "asking" | "failed", error?: Error }} LevelState
 */

/** A level that is open. */
export class Level {
  /**
   * @param {import("./api.js").Api} api
   * @param {string} prefix the folder, and the start of the names that are shown
   * @param {{ values?: boolean }} [options]
   */
  constructor(api, prefix, { values = false } = {}) {
    this.api = api;
    this.prefix = prefix;
    this.values = values;
    this.names = new Names();
    /** @type {Map<string, Entry | Folder>} */
    this.details = new Map();
    /** When names were changed, for the glow of their rows. @type {Map<string, number>} */
    this.touched = new Map();
    this.state = signal(/** @type {LevelState} */ ({ kind: "loading" }));
    /** Counts the changes of what is to be shown. */
    this.version = signal(0);
    this.isComplete = false;
    /** The revision of the snapshot that was listed. @type {number | undefined} */
    this.revision = undefined;
    /** The revision after which the stream reports changes. @type {number | undefined} */
    this.followed = undefined;
    /** The name whose row stays when it is deleted. */
    this.pinned = "";
    this.abort = new AbortController();
    /** @type {Set<string>} */
    this.stale = new Set();
    this.recount = 0;
    this.isFetching = false;
    /** After a fetch that failed there is a pause. */
    this.fetchAfter = 0;
    this.isListed = false;
    /** Changes that came before the first entries. @type {import("../live/stream.js").Change[]} */
    this.early = [];
    /** What changes say of names while these are still being read: it is newer than the listing. @type {Map<string, boolean>} */
    this.moved = new Map();
  }

  close() {
    this.abort.abort();
    clearTimeout(this.recount);
  }

  /** Lists the level, from the start. */
  async load() {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal: ends } = this.abort;
    this.isListed = false;
    try {
      const page = await this.api.page(this.prefix, {
        limit: this.values ? FIRST_WITH_VALUES : FIRST,
        values: this.values,
        counts: COUNTED,
        signal: ends,
      });
      this.begin(page);
      if (ends.aborted) {
        // The listing began again, because the stream of changes began later.
        return;
      }
      if (page.more) {
        await this.readNames(MANY);
      } else {
        this.complete();
      }
    } catch (error) {
      if (!ends.aborted) {
        this.state.set({ kind: "failed", error: /** @type {Error} */ (error) });
      }
    }
  }

  /** @param {import("./api.js").Page} page */
  begin(page) {
    this.names = new Names();
    this.details.clear();
    this.isComplete = false;
    this.revision = page.revision;
    this.learn(page.entries);
    this.names.append(page.entries.map(nameOf));
    this.isListed = true;
    this.moved.clear();
    this.apply(this.early.splice(0));
    this.bump();
    this.catchUp();
  }

  /**
   * Reads names until there are so many.
   *
   * @param {number} most
   */
  async readNames(most) {
    const { abort } = this;
    const after = this.names.at(this.names.length - 1);
    const limit = new AbortController();
    const ends = AbortSignal.any([abort.signal, limit.signal]);
    for await (const names of this.api.stream(this.prefix, { level: true, after, signal: ends })) {
      this.names.append(names);
      this.bump();
      if (this.names.length >= most) {
        limit.abort();
        this.enter("asking");
        return;
      }
    }
    this.complete();
  }

  complete() {
    this.isComplete = true;
    this.names.change(this.moved);
    this.moved.clear();
    this.enter("ready");
  }

  /** Reads all names that were not read yet, because the user said so. */
  async loadAll() {
    this.enter("loading");
    try {
      await this.readNames(Infinity);
    } catch (error) {
      if (!this.abort.signal.aborted) {
        this.state.set({ kind: "failed", error: /** @type {Error} */ (error) });
      }
    }
  }

  /**
   * Notes that the stream reports all changes after a revision. If the listing shows an earlier one, those between
   * would be missed.
   *
   * @param {number} revision
   */
  follow(revision) {
    this.followed = revision;
    this.catchUp();
  }

  catchUp() {
    const { followed, revision, state } = this;
    if (followed === undefined || state.peek().kind === "failed") {
      return;
    }
    if (this.isListed && (revision ?? -1) < followed) {
      this.followed = undefined;
      this.load();
    }
  }

  /**
   * Fetches the details of the rows that are visible, if they are not there.
   *
   * @param {number} from
   * @param {number} to
   */
  async need(from, to) {
    let first = from;
    while (first < to && this.details.has(this.names.at(first))) {
      first += 1;
    }
    if (first >= to || this.isFetching || performance.now() < this.fetchAfter) {
      return;
    }
    this.isFetching = true;
    const { names } = this;
    const wanted = names.at(first);
    try {
      const page = await this.api.page(this.prefix, {
        after: first > 0 ? names.at(first - 1) : undefined,
        limit: Math.max(1, to - first),
        values: this.values,
        counts: COUNTED,
        signal: this.abort.signal,
      });
      // A list that was begun again has its own details.
      if (names === this.names) {
        this.learn(page.entries);
      }
    } catch {
      // The rows stay without details; the state of the stream tells of a lost connection.
    }
    this.isFetching = false;
    this.fetchAfter = this.details.has(wanted) ? 0 : performance.now() + FETCH_PAUSE_MS;
    this.bump();
  }

  /** @param {(Entry | Folder)[]} entries */
  learn(entries) {
    for (const entry of entries) {
      const name = nameOf(entry);
      const known = this.details.get(name);
      const isOlder = known && "key" in known && "key" in entry && known.revision > entry.revision;
      if (!isOlder) {
        this.details.delete(name);
        this.details.set(name, entry);
      }
    }
    for (const name of this.details.keys()) {
      if (this.details.size <= MAX_DETAILS) {
        break;
      }
      this.details.delete(name);
    }
  }

  /**
   * Applies changes in their order.
   *
   * @param {import("../live/stream.js").Change[]} changes
   */
  apply(changes) {
    if (!this.isListed) {
      this.early.push(...changes.slice(0, MAX_EARLY - this.early.length));
      return;
    }
    /** @type {Map<string, boolean>} */
    const moves = new Map();
    const now = performance.now();
    for (const change of changes) {
      const { key, revision } = change;
      if (!key.startsWith(this.prefix) || (this.revision !== undefined && revision <= this.revision)) {
        continue;
      }
      const entry = entryOf(this.prefix, key);
      this.touched.delete(entry);
      this.touched.set(entry, now);
      if (entry !== key) {
        this.applyBelow(entry, change, moves);
      } else if (change.event === "put") {
        moves.set(key, true);
        this.learn([detailAfter(/** @type {Entry | undefined} */ (this.details.get(key)), change, this.values)]);
      } else {
        this.applyEnd(key, moves);
      }
    }
    if (!this.isComplete) {
      moves.forEach((isThere, name) => this.moved.set(name, isThere));
    }
    this.names.change(this.isComplete ? moves : this.within(moves));
    this.forgetTouched(now);
    this.bump();
  }

  /**
   * A change below a folder of this level. A deletion may have emptied it, which a count tells.
   *
   * @param {string} folder
   * @param {import("../live/stream.js").Change} change
   * @param {Map<string, boolean>} moves
   */
  applyBelow(folder, change, moves) {
    if (change.event === "put") {
      moves.set(folder, true);
    }
    this.stale.add(folder);
    if (!this.recount) {
      this.recount = setTimeout(() => this.countStale(), RECOUNT_MS);
    }
  }

  /**
   * The end of a key of this level.
   *
   * @param {string} key
   * @param {Map<string, boolean>} moves
   */
  applyEnd(key, moves) {
    const known = this.details.get(key);
    if (key === this.pinned && known && "key" in known) {
      this.details.set(key, { ...known, isGone: true });
      moves.delete(key);
      return;
    }
    moves.set(key, false);
    this.details.delete(key);
  }

  /**
   * While names are still being read, those behind the last one come with the listing.
   *
   * @param {Map<string, boolean>} moves
   */
  within(moves) {
    const last = this.names.at(this.names.length - 1) ?? "";
    return new Map([...moves].filter(([name]) => compareNames(name, last) <= 0));
  }

  async countStale() {
    this.recount = 0;
    const folders = [...this.stale].slice(0, 20);
    folders.forEach((folder) => this.stale.delete(folder));
    const counted = folders.map(async (folder) => {
      const { count, more } = await this.api.count(folder, { atMost: COUNTED, signal: this.abort.signal });
      if (count === 0) {
        this.names.change(new Map([[folder, false]]));
      }
      this.details.set(folder, { prefix: folder, count, more });
    });
    await Promise.allSettled(counted);
    this.bump();
    if (this.stale.size > 0 && !this.abort.signal.aborted) {
      this.recount = setTimeout(() => this.countStale(), RECOUNT_MS);
    }
  }

  /**
   * Keeps the row of a name although it is deleted, and lets the one that was kept go.
   *
   * @param {string} name
   */
  pin(name) {
    const before = this.details.get(this.pinned);
    if (before && "key" in before && before.isGone && name !== this.pinned) {
      this.names.change(new Map([[this.pinned, false]]));
      this.details.delete(this.pinned);
      this.bump();
    }
    this.pinned = name;
  }

  /** @param {number} now */
  forgetTouched(now) {
    for (const [name, then] of this.touched) {
      if (now - then < TOUCHED_MS) {
        break;
      }
      this.touched.delete(name);
    }
  }

  /** True if a name has changed a moment ago. @param {string} name */
  isTouched(name) {
    return performance.now() - (this.touched.get(name) ?? -TOUCHED_MS) < TOUCHED_MS;
  }

  /** @param {LevelState["kind"]} kind */
  enter(kind) {
    this.state.set({ kind });
    this.bump();
  }

  bump() {
    this.version.set(this.version.peek() + 1);
  }
}

/**
 * The name of an entry of a listing.
 *
 * @param {Entry | Folder} entry
 */
export function nameOf(entry) {
  return "prefix" in entry ? entry.prefix : entry.key;
}
