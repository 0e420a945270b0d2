// The page's end of the stream of changes: follows one prefix, and hands out what has changed once a frame.

import { signal } from "../base/signal.js";
import { Hub } from "./hub.js";

/** A hidden tab keeps so many changes; if there are more, it forgets them and lists again when it is seen. */
const MAX_PENDING = 10_000;
const PING_MS = 60_000;
const SETTLED_MS = 1_500;

/** @typedef {import("./stream.js").Change} Change */
/**
 * @typedef {{ ready: (revision: number) => void, changes: (changes: Change[]) => void, reset: () => void,
 *   signedOut: () => void }} Listener
 */

/** A follower of changes. */
export class Live {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    this.state = signal(/** @type {import("./stream.js").State} */ ("connecting"));
    this.rate = signal(0);
    this.isPaused = signal(false);
    this.waiting = signal(0);
    /** @type {Change[]} */
    this.pending = [];
    this.hasForgotten = false;
    this.frame = 0;
    /** True once the stream reports the changes of what is followed. */
    this.isReady = false;
    /** @type {Set<() => void>} */
    this.waiters = new Set();
    /** Changes of the last seconds, newest last. @type {number[]} */
    this.seconds = [0, 0, 0];
    this.port = connect(() => this.connectHere());
    this.port.onmessage = ({ data }) => this.hear(data);
    setInterval(() => this.port.postMessage({ type: "ping" }), PING_MS);
    setInterval(() => this.tick(), 1000);
    addEventListener("online", () => this.port.postMessage({ type: "wake" }));
    addEventListener("pageshow", (event) => event.persisted && this.restart());
    addEventListener("pagehide", () => this.port.postMessage({ type: "bye" }));
    document.addEventListener("visibilitychange", () => this.seen());
  }

  /** Uses a hub in this page, because the shared worker did not start. */
  connectHere() {
    this.port = hubOfPage();
    this.port.onmessage = ({ data }) => this.hear(data);
    if (this.followed) {
      this.port.postMessage({ type: "follow", ...this.followed });
    }
  }

  /** @param {import("./hub.js").Follow} follow */
  follow(follow) {
    this.followed = follow;
    this.isReady = false;
    this.drop();
    this.port.postMessage({ type: "follow", ...follow });
  }

  /**
   * Comes when the stream reports changes, so that a listing from then on misses none; at the latest after a time, for
   * a stream that does not come.
   */
  settled() {
    if (this.isReady) {
      return Promise.resolve();
    }
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      this.waiters.add(resolve);
      setTimeout(resolve, SETTLED_MS);
    });
  }

  /** The page comes back from the browser's cache of pages: its stream was given up. */
  restart() {
    if (this.followed) {
      this.follow(this.followed);
      this.listener.reset();
    }
  }

  signOut() {
    this.drop();
    this.port.postMessage({ type: "sign out" });
    this.followed = undefined;
  }

  leave() {
    this.drop();
    this.port.postMessage({ type: "bye" });
    this.followed = undefined;
  }

  drop() {
    this.pending = [];
    this.hasForgotten = false;
    this.waiting.set(0);
  }

  /** @param {import("./hub.js").FromHub} message */
  hear(message) {
    if (message.type === "changes") {
      this.keep(message.changes);
    } else if (message.type === "ready") {
      this.isReady = true;
      this.waiters.forEach((resolve) => resolve());
      this.waiters.clear();
      this.listener.ready(message.revision);
    } else if (message.type === "reset") {
      this.drop();
      this.listener.reset();
    } else if (message.type === "signed out") {
      this.followed = undefined;
      this.listener.signedOut();
    } else {
      this.state.set(message.state);
    }
  }

  /** @param {Change[]} changes */
  keep(changes) {
    this.seconds[this.seconds.length - 1] += changes.length;
    if (this.hasForgotten) {
      return;
    }
    this.pending.push(...changes);
    const isHeld = document.hidden || this.isPaused.peek();
    if (isHeld && this.pending.length > MAX_PENDING) {
      this.pending = [];
      this.hasForgotten = true;
    }
    this.waiting.set(this.pending.length);
    if (!isHeld && this.frame === 0) {
      this.frame = requestAnimationFrame(() => this.flush());
    }
  }

  flush() {
    this.frame = 0;
    if (this.isPaused.peek()) {
      return;
    }
    const { pending } = this;
    this.pending = [];
    this.waiting.set(0);
    if (pending.length > 0) {
      this.listener.changes(pending);
    }
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.isPaused.set(isPaused);
    this.catchUp();
  }

  seen() {
    if (!document.hidden) {
      this.port.postMessage({ type: "wake" });
      this.catchUp();
    }
  }

  catchUp() {
    if (document.hidden || this.isPaused.peek()) {
      return;
    }
    if (this.hasForgotten) {
      this.drop();
      this.listener.reset();
    } else {
      this.flush();
    }
  }

  tick() {
    const sum = this.seconds.reduce((left, right) => left + right);
    this.rate.set(sum / this.seconds.length);
    this.seconds = [...this.seconds.slice(1), 0];
  }
}

/**
 * A port to the hub of the shared worker, or of this page where there are no shared workers.
 *
 * @param {() => void} failed
 * @returns {MessagePort}
 */
function connect(failed) {
  if (typeof SharedWorker !== "function") {
    return hubOfPage();
  }
  const worker = startWorker(new URL("./worker.js", import.meta.url));
  worker.onerror = failed;
  return worker.port;
}

function hubOfPage() {
  const { port1, port2 } = new MessageChannel();
  new Hub().connect(port2);
  return port1;
}

/**
 * Starts the worker of this page's own origin. The policy of the page takes the address of a worker from the
 * Trusted Types policy `live` alone.
 *
 * @param {URL} address
 */
function startWorker(address) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  const policy = types?.createPolicy("live", {
    createScriptURL: (/** @type {string} */ text) => {
      if (new URL(text).origin !== location.origin) {
        throw new TypeError("not a worker of this page");
      }
      return text;
    },
  });
  const text = policy ? policy.createScriptURL(address.href) : address;
  return new SharedWorker(text, { type: "module", name: "prominence live" });
}
