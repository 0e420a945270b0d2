//! The address of the service.

use std::fmt;

use prominence_api::name;
use ureq::http::Uri;
use ureq::http::uri::Scheme;

/// The address to which every path is appended, such as `https://kv.example.org/prominence/v1`, from `PROMINENCE_URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a trailing `/`.
    text: String,
    host: String,
    encrypted: bool,
}

/// The reason why a text is not an address of the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It is not an absolute `http` or `https` URL.
    #[error("\"{0}\" is no URL; it looks like http://HOST:PORT{base}", base = name::BASE)]
    NotHttp(String),
    /// It has more parts than an address.
    #[error("the URL \"{given}\" must not have {part}; leave that out")]
    Superfluous {
        /// The text.
        given: String,
        /// The part that is not allowed.
        part: &'static str,
    },
    /// It has a host, but no path of the interface.
    #[error("the URL \"{0}\" lacks the path of the interface; write {0}{base}", base = name::BASE)]
    NoPath(String),
    /// It continues after the path of the interface.
    #[error("the URL \"{given}\" goes on after {base}; write {right}", base = name::BASE)]
    TooLong {
        /// The text.
        given: String,
        /// The same without the additional part.
        right: String,
    },
}

impl BaseUrl {
    /// Parses an absolute `http` or `https` URL.
    ///
    /// # Errors
    /// See [`BaseUrlError`].
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let given = text.trim();
        let not_http = || BaseUrlError::NotHttp(given.to_owned());
        let superfluous = |part| BaseUrlError::Superfluous {
            // An error message must not contain a password.
            given: given.split_once('@').map_or(given, |(_, rest)| rest).into(),
            part,
        };
        // The parser drops fragments without an error.
        if given.contains('#') {
            return Err(superfluous("a fragment"));
        }
        let uri: Uri = given.parse().map_err(|_| not_http())?;
        let encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(not_http()),
        };
        let authority = uri.authority().ok_or_else(not_http)?;
        if authority.as_str().contains('@') {
            return Err(superfluous("a user name or password"));
        }
        if authority.host().is_empty() {
            return Err(not_http());
        }
        let host = authority.host().to_owned();
        if uri.query().is_some() {
            return Err(superfluous("a query"));
        }
        let text = given.trim_end_matches('/').to_owned();
        if uri.path().trim_end_matches('/').is_empty() {
            return Err(BaseUrlError::NoPath(text));
        }
        if let Some(right) = without_rest(&text) {
            return Err(BaseUrlError::TooLong { given: text, right });
        }
        Ok(Self {
            text,
            host,
            encrypted,
        })
    }

    /// The address without a trailing `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address that was probably meant, after a server has answered that it has no route at this one.
    pub(crate) fn meant(&self) -> Option<String> {
        let path = self.text.find("://").map_or(0, |at| at + "://".len());
        let path = path + self.text[path..].find('/')?;
        let (origin, path) = self.text.split_at(path);
        let (first, _) = name::BASE.trim_start_matches('/').split_once('/')?;
        let mut above = String::new();
        for segment in path.split('/').skip(1).take_while(|part| *part != first) {
            above.push('/');
            above.push_str(segment);
        }
        let is_below = above.len() < path.len() && !path.ends_with(name::BASE);
        let above = if is_below { above.as_str() } else { "" };
        let meant = format!("{origin}{above}{}", name::BASE);
        (meant != self.text).then_some(meant)
    }

    /// The name or address of the host; an IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The scheme, the host and the port, without a path.
    #[must_use]
    pub fn origin(&self) -> &str {
        let host = self.text.find("://").map_or(0, |at| at + "://".len());
        let end = self.text[host..]
            .find('/')
            .map_or(self.text.len(), |at| host + at);
        &self.text[..end]
    }

    /// True if it is `https`.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }
}

/// The address up to the path of the interface, if it has more after that.
fn without_rest(text: &str) -> Option<String> {
    let end = text.find(&format!("{}/", name::BASE))? + name::BASE.len();
    let is_end = text.ends_with(name::BASE);
    (!is_end).then(|| text[..end].to_owned())
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_http_url_is_taken_without_its_trailing_slash() {
        let url = BaseUrl::parse(" http://[::1]:8080/prominence/v1// ").unwrap();
        assert_eq!(url.as_str(), "http://[::1]:8080/prominence/v1");
        assert!(!url.is_encrypted());
        let url = BaseUrl::parse("HTTPS://kv.example.org/site/prominence/v1").unwrap();
        assert!(url.is_encrypted());
    }

    #[test]
    fn nonsense_is_refused_with_what_is_wrong() {
        for (text, word) in [
            ("", "no URL"),
            ("localhost:8080", "no URL"),
            ("127.0.0.1:8080/prominence/v1", "no URL"),
            ("/prominence/v1", "no URL"),
            ("ftp://h/prominence/v1", "no URL"),
            ("http:///prominence/v1", "no URL"),
            ("http://h/a b", "no URL"),
            ("http://h/prominence/v1?x", "a query"),
            ("http://h/prominence/v1#x", "a fragment"),
            ("http://h:8080", "write http://h:8080/prominence/v1"),
            ("http://h:8080/", "write http://h:8080/prominence/v1"),
            ("http://h/prominence/v1/kv", "write http://h/prominence/v1"),
            (
                "http://h/x/prominence/v1/kv/output/",
                "write http://h/x/prominence/v1",
            ),
        ] {
            let error = BaseUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn another_path_is_taken_and_the_one_that_was_probably_meant_is_known() {
        for (text, meant) in [
            ("http://h:1/kv", Some("http://h:1/prominence/v1")),
            ("http://h:1/prominence", Some("http://h:1/prominence/v1")),
            ("http://h:1/prominence/v2", Some("http://h:1/prominence/v1")),
            (
                "http://h/site/prominence/v2",
                Some("http://h/site/prominence/v1"),
            ),
            (
                "http://h/site/prominence/v1",
                Some("http://h/prominence/v1"),
            ),
            ("http://h/prominence/v1", None),
        ] {
            let url = BaseUrl::parse(text).unwrap();
            assert_eq!(url.meant().as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = BaseUrl::parse("http://me:hunter2@h/prominence/v1").unwrap_err();
        assert!(error.to_string().contains("password"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
