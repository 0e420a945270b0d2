//! The web page: its files, the headers that confine it, and its sign-in with a code.

pub(crate) mod confine;
#[cfg(feature = "web")]
pub(crate) mod files;
pub(crate) mod sign_in;
