// Signing in at an OpenID provider: the authorization code flow with PKCE (RFC 7636). The code is exchanged by our own
// server, so this page talks to no other origin.

const PLACE = "prominence login";

/**
 * @typedef {{ kind: "oidc", name: string, title?: string, issuer: string, client_id: string, scopes: string[],
 *   authorization_endpoint?: string, redirect_uri?: string }} Issuer
 */

/**
 * Goes to the provider.
 *
 * @param {Issuer} issuer
 * @param {string} here the address of this page
 */
export async function start(issuer, here) {
  const [state, verifier] = [random(), random()];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const redirect = issuer.redirect_uri ?? here;
  const kept = { state, verifier, name: issuer.name, issuer: issuer.issuer, fragment: location.hash };
  sessionStorage.setItem(PLACE, JSON.stringify(kept));
  const address = new URL(/** @type {string} */ (issuer.authorization_endpoint));
  const parameters = {
    response_type: "code",
    client_id: issuer.client_id,
    redirect_uri: redirect,
    scope: issuer.scopes.join(" "),
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  Object.entries(parameters).forEach(([name, value]) => address.searchParams.set(name, value));
  location.assign(address);
}

/**
 * The request that exchanges the code which the provider has answered, or nothing where it has answered none. State
 * and verifier are good for one answer.
 *
 * @param {string} answer the query of the address
 * @returns {{ exchange: { issuer: string, code: string, code_verifier: string }, fragment: string } | undefined}
 */
export function finish(answer) {
  const given = new URLSearchParams(answer);
  if (!given.has("state")) {
    return undefined;
  }
  const text = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  const kept = text ? JSON.parse(text) : undefined;
  if (!kept || given.get("state") !== kept.state) {
    throw new Error("This sign-in was not begun here; begin again.");
  }
  const issuer = given.get("iss");
  if (issuer !== null && issuer !== kept.issuer) {
    throw new Error("Another provider than the chosen one has answered; nothing was sent to it.");
  }
  const code = given.get("code");
  if (code === null) {
    const why = given.get("error_description") ?? given.get("error") ?? "no code";
    throw new Error(`The provider has not signed you in: ${why}`);
  }
  return { exchange: { issuer: kept.name, code, code_verifier: kept.verifier }, fragment: kept.fragment };
}

/** 256 random bits. */
function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
