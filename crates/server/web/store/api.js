// The interface of the server: one function for each request. Nothing else in the page sends requests.

import { encodePath } from "../base/path.js";
import { ApiError, bodyOf, failureOf, foreign, revisionOf, tagOf } from "./answer.js";
import { noteTime } from "./clock.js";
import { jsonLines, serverEvents } from "./lines.js";

/**
 * @typedef {{ user: string, job?: string, scopes: string[], expires: string, issuer: string, id?: string }} WhoAmI
 * @typedef {{ key: string, size: number, revision: number, created?: string, modified: string, expires?: string,
 *   job?: string, claimed_until?: string, claimed_by?: string, claims?: number, value?: string,
 *   value_base64?: string }} Detail
 * @typedef {{ prefix: string, count?: number, more?: boolean }} Folder
 * @typedef {{ entries: (Detail | Folder)[], revision?: number, more: boolean }} Page
 * @typedef {{ bytes: Uint8Array<ArrayBuffer>, detail: Detail }} Read
 * @typedef {{ keys: number, bytes: number, limits: { keys: number, bytes: number } }} Usage
 * @typedef {{ method?: string, headers?: Record<string, string>, body?: any, signal?: AbortSignal }} Request
 */

/** The server, for the bearer of a token. */
export class Api {
  /** @type {(() => void) | undefined} called when the token is not accepted any more */
  signedOut;

  /**
   * @param {string} base the address of the interface, which ends in `/`
   * @param {string} [token]
   */
  constructor(base, token) {
    this.base = base;
    this.token = token;
    /** Parameters that this server does not know. @type {Set<string>} */
    this.unknown = new Set();
  }

  /**
   * Sends a request; throws an `ApiError` unless the answer is a success.
   *
   * @param {string} path below the base
   * @param {Request} [request]
   * @returns {Promise<Response>}
   */
  async send(path, { method = "GET", headers = {}, body, signal } = {}) {
    /** @type {Record<string, string>} */
    const authorization = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    let answer;
    try {
      answer = await fetch(new URL(path, this.base), {
        method,
        headers: { ...headers, ...authorization },
        body,
        signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      if (signal?.aborted) {
        throw error;
      }
      throw new ApiError(0, "offline", "The server can't be reached.");
    }
    noteTime(answer.headers);
    if (answer.ok) {
      return answer;
    }
    const failure = await failureOf(answer);
    if (failure.status === 401 && this.token) {
      this.signedOut?.();
    }
    throw failure;
  }

  /**
   * @param {string} path
   * @param {Request} [request]
   */
  async json(path, request) {
    const answer = await this.send(path, request);
    if (!answer.headers.get("content-type")?.startsWith("application/json")) {
      throw foreign(answer);
    }
    return { body: await answer.json(), headers: answer.headers };
  }

  /** What the server says about itself. @returns {Promise<any>} */
  async about() {
    return (await this.json("about")).body;
  }

  /** @returns {Promise<WhoAmI>} */
  async whoami() {
    return (await this.json("whoami")).body;
  }

  /** @returns {Promise<Usage>} */
  async usage() {
    return (await this.json("kv?usage")).body;
  }

  /**
   * Exchanges the code of an issuer for a token.
   *
   * @param {{ issuer: string, code: string, code_verifier: string }} answer
   * @returns {Promise<{ access_token: string }>}
   */
  async exchange(answer) {
    const headers = { "Content-Type": "application/json" };
    return (await this.json("login/code", { method: "POST", headers, body: JSON.stringify(answer) })).body;
  }

  /**
   * Exchanges the code of a trial server for a token, once.
   *
   * @param {string} code
   * @returns {Promise<{ access_token: string }>}
   */
  async redeem(code) {
    const headers = { "Content-Type": "application/json" };
    return (await this.json("login/once", { method: "POST", headers, body: JSON.stringify({ code }) })).body;
  }

  /**
   * A page of a listing with details.
   *
   * @param {string} prefix
   * @param {{ after?: string, limit?: number, values?: boolean, level?: boolean, counts?: number,
   *   isDescending?: boolean, signal?: AbortSignal }} [options]
   * @returns {Promise<Page>}
   */
  async page(prefix, { after, limit = 200, values, level = true, counts, isDescending, signal } = {}) {
    const query = new URLSearchParams({ list: "", detail: "", limit: String(limit) });
    if (level) {
      query.set("delimiter", "/");
    }
    if (values) {
      query.set("values", "");
    }
    if (after) {
      query.set("after", after);
    }
    if (isDescending) {
      query.set("order", "desc");
    }
    if (counts && level && !this.unknown.has("counts")) {
      query.set("counts", String(counts));
    }
    const { body, headers } = await this.tolerant(`kv${encodePath(prefix)}`, query, "counts", { signal });
    return { entries: body, revision: revisionOf(headers), more: headers.has("link") };
  }

  /**
   * Asks with a parameter that earlier servers do not know, and again without it if this is one.
   *
   * @param {string} path
   * @param {URLSearchParams} query
   * @param {string} parameter
   * @param {Request} [request]
   */
  async tolerant(path, query, parameter, request) {
    try {
      return await this.json(`${path}?${query}`, request);
    } catch (error) {
      const isUnknown = error instanceof ApiError && error.status === 400 && query.has(parameter);
      if (!isUnknown) {
        throw error;
      }
      this.unknown.add(parameter);
      query.delete(parameter);
      return this.json(`${path}?${query}`, request);
    }
  }

  /**
   * All entries of a level, or all keys below a prefix, as a stream of groups.
   *
   * @param {string} prefix
   * @param {{ level?: boolean, detail?: boolean, values?: boolean, after?: string, signal?: AbortSignal }} [options]
   * @returns {AsyncGenerator<any[]>}
   */
  async *stream(prefix, { level, detail, values, after, signal } = {}) {
    const query = new URLSearchParams({ list: "" });
    Object.entries({ detail, values }).forEach(([name, isOn]) => isOn && query.set(name, ""));
    if (level) {
      query.set("delimiter", "/");
    }
    if (after) {
      query.set("after", after);
    }
    const headers = { Accept: "application/x-ndjson" };
    const answer = await this.send(`kv${encodePath(prefix)}?${query}`, { headers, signal });
    yield* jsonLines(bodyOf(answer, "application/x-ndjson"));
  }

  /**
   * The number of keys that begin with a prefix, counted up to a bound where the server has one.
   *
   * @param {string} prefix
   * @param {{ atMost?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<{ count: number, more?: boolean }>}
   */
  async count(prefix, { atMost, signal } = {}) {
    const query = new URLSearchParams({ count: "" });
    if (atMost && !this.unknown.has("at_most")) {
      query.set("at_most", String(atMost));
    }
    return (await this.tolerant(`kv${encodePath(prefix)}`, query, "at_most", { signal })).body;
  }

  /**
   * Reads a key.
   *
   * @param {string} key
   * @param {AbortSignal} [signal]
   * @returns {Promise<Read>}
   */
  async read(key, signal) {
    const answer = await this.send(`kv${encodePath(key)}`, { signal });
    const { headers } = answer;
    if (!headers.has("etag")) {
      throw foreign(answer);
    }
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const text = (/** @type {string} */ name) => headers.get(`prominence-${name}`) ?? undefined;
    const claims = text("claims");
    const detail = {
      key,
      size: bytes.length,
      revision: tagOf(headers) ?? 0,
      created: text("created"),
      modified: text("modified") ?? headers.get("last-modified") ?? "",
      expires: text("expires"),
      job: text("job"),
      claimed_until: text("claimed-until"),
      claimed_by: text("claimed-by"),
      claims: claims ? Number(claims) : undefined,
    };
    return { bytes, detail };
  }

  /**
   * Sets a key; only a new one, or only the one of a revision, if the condition says so.
   *
   * @param {string} key
   * @param {Uint8Array<ArrayBuffer> | Blob} value
   * @param {{ ttl?: string, absent?: boolean, revision?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<{ key: string, revision: number }>}
   */
  async set(key, value, { ttl, absent, revision, signal } = {}) {
    /** @type {Record<string, string>} */
    const headers = { "Content-Type": "application/octet-stream" };
    if (absent) {
      headers["If-None-Match"] = "*";
    } else if (revision !== undefined) {
      headers["If-Match"] = `"${revision}"`;
    }
    const query = ttl ? `?${new URLSearchParams({ ttl })}` : "";
    return (await this.json(`kv${encodePath(key)}${query}`, { method: "PUT", headers, body: value, signal })).body;
  }

  /**
   * Adds to a number.
   *
   * @param {string} key
   * @param {string} by
   * @returns {Promise<{ value: number, revision: number }>}
   */
  async add(key, by) {
    const query = new URLSearchParams({ add: by });
    return (await this.json(`kv${encodePath(key)}?${query}`, { method: "POST" })).body;
  }

  /**
   * Deletes a key of a revision.
   *
   * @param {string} key
   * @param {number} revision
   * @returns {Promise<{ deleted: number }>}
   */
  async remove(key, revision) {
    const headers = { "If-Match": `"${revision}"` };
    return (await this.json(`kv${encodePath(key)}`, { method: "DELETE", headers })).body;
  }

  /**
   * Deletes all keys that begin with a prefix, if there are exactly as many as were shown.
   *
   * @param {string} prefix
   * @param {number} count
   * @returns {Promise<{ deleted: number }>}
   */
  async removePrefix(prefix, count) {
    const query = new URLSearchParams({ prefix: "", if_count: String(count) });
    return (await this.json(`kv${encodePath(prefix)}?${query}`, { method: "DELETE" })).body;
  }

  /**
   * Does a batch: all of it or nothing.
   *
   * @param {{ if: object[], do: object[] }} batch
   */
  async batch(batch) {
    const headers = { "Content-Type": "application/json" };
    return (await this.json("kv", { method: "POST", headers, body: JSON.stringify(batch) })).body;
  }

  /**
   * Ends a claim, so that somebody else may take the key.
   *
   * @param {string} key
   * @param {number} revision
   */
  async release(key, revision) {
    const headers = { "If-Match": `"${revision}"` };
    return (await this.json(`kv${encodePath(key)}?release`, { method: "POST", headers })).body;
  }

  /**
   * Changes as they happen, in groups, from the revision or event on that `since` names.
   *
   * @param {string} prefix
   * @param {{ since?: string, values?: boolean, signal: AbortSignal }} options
   */
  async *watch(prefix, { since, values, signal }) {
    const query = new URLSearchParams({ watch: "" });
    if (values) {
      query.set("values", "");
    }
    if (since) {
      query.set("since", since);
    }
    const answer = await this.send(`kv${encodePath(prefix)}?${query}`, { signal });
    yield* serverEvents(bodyOf(answer, "text/event-stream"));
  }
}
