// What is said in place of a list: that it is empty, or why it can't be shown.

import { button, h } from "../base/html.js";
import { plainly, visible } from "../base/visible.js";
import { create } from "../frame/commands.js";
import { setKey } from "../base/snippet.js";
import { ApiError } from "../store/answer.js";
import { snippets } from "../value/snippets.js";

/**
 * An empty level, with the lines that put a key there.
 *
 * @param {import("../main.js").App} app
 * @param {import("../base/route.js").Place} place
 */
export function emptyLevel(app, { folder, options }) {
  if (options.contains || options.begins) {
    return h("div.message", h("h2", "No name fits the filter"), h("p.faint", "Escape in the filter shows all names."));
  }
  const mayCreate = app.session.rights.may("create", folder);
  return h(
    "div.message",
    h("h2", "No keys yet"),
    h("p", "Nothing is stored below ", h("code", visible(folder)), ". What arrives is shown here at once."),
    mayCreate && snippets("Store the first key", setKey(`${folder}hello`, "world")),
    mayCreate && button("New key", () => create(app), { class: "primary" }),
  );
}

/**
 * What went wrong, in words, with the way on.
 *
 * @param {import("../main.js").App} app
 * @param {Error} error
 * @param {() => void} again
 */
export function aboutFailure(app, error, again) {
  const failure = error instanceof ApiError ? error : undefined;
  const tryAgain = button("Try again", again);
  if (failure?.status === 403) {
    const roots = app.session.rights.roots();
    const links = roots.map((folder) =>
      h("li", h("a", { href: app.link({ folder, key: "", view: "keys", options: {} }) }, visible(folder))),
    );
    return h(
      "div.message.refused",
      h("h2", "This token may not read here"),
      h("p", failure.scope ? ["It would need the scope ", h("code", plainly(failure.scope)), "."] : plainly(failure.message)),
      links.length > 0 && h("p", "It reads:", h("ul", links)),
    );
  }
  const title =
    failure?.status === 0 ? "The server can't be reached" : failure?.status === 401 ? "Signed out" : "That did not work";
  return h(
    "div.message.failed",
    h("h2", title),
    h("p", plainly(error.message)),
    failure?.requestId && h("p.faint", "Request ", h("code", plainly(failure.requestId))),
    tryAgain,
  );
}
