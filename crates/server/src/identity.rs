//! The identity of a caller: its token, the principal that the token stands for, and the rate of its user.

pub(crate) mod auth;
pub(crate) mod cache;
pub mod issuer;
pub(crate) mod login;
pub(crate) mod minting;
pub(crate) mod one_time;
pub(crate) mod rate;
pub(crate) mod records;
pub(crate) mod source;
pub mod token;
