// Changes that arrive while a listing is read: they may be newer than what the listing says.

/** The latest revision of each key that has changed. */
export class Recent {
  constructor() {
    /** @type {Map<string, number>} */
    this.revisions = new Map();
    this.isOn = true;
  }

  /** @param {{ key: string, revision: number }} change */
  note({ key, revision }) {
    if (this.isOn) {
      this.revisions.set(key, revision);
    }
  }

  /**
   * True if a change has already said more of an entry than its listing does.
   *
   * @param {{ key: string, revision: number }} entry
   */
  isNewer({ key, revision }) {
    return (this.revisions.get(key) ?? -1) > revision;
  }

  /** The listing is read; from now on changes come in order. */
  end() {
    this.isOn = false;
    this.revisions.clear();
  }
}
