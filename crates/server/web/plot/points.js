// The entries of a plot: a column of numbers for each field, and the place of each name in them.

import { fieldsOf, numbersOf } from "./fields.js";

/** So many entries tell which fields there are. */
const SAMPLE = 200;
const FIRST_ROOM = 1024;

/** The points. */
export class Points {
  constructor() {
    /** @type {string[]} */
    this.names = [];
    /** @type {Map<string, number>} */
    this.places = new Map();
    /** @type {Map<string, Float64Array<ArrayBuffer>>} */
    this.columns = new Map();
    /** @type {string[]} */
    this.fields = [];
    this.room = FIRST_ROOM;
    /** Places of entries that were deleted. @type {number[]} */
    this.free = [];
    /** The numbers of the first entries, by their places. @type {Map<number, Map<string, number>>} */
    this.sample = new Map();
  }

  /** The number of entries. */
  get size() {
    return this.places.size;
  }

  /** Places in use, those of deleted entries included; the latter have no numbers. */
  get length() {
    return this.names.length;
  }

  /**
   * Adds an entry, or replaces what it had.
   *
   * @param {import("./fields.js").Entry} entry
   */
  set(entry) {
    const numbers = numbersOf(entry);
    const place = this.placeOf(entry.name);
    if (this.sample.size < SAMPLE || this.sample.has(place)) {
      this.sample.set(place, numbers);
      this.addFields(fieldsOf([...this.sample.values()]));
    }
    for (const [field, column] of this.columns) {
      column[place] = numbers.get(field) ?? NaN;
    }
  }

  /** @param {string} name */
  remove(name) {
    const place = this.places.get(name);
    if (place === undefined) {
      return;
    }
    this.places.delete(name);
    this.names[place] = "";
    this.free.push(place);
    this.sample.delete(place);
    for (const column of this.columns.values()) {
      column[place] = NaN;
    }
  }

  /** @param {string} name */
  placeOf(name) {
    const known = this.places.get(name);
    if (known !== undefined) {
      return known;
    }
    const place = this.free.pop() ?? this.names.length;
    this.names[place] = name;
    this.places.set(name, place);
    if (place >= this.room) {
      this.grow();
    }
    return place;
  }

  grow() {
    this.room *= 2;
    for (const [field, column] of this.columns) {
      const larger = new Float64Array(this.room).fill(NaN);
      larger.set(column);
      this.columns.set(field, larger);
    }
  }

  /**
   * Adds columns for fields that are new. All entries so far are in the sample.
   *
   * @param {string[]} fields
   */
  addFields(fields) {
    for (const field of fields) {
      if (!this.columns.has(field)) {
        const column = new Float64Array(this.room).fill(NaN);
        this.sample.forEach((numbers, place) => {
          column[place] = numbers.get(field) ?? NaN;
        });
        this.columns.set(field, column);
      }
    }
    this.fields = fields;
  }

  /** @param {string} field */
  column(field) {
    return this.columns.get(field) ?? new Float64Array(this.room).fill(NaN);
  }
}
