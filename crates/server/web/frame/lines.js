// The lines that list, gather, wait for and work on a folder, to copy.

import { field, openDialog } from "../base/dialog.js";
import { fill, h } from "../base/html.js";
import { gatherFolder, listFolder, waitForFolder, workOn } from "../base/snippet.js";
import { visible } from "../base/visible.js";
import { snippets } from "../value/snippets.js";

/** @param {string} folder */
export function openLines(folder) {
  const count = h("input", { type: "number", min: "1", value: "100", oninput: () => show() });
  const wait = h("div");
  const show = () => fill(wait, snippets("Wait for so many keys", waitForFolder(folder, Math.max(1, Number(count.value) || 1))));
  show();
  openDialog("Lines to copy", {
    class: "lines",
    body: [
      h("p", "For ", h("code", visible(folder)), "; they need ", h("code", "$PROMINENCE_URL"), " and ", h("code", "$PROMINENCE_TOKEN"), "."),
      snippets("List the keys", listFolder(folder)),
      snippets("All values as a table", gatherFolder(folder)),
      wait,
      field("Keys to wait for", count),
      snippets("Take the next piece of work", workOn(folder)),
    ],
    choices: [{ label: "Close", run: () => {} }],
  });
}
