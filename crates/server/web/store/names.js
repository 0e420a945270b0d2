// The names of a level, sorted as the server sorts them.

import { compareNames, placeOf } from "../base/order.js";

/** Up to so many changes are made one by one; more are merged in one pass over the list. */
const FEW = 16;

/** A sorted list of names, without repetitions. */
export class Names {
  constructor() {
    /** @type {string[]} */
    this.list = [];
  }

  get length() {
    return this.list.length;
  }

  /** @param {number} index */
  at(index) {
    return this.list[index];
  }

  /**
   * The place of a name, or -1.
   *
   * @param {string} name
   */
  indexOf(name) {
    const place = placeOf(this.list, name);
    return this.list[place] === name ? place : -1;
  }

  /** @param {string} name */
  has(name) {
    return this.indexOf(name) >= 0;
  }

  /**
   * Adds sorted names; those that come after all others, as a listing sends them, are appended.
   *
   * @param {string[]} names
   */
  append(names) {
    if (names.length === 0) {
      return;
    }
    const last = this.list[this.list.length - 1];
    if (last === undefined || compareNames(last, names[0]) < 0) {
      for (const name of names) {
        this.list.push(name);
      }
      return;
    }
    this.change(new Map(names.map((name) => [name, true])));
  }

  /**
   * Adds the names that are mapped to true, and removes those that are mapped to false.
   *
   * @param {Map<string, boolean>} changes
   */
  change(changes) {
    if (changes.size <= FEW) {
      changes.forEach((isThere, name) => this.changeOne(name, isThere));
      return;
    }
    const sorted = [...changes].sort(([left], [right]) => compareNames(left, right));
    /** @type {string[]} */
    const merged = [];
    let from = 0;
    for (const [name, isThere] of sorted) {
      const place = placeOf(this.list, name, from);
      for (let at = from; at < place; at += 1) {
        merged.push(this.list[at]);
      }
      from = this.list[place] === name ? place + 1 : place;
      if (isThere) {
        merged.push(name);
      }
    }
    for (let at = from; at < this.list.length; at += 1) {
      merged.push(this.list[at]);
    }
    this.list = merged;
  }

  /**
   * @param {string} name
   * @param {boolean} isThere
   */
  changeOne(name, isThere) {
    const place = placeOf(this.list, name);
    const wasThere = this.list[place] === name;
    if (isThere && !wasThere) {
      this.list.splice(place, 0, name);
    } else if (!isThere && wasThere) {
      this.list.splice(place, 1);
    }
  }
}
