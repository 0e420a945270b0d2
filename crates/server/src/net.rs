//! Connections: the listener, TLS, the limits on heads, stalled readers, and how a connection is closed.

pub(crate) mod descriptors;
pub(crate) mod few_clients;
mod heads;
mod lingering;
pub(crate) mod listener;
mod reclaimed;
mod stalled;
pub(crate) mod tls;

/// Bytes of a request's head. A token takes about one KiB, the longest key three.
const MAX_HEAD_BYTES: usize = 64 * 1_024;

/// Headers of a request.
const MAX_HEADERS: usize = 100;
