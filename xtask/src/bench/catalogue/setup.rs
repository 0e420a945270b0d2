//! What is there before a row is measured: stores, and servers beside ours.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a store holds, at full scale.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    #[serde(default = "one")]
    pub(crate) users: u64,
    /// Keys of each user.
    pub(crate) keys: u64,
    /// Bytes of each value.
    pub(crate) bytes: u64,
    /// Folders that the keys are spread over; 0 for none.
    #[serde(default)]
    pub(crate) folders: u64,
    #[serde(default)]
    pub(crate) shrinks: Shrinks,
}

pub(super) fn one() -> u64 {
    1
}

/// What is a hundredth at small scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shrinks {
    #[default]
    Keys,
    Users,
    Nothing,
}

/// A server that is measured beside ours. In its files, command, URL and body, names in braces stand for its
/// folder and ports, and for a value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Peer {
    /// Programs that have to be installed.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// The texts of the files that it is started with, by their names.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// What starts it, with its arguments.
    pub(crate) command: Vec<String>,
    /// It is a program of this workspace.
    #[serde(default)]
    pub(crate) is_own: bool,
    /// Where it is asked, of Redis the port alone; where it prints that itself, this is absent.
    pub(crate) url: Option<String>,
    /// What follows that of the one key that is there.
    #[serde(default)]
    pub(crate) hot: String,
    /// It is sent a token as the server is, so that it reads as many headers.
    #[serde(default)]
    pub(crate) takes_token: bool,
    /// The path and the body of a request that it answers once it is ready.
    pub(crate) first: Option<(String, String)>,
}
