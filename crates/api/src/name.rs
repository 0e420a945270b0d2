//! Names of headers, parameters and media types.

/// The beginning of the interface's path; it contains the version.
pub const BASE: &str = "/prominence/v1";

/// The path of the metadata that says where people log in (RFC 9728, section 3.1).
pub const LOGIN_METADATA: &str = "/.well-known/oauth-protected-resource/prominence/v1";

/// Response header: the time at which the key was created (RFC 3339).
pub const CREATED: &str = "prominence-created";
/// Response header: the time at which the value was last set (RFC 3339, with milliseconds).
pub const MODIFIED: &str = "prominence-modified";
/// Response header: the time at which the entry expires (RFC 3339).
pub const EXPIRES: &str = "prominence-expires";
/// Response header: the job whose token wrote the entry.
pub const JOB: &str = "prominence-job";
/// Response header: the end of the claim (RFC 3339).
pub const CLAIMED_UNTIL: &str = "prominence-claimed-until";
/// Response header: the job of the claim, if the claim is live.
pub const CLAIMED_BY: &str = "prominence-claimed-by";
/// Response header: the number of claims since the value was set; missing for 0.
pub const CLAIMS: &str = "prominence-claims";
/// Request header: the id by which a repeated conditional set is recognized.
pub const WRITE_ID: &str = "prominence-write-id";
/// Response header: the claimed key, percent-encoded as in a URL.
pub const KEY: &str = "prominence-key";
/// Request and response header: the id of a request in both sides' logs.
pub const REQUEST_ID: &str = "x-request-id";

/// Media type of a batch, and of most answers.
pub const JSON: &str = "application/json";
/// Response header: the revision of the snapshot that a listing, page or count shows, or after which a watch starts.
pub const REVISION: &str = "prominence-revision";
/// Request header: the last event of a watch that the client has received (WHATWG, server-sent events).
pub const LAST_EVENT_ID: &str = "last-event-id";

/// Media type of a watch.
pub const EVENT_STREAM: &str = "text/event-stream";
/// Media type of a listing with one JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";
/// Media type of a value that is valid UTF-8.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of any other value.
pub const BINARY: &str = "application/octet-stream";

/// The names of a watch's events.
pub mod event {
    /// A key was written.
    pub const PUT: &str = "put";
    /// A key was deleted.
    pub const DELETE: &str = "delete";
    /// An entry expired.
    pub const EXPIRE: &str = "expire";
    /// Changes are missing: list the keys, and continue with the following events.
    pub const RESET: &str = "reset";
}

/// Parameters of the query string.
pub mod parameter {
    /// Flag: a listing.
    pub const LIST: &str = "list";
    /// Flag: with the values.
    pub const VALUES: &str = "values";
    /// Flag: with the metadata.
    pub const DETAIL: &str = "detail";
    /// Flag: only the number of keys.
    pub const COUNT: &str = "count";
    /// `/`: one level only.
    pub const DELIMITER: &str = "delimiter";
    /// The largest number of items on a page.
    pub const LIMIT: &str = "limit";
    /// The name after which a page starts.
    pub const AFTER: &str = "after";
    /// `desc`: the last name first.
    pub const ORDER: &str = "order";
    /// Flag: the usage and the limits of the namespace.
    pub const USAGE: &str = "usage";
    /// Only if the current value is this one.
    pub const PREV: &str = "prev";
    /// The lifetime of the value.
    pub const TTL: &str = "ttl";
    /// A signed integer to add.
    pub const ADD: &str = "add";
    /// Flag: every key that begins with the path.
    pub const PREFIX: &str = "prefix";
    /// Only where the prefix has so many keys.
    pub const IF_COUNT: &str = "if_count";
    /// Flag: only count the keys that would be deleted.
    pub const DRY_RUN: &str = "dry_run";
    /// The time for which a request may wait for a change.
    pub const WAIT: &str = "wait";
    /// The number of keys for which a count waits.
    pub const AT_LEAST: &str = "at_least";
    /// The number up to which keys are counted.
    pub const AT_MOST: &str = "at_most";
    /// The number up to which the keys in each folder are counted.
    pub const COUNTS: &str = "counts";
    /// Flag: changes as they happen.
    pub const WATCH: &str = "watch";
    /// The revision after which a watch starts.
    pub const SINCE: &str = "since";
    /// The duration of a claim.
    pub const CLAIM: &str = "claim";
    /// The new duration of a claim, from now on.
    pub const RENEW: &str = "renew";
    /// Flag: end a claim.
    pub const RELEASE: &str = "release";
}
