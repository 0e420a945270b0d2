//! Job tokens: JSON Web Tokens (RFC 7519) signed with HS256 and a secret that the batch platform
//! and this service share.
//!
//! Claims: `username` (whose namespace it is), `exp`, and optionally `job`, `groups`, `email`,
//! `scope`, `nbf` and `iss`. Everything else is left aside.

mod cache;
mod mint;
mod secret;
mod verify;

pub use cache::CachingVerifier;
pub use mint::{NewToken, mint};
pub(crate) use secret::FILE_NAME as SECRET;
pub use secret::{Secret, SecretError, SecretSource, find, load_or_create};
pub use verify::{Rejected, Verifier};

/// `iss` in tokens minted here, and `issuer` in the answer of `whoami` for tokens without one.
pub const ISSUER: &str = "job-token";
