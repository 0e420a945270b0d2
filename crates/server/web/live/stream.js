// A watch that is made again whenever it is lost, and goes on where it was.

import { ApiError } from "../store/answer.js";

/** The server sends a comment after 15 s without an event, so this silence is a lost connection. */
const SILENCE_MS = 40_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;

/**
 * @typedef {"connecting" | "live" | "lost" | "refused"} State
 * @typedef {{ event: "put" | "delete" | "expire", key: string, revision: number, time?: string, job?: string,
 *   size?: number, change?: string, created?: string, expires?: string, claimed_until?: string, claimed_by?: string,
 *   claims?: number, value?: string, value_base64?: string }} Change
 * @typedef {{ prefix: string, values: boolean }} Cover
 */

/** A stream of changes. */
export class Stream {
  /**
   * @param {import("../store/api.js").Api} api
   * @param {(message: import("./hub.js").FromHub) => void} tell
   */
  constructor(api, tell) {
    this.api = api;
    this.tell = tell;
    /** @type {State} */
    this.state = "connecting";
    /** The revision up to which everything has been told; unknown before the first answer. @type {number | undefined} */
    this.revision = undefined;
    /** The event to go on after. */
    this.last = "";
    /** @type {Cover | undefined} */
    this.covered = undefined;
    this.failures = 0;
    this.abort = new AbortController();
    /** @type {(() => void) | undefined} */
    this.wake = undefined;
  }

  /**
   * Has the stream report at least this. A stream that is wider than needed goes on as it is.
   *
   * @param {Cover} wanted
   */
  cover(wanted) {
    const { covered } = this;
    if (covered && wanted.prefix.startsWith(covered.prefix) && (covered.values || !wanted.values)) {
      return;
    }
    const isRunning = covered !== undefined;
    this.covered = wanted;
    if (isRunning) {
      this.abort.abort();
    } else {
      this.run();
    }
  }

  end() {
    this.covered = undefined;
    this.abort.abort();
    this.wake?.();
  }

  /** Ends a pause between two tries. */
  retryNow() {
    this.wake?.();
  }

  async run() {
    while (this.covered) {
      this.abort = new AbortController();
      const { covered } = this;
      let pause = 0;
      try {
        await this.read(covered);
        pause = this.pause();
      } catch (error) {
        const isWidened = this.abort.signal.aborted && this.covered !== covered;
        pause = isWidened ? 0 : this.handle(error);
      }
      if (pause > 0 && this.covered) {
        await this.sleep(pause);
      }
    }
  }

  /**
   * Reads until the connection is lost. Silence aborts the request.
   *
   * @param {Cover} covered
   */
  async read({ prefix, values }) {
    const { abort } = this;
    let silence = setTimeout(() => abort.abort(), SILENCE_MS);
    try {
      const since = this.last || undefined;
      for await (const events of this.api.watch(prefix, { since, values, signal: abort.signal })) {
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE_MS);
        this.failures = 0;
        this.hear(events);
        this.enter("live");
      }
    } finally {
      clearTimeout(silence);
    }
  }

  /** @param {import("../store/lines.js").ServerEvent[]} events */
  hear(events) {
    /** @type {Change[]} */
    const changes = [];
    for (const { id, event, data } of events) {
      const isFirst = this.revision === undefined;
      this.last = id || this.last;
      if (event === "reset") {
        this.begin(JSON.parse(data).revision);
        changes.length = 0;
      } else if (data) {
        changes.push({ event, ...JSON.parse(data) });
      }
      if (id) {
        this.revision = Number.parseInt(id, 10);
        if (isFirst && !data) {
          this.tell({ type: "ready", revision: this.revision });
        }
      }
    }
    if (changes.length > 0) {
      this.tell({ type: "changes", changes });
    }
  }

  /**
   * Has all tabs list again. They are told from which revision on the changes follow, once that is known.
   *
   * @param {number} [revision]
   */
  begin(revision) {
    this.revision = revision;
    this.tell({ type: "reset" });
    if (revision !== undefined) {
      this.tell({ type: "ready", revision });
    }
  }

  /**
   * The pause after a failure.
   *
   * @param {unknown} error
   */
  handle(error) {
    if (error instanceof ApiError && (error.status === 410 || (error.status === 400 && this.last))) {
      // The changes are not kept any more, or this is another store, in which that revision has not happened yet.
      this.last = "";
      this.begin(undefined);
      return 0;
    }
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      this.enter("refused");
      this.covered = undefined;
      return 0;
    }
    const after = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
    return Math.max(this.pause(), after);
  }

  /** The pause before the next try: twice as long after each failure, and not the same for all clients. */
  pause() {
    this.enter("lost");
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** this.failures, LONGEST_PAUSE_MS);
    this.failures += 1;
    return longest * (0.5 + Math.random() / 2);
  }

  /** @param {number} milliseconds */
  sleep(milliseconds) {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** @param {State} state */
  enter(state) {
    if (state !== this.state) {
      this.state = state;
      this.tell({ type: "state", state });
    }
  }
}
