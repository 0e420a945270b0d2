// The page: who is signed in, which place is shown, and the parts that show it.

import { openDialog } from "./base/dialog.js";
import { fill, h } from "./base/html.js";
import { folderOf } from "./base/path.js";
import { formatPlace, parsePlace } from "./base/route.js";
import { effect, signal } from "./base/signal.js";
import { plainly } from "./base/visible.js";
import { columns } from "./keys/columns.js";
import { KeysView } from "./keys/keys.js";
import { aboutFailure } from "./keys/states.js";
import { Live } from "./live/live.js";
import { Header } from "./frame/header.js";
import { listen } from "./frame/keyboard.js";
import { signInForm, signInPage } from "./frame/sign-in.js";
import { theme, useTheme } from "./frame/theme.js";
import { ApiError } from "./store/answer.js";
import { Api } from "./store/api.js";
import { Session } from "./store/session.js";

/** Changes are announced to screen readers at most this often. */
const ANNOUNCE_MS = 10_000;

/**
 * @typedef {import("./base/route.js").Place} Place
 * @typedef {import("./live/stream.js").Change} Change
 * @typedef {{ element: HTMLElement, wantsValues?: boolean, show: (place: Place) => void, changes: (changes: Change[]) => void,
 *   ready?: (revision: number) => void, reset: () => void, close: () => void }} View
 */

/** The page as its parts see it. */
export class App {
  constructor() {
    this.here = new URL(".", location.href).href;
    this.session = new Session(new URL("prominence/v1/", this.here).href);
    /** @type {any} */
    this.about = { sign_in: [{ kind: "token" }] };
    this.limits = { value_bytes: 16_384 };
    this.place = signal(parsePlace(location.hash));
    /** @type {Set<(changes: Change[]) => void>} */
    this.watchers = new Set();
    this.said = h("p.said", { role: "status", "aria-live": "polite" });
    this.news = 0;
    this.live = new Live({
      ready: (revision) => this.view?.ready?.(revision),
      changes: (changes) => this.changes(changes),
      reset: () => this.parts.forEach((part) => part.reset()),
      signedOut: () => this.leave(),
    });
    /** @type {View | undefined} */
    this.view = undefined;
    /** @type {import("./value/panel.js").ValuePanel | undefined} */
    this.panel = undefined;
    /** @type {Header | undefined} */
    this.header = undefined;
    this.stage = h("div.stage");
    /** The view whose part is in the page, or is being loaded. @type {Place["view"] | undefined} */
    this.shownView = undefined;
    /** @type {(() => void)[]} */
    this.ends = [];
    setInterval(() => this.announce(), ANNOUNCE_MS);
  }

  /** The parts that show the place. @returns {View[]} */
  get parts() {
    return [this.view, this.panel].filter((part) => part !== undefined);
  }

  async start() {
    useTheme(theme());
    const { answer, once } = /** @type {any} */ (globalThis).prominenceArrival ?? { answer: "", once: "" };
    const learned = this.learn();
    /** @type {Error | undefined} */
    let problem;
    try {
      await this.arrive(answer, once);
      await this.session.resume();
    } catch (error) {
      problem = /** @type {Error} */ (error);
    }
    await learned;
    addEventListener("hashchange", () => this.place.set(parsePlace(location.hash)));
    effect(() => {
      if (this.session.isOver.get()) {
        this.askAgain();
      }
    });
    listen(this);
    if (this.session.who.peek()) {
      this.enter();
    } else if (problem instanceof ApiError && (problem.status === 0 || problem.status >= 500)) {
      // The token that was kept may be good; only nobody could say so.
      fill(document.body, h("main.sign-in", aboutFailure(this, problem, () => location.reload())));
    } else {
      this.leave(problem?.message);
    }
  }

  /** Asks what the server says about itself. */
  async learn() {
    try {
      this.about = await new Api(this.session.base).about();
      this.limits = this.about.limits;
    } catch {
      // An earlier server tells nothing; a token can be pasted all the same.
    }
  }

  /**
   * Ends a sign-in that another page began: at a provider, or by the server that printed the address of this page.
   *
   * @param {string} answer
   * @param {string} once
   */
  async arrive(answer, once) {
    const api = new Api(this.session.base);
    if (once) {
      const { access_token: token } = await api.redeem(once);
      await this.session.signIn(token, true);
    }
    const login = answer && (await import("./frame/oidc.js")).finish(answer);
    if (login) {
      const { access_token: token } = await api.exchange(login.exchange);
      await this.session.signIn(token, true);
      history.replaceState(null, "", location.pathname + login.fragment);
      this.place.set(parsePlace(location.hash));
    }
  }

  /** Shows the store of the user who is signed in. */
  enter() {
    const rights = this.session.rights;
    const roots = rights.roots();
    const isBare = location.hash.length <= 2;
    if (isBare && roots.length > 0 && roots[0] !== "/") {
      history.replaceState(null, "", this.link({ folder: roots[0], key: "", view: "keys", options: {} }));
    }
    this.place.set(parsePlace(location.hash));
    this.header = new Header(this);
    this.stage = h("div.stage");
    fill(document.body, h("div.page", this.header.element, h("main", this.stage), this.said));
    this.ends = [
      effect(() => {
        this.showPlace(this.place.get());
      }),
      // A stream that is refused may have lost its token.
      effect(() => {
        if (this.live.state.get() === "refused") {
          this.session.api.whoami().catch(() => {});
        }
      }),
    ];
  }

  /** Shows the page of somebody who is not signed in; nothing of the last user stays. @param {string} [error] */
  leave(error) {
    this.closeAll();
    this.session.signOut();
    document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
    import("./change/draft.js").then(({ forgetDrafts }) => forgetDrafts());
    document.title = "PROMINENCE key-value store";
    fill(document.body, signInPage(this, { error, done: () => this.enter() }), this.said);
  }

  signOut() {
    this.live.signOut();
    this.leave();
  }

  closeAll() {
    this.ends.forEach((end) => end());
    this.ends = [];
    this.header?.close();
    this.parts.forEach((part) => part.close());
    this.view = undefined;
    this.panel = undefined;
    this.shownView = undefined;
    this.live.leave();
  }

  /** Asks for a token over the page; the same user goes on where he was. */
  askAgain() {
    if (document.querySelector("dialog.sign-in")) {
      return;
    }
    const again = () => this.session.isOver.peek() && this.askAgain();
    const opened = openDialog("Your token has ended", { class: "sign-in", body: [], isStuck: true, closed: again });
    const done = (/** @type {boolean} */ isSame) => {
      opened.close();
      if (isSame) {
        this.follow();
        this.parts.forEach((part) => part.reset());
      } else {
        this.restart();
      }
    };
    const form = signInForm(this, { done });
    opened.show([h("p", "Sign in again; what you typed is kept."), form], [{ label: "Sign out", run: () => this.signOut() }]);
  }

  /** Another user has signed in: the page begins again, without anything of the one before. */
  async restart() {
    const { forgetDrafts } = await import("./change/draft.js");
    forgetDrafts();
    history.replaceState(null, "", location.pathname);
    if (this.session.isKept) {
      location.reload();
      return;
    }
    document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
    this.closeAll();
    this.enter();
  }

  /** @param {Place} place */
  async showPlace(place) {
    if (this.shownView !== place.view) {
      this.shownView = place.view;
      this.view?.close();
      this.view = undefined;
      const view = await this.make(place.view);
      if (this.shownView !== place.view) {
        view.close();
        return;
      }
      this.view = view;
    }
    if (place.key && !this.panel) {
      const { ValuePanel } = await import("./value/panel.js");
      this.panel ??= new ValuePanel(this);
    }
    const current = this.place.peek();
    const elements = this.parts.map((part) => part.element);
    // An element that is put into the page again loses its focus and its scroll place.
    if (!elements.every((element, at) => this.stage.children[at] === element)) {
      fill(this.stage, elements);
    }
    this.stage.classList.toggle("open", current.key !== "");
    this.follow();
    this.parts.forEach((part) => part.show(current));
  }

  /**
   * @param {Place["view"]} view
   * @returns {Promise<View>}
   */
  async make(view) {
    if (view === "plot") {
      const { PlotView } = await import("./plot/view.js");
      return new PlotView(this);
    }
    if (view === "queue") {
      const { QueueView } = await import("./queue/view.js");
      return new QueueView(this);
    }
    return new KeysView(this);
  }

  /** Follows the changes of the folder that is shown. */
  follow() {
    const { base, api, rights } = this.session;
    const { folder, view } = this.place.peek();
    const values = view === "plot" || (view === "keys" && columns.peek().includes("value"));
    const root = folder.includes("/_internal_/") ? folder : rights.rootOf(folder);
    const follow = { base, token: api.token ?? "", root, prefix: folder, values };
    const { followed } = this.live;
    const isSame = followed && Object.entries(follow).every(([name, value]) => /** @type {any} */ (followed)[name] === value);
    if (!isSame) {
      this.live.follow(follow);
    }
  }

  /** @param {Change[]} changes */
  changes(changes) {
    this.news += changes.length;
    this.parts.forEach((part) => part.changes(changes));
    this.watchers.forEach((watcher) => watcher(changes));
  }

  /**
   * Has a dialog told of changes; answers a function that ends this.
   *
   * @param {(changes: Change[]) => void} watcher
   */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  announce() {
    if (this.news > 0) {
      this.say(`${this.news} changes`);
      this.news = 0;
    }
  }

  /** Says something to people who don't see the page. @param {string} text */
  say(text) {
    fill(this.said, plainly(text));
  }

  /** The address of a place. @param {Place} place */
  link(place) {
    return formatPlace(place);
  }

  /**
   * Goes to a place.
   *
   * @param {Place} place
   * @param {{ replace?: boolean }} [options]
   */
  go(place, { replace = false } = {}) {
    const address = this.link(place);
    if (address !== location.hash) {
      history[replace ? "replaceState" : "pushState"](null, "", address);
    }
    this.place.set(place);
  }

  /** @param {string} key */
  openKey(key) {
    const { view } = this.place.peek();
    this.go({ folder: folderOf(key), key, view, options: {} });
  }

  up() {
    const place = this.place.peek();
    this.go({ ...place, folder: folderOf(place.folder), key: "", options: {} });
  }

  closeKey() {
    const place = this.place.peek();
    if (place.key) {
      this.go({ ...place, key: "" });
    }
  }

  /** Shows a view, or the keys again. @param {Place["view"]} view */
  switchView(view) {
    const place = this.place.peek();
    this.go({ ...place, view: place.view === view ? "keys" : view, options: {} });
  }
}

new App().start();
