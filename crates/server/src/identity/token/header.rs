//! The parts of a token, and its header.
//!
//! The header is read by a type of this project, because the library ignores members that a verifier has to refuse
//! (RFC 7515, sections 4.1.11 and 5.2).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Rejected;
use super::members::{Members, NotMembers};

/// The longest token. Tokens that name hundreds of groups have 10 KiB and more.
pub(crate) const MAX_BYTES: usize = 32 * 1_024;

/// The longest name of a key.
const MAX_KID_BYTES: usize = 256;

/// Types of tokens that can be access tokens (RFC 7519, section 5.1; RFC 9068, section 2.1).
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// Algorithms by which tokens are signed (RFC 7518, section 3.1; RFC 8037; RFC 9864).
const ALGORITHMS: [&str; 15] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "ES512", "ES256K", "EdDSA", "Ed25519",
];

/// A signed token in its parts.
pub(in crate::identity) struct Parts<'a> {
    /// The first two parts, with the point between them.
    pub(in crate::identity) signed: &'a str,
    pub(in crate::identity) header: Header,
    /// The bytes of the second part.
    pub(in crate::identity) payload: Vec<u8>,
    /// The third part as it was sent.
    pub(in crate::identity) signature: &'a str,
}

/// The members of a header that matter.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::identity) struct Header {
    pub(in crate::identity) alg: &'static str,
    pub(in crate::identity) kid: Option<String>,
}

impl<'a> Parts<'a> {
    /// Takes a token apart.
    pub(in crate::identity) fn of(token: &'a str) -> Result<Self, Rejected> {
        if token.len() > MAX_BYTES {
            return Err(Rejected::TooLong);
        }
        if token.split('.').count() == 5 {
            return Err(Rejected::Encrypted);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Rejected::Malformed)?;
        // Without padding and with no bits beyond the last byte, so that a token has one spelling only.
        let decode = |part: &str| {
            let decoded = BASE64_URL_SAFE_NO_PAD.decode(part);
            decoded.map_err(|_| Rejected::Malformed)
        };
        decode(signature)?;
        Ok(Self {
            signed,
            header: Header::parse(&decode(header)?)?,
            payload: decode(payload)?,
            signature,
        })
    }
}

impl Header {
    fn parse(text: &[u8]) -> Result<Self, Rejected> {
        let members = Members::parse(text).map_err(|error| match error {
            NotMembers::Malformed => Rejected::Malformed,
            NotMembers::Repeated(_) => Rejected::Header("a member occurs twice"),
        })?;
        let alg = match members.get("alg") {
            Some(Value::String(name)) => name.as_str(),
            // Not the header of a signed token at all.
            None => return Err(Rejected::Malformed),
            Some(_) => return Err(Rejected::Header("alg is not a string")),
        };
        let known = ALGORITHMS.into_iter().find(|known| *known == alg);
        let alg = known.ok_or(Rejected::Algorithm)?;
        if members.has("crit") {
            return Err(Rejected::Header("it demands extensions by crit"));
        }
        if members.get("b64") == Some(&Value::Bool(false)) {
            return Err(Rejected::Header("its payload is not base64"));
        }
        match members.get("typ") {
            None => {}
            Some(Value::String(name)) if TYPES.iter().any(|typ| typ.eq_ignore_ascii_case(name)) => {
            }
            Some(_) => return Err(Rejected::Header("typ is not that of an access token")),
        }
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) if (1..=MAX_KID_BYTES).contains(&kid.len()) => {
                Some(kid.clone())
            }
            Some(_) => return Err(Rejected::Header("kid is not a string of 1 to 256 bytes")),
        };
        Ok(Self { alg, kid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<Header, Rejected> {
        Header::parse(header.as_bytes())
    }

    #[test]
    fn a_header_that_demands_more_than_a_signature_is_refused() {
        assert_eq!(
            read(
                "{\"alg\":\"HS256\",\"kid\":\"k\",\"typ\":\"jwt\",\"jku\":\"https://x\",\"b64\":true}"
            ),
            Ok(Header {
                alg: "HS256",
                kid: Some("k".into())
            })
        );
        for typ in ["JWT", "AT+JWT", "application/at+jwt"] {
            assert!(read(&format!("{{\"alg\":\"HS256\",\"typ\":\"{typ}\"}}")).is_ok());
        }
        let long = format!("\"kid\":\"{}\"", "k".repeat(257));
        for more in [
            "\"crit\":[]",
            "\"crit\":[\"x\"]",
            "\"crit\":null",
            "\"b64\":false",
            "\"alg\":\"HS256\"",
            "\"x\":1,\"x\":2",
            "\"typ\":\"secevent+jwt\"",
            "\"typ\":null",
            "\"kid\":\"\"",
            "\"kid\":7",
            &long,
        ] {
            let header = format!("{{\"alg\":\"HS256\",{more}}}");
            assert!(
                matches!(read(&header), Err(Rejected::Header(_))),
                "{header}"
            );
        }
        for alg in ["none", "None", "nONE", "hs256", ""] {
            let header = format!("{{\"alg\":\"{alg}\"}}");
            assert_eq!(read(&header), Err(Rejected::Algorithm), "{header}");
        }
        assert_eq!(read("{}"), Err(Rejected::Malformed));
        for odd in ["{\"alg\":null}", "{\"alg\":[\"HS256\"]}"] {
            assert!(matches!(read(odd), Err(Rejected::Header(_))), "{odd}");
        }
    }

    #[test]
    fn a_token_has_one_spelling_and_a_bounded_length() {
        let parts = |token: &str| Parts::of(token).map(|parts| parts.payload);
        // {"alg":"HS256"} and {}
        let good = "eyJhbGciOiJIUzI1NiJ9.e30.AA";
        assert_eq!(parts(good).unwrap(), b"{}");
        for odd in [
            "eyJhbGciOiJIUzI1NiJ9.e30=.AA",
            "eyJhbGciOiJIUzI1NiJ9.e30.AA==",
            "eyJhbGciOiJIUzI1NiJ9.e30.AB",
            "eyJhbGciOiJIUzI1NiJ9.e31.AA",
            "eyJhbGciOiJIUzI1NiJ9.e30.A+",
            "eyJhbGciOiJIUzI1NiJ9.e30",
            "eyJhbGciOiJIUzI1NiJ9.e30.AA.",
        ] {
            assert_eq!(parts(odd), Err(Rejected::Malformed), "{odd}");
        }
        let encrypted = "eyJhbGciOiJIUzI1NiJ9.AA.AA.AA.AA";
        assert_eq!(parts(encrypted), Err(Rejected::Encrypted));
        let long = format!("{good}{}", "A".repeat(MAX_BYTES));
        assert_eq!(parts(&long), Err(Rejected::TooLong));
    }
}
