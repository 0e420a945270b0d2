// What is known about a key beside its value. Countdowns run on the server's clock.

import { formatBytes, formatCount, formatExact, formatSpan, formatAge } from "../base/format.js";
import { h } from "../base/html.js";
import { visible } from "../base/visible.js";
import { serverNow } from "../store/clock.js";

/**
 * @param {import("../store/api.js").Detail} detail
 * @param {(job: string) => void} openJob
 */
export function showFacts(detail, openJob) {
  const now = serverNow();
  const { job } = detail;
  /** @type {[string, any][]} */
  const facts = [
    ["Size", `${formatBytes(detail.size)}${detail.size >= 1024 ? ` (${formatCount(detail.size)} B)` : ""}`],
    ["Revision", String(detail.revision)],
    ["Changed", time(detail.modified, now)],
    ["Created", detail.created && time(detail.created, now)],
    ["Job", job && h("button.link", { type: "button", title: "all keys of this job", onclick: () => openJob(job) }, visible(job))],
    ["Expires", detail.expires && countdown(detail.expires, now, "expired")],
    ["Claimed by", detail.claimed_until && (detail.claimed_by ? visible(detail.claimed_by) : "a token without a job")],
    ["Claim ends", detail.claimed_until && countdown(detail.claimed_until, now, "ran out")],
    ["Claims", detail.claims && h("span", { class: detail.claims >= 3 ? "bad" : "" }, `given out ${formatCount(detail.claims)} ${detail.claims === 1 ? "time" : "times"}`)],
  ];
  return h(
    "dl.facts",
    facts.filter(([, value]) => value).map(([name, value]) => h("div", h("dt", name), h("dd", value))),
  );
}

/**
 * @param {string} instant
 * @param {number} now
 */
function time(instant, now) {
  const then = Date.parse(instant);
  if (Number.isNaN(then)) {
    return instant;
  }
  const age = formatAge(then, now);
  return h("time", { dateTime: instant, title: formatExact(then) }, age === "now" ? "now" : `${age} ago`);
}

/**
 * @param {string} instant
 * @param {number} now
 * @param {string} over
 */
function countdown(instant, now, over) {
  const left = Date.parse(instant) - now;
  const text = left > 0 ? `in ${formatSpan(left)}` : `${over} ${formatSpan(-left)} ago`;
  return h("time", { dateTime: instant, title: formatExact(instant), class: left > 0 ? "" : "warn" }, text);
}
