//! Names of headers, parameters and media types.

/// The start of the interface's path; the version is part of it.
pub const BASE: &str = "/prominence/v1";

/// The path of the metadata that says where people log in (RFC 9728, section 3.1).
pub const LOGIN_METADATA: &str = "/.well-known/oauth-protected-resource/prominence/v1";

/// Response header: when the key came into being (RFC 3339).
pub const CREATED: &str = "prominence-created";
/// Response header: when the value was last set (RFC 3339, with milliseconds).
pub const MODIFIED: &str = "prominence-modified";
/// Response header: when the entry will be gone (RFC 3339).
pub const EXPIRES: &str = "prominence-expires";
/// Response header: the job whose token wrote the entry.
pub const JOB: &str = "prominence-job";
/// Response header: until when a worker holds the entry (RFC 3339).
pub const CLAIMED_UNTIL: &str = "prominence-claimed-until";
/// Response header: the job that holds the entry, while its claim is live.
pub const CLAIMED_BY: &str = "prominence-claimed-by";
/// Response header: how many times the entry was claimed since its value was set; not there for 0.
pub const CLAIMS: &str = "prominence-claims";
/// Request header: the id by which a conditional set that is sent again is recognized.
pub const WRITE_ID: &str = "prominence-write-id";
/// Response header: the key that a claim took, percent-encoded as in a URL.
pub const KEY: &str = "prominence-key";
/// Request and response header: names one request in both sides' logs.
pub const REQUEST_ID: &str = "x-request-id";

/// Media type of a batch, and of most answers.
pub const JSON: &str = "application/json";
/// Response header: the revision of the snapshot that a listing, page or count shows, or that a
/// watch starts after.
pub const REVISION: &str = "prominence-revision";
/// Request header: the last event that a watcher has seen (WHATWG, server-sent events).
pub const LAST_EVENT_ID: &str = "last-event-id";

/// Media type of a watch.
pub const EVENT_STREAM: &str = "text/event-stream";
/// Media type of a listing with one JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";
/// Media type of a value that is valid UTF-8.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of any other value.
pub const BINARY: &str = "application/octet-stream";

/// Names of a watch's events.
pub mod event {
    /// A key was written.
    pub const PUT: &str = "put";
    /// A key was deleted.
    pub const DELETE: &str = "delete";
    /// A key's lifetime ended.
    pub const EXPIRE: &str = "expire";
    /// Changes are missing: list the keys, and go on with what follows.
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
    /// The most items on a page.
    pub const LIMIT: &str = "limit";
    /// The name that a page starts after.
    pub const AFTER: &str = "after";
    /// `desc`: the last name first.
    pub const ORDER: &str = "order";
    /// Flag: what the namespace holds and may hold.
    pub const USAGE: &str = "usage";
    /// Only where the current value is this one.
    pub const PREV: &str = "prev";
    /// The lifetime of the value.
    pub const TTL: &str = "ttl";
    /// A signed integer to add.
    pub const ADD: &str = "add";
    /// Flag: every key that begins with the path.
    pub const PREFIX: &str = "prefix";
    /// Only where the prefix has so many keys.
    pub const IF_COUNT: &str = "if_count";
    /// Flag: only count what would be deleted.
    pub const DRY_RUN: &str = "dry_run";
    /// The time that a request may wait until something changes.
    pub const WAIT: &str = "wait";
    /// The number of keys that a count waits for.
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
    /// The duration of a claim from now on.
    pub const RENEW: &str = "renew";
    /// Flag: end a claim.
    pub const RELEASE: &str = "release";
}
