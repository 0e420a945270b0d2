//! The id of a request: it is in the answer and in every line of the log that the request causes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use prominence_api::name;

/// The header that carries the id in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static(name::REQUEST_ID);

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The most bytes of an id that a client chose.
const MAX_BYTES: usize = 128;

/// The client's own id of the request, or a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    sane_id(headers).unwrap_or_else(new_id)
}

/// The client's id, if it is short and has no characters that could forge a line of the log.
fn sane_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let fits = !id.is_empty() && id.len() <= MAX_BYTES && id.as_bytes().iter().all(sane);
    // A copy: the id is kept until the answer, and must not keep the buffer of the whole head.
    fits.then(|| HeaderValue::from_bytes(id.as_bytes()).ok())?
}

/// A number that starts at random with the process and counts up.
fn new_id() -> HeaderValue {
    static START: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Without random bytes the ids still differ within this process.
    let start = START.get_or_init(|| getrandom::u64().unwrap_or_default());
    let number = start.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    // The number's 16 hexadecimal digits, two for each byte.
    let mut id = [0; 16];
    for (pair, byte) in id.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair[0] = HEX_DIGITS[usize::from(byte >> 4)];
        pair[1] = HEX_DIGITS[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("unnamed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(id).unwrap())])
    }

    #[test]
    fn the_clients_id_is_kept_if_it_is_safe_in_a_log() {
        let long = "a".repeat(MAX_BYTES);
        for id in ["a", "job-7_3.2:1", &long] {
            assert_eq!(request_id(&with(id)), id);
        }
        let too_long = format!("{long}a");
        for id in ["", "a b", "a\"b", "a=b", &too_long] {
            assert_ne!(request_id(&with(id)), id);
        }
    }

    #[test]
    fn new_ids_differ() {
        let none = HeaderMap::new();
        let (first, second) = (request_id(&none), request_id(&none));
        assert_ne!(first, second);
        assert_eq!(first.len(), 16);
    }
}
