// Signing in: as the whole page, or in a dialog over it when a token has ended.

import { button, fill, h } from "../base/html.js";
import { plainly } from "../base/visible.js";
import { ApiError } from "../store/answer.js";

/**
 * The form.
 *
 * @param {import("../main.js").App} app
 * @param {{ done: (isSame: boolean) => void, error?: string }} options
 */
export function signInForm(app, { done, error = "" }) {
  const token = h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "token-error",
    required: true,
  });
  const memory = h("input", { type: "checkbox", checked: !app.session.isKept });
  const problem = h("p.error", { id: "token-error", role: "alert" }, error);
  const send = button("Sign in", () => submit(), { class: "primary" });
  const submit = async () => {
    send.disabled = true;
    fill(problem);
    const text = token.value;
    try {
      const isSame = await app.session.signIn(text, !memory.checked);
      token.value = "";
      done(isSame);
    } catch (failure) {
      fill(problem, describe(/** @type {Error} */ (failure)));
      token.focus();
      token.select();
    } finally {
      send.disabled = false;
    }
  };
  token.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      submit();
    }
  });
  return h(
    "div.sign-in-form",
    h("label.field", { htmlFor: "token" }, h("span", "Access token"), token),
    h("p.faint", "In a job it is in ", h("code", "$PROMINENCE_TOKEN"), "."),
    problem,
    h("div.row-of-fields", send, h("label.check", memory, "only in memory")),
    providers(app, problem),
  );
}

/** @param {Error} failure */
function describe(failure) {
  if (failure instanceof ApiError && failure.status === 401) {
    return "The server does not accept this token. It may have ended, or be for another server.";
  }
  return plainly(failure.message);
}

/**
 * The buttons of OpenID providers.
 *
 * @param {import("../main.js").App} app
 * @param {HTMLElement} problem
 */
function providers(app, problem) {
  const all = /** @type {import("./oidc.js").Issuer[]} */ (
    app.about.sign_in.filter((/** @type {any} */ way) => way.kind === "oidc" && way.authorization_endpoint)
  );
  if (all.length === 0) {
    return null;
  }
  const why = isSecureContext ? "" : "Signing in this way needs https (or localhost). Paste a token instead.";
  const buttons = all.map((issuer) =>
    button(`Sign in with ${plainly(issuer.title ?? issuer.name)}`, async () => {
      try {
        const { start } = await import("./oidc.js");
        await start(issuer, app.here);
      } catch (failure) {
        fill(problem, /** @type {Error} */ (failure).message);
      }
    }),
  );
  return h("div.providers", why ? h("p.faint", why) : buttons);
}

/**
 * The page of somebody who is not signed in.
 *
 * @param {import("../main.js").App} app
 * @param {{ done: (isSame: boolean) => void, error?: string }} options
 */
export function signInPage(app, options) {
  return h(
    "main.sign-in",
    h("h1", "PROMINENCE ", h("span", "key-value store")),
    signInForm(app, options),
    h("footer.faint", app.about.version && `Version ${app.about.version} · `, h("a", { href: "docs/" }, "the interface, described")),
  );
}
