// The versions of values that were seen since the page was opened. The server keeps none.

const MAX_A_KEY = 20;
const MAX_BYTES = 1 << 20;

/** @typedef {{ revision: number, bytes: Uint8Array<ArrayBuffer>, modified: string, job?: string }} Version */

/** The versions by key, the newest last. */
export class Versions {
  constructor() {
    /** @type {Map<string, Version[]>} */
    this.all = new Map();
    this.bytes = 0;
  }

  /** @param {string} key */
  of(key) {
    return this.all.get(key) ?? [];
  }

  /**
   * Notes a version. A claim makes a new revision of the same value, which is no new version.
   *
   * @param {import("../store/api.js").Read} read
   */
  note({ bytes, detail }) {
    const { key, revision, modified, job } = detail;
    const versions = this.of(key);
    const last = versions[versions.length - 1];
    if (last && (last.revision >= revision || (last.modified === modified && isSame(last.bytes, bytes)))) {
      return;
    }
    // The key moves to the end, so that the one that was not looked at for longest is forgotten first.
    this.all.delete(key);
    this.all.set(key, [...versions, { revision, bytes, modified, job }]);
    this.bytes += bytes.length;
    if (versions.length >= MAX_A_KEY) {
      this.forgetFirst(key);
    }
    while (this.bytes > MAX_BYTES) {
      const [oldest] = this.all.keys();
      this.forgetFirst(oldest);
    }
  }

  /** @param {string} key */
  forgetFirst(key) {
    const [first, ...others] = this.of(key);
    this.bytes -= first.bytes.length;
    if (others.length > 0) {
      this.all.set(key, others);
    } else {
      this.all.delete(key);
    }
  }
}

/**
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 */
export function isSame(left, right) {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}
