//! The access token, which is never printed.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use prominence_core::Timestamp;
use serde::Deserialize;

/// A bearer token (RFC 6750).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The reason why a text can't be sent as a token. Never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text is empty.
    #[error("the token is empty; put the token itself there")]
    Empty,
    /// It is not UTF-8.
    #[error("it is no UTF-8 text; save it as plain UTF-8 text")]
    Encoding,
    /// It has several lines.
    #[error("the token has several lines; keep the token alone, on one line")]
    Lines,
    /// It has the quotation marks of a shell or of JSON.
    #[error("the token is in quotation marks; leave them out")]
    Quotes,
    /// It has the header's name or scheme before the token.
    #[error("the token begins with \"Bearer \" or the name of a header; keep the token alone")]
    Scheme,
    /// It has white space or other characters that are not allowed in a header.
    #[error(
        "the token contains a character that no token has, such as a space or a line break; copy it again"
    )]
    Character,
}

impl Token {
    /// Reads a token, without white space around it and a byte-order mark before it.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = without_mark(text);
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.contains(['\n', '\r']) {
            return Err(TokenError::Lines);
        }
        if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
            return Err(TokenError::Quotes);
        }
        let first = text.split_whitespace().next().unwrap_or_default();
        let is_header = ["bearer", "bearer:", "authorization:"]
            .iter()
            .any(|word| first.eq_ignore_ascii_case(word));
        if is_header && first.len() < text.len() {
            return Err(TokenError::Scheme);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// The end of a JSON Web Token that has one. Its signature is not checked.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct Claims {
            exp: f64,
        }
        let payload = self.0.split('.').nth(1)?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        let Claims { exp } = serde_json::from_slice(&payload).ok()?;
        let whole = std::time::Duration::try_from_secs_f64(exp).ok()?;
        Some(Timestamp::from_secs(whole.as_secs()))
    }

    /// The token itself, for code that sends or decodes it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A text without white space around it and without a byte-order mark, which Windows programs write.
pub(crate) fn without_mark(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Shows that there is a token, and never the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_shows_itself() {
        let token = Token::parse(" s3cret\n").unwrap();
        assert_eq!(token.reveal(), "s3cret");
        assert!(!format!("{token:?}").contains("s3cret"));
    }

    #[test]
    fn its_end_is_read_where_it_has_one() {
        let expires = |payload: &str| {
            let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
            Token::parse(&format!("e30.{payload}.c2ln"))
                .unwrap()
                .expires()
        };
        assert_eq!(expires("{\"exp\":12}"), Some(Timestamp::from_secs(12)));
        assert_eq!(expires("{\"exp\":12.5}"), Some(Timestamp::from_secs(12)));
        for odd in ["{\"exp\":-1}", "{\"exp\":\"12\"}", "{}", "x"] {
            assert_eq!(expires(odd), None, "{odd}");
        }
        assert_eq!(Token::parse("opaque").unwrap().expires(), None);
    }

    #[test]
    fn what_no_header_can_carry_is_refused() {
        assert_eq!(Token::parse(" \n"), Err(TokenError::Empty));
        for odd in ["a b", "a\0", "é", "bearers x"] {
            assert_eq!(Token::parse(odd), Err(TokenError::Character), "{odd:?}");
        }
        for (odd, why) in [
            ("a\nb", TokenError::Lines),
            ("a\rb", TokenError::Lines),
            ("\"a\"", TokenError::Quotes),
            ("'Bearer a'", TokenError::Quotes),
            ("bearer  a", TokenError::Scheme),
            ("Authorization: Bearer a", TokenError::Scheme),
        ] {
            assert_eq!(Token::parse(odd), Err(why), "{odd:?}");
        }
        assert_eq!(Token::parse("Bearer").unwrap().reveal(), "Bearer");
    }
}
