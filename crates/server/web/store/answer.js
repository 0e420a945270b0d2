// Answers of the server, and what is none of its.

/** An answer that says no, or none at all (`status` 0). It never holds the token. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {{ requestId?: string, retryAfter?: number, scope?: string, revision?: number, oldest?: number,
   *   count?: number }} [more]
   */
  constructor(status, code, message, more = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = more.requestId;
    this.retryAfter = more.retryAfter;
    this.scope = more.scope;
    this.revision = more.revision;
    this.oldest = more.oldest;
    this.count = more.count;
  }
}

/**
 * @param {Response} answer
 * @param {string} mediaType
 */
export function bodyOf(answer, mediaType) {
  if (!answer.body || !answer.headers.get("content-type")?.startsWith(mediaType)) {
    throw foreign(answer);
  }
  return answer.body;
}

/** @param {Response} answer */
export async function failureOf(answer) {
  const { headers, status } = answer;
  let body;
  try {
    body = await answer.json();
  } catch {
    return foreign(answer);
  }
  if (typeof body?.error !== "string" || typeof body?.code !== "string") {
    return foreign(answer);
  }
  const number = (/** @type {string} */ name) => (headers.has(name) ? Number(headers.get(name)) : undefined);
  const scope = /scope="([^"]*)"/.exec(headers.get("www-authenticate") ?? "")?.[1];
  return new ApiError(status, body.code, body.error, {
    requestId: body.request_id ?? headers.get("x-request-id"),
    retryAfter: number("retry-after"),
    oldest: number("prominence-oldest-revision"),
    revision: body.revision,
    count: body.count,
    scope,
  });
}

/**
 * An answer that is not the server's: of a proxy, or of a network that wants a log-in first.
 *
 * @param {Response} answer
 */
export function foreign(answer) {
  const message = `Something between this page and the server answered (status ${answer.status}).`;
  return new ApiError(answer.status, "foreign", message);
}

/** @param {Headers} headers */
export function revisionOf(headers) {
  const text = headers.get("prominence-revision");
  return text === null ? undefined : Number(text);
}

/** Proxies that compress make tags weak or add to them. @param {Headers} headers */
export function tagOf(headers) {
  const digits = /"(\d+)/.exec(headers.get("etag") ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}
