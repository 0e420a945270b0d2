//! The access token, which never shows itself.

use std::fmt;

/// A bearer token (RFC 6750).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a text can't be sent as a token. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing was given.
    #[error("the token is empty")]
    Empty,
    /// It has white space or other characters that a header can't carry.
    #[error("the token contains a character that no token has, such as a space or a line break")]
    Character,
}

impl Token {
    /// Takes a token; white space around it is not part of it.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// The token itself, for what has to send or decode it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
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
    fn what_no_header_can_carry_is_refused() {
        assert_eq!(Token::parse(" \n"), Err(TokenError::Empty));
        for odd in ["a b", "a\nb", "a\0", "é"] {
            assert_eq!(Token::parse(odd), Err(TokenError::Character), "{odd:?}");
        }
    }
}
