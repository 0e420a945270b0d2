//! One complete answer: its result, or its error.

use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime};

use prominence_api::{ErrorCode, name};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Method, Response, StatusCode, header};

use crate::error::{
    BAD_GATEWAY, BAD_REQUEST, CONTENT_TOO_LARGE, Error, Fate, GATEWAY_TIMEOUT, Refusal,
    TOO_MANY_REQUESTS, UNAVAILABLE,
};
use crate::explain::PROXY_AUTHENTICATION;
use crate::page::headline;
use crate::request::Request;

/// The largest number of bytes of an answer that is one small JSON object, or an error.
pub(crate) const MAX_SMALL: u64 = 1 << 20;

/// Bytes that are read of an answer that is not the server's: its title is at the beginning.
const MAX_PAGE: usize = 64 << 10;

/// The time limit for reading such an answer, as it may be a stream without an end.
const PAGE_WITHIN: Duration = Duration::from_secs(2);

/// No proxy has a limit on bodies below this number of bytes, so a shorter body was refused for another reason.
const SMALLEST_LIMIT: usize = 1 << 10;

/// A complete answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// True if the end of the body can be told from a lost connection.
    delimited: bool,
}

/// An error's body. Its code is text, since a later server may have codes that this version lacks.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    code: String,
    request_id: Option<String>,
    may_have_happened: Option<bool>,
}

impl Reply {
    /// Reads an answer to its end; if it is not the server's, only its beginning.
    pub(crate) fn read(
        response: Response<ureq::Body>,
        request: &Request<'_>,
    ) -> Result<Self, ureq::Error> {
        let (parts, mut body) = response.into_parts();
        let delimited = parts.headers.contains_key(header::CONTENT_LENGTH)
            || parts.headers.contains_key(header::TRANSFER_ENCODING);
        let body = match is_marked(&parts.headers) {
            true => body
                .with_config()
                .limit(request.limit.max(MAX_SMALL))
                .read_to_vec()?,
            false => beginning(&mut body),
        };
        Ok(Self {
            status: parts.status,
            headers: parts.headers,
            body,
            delimited,
        })
    }

    /// True if the answer is the server's: it has the headers that the server sends with every answer, and an error has
    /// the server's JSON.
    pub(crate) fn is_ours(&self, request: &Request<'_>) -> bool {
        let has_body = request.method != Method::HEAD;
        let is_unchanged = self.status == StatusCode::NOT_MODIFIED;
        if self.status.is_redirection() && !is_unchanged {
            return false;
        }
        let has_error = has_body && !is_unchanged && !self.status.is_success();
        is_marked(&self.headers) && (!has_error || self.json::<ErrorBody>().is_ok())
    }

    /// The server's `Retry-After`: a number of seconds, or a date (RFC 9110, section 10.2.3).
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.header(header::RETRY_AFTER.as_str())?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(SystemTime::now()).ok()
    }

    /// The text of a header, if it is present and UTF-8.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }

    /// The answer if it is a success, else its error.
    pub(crate) fn success(self, request: &Request<'_>, url: &str) -> Result<Self, Error> {
        if !self.is_ours(request) {
            return Err(self.foreign(request, url));
        }
        let has_body = request.method != Method::HEAD && self.status != StatusCode::NO_CONTENT;
        if self.status.is_success() {
            if self.delimited || !has_body {
                return Ok(self);
            }
            // A part of a value would look like a whole one.
            return Err(Error::BadAnswer {
                url: url.to_owned(),
                what: "it does not say where it ends".to_owned(),
                fate: request.fate(Fate::Unknown),
            });
        }
        // An answer to HEAD has a status and no body, and so has 304.
        let Ok(body) = self.json::<ErrorBody>() else {
            let code = code_of_status(self.status);
            return Err(refuse(self.status, code, self.said(), request));
        };
        let code = serde_json::from_value(body.code.clone().into()).ok();
        Err(refuse(self.status, code, body, request))
    }

    /// The error for an answer that is not the server's. Its page is for users of a browser, so the error has only a
    /// short text of it.
    fn foreign(&self, request: &Request<'_>, url: &str) -> Error {
        let status = self.status.as_u16();
        // A request that is refused is executed neither by a proxy nor by the server.
        let fate = match self.status.is_client_error() {
            true => Fate::NotApplied,
            false => request.fate(Fate::Unknown),
        };
        Error::Foreign {
            url: url.to_owned(),
            status,
            what: format!("{}; {}", self.in_short(), self.advice(request, url)),
            fate,
        }
    }

    /// The status, the program that answered and the target of a redirect, if the headers name them, and the page's
    /// title or first line.
    fn in_short(&self) -> String {
        let reason = self.status.canonical_reason().unwrap_or("no known status");
        let mut short = format!("{} {reason}", self.status.as_u16());
        for (name, words) in [
            (header::SERVER, " from "),
            (header::LOCATION, ", pointing to "),
        ] {
            let shown = self.headers.get(name);
            if let Some(shown) = shown.and_then(|value| headline(value.as_bytes())) {
                short.push_str(words);
                short.push_str(&shown);
            }
        }
        match headline(&self.body) {
            Some(headline) => short.push_str(&format!(", \"{headline}\"")),
            None => short.push_str(", without text"),
        }
        short
    }

    /// The next step after an answer that is not the server's. Some statuses allow better advice than others.
    fn advice(&self, request: &Request<'_>, url: &str) -> String {
        let sent = request.body.map_or(0, <[u8]>::len);
        match self.status.as_u16() {
            // The answer of nginx and others to a request without TLS on a port with TLS.
            BAD_REQUEST if url.starts_with("http:") && self.mentions("https") => {
                "the server at this port speaks https; write https:// instead of http://".to_owned()
            }
            PROXY_AUTHENTICATION => {
                "the proxy wants a user name and a password; put them into its \
                                     URL, as in http://USER:PASSWORD@HOST:PORT"
                    .to_owned()
            }
            CONTENT_TOO_LARGE if sent >= SMALLEST_LIMIT => format!(
                "the proxy's limit on bodies is smaller than the {sent} bytes that were sent; ask its \
                 operator to raise it (client_max_body_size in nginx)"
            ),
            CONTENT_TOO_LARGE if sent > 0 => {
                let bytes = if sent == 1 { "byte" } else { "bytes" };
                format!(
                    "the proxy does not let a body of {sent} {bytes} through; ask its operator which bodies \
                     it takes"
                )
            }
            TOO_MANY_REQUESTS => {
                "the proxy limits requests; try again later, or ask who runs the proxy".to_owned()
            }
            BAD_GATEWAY | UNAVAILABLE => {
                "the proxy can't reach the server; check that the server is \
                                          running, or ask who runs the proxy"
                    .to_owned()
            }
            GATEWAY_TIMEOUT => {
                "the server did not answer the proxy in time; try again later, or ask \
                                who runs the proxy"
                    .to_owned()
            }
            _ => "check PROMINENCE_URL or --url, or ask who runs the proxy, where there is one"
                .to_owned(),
        }
    }

    /// True if the body contains this word.
    fn mentions(&self, word: &str) -> bool {
        String::from_utf8_lossy(&self.body)
            .to_lowercase()
            .contains(word)
    }

    /// The error of a status without a body.
    fn said(&self) -> ErrorBody {
        let reason = self.status.canonical_reason().unwrap_or("no reason");
        ErrorBody {
            error: format!("the server answered {} ({reason})", self.status.as_u16()),
            code: String::new(),
            request_id: None,
            may_have_happened: None,
        }
    }
}

/// True if an answer has the headers that the server sends with every one: it has a request id, and is never a web
/// page.
pub(crate) fn is_marked(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    headers.contains_key(name::REQUEST_ID) && !is_page
}

/// The beginning of a body, or the part of it that arrives within the time limit.
fn beginning(body: &mut ureq::Body) -> Vec<u8> {
    let began = Instant::now();
    let mut reader = body.as_reader();
    let mut found = vec![0; MAX_PAGE];
    let mut filled = 0;
    while filled < found.len() && began.elapsed() < PAGE_WITHIN {
        match reader.read(&mut found[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => filled += read,
        }
    }
    found.truncate(filled);
    found
}

/// The code for a status without a body.
fn code_of_status(status: StatusCode) -> Option<ErrorCode> {
    [
        ErrorCode::BadRequest,
        ErrorCode::Unauthenticated,
        ErrorCode::Forbidden,
        ErrorCode::NoSuchKey,
        ErrorCode::PreconditionFailed,
        ErrorCode::RateLimited,
        ErrorCode::Internal,
        ErrorCode::Unavailable,
    ]
    .into_iter()
    .find(|code| code.status() == status.as_u16())
}

fn refuse(
    status: StatusCode,
    code: Option<ErrorCode>,
    body: ErrorBody,
    request: &Request<'_>,
) -> Error {
    let refusal = Refusal {
        status: status.as_u16(),
        code,
        message: body.error,
        request_id: body.request_id,
    };
    // If the server does not say it, the fate of a request that failed with 5xx is unknown.
    let may_have = body.may_have_happened.unwrap_or(status.is_server_error());
    let fate = match may_have {
        true => request.fate(Fate::Unknown),
        false => Fate::NotApplied,
    };
    match code {
        Some(ErrorCode::NoSuchKey) => Error::NoSuchKey(refusal),
        Some(ErrorCode::PreconditionFailed) => Error::PreconditionFailed(refusal),
        Some(ErrorCode::NotANumber) => Error::NotANumber(refusal),
        Some(ErrorCode::ValueTooLarge) => Error::TooLarge(refusal),
        Some(ErrorCode::QuotaExceeded) => Error::QuotaExceeded(refusal),
        Some(ErrorCode::BadKey | ErrorCode::BadRequest | ErrorCode::InvalidScope) => {
            Error::BadRequest(refusal)
        }
        Some(ErrorCode::Unauthenticated) => Error::Unauthenticated(refusal),
        Some(ErrorCode::Forbidden) => Error::Forbidden(refusal),
        Some(ErrorCode::RateLimited) => Error::RateLimited(refusal),
        Some(ErrorCode::Unavailable) => Error::Unavailable { refusal, fate },
        // Refused before it was executed.
        Some(
            ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::Compacted
            | ErrorCode::RequestTimeout
            | ErrorCode::UriTooLong
            | ErrorCode::HeadTooLarge,
        ) => Error::Failed {
            refusal,
            fate: Fate::NotApplied,
        },
        Some(ErrorCode::Internal) | None => Error::Failed { refusal, fate },
    }
}
