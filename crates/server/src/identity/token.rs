//! Job tokens: JSON Web Tokens (RFC 7519) signed with HS256 and a secret that the batch platform
//! and this service share.
//!
//! Claims: `username` (whose namespace it is), `exp`, and optionally `job`, `groups`, `email`,
//! `scope`, `scp`, `iat`, `nbf` and `iss`. Claims that mark a token for another purpose are refused, and everything
//! else is left aside.

mod cache;
mod claims;
mod header;
mod members;
mod mint;
mod secret;
mod verify;

pub use cache::CachingVerifier;
pub use mint::{NewToken, mint};
pub(crate) use secret::FILE_NAME as SECRET;
pub use secret::{Secret, SecretError, SecretSource, find, load_or_create};
pub use verify::{Rejected, TokenLimits, Verifier};

/// `iss` in tokens minted here, and `issuer` of every job token in the answer of `whoami`.
pub const ISSUER: &str = "job-token";
