// What a plot shows, as text: numbers for those who don't see it, and what is selected.

import { openDialog } from "../base/dialog.js";
import { counted, formatCount, formatExact, formatNumber } from "../base/format.js";
import { button, fill, h } from "../base/html.js";
import { shellWord } from "../base/snippet.js";
import { visible } from "../base/visible.js";
import { snippets } from "../value/snippets.js";
import { summary } from "./bins.js";
import { titleOf } from "./fields.js";

const MAX_LISTED = 200;
const MAX_ROWS = 1000;

/**
 * @param {import("./view.js").PlotView} view
 * @param {import("./view.js").PlotView["choice"]} choice
 */
export function showSummary(view, choice) {
  const { points, summary: element } = view;
  const { count, mean, lowest, highest } = summary(points.column(choice.y), points.length);
  const chosen = view.pointer.chosen();
  const left = points.size - count;
  const text = (/** @type {number} */ number) => (choice.y === "#changed" ? formatExact(number) : formatNumber(number));
  const extreme = (/** @type {string} */ label, /** @type {number} */ place) =>
    place >= 0 && h("div", h("dt", label), h("dd", text(points.column(choice.y)[place]), " ", link(view, points.names[place])));
  const state = JSON.stringify([choice.y, count, mean, lowest, highest, chosen.length, chosen[0], left]);
  if (element.dataset.state === state) {
    return;
  }
  element.dataset.state = state;
  fill(
    element,
    chosen.length > 0 && selection(view, chosen),
    h(
      "dl.facts",
      h("div", h("dt", "Entries with ", visible(titleOf(choice.y))), h("dd", formatCount(count), left > 0 && [" ", button(`${formatCount(left)} left out`, () => listOthers(view, choice.y), { class: "link" })])),
      extreme("Lowest", lowest),
      extreme("Highest", highest),
      count > 0 && h("div", h("dt", "Mean"), h("dd", text(mean))),
    ),
    points.size > 0 &&
      h(
        "div.row-of-fields",
        button("Show as table", () => showTable(view)),
        button("Save as CSV", () => view.saveTable()),
        button("Save as PNG", () => view.saveImage()),
      ),
  );
}

/**
 * @param {import("./view.js").PlotView} view
 * @param {string} key
 */
function link(view, key) {
  const { app } = view;
  const href = app.link({ ...app.place.peek(), key });
  return h("a.key", { href }, visible(key.slice(view.folder.length)));
}

/**
 * @param {import("./view.js").PlotView} view
 * @param {string[]} keys
 */
function selection(view, keys) {
  return h(
    "div.row-of-fields",
    h("strong", `${counted(keys.length, "key")} selected`),
    view.selected && button("Zoom in", () => view.pointer.zoomIn()),
    button("List", () => list(view, "Selected keys", keys)),
    button("Clear", () => view.pointer.zoomOut()),
  );
}

/**
 * @param {import("./view.js").PlotView} view
 * @param {string} title
 * @param {string[]} keys
 */
function list(view, title, keys) {
  const some = keys.slice(0, MAX_LISTED);
  const more = keys.length - some.length;
  const opened = openDialog(title, {
    class: "find",
    body: [
      h("ul.hits", { onclick: () => opened.close() }, some.map((key) => h("li", link(view, key))), more > 0 && h("li.faint", `${formatCount(more)} more`)),
      snippets("Their values", [{ tool: "CLI", text: `prominence kv get ${some.map(shellWord).join(" ")}` }]),
    ],
    choices: [{ label: "Close", run: () => {} }],
  });
}

/**
 * @param {import("./view.js").PlotView} view
 * @param {string} field
 */
function listOthers(view, field) {
  const column = view.points.column(field);
  list(view, `Without a number in ${titleOf(field)}`, view.points.names.filter((name, place) => name && !Number.isFinite(column[place])));
}

/** @param {import("./view.js").PlotView} view */
function showTable(view) {
  const { points } = view;
  const rows = [...points.places].slice(0, MAX_ROWS);
  const more = points.size - rows.length;
  openDialog("The numbers", {
    class: "editor",
    body: [
      h(
        "div.table-holder",
        { tabIndex: 0, role: "group", "aria-label": "Table" },
        h(
          "table",
          h("thead", h("tr", ["key", ...points.fields.map(titleOf)].map((title) => h("th", { scope: "col" }, visible(title))))),
          h("tbody", rows.map(([name, place]) => h("tr", h("td.key", visible(name.slice(view.folder.length))), points.fields.map((field) => h("td", cell(field, points.column(field)[place])))))),
        ),
      ),
      more > 0 && h("p.faint", `${formatCount(more)} more rows are in the CSV file.`),
    ],
    choices: [{ label: "Save as CSV", run: () => (view.saveTable(), false) }, { label: "Close", run: () => {} }],
  });
}

/**
 * @param {string} field
 * @param {number} number
 */
function cell(field, number) {
  if (!Number.isFinite(number)) {
    return "";
  }
  return field === "#changed" ? formatExact(number) : formatNumber(number);
}
