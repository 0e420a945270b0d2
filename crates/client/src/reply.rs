//! One answer, read whole: what it says, or what it refuses.

use std::time::{Duration, SystemTime};

use prominence_api::ErrorCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Method, Response, StatusCode, header};

use crate::error::{
    BAD_GATEWAY, BAD_REQUEST, CONTENT_TOO_LARGE, Error, Fate, GATEWAY_TIMEOUT,
    PROXY_AUTHENTICATION, REQUEST_TIMEOUT, Refusal, UNAVAILABLE,
};
use crate::explain::no_http;
use crate::request::Request;

/// Bytes of an answer that is one small JSON object, or an error.
pub(crate) const MAX_SMALL: u64 = 1 << 20;

/// An answer that has arrived whole.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the end of the body could be told from a broken connection.
    delimited: bool,
}

/// An error's body, read leniently: a later server may have codes that this version lacks.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    code: serde_json::Value,
    request_id: Option<String>,
    may_have_happened: Option<bool>,
}

impl Reply {
    /// Reads an answer to its end.
    pub(crate) fn read(
        response: Response<ureq::Body>,
        request: &Request<'_>,
    ) -> Result<Self, ureq::Error> {
        let (parts, mut body) = response.into_parts();
        let delimited = parts.headers.contains_key(header::CONTENT_LENGTH)
            || parts.headers.contains_key(header::TRANSFER_ENCODING);
        let body = body
            .with_config()
            .limit(request.limit.max(MAX_SMALL))
            .read_to_vec()?;
        Ok(Self {
            status: parts.status,
            headers: parts.headers,
            body,
            delimited,
        })
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

    /// A header's text, where it has one that is UTF-8.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }

    /// This answer where it is a success, and otherwise what it refuses.
    pub(crate) fn success(self, request: &Request<'_>, url: &str) -> Result<Self, Error> {
        let odd = |what: String| Error::BadAnswer {
            url: url.to_owned(),
            what,
            fate: request.fate(Fate::Unknown),
        };
        if self.status.is_success() {
            // The server never answers with a page; a proxy that wants people to log in does.
            let kind = self.header(header::CONTENT_TYPE.as_str()).unwrap_or("");
            if kind.starts_with("text/html") {
                let page = "it is a web page, such as a proxy's to log in";
                return Err(odd(page.to_owned()));
            }
            let has_body = request.method != Method::HEAD && self.status != StatusCode::NO_CONTENT;
            let whole = self.delimited || !has_body;
            return if whole {
                Ok(self)
            } else {
                // Half a value would look like a whole one.
                Err(odd("it does not say where it ends".to_owned()))
            };
        }
        if self.status.is_redirection() {
            let place = self.header("location").unwrap_or("somewhere else");
            return Err(odd(format!("it points to {place}")));
        }
        // An answer to HEAD has a status and no body.
        if request.method == Method::HEAD {
            return match code_of_status(self.status) {
                Some(code) => Err(refuse(self.status, Some(code), self.said(), request)),
                None => Err(self.foreign_error(request, url)),
            };
        }
        match self.json::<ErrorBody>() {
            Ok(body) => {
                let code = serde_json::from_value(body.code.clone()).ok();
                Err(refuse(self.status, code, body, request))
            }
            Err(_) => Err(self.foreign_error(request, url)),
        }
    }

    /// An error that is not in this service's form: a proxy in front of it says so in its own
    /// words, which are for people who look at it with a browser.
    fn foreign_error(&self, request: &Request<'_>, url: &str) -> Error {
        let status = self.status.as_u16();
        let reason = self.status.canonical_reason().unwrap_or("no reason");
        let means = match status {
            PROXY_AUTHENTICATION => {
                "it wants a user name and a password; put them into its URL, as in \
                 http://USER:PASSWORD@HOST:PORT"
                    .to_owned()
            }
            REQUEST_TIMEOUT => "the request took too long to arrive".to_owned(),
            CONTENT_TOO_LARGE => format!(
                "its limit on bodies is smaller than the {} bytes that were sent; ask its operator \
                 to raise it (client_max_body_size in nginx)",
                request.body.map_or(0, <[u8]>::len)
            ),
            BAD_GATEWAY => "it can't reach the server".to_owned(),
            UNAVAILABLE => "it has no server to pass requests on to".to_owned(),
            GATEWAY_TIMEOUT => "the server did not answer it in time".to_owned(),
            // What nginx and others answer to a request without TLS on a port with TLS.
            BAD_REQUEST if url.starts_with("http:") && self.mentions("https") => {
                return Error::BadAnswer {
                    url: url.to_owned(),
                    what: no_http(url),
                    fate: Fate::NotApplied,
                };
            }
            _ => {
                return Error::BadAnswer {
                    url: url.to_owned(),
                    what: format!(
                        "status {status} ({reason}) without a body in this service's form"
                    ),
                    fate: request.fate(Fate::Unknown),
                };
            }
        };
        // Requests that don't arrive, or that are too large for it, are not passed on.
        let fate = match status {
            PROXY_AUTHENTICATION | REQUEST_TIMEOUT | CONTENT_TOO_LARGE => Fate::NotApplied,
            _ => request.fate(Fate::Unknown),
        };
        Error::Intermediary {
            status,
            what: format!("a proxy in front of {url} answered {status} ({reason}): {means}"),
            fate,
        }
    }

    /// Whether the body has this word.
    fn mentions(&self, word: &str) -> bool {
        String::from_utf8_lossy(&self.body)
            .to_lowercase()
            .contains(word)
    }

    /// What a status without a body says.
    fn said(&self) -> ErrorBody {
        let reason = self.status.canonical_reason().unwrap_or("no reason");
        ErrorBody {
            error: format!("the server answered {} ({reason})", self.status.as_u16()),
            code: serde_json::Value::Null,
            request_id: None,
            may_have_happened: None,
        }
    }
}

/// What a status without a body stands for.
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
    // A server that does not say leaves it open with its own failures.
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
        Some(ErrorCode::BadKey | ErrorCode::BadRequest) => Error::BadRequest(refusal),
        Some(ErrorCode::Unauthenticated) => Error::Unauthenticated(refusal),
        Some(ErrorCode::Forbidden) => Error::Forbidden(refusal),
        Some(ErrorCode::RateLimited) => Error::RateLimited(refusal),
        Some(ErrorCode::Unavailable) => Error::Unavailable { refusal, fate },
        // Refused before anything was done.
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
