// Deleting a folder: only what was shown, after its number and some of its names were shown.

import { CANCEL, field, openDialog } from "../base/dialog.js";
import { counted, formatCount } from "../base/format.js";
import { h } from "../base/html.js";
import { deleteFolder } from "../base/snippet.js";
import { visible } from "../base/visible.js";
import { ApiError } from "../store/answer.js";
import { snippets } from "../value/snippets.js";

/** More keys are deleted only if their number is typed. */
const MANY = 100;
const NAMES = 3;

/**
 * @param {import("../main.js").App} app
 * @param {string} folder that ends in `/`, so that no other folder begins with it
 */
export async function openRemoval(app, folder) {
  const opened = openDialog("Delete this folder?", { body: [h("p.faint", "Counting …")], choices: [CANCEL] });
  try {
    const { count } = await app.session.api.count(folder);
    const first = await someNames(app, folder, false);
    // Earlier servers list from the first key on alone.
    const last = count > first.length ? await someNames(app, folder, true).catch(() => []) : [];
    confirm(app, folder, { opened, count, first, last: last.reverse().slice(-(count - first.length)) });
  } catch (error) {
    opened.fail(/** @type {Error} */ (error).message);
  }
}

/**
 * The first or the last names below a folder.
 *
 * @param {import("../main.js").App} app
 * @param {string} folder
 * @param {boolean} isDescending
 */
async function someNames(app, folder, isDescending) {
  const page = await app.session.api.page(folder, { limit: NAMES, level: false, isDescending });
  return page.entries.map((entry) => ("key" in entry ? entry.key : entry.prefix));
}

/**
 * @param {import("../main.js").App} app
 * @param {string} folder
 * @param {{ opened: ReturnType<typeof openDialog>, count: number, first: string[], last: string[] }} found
 */
function confirm(app, folder, { opened, count, first, last }) {
  const others = count - first.length - last.length;
  const item = (/** @type {string} */ name) => h("li", visible(name));
  const typed = h("input", { type: "text", inputMode: "numeric", autocomplete: "off" });
  const isMany = count > MANY;
  opened.show(
    [
      h("p", h("code", visible(folder)), ` and everything below it: ${counted(count, "key")}.`),
      h("ul.names", first.map(item), others > 0 && h("li.faint", `${formatCount(others)} more`), last.map(item)),
      isMany && field(`Type the number of keys, ${count}, to delete them`, typed),
      h("p.faint", "If their number is another one by then, nothing is deleted. The server keeps no history."),
      snippets("The same from a shell", deleteFolder(folder)),
    ],
    [
      CANCEL,
      {
        label: `Delete ${counted(count, "key")}`,
        class: "danger",
        isDisabled: count === 0,
        run: async () => {
          if (isMany && typed.value.trim() !== String(count)) {
            throw new Error(`The number is ${count}.`);
          }
          try {
            await app.session.api.removePrefix(folder, count);
          } catch (error) {
            throw new Error(whyNot(/** @type {Error} */ (error)));
          }
          app.say(`${folder} is deleted.`);
        },
      },
    ],
  );
}

/** @param {Error} error */
function whyNot(error) {
  if (error instanceof ApiError && error.status === 412) {
    return `There are other keys now; nothing was deleted. ${error.message}`;
  }
  if (error instanceof ApiError && error.status === 400 && error.message.includes("if_count")) {
    return "This server can't delete only what was shown; use the line below.";
  }
  return error.message;
}
