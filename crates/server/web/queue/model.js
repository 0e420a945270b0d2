// A folder as a queue: what waits, what is claimed, what came back, and what was done since it was opened.

import { detailAfter } from "../store/detail.js";

/** The last ten minutes, in steps. */
export const STEP_MS = 10_000;
export const STEPS = 60;
/** The rate is that of so many steps. */
const RATE_STEPS = 12;

/**
 * @typedef {import("../store/level.js").Entry & { since?: number, renewals?: number }} Work
 * @typedef {{ waiting: number, claimed: Work[], ranOut: Work[], done: number, perMinute: number, leftMs?: number }} Totals
 */

/** The queue. */
export class Queue {
  /** @param {number} now the server's time */
  constructor(now) {
    this.opened = now;
    /** Keys that were never claimed since they were set. @type {Set<string>} */
    this.fresh = new Set();
    /** Keys that are claimed, or were. @type {Map<string, Work>} */
    this.claimed = new Map();
    this.done = 0;
    /** Deletions by step of time. @type {Map<number, number>} */
    this.steps = new Map();
  }

  /** @param {import("../store/level.js").Entry} entry of a listing */
  add(entry) {
    if (entry.claimed_until || entry.claims) {
      this.claimed.set(entry.key, entry);
    } else {
      this.fresh.add(entry.key);
    }
  }

  /**
   * @param {import("../live/stream.js").Change} change
   * @param {number} now
   */
  apply(change, now) {
    const { key, event } = change;
    const before = this.claimed.get(key);
    if (event === "put") {
      this.fresh.delete(key);
      this.claimed.delete(key);
      this.add(workAfter(before, change));
      return;
    }
    if (this.fresh.delete(key) || this.claimed.delete(key)) {
      this.done += event === "delete" ? 1 : 0;
      const step = Math.floor(now / STEP_MS);
      this.steps.set(step, (this.steps.get(step) ?? 0) + 1);
      this.forget(step);
    }
  }

  /** @param {number} step */
  forget(step) {
    for (const one of this.steps.keys()) {
      if (one <= step - STEPS) {
        this.steps.delete(one);
      }
    }
  }

  /**
   * @param {number} now
   * @returns {Totals}
   */
  totals(now) {
    const all = [...this.claimed.values()];
    const end = (/** @type {Work} */ work) => Date.parse(work.claimed_until ?? "");
    const claimed = all.filter((work) => end(work) > now).sort((left, right) => end(left) - end(right));
    const ranOut = all.filter((work) => end(work) <= now);
    const released = all.length - claimed.length - ranOut.length;
    const waiting = this.fresh.size + released;
    const perMinute = this.rate(now);
    const left = waiting + claimed.length + ranOut.length;
    const leftMs = perMinute > 0 ? (left / perMinute) * 60_000 : undefined;
    return { waiting, claimed, ranOut, done: this.done, perMinute, leftMs };
  }

  /** Deletions a minute, over the last two minutes or since the queue was opened. @param {number} now */
  rate(now) {
    const last = Math.floor(now / STEP_MS);
    const seen = [...this.steps].filter(([step]) => step > last - RATE_STEPS);
    const count = seen.reduce((sum, [, number]) => sum + number, 0);
    const span = Math.min(now - this.opened, RATE_STEPS * STEP_MS);
    return span < STEP_MS ? 0 : (count / span) * 60_000;
  }

  /** Deletions by step, the latest last. @param {number} now */
  history(now) {
    const last = Math.floor(now / STEP_MS);
    return Array.from({ length: STEPS }, (_, at) => this.steps.get(last - STEPS + 1 + at) ?? 0);
  }
}

/**
 * @param {Work | undefined} before
 * @param {import("../live/stream.js").Change} change
 * @returns {Work}
 */
function workAfter(before, change) {
  const isClaim = change.change === "claim";
  const isRenewal = change.change === "renew";
  return {
    ...detailAfter(before, change),
    since: isClaim ? Date.parse(change.time ?? "") : isRenewal ? before?.since : undefined,
    renewals: isRenewal ? (before?.renewals ?? 0) + 1 : 0,
  };
}
