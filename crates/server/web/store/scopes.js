// What the scopes of a token allow. The server decides; the page explains, and offers only what can be done.

/**
 * @typedef {"read" | "create" | "modify"} Action
 * @typedef {{ action: Action, path: string }} Grant
 */

const WORDS = /^(storage\.read|storage\.stage|read|storage\.create|storage\.modify|write):(\/.*)$/;

/** @type {Record<string, Action>} */
const ACTIONS = {
  "storage.read": "read",
  "storage.stage": "read",
  read: "read",
  "storage.create": "create",
  "storage.modify": "modify",
  write: "modify",
};

/** Whether a word limits a token without allowing anything here. @param {string} word */
function isCapability(word) {
  return /^(storage|compute|prominence)\./.test(word);
}

/** The rights of a token. */
export class Rights {
  /** @param {string[]} words */
  constructor(words) {
    /** @type {Grant[]} */
    this.grants = words.flatMap((word) => {
      const [, name, path] = WORDS.exec(word) ?? [];
      return name ? [{ action: ACTIONS[name], path: decode(path) }] : [];
    });
    this.isLimited = this.grants.length > 0 || words.some(isCapability);
  }

  /**
   * True if the token may do this with a key, or with all keys below a folder.
   *
   * @param {Action} action
   * @param {string} path
   */
  may(action, path) {
    if (!this.isLimited) {
      return true;
    }
    const fits = (/** @type {Grant} */ grant) =>
      grant.action === action || (action === "create" && grant.action === "modify");
    return this.grants.some((grant) => fits(grant) && covers(grant.path, path));
  }

  /** The folders where a reader can begin. */
  roots() {
    if (!this.isLimited) {
      return ["/"];
    }
    const paths = this.grants.filter(({ action }) => action === "read").map(({ path }) => asFolder(path));
    return paths.filter((path, at) => paths.indexOf(path) === at);
  }

  /**
   * The widest folder around a place that the token may watch.
   *
   * @param {string} place
   */
  rootOf(place) {
    const around = this.roots().filter((root) => place.startsWith(root));
    return around.sort((left, right) => left.length - right.length)[0] ?? place;
  }

  /** The rights in words. */
  words() {
    if (!this.isLimited) {
      return "reads and changes everything of this user";
    }
    const of = (/** @type {Action} */ action) =>
      this.grants.filter((grant) => grant.action === action).map(({ path }) => path);
    const said = [
      ["reads", of("read")],
      ["creates in", of("create")],
      ["changes", of("modify")],
    ].flatMap(([verb, paths]) => (paths.length > 0 ? [`${verb} ${/** @type {string[]} */ (paths).join(", ")}`] : []));
    const canChange = this.grants.some(({ action }) => action !== "read");
    if (said.length === 0) {
      return "reads nothing here";
    }
    return canChange ? said.join("; ") : `${said.join("; ")}, changes nothing`;
  }
}

/**
 * A path covers itself and what is below it; one that ends in `/` only what is below.
 *
 * @param {string} granted
 * @param {string} path
 */
function covers(granted, path) {
  return path.startsWith(asFolder(granted)) || path === granted;
}

/** @param {string} path */
function asFolder(path) {
  return path.endsWith("/") ? path : `${path}/`;
}

/** @param {string} path */
function decode(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
