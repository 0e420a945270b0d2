// Who is signed in: the token, kept for this tab alone, and what it may do.

import { signal } from "../base/signal.js";
import { keep, recall } from "../base/storage.js";
import { Api } from "./api.js";
import { Rights } from "./scopes.js";

/** More than any token that a server accepts (32 KiB). */
const MAX_TOKEN = 65_536;

/** @typedef {import("./api.js").WhoAmI} WhoAmI */

/** The session of this tab. */
export class Session {
  /** @param {string} base the address of the interface */
  constructor(base) {
    this.base = base;
    this.place = `prominence ${new URL(base).pathname} token`;
    this.api = new Api(base);
    this.who = signal(/** @type {WhoAmI | null} */ (null));
    this.rights = new Rights([]);
    /** True while a token that was accepted is not any more. */
    this.isOver = signal(false);
    this.isKept = true;
  }

  /** Signs in with the token that this tab has kept, if there is one. */
  async resume() {
    const token = recall("sessionStorage", this.place);
    if (token) {
      await this.signIn(token, true);
    }
    return token !== null;
  }

  /**
   * Signs in; throws if the server does not accept the token. Answers whether this is the user of before.
   *
   * @param {string} text
   * @param {boolean} isKept whether the token outlives a reload
   */
  async signIn(text, isKept) {
    const token = text.trim();
    if (token.length > MAX_TOKEN || !/^[\x21-\x7e]+$/.test(token)) {
      throw new Error("This is not a token: a token has no spaces, no line breaks and at most 32 KiB.");
    }
    const api = new Api(this.base, token);
    const who = await api.whoami();
    const before = this.who.peek();
    const isSame = before?.user === who.user;
    api.signedOut = () => this.isOver.set(true);
    api.unknown = this.api.unknown;
    this.api = api;
    this.rights = new Rights(who.scopes);
    this.isKept = isKept;
    keep("sessionStorage", this.place, isKept ? token : null);
    this.isOver.set(false);
    this.who.set(who);
    return isSame;
  }

  /** Forgets the token. */
  signOut() {
    keep("sessionStorage", this.place, null);
    this.api = new Api(this.base);
    this.rights = new Rights([]);
    this.isOver.set(false);
    this.who.set(null);
  }
}
