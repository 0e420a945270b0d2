// Finding names in all folders below a place: the names are read as a stream, and those that fit are shown.

import { openDialog } from "../base/dialog.js";
import { formatCount } from "../base/format.js";
import { fill, h } from "../base/html.js";
import { folderOf } from "../base/path.js";
import { visible } from "../base/visible.js";

const MAX_HITS = 1000;
const TYPED_MS = 250;

/**
 * @param {import("../main.js").App} app
 * @param {string} folder
 * @param {{ job?: string }} [options] keys of a job, instead of names
 */
export function openFind(app, folder, { job } = {}) {
  const input = h("input", { type: "search", placeholder: "Part of a name", "aria-label": "Part of a name", autocomplete: "off", spellcheck: "false" });
  const progress = h("p.faint", { role: "status" });
  const hits = h("ul.hits");
  let abort = new AbortController();
  let timer = 0;
  const opened = openDialog(job ? "Keys of a job" : "Find below here", {
    class: "find",
    body: [h("p", job ? ["Job ", h("code", visible(job)), " below "] : "Below ", h("code", visible(folder))), !job && input, progress, hits],
    choices: [{ label: "Stop", run: () => (abort.abort(), false) }, { label: "Close", run: () => {} }],
    closed: () => abort.abort(),
  });
  const run = async () => {
    abort.abort();
    abort = new AbortController();
    fill(hits);
    const text = input.value;
    if (!text && !job) {
      fill(progress);
      return;
    }
    await search({ app, folder, text, job, signal: abort.signal, hits, progress, chosen: () => opened.close() });
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(run, TYPED_MS);
  });
  if (job) {
    run();
  } else {
    input.focus();
  }
}

/**
 * @param {{ app: import("../main.js").App, folder: string, text: string, job?: string, signal: AbortSignal,
 *   hits: Element, progress: Element, chosen: () => void }} search
 */
async function search({ app, folder, text, job, signal, hits, progress, chosen }) {
  let read = 0;
  let found = 0;
  try {
    for await (const group of app.session.api.stream(folder, { detail: job !== undefined, signal })) {
      read += group.length;
      for (const entry of group) {
        const key = job === undefined ? entry : entry.key;
        const isHit = job === undefined ? key.slice(folder.length).includes(text) : entry.job === job;
        if (isHit && found < MAX_HITS) {
          hits.append(hit(app, folder, key, chosen));
        }
        found += isHit ? 1 : 0;
      }
      fill(progress, `${formatCount(found)} found in ${formatCount(read)} names …`);
    }
    const shown = found > MAX_HITS ? `, the first ${formatCount(MAX_HITS)} are shown` : "";
    fill(progress, `${formatCount(found)} found in ${formatCount(read)} names${shown}.`);
  } catch (error) {
    const why = signal.aborted ? "stopped" : /** @type {Error} */ (error).message;
    if (progress.isConnected && read > 0) {
      fill(progress, `${formatCount(found)} found in the first ${formatCount(read)} names: ${why}.`);
    }
  }
}

/**
 * @param {import("../main.js").App} app
 * @param {string} folder
 * @param {string} key
 * @param {() => void} chosen
 */
function hit(app, folder, key, chosen) {
  const href = app.link({ folder: folderOf(key), key, view: "keys", options: {} });
  return h("li", h("a", { href, onclick: chosen }, visible(key.slice(folder.length))));
}
