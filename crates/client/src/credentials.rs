//! The source of the access token: a fixed token, or a file that another program renews.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prominence_api::time::rfc3339;
use prominence_core::Timestamp;
use serde::Deserialize;

use crate::token::{Token, TokenError, without_mark};

/// The time before the end of a token at which its file is read again. Services that renew tokens in files do so
/// minutes before the end, and a request in flight at the end is refused.
const EARLY: Duration = Duration::from_secs(60);

/// The shortest time between two reads of a file because of a token that ends soon.
const BETWEEN_READS: Duration = Duration::from_secs(1);

/// The token of the caller.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A token that stays the same.
    Token(Token),
    /// A token in a file, which is read again before the token ends and after it was refused.
    File(TokenFile),
    /// A token that is renewed by somebody else.
    Renewed(Arc<dyn TokenSource>),
}

/// Has a token, and gets another one before it ends and after it was refused.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// The token to send now.
    fn current(&self) -> Token;

    /// Another token to send after this one was refused; `None` if there is none.
    fn instead_of(&self, refused: &Token) -> Option<Token>;

    /// The next step after a token was refused.
    fn remark(&self) -> Option<String>;
}

/// A file with a token. Clones share the last read token.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    last: Arc<Mutex<Last>>,
}

/// The last read token, and the time of that read.
#[derive(Debug)]
struct Last {
    token: Token,
    at: Instant,
}

/// The second form of a token file: JSON as in the answer of an OAuth server.
#[derive(Deserialize)]
struct Saved {
    access_token: String,
}

/// The reason why a file has no usable token. Never contains the file's content.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It can't be read.
    #[error("cannot read the token file {path}: {cause}; check its name and permissions")]
    Unreadable {
        /// Its path.
        path: String,
        /// The reason.
        cause: std::io::Error,
    },
    /// It is JSON without a token.
    #[error(
        "the token file {path} is JSON without a text \"access_token\"; write the token alone into it, or \
         JSON that has it there"
    )]
    NoToken {
        /// Its path.
        path: String,
    },
    /// Its content is not a token.
    #[error("the token from {path} can't be used: {cause}")]
    Unusable {
        /// Its path.
        path: String,
        /// The reason.
        cause: TokenError,
    },
}

impl Credentials {
    /// The token to send now.
    #[must_use]
    pub fn current(&self) -> Token {
        match self {
            Self::Token(token) => token.clone(),
            Self::File(file) => file.current(now()),
            Self::Renewed(source) => source.current(),
        }
    }

    /// Another token to use after this one was refused; `None` if there is none.
    pub(crate) fn instead_of(&self, refused: &Token) -> Option<Token> {
        match self {
            Self::Token(_) => None,
            Self::File(file) => file.instead_of(refused),
            Self::Renewed(source) => source.instead_of(refused),
        }
    }

    /// The addition to the error of a refused token: its file and its end, if it has them, and the next step.
    pub(crate) fn remark(&self) -> Option<String> {
        let ended = |token: &Token| token.expires().filter(|ends| *ends <= now());
        let (source, expires) = match self {
            Self::Renewed(source) => return source.remark(),
            Self::Token(token) => (None, ended(token)),
            Self::File(file) => (Some(file), ended(&file.current(now()))),
        };
        match (source, expires) {
            (None, None) => None,
            (None, Some(ended)) => Some(format!("it ended at {}", rfc3339(ended))),
            (Some(file), Some(ended)) => Some(format!(
                "the token in {} ended at {}; renew the file with the program that writes it, such as \
                 oidc-token or prominence token create",
                file.path.display(),
                rfc3339(ended)
            )),
            (Some(file), None) => Some(format!(
                "the token comes from {}; have another one written to it",
                file.path.display()
            )),
        }
    }

    /// The file that the token comes from.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Token(_) | Self::Renewed(_) => None,
            Self::File(file) => Some(&file.path),
        }
    }
}

impl From<Token> for Credentials {
    fn from(token: Token) -> Self {
        Self::Token(token)
    }
}

impl TokenFile {
    /// Reads a file with only the token, or with a JSON object with an `access_token`.
    ///
    /// # Errors
    /// See [`TokenFileError`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TokenFileError> {
        let path = path.into();
        let last = Last {
            token: read(&path)?,
            at: Instant::now(),
        };
        Ok(Self {
            path,
            last: Arc::new(Mutex::new(last)),
        })
    }

    fn current(&self, now: Timestamp) -> Token {
        let mut last = self.last();
        let ends = last.token.expires();
        let early = now.after(EARLY);
        if ends.is_some_and(|ends| ends <= early) && last.at.elapsed() >= BETWEEN_READS {
            self.read_again(&mut last);
        }
        last.token.clone()
    }

    fn instead_of(&self, refused: &Token) -> Option<Token> {
        let mut last = self.last();
        if last.token == *refused {
            self.read_again(&mut last);
        }
        (last.token != *refused).then(|| last.token.clone())
    }

    /// If the file can't be read, for example because it is being replaced, the token stays the same.
    fn read_again(&self, last: &mut Last) {
        last.at = Instant::now();
        if let Ok(token) = read(&self.path) {
            last.token = token;
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<Token, TokenFileError> {
    let shown = || path.display().to_string();
    let bytes = std::fs::read(path).map_err(|cause| TokenFileError::Unreadable {
        path: shown(),
        cause,
    })?;
    let unusable = |cause| TokenFileError::Unusable {
        path: shown(),
        cause,
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable(TokenError::Encoding))?;
    let text = without_mark(text);
    if !text.starts_with('{') {
        return Token::parse(text).map_err(unusable);
    }
    match serde_json::from_str::<Saved>(text) {
        Ok(saved) => Token::parse(&saved.access_token).map_err(unusable),
        // The parser's own message could repeat a part of the token.
        Err(_) => Err(TokenFileError::NoToken { path: shown() }),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    fn jwt(name: &str, exp: u64) -> String {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let payload = format!("{{\"username\":\"{name}\",\"exp\":{exp}}}");
        format!(
            "{}.{}.c2ln",
            encode("{\"alg\":\"HS256\"}"),
            encode(&payload)
        )
    }

    #[test]
    fn a_file_is_read_again_before_its_token_ends_and_not_earlier() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, jwt("first", 1_000)).unwrap();
        let tokens = TokenFile::open(&path).unwrap();
        std::fs::write(&path, jwt("second", 2_000)).unwrap();
        let current = |now| {
            tokens
                .current(Timestamp::from_secs(now))
                .reveal()
                .to_owned()
        };
        tokens.last().at = Instant::now().checked_sub(BETWEEN_READS).unwrap();
        assert_eq!(current(900), jwt("first", 1_000));
        assert_eq!(current(940), jwt("second", 2_000));
        std::fs::remove_file(&path).unwrap();
        tokens.last().at = Instant::now().checked_sub(BETWEEN_READS).unwrap();
        assert_eq!(current(1_990), jwt("second", 2_000), "it stays as it was");
    }

    #[test]
    fn a_refused_token_is_replaced_where_the_file_has_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "opaque-1").unwrap();
        let credentials = Credentials::File(TokenFile::open(&path).unwrap());
        let first = credentials.current();
        assert_eq!(credentials.instead_of(&first), None);
        std::fs::write(&path, "{\"access_token\": \"opaque-2\"}").unwrap();
        let second = credentials.instead_of(&first).unwrap();
        assert_eq!(second.reveal(), "opaque-2");
        assert_eq!(credentials.instead_of(&second), None);
        // A token that was refused meanwhile is not sent because another request used it.
        assert_eq!(credentials.instead_of(&first).unwrap(), second);
    }

    #[test]
    fn what_is_no_token_is_named_by_its_file_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unusable");
        for (text, word) in [
            ("", "empty"),
            ("a b", "character"),
            ("s3cret\nother", "several lines"),
            ("Bearer s3cret", "Bearer"),
            ("Authorization: Bearer s3cret", "Bearer"),
            ("\"s3cret\"", "quotation marks"),
            ("'s3cret'", "quotation marks"),
            ("{\"id_token\": \"s3cret\"}", "access_token"),
            ("{\"access_token\": s3cret", "access_token"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = TokenFile::open(&path).unwrap_err().to_string();
            assert!(
                error.contains(word) && error.contains("unusable"),
                "{error}"
            );
            assert!(!error.contains("s3cret"), "{error}");
        }
        // As Windows programs write it.
        let utf16: Vec<u8> = "\u{feff}s3cret"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        std::fs::write(&path, utf16).unwrap();
        let error = TokenFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("UTF-8"), "{error}");
    }

    #[test]
    fn a_byte_order_mark_and_white_space_are_no_part_of_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for text in [
            "\u{feff}s3cret\r\n",
            " \u{feff} s3cret \n\n",
            "\u{feff}{\"access_token\": \"s3cret\"}",
        ] {
            std::fs::write(&path, text).unwrap();
            let token = TokenFile::open(&path).unwrap().current(now());
            assert_eq!(token.reveal(), "s3cret", "{text:?}");
        }
    }
}
