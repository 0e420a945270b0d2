//! The HTTP interface as the server and its clients share it.
//!
//! | module | contents |
//! | --- | --- |
//! | [`body`] | JSON bodies |
//! | [`error`] | error bodies and their codes |
//! | [`name`] | names of headers, parameters and media types |
//! | [`path`] | keys in URLs |
//! | [`switch`] | settings that are on or off as text |
//! | [`time`] | durations and times as text |

pub mod body;
pub mod error;
pub mod name;
pub mod path;
pub mod switch;
pub mod time;

pub use body::{
    About, AboutLimits, Added, Batch, BatchCondition, BatchDone, BatchOperation, BatchResult,
    BatchTtl, Cause, Changed, Counted, Deleted, Described, Detail, Listed, ListedToken, LoginAt,
    LoginCode, LoginToken, MadeToken, Object, OneTimeCode, PageLogin, ProtectedResource, Released,
    Renewed, Reset, RevokeTokens, Revoked, Set, SignIn, SignedIn, Text, Usage, UsageLimits, WhoAmI,
};
pub use error::{ErrorBody, ErrorCode};
