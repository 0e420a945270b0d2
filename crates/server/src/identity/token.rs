//! Job tokens: JSON Web Tokens (RFC 7519) signed with HS256 and a secret that the batch platform
//! and this service share.
//!
//! Claims: `username` (whose namespace it is), `exp`, and optionally `job`, `groups`, `email`,
//! `scope`, `scp`, `iat`, `nbf` and `iss`; and of tokens that the service itself makes, `jti`, `via` and `from`. Claims that mark a token for another purpose are refused, and everything
//! else is left aside.

mod claims;
mod header;
mod members;
mod mint;
mod secret;
mod verify;

pub(in crate::identity) use claims::{Claims, Window, unusable};
pub(crate) use header::MAX_BYTES as MAX_TOKEN_BYTES;
pub(in crate::identity) use header::Parts;
pub(in crate::identity) use members::Members;
pub(in crate::identity) use mint::{MadeFor, mint_for};
pub use mint::{NewToken, mint};
pub(crate) use secret::{FILE_NAME as SECRET, read_secret};
pub use secret::{Secret, SecretError, SecretSource, find, load_or_create};
pub(in crate::identity) use verify::{MAX_MADE_FROM, digest_of};
pub use verify::{Rejected, TokenLimits, Verifier};
pub(crate) use verify::{hexadecimal, parse_id};

/// `iss` in tokens minted here, and `issuer` of every job token in the answer of `whoami`.
pub const ISSUER: &str = "job-token";
