//! The limit on the size of a value, read before many values are stored.

use prominence_client::{Client, Error};
use prominence_core::limits::MAX_VALUE_BYTES;

use crate::failure::Failure;

/// The server's limit. Usage is not told to a token whose scopes cover only a part of the keys; then
/// it is what no server can go beyond, and the server refuses what is over its own.
pub(super) fn value_limit(client: &Client) -> Result<u64, Failure> {
    match client.usage() {
        Ok(usage) => Ok(usage.limits.value_bytes),
        Err(Error::Forbidden(_)) => Ok(MAX_VALUE_BYTES as u64),
        Err(error) => Err(error.into()),
    }
}
