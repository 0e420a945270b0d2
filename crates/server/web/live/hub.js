// One stream of changes for all tabs of a browser and a token. The hub runs in a shared worker, or in the page itself
// where there are no shared workers.
//
// A tab follows a prefix. Tabs with the same server, token and root share a stream of the longest prefix that all of
// theirs begin with. The root keeps it within the scopes of the token.

import { Api } from "../store/api.js";
import { Stream } from "./stream.js";

/** A tab that has told nothing for so long is gone. Browsers let hidden tabs act once a minute. */
const TAB_IS_GONE_MS = 180_000;

/**
 * @typedef {{ base: string, token: string, root: string, prefix: string, values: boolean }} Follow
 * @typedef {{ type: "follow" } & Follow | { type: "ping" } | { type: "wake" } | { type: "bye" } | { type: "sign out" }}
 *   ToHub
 * @typedef {{ type: "ready", revision: number }
 *   | { type: "changes", changes: import("./stream.js").Change[] }
 *   | { type: "reset" }
 *   | { type: "state", state: import("./stream.js").State }
 *   | { type: "signed out" }} FromHub
 */

/** A tab. */
class Tab {
  /** @param {MessagePort} port */
  constructor(port) {
    this.port = port;
    /** @type {Follow | undefined} */
    this.follow = undefined;
    this.seen = Date.now();
  }

  /** @param {FromHub} message */
  tell(message) {
    this.port.postMessage(message);
  }
}

/** The hub. */
export class Hub {
  constructor() {
    /** @type {Set<Tab>} */
    this.tabs = new Set();
    /** Streams by server, token and root. @type {Map<string, Stream>} */
    this.streams = new Map();
    this.timer = setInterval(() => this.forgetTabs(), TAB_IS_GONE_MS / 3);
  }

  end() {
    clearInterval(this.timer);
    this.tabs.forEach((tab) => {
      this.leave(tab);
      tab.port.close();
    });
    this.tabs.clear();
  }

  /** @param {MessagePort} port */
  connect(port) {
    const tab = new Tab(port);
    this.tabs.add(tab);
    port.onmessage = ({ data }) => this.hear(tab, data);
    port.start();
  }

  /**
   * @param {Tab} tab
   * @param {ToHub} message
   */
  hear(tab, message) {
    tab.seen = Date.now();
    this.tabs.add(tab);
    if (message.type === "follow") {
      this.leave(tab);
      tab.follow = message;
      this.settle(tab.follow, tab);
    } else if (message.type === "wake") {
      this.streamOf(tab)?.retryNow();
    } else if (message.type === "bye") {
      this.leave(tab);
    } else if (message.type === "sign out" && tab.follow) {
      const { base, token } = tab.follow;
      const others = [...this.tabs].filter(({ follow }) => follow?.base === base && follow.token === token);
      for (const other of others) {
        this.leave(other);
        other.tell({ type: "signed out" });
      }
    }
  }

  /** @param {Tab} tab */
  leave(tab) {
    const { follow } = tab;
    tab.follow = undefined;
    if (follow) {
      this.settle(follow);
    }
  }

  forgetTabs() {
    const gone = [...this.tabs].filter((tab) => Date.now() - tab.seen > TAB_IS_GONE_MS);
    for (const tab of gone) {
      this.leave(tab);
      this.tabs.delete(tab);
    }
  }

  /** @param {Tab} tab */
  streamOf(tab) {
    return tab.follow && this.streams.get(nameOf(tab.follow));
  }

  /**
   * Fits the stream to the tabs that share it: widens it, or ends it with the last of them. A tab that is new learns
   * from which revision on it is told everything.
   *
   * @param {Follow} follow
   * @param {Tab} [fresh]
   */
  settle(follow, fresh) {
    const name = nameOf(follow);
    const sharing = [...this.tabs].filter((tab) => tab.follow && nameOf(tab.follow) === name);
    let stream = this.streams.get(name);
    if (sharing.length === 0) {
      stream?.end();
      this.streams.delete(name);
      return;
    }
    const follows = sharing.flatMap((tab) => tab.follow ?? []);
    const wanted = {
      prefix: follows.map(({ prefix }) => prefix).reduce(sharedStart),
      values: follows.some(({ values }) => values),
    };
    if (!stream) {
      stream = new Stream(new Api(follow.base, follow.token), (message) => this.spread(name, message));
      this.streams.set(name, stream);
    }
    stream.cover(wanted);
    if (fresh) {
      fresh.tell({ type: "state", state: stream.state });
      if (stream.revision !== undefined) {
        fresh.tell({ type: "ready", revision: stream.revision });
      }
    }
  }

  /**
   * Tells the tabs of a stream; of changes each only those below its prefix.
   *
   * @param {string} name
   * @param {FromHub} message
   */
  spread(name, message) {
    for (const tab of this.tabs) {
      const { follow } = tab;
      if (!follow || nameOf(follow) !== name) {
        continue;
      }
      if (message.type !== "changes") {
        tab.tell(message);
        continue;
      }
      const changes = message.changes.filter(({ key }) => key.startsWith(follow.prefix));
      if (changes.length > 0) {
        tab.tell({ type: "changes", changes });
      }
    }
  }
}

/** @param {Follow} follow */
function nameOf({ base, token, root }) {
  return JSON.stringify([base, token, root]);
}

/**
 * The longest text that both begin with, not ended between the halves of a character.
 *
 * @param {string} left
 * @param {string} right
 */
function sharedStart(left, right) {
  let end = 0;
  while (end < left.length && left[end] === right[end]) {
    end += 1;
  }
  const start = left.slice(0, end);
  return start.isWellFormed() ? start : start.slice(0, -1);
}
