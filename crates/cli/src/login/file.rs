//! The file of the saved login.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

/// The member of this program.
const OWN: &str = "prominence";

/// The content of the file: the issuer's answer, and the member of this program.
#[derive(Clone, Default)]
pub(crate) struct LoginFile {
    content: Map<String, Value>,
}

/// The data that renewing and ending a login need, beside the issuer's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) version: u32,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) token_endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revocation_endpoint: Option<String>,
    /// When the access token ends, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<u64>,
    /// The scheme, host and port of the server that the token is for. It is sent to no other.
    pub(crate) server: String,
}

/// A file that can be written, before there is anything to write. A refresh token is used up when it is sent, and the login
/// would be lost if the answer could not be kept.
pub(crate) struct Draft(NamedTempFile);

impl LoginFile {
    /// An answer of an issuer.
    pub(crate) fn new(mut answer: Map<String, Value>, state: &State) -> Self {
        // A state is always an object.
        if let Ok(own) = serde_json::to_value(state) {
            answer.insert(OWN.to_owned(), own);
        }
        Self { content: answer }
    }

    /// Reads the file; `None` if it is not there or not JSON, such as a bare token.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let content = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        Some(Self { content })
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.content.get(name)?.as_str()
    }

    /// The part that this program has written; `None` in the file of the existing command line.
    pub(crate) fn state(&self) -> Option<State> {
        serde_json::from_value(self.content.get(OWN)?.clone()).ok()
    }

    /// Seconds that the access token was given.
    pub(crate) fn lifetime(&self) -> Option<u64> {
        self.content.get("expires_in")?.as_u64()
    }
}

impl Draft {
    /// Makes a file beside the one that it is to replace, for this user alone.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        if !folder.exists() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder)?;
        }
        let file = NamedTempFile::with_prefix_in(".token-", folder)?;
        let private = std::fs::Permissions::from_mode(0o600);
        file.as_file().set_permissions(private)?;
        Ok(Self(file))
    }

    /// Writes the content, and puts the file in its place, whole, also where a link is there.
    pub(crate) fn keep(self, path: &Path, login: &LoginFile) -> io::Result<()> {
        self.write(path, &login.content)
    }

    /// The same for any JSON object.
    pub(crate) fn write(mut self, path: &Path, content: &Map<String, Value>) -> io::Result<()> {
        let text = serde_json::to_vec(content)?;
        self.0.write_all(&text)?;
        self.0.as_file().sync_all()?;
        self.0.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}
