//! Requests whose head is ambiguous about the host or about the end of the body.
//!
//! A proxy in front may have parsed such a request in another way, and may take the following bytes for a request of
//! their own: request smuggling (RFC 9112, section 11.2). They are refused, and the connection is closed.

use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, Request, Version};

use super::exchange::Framing;
use crate::failure::Failure;

/// True if the request has as many `Host` headers as its version demands, and a valid one (RFC 9112, section 3.2).
pub(crate) fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host.as_bytes()),
        (None, _) => version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// True if these bytes are a host with an optional port (RFC 3986, section 3.2.2), or empty.
fn is_host(text: &[u8]) -> bool {
    text.iter().all(|byte| {
        matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*'
            | b'+' | b',' | b';' | b'=' | b':' | b'[' | b']')
    })
}

/// True if the connection can't be used after this request, because only `Transfer-Encoding` says where its body
/// ends.
pub(crate) fn is_unclear<B>(request: &Request<B>, framing: Framing) -> bool {
    framing != Framing::Once && request.headers().contains_key(TRANSFER_ENCODING)
}

/// Refuses an ambiguous request.
pub(crate) fn check<B>(request: &Request<B>, framing: Framing) -> Result<(), Failure> {
    let headers = request.headers();
    if !names_one_host(request.version(), headers) {
        let message = match headers.get_all(HOST).iter().count() {
            0 => "the header Host is missing; HTTP/1.1 needs it",
            1 => {
                "the header Host is not a host name or address; send the host of the URL, with its \
                 port, as in Host: kv.example.org:8080"
            }
            _ => "the header Host is there more than once; send it once",
        };
        return Err(Failure::bad_request(message).hang_up());
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    let is_chunked = coding
        .as_bytes()
        .trim_ascii()
        .eq_ignore_ascii_case(b"chunked");
    if !is_chunked || codings.next().is_some() {
        let message = "Transfer-Encoding can only be chunked; a compressed value is sent as it is, \
                       without naming its compression there";
        return Err(Failure::bad_request(message).hang_up());
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "GET and HEAD take no body; leave Transfer-Encoding out";
        return Err(Failure::bad_request(message).hang_up());
    }
    if framing == Framing::Twice {
        let message = "Content-Length and Transfer-Encoding do not go together; send one of them";
        return Err(Failure::bad_request(message).hang_up());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &str, version: Version, headers: &[(&str, &str)], framing: Framing) -> bool {
        let mut request = Request::builder().method(method).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap(), framing).is_err()
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for (host, expected) in [
            ("kv.example.org", true),
            ("kv.example.org:8080", true),
            ("[2001:db8::1]:8080", true),
            ("my_host", true),
            ("", true),
            ("a b/c", false),
            ("a b", false),
            ("h/prominence", false),
            ("me@h", false),
            ("h?x", false),
            ("h\"", false),
            ("h\t", false),
        ] {
            assert_eq!(is_host(host.as_bytes()), expected, "{host:?}");
        }
    }

    #[test]
    fn a_request_has_one_host_and_one_framing() {
        let (host, chunked) = (("host", "x"), ("transfer-encoding", "Chunked"));
        let (new, old) = (Version::HTTP_11, Version::HTTP_10);
        for (method, version, headers, framing, expected) in [
            ("GET", new, &[host][..], Framing::Unknown, false),
            ("GET", new, &[], Framing::Unknown, true),
            ("GET", old, &[], Framing::Unknown, false),
            ("GET", new, &[host, host], Framing::Unknown, true),
            ("GET", old, &[host, ("host", "y")], Framing::Unknown, true),
            ("GET", new, &[host, chunked], Framing::Unknown, true),
            ("PUT", new, &[host, chunked], Framing::Once, false),
            ("PUT", new, &[host, chunked], Framing::Unknown, false),
            ("PUT", new, &[host, chunked], Framing::Twice, true),
            ("PUT", new, &[host, chunked, chunked], Framing::Once, true),
            (
                "PUT",
                new,
                &[host, ("transfer-encoding", "gzip, chunked")],
                Framing::Once,
                true,
            ),
            (
                "PUT",
                new,
                &[host, ("transfer-encoding", "identity")],
                Framing::Once,
                true,
            ),
        ] {
            let found = refused(method, version, headers, framing);
            assert_eq!(
                found, expected,
                "{method} {version:?} {headers:?} {framing:?}"
            );
        }
    }
}
