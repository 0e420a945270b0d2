// Reproducible random numbers and names. A failed test is repeated with the seed that it printed.

const seed = Number(process.env.PROMINENCE_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`PROMINENCE_TEST_SEED=${seed}`);

let state = seed;

/** A whole number below a bound (the generator "mulberry32"). @param {number} bound */
export function below(bound) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
}

/** One of several. @template T @param {readonly T[]} all @returns {T} */
export function oneOf(all) {
  return all[below(all.length)];
}

const CHARACTERS = [..."ab/ %'\"\\$`!é\u0301\u00a0\u200b\u202e\ud7ff\ue000\uffff\u{10000}\u{1f600}\u{10ffff}"];

/** A name of odd characters. @param {number} longest */
export function name(longest = 6) {
  return Array.from({ length: 1 + below(longest) }, () => oneOf(CHARACTERS)).join("");
}

/** Names and values that people would send to harm a page. */
export const HOSTILE = [
  "/<script>alert(1)</script>",
  "/<img src=x onerror=alert(1)>",
  "/\"'&",
  "/`${x}`{{x}}$(touch x)",
  "/'; touch x; '",
  "/javascript:alert(1)",
  "/%2e%2e%2f",
  "/?a=b#c",
  "/back\\slash",
  "/ leading and trailing ",
  "/two  spaces",
  "/   ",
  "/\u00a0\u200b\ufeff",
  "/\u202egnp.exe",
  "/\u2066isolated\u2069",
  `/e${"\u0301".repeat(100)}`,
  `/${"x".repeat(1020)}`,
  `/${"s/".repeat(499)}end`,
  "/\ue000\u0378",
  "/👩🏽‍🔬",
  "/caf\u00e9",
  "/cafe\u0301",
  "/__proto__",
  "/constructor",
  "/toString",
  "/a",
  "/a/b",
  "/!bang!history",
  "/=equals",
  "/~tilde",
  "/*?[a-z]{1,2}",
  "/-rf",
];
