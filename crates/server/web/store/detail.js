// An entry after a change of it.

/** Characters of a value that a list shows. */
const SHOWN = 200;

/**
 * The details of an entry after a change. A claim, its renewal and its release leave the value and who set it as
 * they were.
 *
 * @param {import("./level.js").Entry | undefined} before
 * @param {import("../live/stream.js").Change} change
 * @param {boolean} [withValue]
 * @returns {import("./level.js").Entry}
 */
export function detailAfter(before, change, withValue = false) {
  const isSet = change.change === undefined || change.change === "set";
  const { key, revision } = change;
  const kept = {
    size: change.size ?? before?.size ?? 0,
    modified: (isSet ? change.time : before?.modified) ?? "",
    job: isSet ? change.job : before?.job,
    created: change.created ?? before?.created,
  };
  const value = isSet ? change.value?.slice(0, SHOWN) : before?.value;
  const base64 = isSet ? change.value_base64?.slice(0, SHOWN) : before?.value_base64;
  const claim = {
    expires: change.expires,
    claimed_until: change.claimed_until,
    claimed_by: change.claimed_by,
    claims: change.claims,
  };
  return { key, revision, ...kept, ...claim, ...(withValue ? { value, value_base64: base64 } : {}) };
}
