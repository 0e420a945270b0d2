//! The claims of a token, read without a check of its signature: the server does that.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use prominence_core::Timestamp;
use serde_json::{Map, Value};

/// The two parts of a JSON Web Token (RFC 7519) that can be read.
pub(crate) struct Claims {
    pub(crate) header: Map<String, Value>,
    pub(crate) payload: Map<String, Value>,
}

impl Claims {
    /// Reads a token; `None` if it is not a JSON Web Token.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let header = part(parts.next()?)?;
        let payload = part(parts.next()?)?;
        parts.next()?;
        parts.next().is_none().then_some(Self { header, payload })
    }

    /// A claim as text; numbers as they are written.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.payload.get(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(items) if items.is_empty() => None,
            Value::Array(items) => {
                let words: Vec<_> = items.iter().map(word).collect();
                Some(words.join(" "))
            }
            _ => None,
        }
    }

    /// A claim as an instant (RFC 7519, section 2: seconds, perhaps with a fraction).
    pub(crate) fn instant(&self, name: &str) -> Option<Timestamp> {
        let number = self.payload.get(name)?.as_number()?.to_string();
        let whole = number.split('.').next()?;
        whole.parse().ok().map(Timestamp::from_secs)
    }
}

fn part(text: &str) -> Option<Map<String, Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", encode("{\"alg\":\"HS256\"}"), encode(payload))
    }

    #[test]
    fn claims_are_read_as_they_are_written() {
        let payload = "{\"username\":\"alice\",\"job\":17,\"groups\":[\"a\",\"b\"],\"exp\":12.5}";
        let claims = Claims::read(&token(payload)).unwrap();
        assert_eq!(claims.text("username").as_deref(), Some("alice"));
        assert_eq!(claims.text("job").as_deref(), Some("17"));
        assert_eq!(claims.text("groups").as_deref(), Some("a b"));
        assert_eq!(claims.instant("exp"), Some(Timestamp::from_secs(12)));
        assert_eq!(claims.text("scope"), None);
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        for odd in [
            "",
            "opaque",
            "a.b",
            "a.b.c",
            "e30.e30",
            "e30.e30.a.b",
            "W10.W10.x",
        ] {
            assert!(Claims::read(odd).is_none(), "{odd}");
        }
    }
}
