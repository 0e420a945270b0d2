// The numbers in values: which fields there are, and what an entry has in each.

const MAX_FIELDS = 24;
const MAX_DEPTH = 3;
/** Fewer of the entries than this part have a field that is only there by chance. */
const LEAST_PART = 0.05;

/** Fields that every entry has beside its value. */
export const ABOUT = /** @type {const} */ (["#number", "#changed", "#size"]);

/** @type {Record<string, string>} */
const TITLES = {
  "#number": "number in name",
  "#changed": "time of change",
  "#size": "size in bytes",
  "#value": "value",
};

/** @typedef {{ name: string, value?: string, size: number, modified: string }} Entry */

/** @param {string} field */
export function titleOf(field) {
  return TITLES[field] ?? field;
}

/**
 * What an entry has in all its fields; only finite numbers.
 *
 * @param {Entry} entry
 * @returns {Map<string, number>}
 */
export function numbersOf({ name, value, size, modified }) {
  /** @type {Map<string, number>} */
  const found = new Map();
  const number = numberIn(name);
  if (number !== undefined) {
    found.set("#number", number);
  }
  const changed = Date.parse(modified);
  if (Number.isFinite(changed)) {
    found.set("#changed", changed);
  }
  found.set("#size", size);
  collect(parse(value ?? ""), "", 0, found);
  return found;
}

/**
 * The last number in a name, as `run-12/3.5` has 3.5.
 *
 * @param {string} name
 */
export function numberIn(name) {
  const last = name.match(/\d+(?:\.\d+)?/g)?.at(-1);
  return last === undefined ? undefined : Number(last);
}

/** @param {string} text */
function parse(text) {
  const trimmed = text.trim();
  if (trimmed === "") {
    return undefined;
  }
  try {
    return JSON.parse(trimmed);
  } catch {
    // A number that is not JSON's: `.5`, `+1`, `1.`.
    const number = Number(trimmed);
    return Number.isFinite(number) ? number : undefined;
  }
}

/**
 * @param {unknown} value
 * @param {string} path
 * @param {number} depth
 * @param {Map<string, number>} found
 */
function collect(value, path, depth, found) {
  if (typeof value === "number" && Number.isFinite(value)) {
    found.set(path || "#value", value);
  } else if (typeof value === "object" && value !== null && !Array.isArray(value) && depth < MAX_DEPTH) {
    for (const [name, member] of Object.entries(value)) {
      collect(member, path ? `${path}.${name}` : name, depth + 1, found);
    }
  }
}

/**
 * The fields that enough of some entries have, those of the values first, in the order in which they appear.
 *
 * @param {Map<string, number>[]} entries
 * @returns {string[]}
 */
export function fieldsOf(entries) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const entry of entries) {
    for (const field of entry.keys()) {
      counts.set(field, (counts.get(field) ?? 0) + 1);
    }
  }
  const isUsual = (/** @type {string} */ field) => (counts.get(field) ?? 0) >= LEAST_PART * entries.length;
  const own = [...counts.keys()].filter((field) => !isAbout(field) && isUsual(field));
  return [...own.slice(0, MAX_FIELDS), ...ABOUT.filter(isUsual)];
}

/** @param {string} field */
function isAbout(field) {
  return ABOUT.includes(/** @type {any} */ (field));
}

/**
 * The fields that a plot begins with: results over the numbers of the keys, or over time.
 *
 * @param {string[]} fields
 * @returns {{ x: string, y: string }}
 */
export function firstChoice(fields) {
  const own = fields.filter((field) => !isAbout(field));
  const result = own.find((field) => /loss|error|score|accuracy|result|energy|value|objective/i.test(field)) ?? own.at(-1);
  const x = fields.includes("#number") ? "#number" : "#changed";
  return { x, y: result ?? "#size" };
}
