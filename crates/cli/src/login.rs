//! The saved login: a token that `prominence login` got from an issuer, and how it is renewed.
//!
//! | file below `~/.prominence` | content |
//! | --- | --- |
//! | `token` | the issuer's answer as it came, and a member `prominence` with what renewing and ending need |
//! | `token.lock` | locked while the token is renewed |
//! | `client` | the client that the existing command line has registered, if it has: its id and secret |
//!
//! The existing command line reads `access_token` and writes the bare answer, which is read here too, and not renewed.

pub(crate) mod device;
mod file;
pub(crate) mod place;
mod renew;

pub(crate) use file::{Draft, LoginFile, State};
pub(crate) use renew::Renewer;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use prominence_client::OAuthClient;
use serde::Deserialize;

use serde_json::{Map, Value};

use crate::failure::Failure;

/// The client's id and secret, which count only together.
const CLIENT_ID: &str = "PROMINENCE_OIDC_CLIENT_ID";
const CLIENT_SECRET: &str = "PROMINENCE_OIDC_CLIENT_SECRET";

/// The file of a client that was registered.
const CLIENT: &str = "client";

/// The content of this file; issuers answer more than this when a client is registered.
#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: String,
}

/// The folder of the login.
pub(crate) fn folder() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".prominence"))
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The client that the environment names, or the one that was registered.
pub(crate) fn own_client() -> Option<OAuthClient> {
    if let (Some(id), Some(secret)) = (variable(CLIENT_ID), variable(CLIENT_SECRET)) {
        let secret = Some(secret);
        return Some(OAuthClient { id, secret });
    }
    let text = std::fs::read(folder()?.join(CLIENT)).ok()?;
    let registered: Registered = serde_json::from_slice(&text).ok()?;
    Some(OAuthClient {
        id: registered.client_id,
        secret: Some(registered.client_secret),
    })
}

/// Keeps a client that was registered.
fn keep_client(answer: Map<String, Value>) -> Result<(), Failure> {
    let folder = folder().ok_or_else(|| {
        Failure::Usage("there is no home folder to keep the client in; set HOME".to_owned())
    })?;
    let path = folder.join(CLIENT);
    let kept = Draft::new(&path).and_then(|draft| draft.write(&path, &answer));
    kept.map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))
}

/// The client with this id.
pub(crate) fn client(id: &str) -> OAuthClient {
    let own = own_client().filter(|client| client.id == id);
    own.unwrap_or_else(|| OAuthClient {
        id: id.to_owned(),
        secret: None,
    })
}
