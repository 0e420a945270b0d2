//! The settings that the environment and files add to the arguments. Only sources that the command needs are read.
//!
//! Each setting comes from the first of these that has it: its own flag; the profile that `--profile`
//! names; the environment; the profile that `PROMINENCE_PROFILE` names, or the default profile; for the
//! token `~/.prominence/token`; the default. A profile that was typed beats the environment because it
//! is a flag: a user who types `--profile site` must not reach the server of a variable that was
//! exported earlier.

mod connection;
mod environment;
mod profiles;
mod sources;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prominence_api::time::format_duration;
use prominence_client::{
    BaseUrl, Client, Config, Credentials, Notice, OnNotice, Timeouts, Token, TokenFile,
    TokenFileError,
};

use crate::failure::Failure;
use crate::login::{self, Renewer};
use crate::output;

pub(crate) use connection::Connection;
pub(crate) use environment::Environment;
pub(crate) use profiles::{ProfileName, Profiles};
pub(crate) use sources::{Found, Origin, Sources, TokenPlace};

/// The URL of the service.
pub(crate) const URL: &str = "PROMINENCE_URL";
/// The token itself.
pub(crate) const TOKEN: &str = "PROMINENCE_TOKEN";
/// A file with the token.
const TOKEN_FILE: &str = "PROMINENCE_TOKEN_FILE";
/// A file with certificate authorities.
const CA_FILE: &str = "PROMINENCE_CA_FILE";
/// The profile of the client file.
pub(crate) const PROFILE: &str = "PROMINENCE_PROFILE";
/// `False` (or another word for it) switches the check of the server's certificate off.
const SSL_VERIFY: &str = "PROMINENCE_SSL_VERIFY";
/// The time during which a failed request is repeated.
const RETRY: &str = "PROMINENCE_RETRY_FOR";
/// The longest silence of the server before a connection counts as lost.
pub(crate) const TIMEOUT: &str = "PROMINENCE_TIMEOUT";

/// The file of a saved token, below the home folder.
const SAVED_TOKEN: &str = ".prominence/token";

/// The bits of a file's mode that let others than its owner read it.
const OTHERS_READ: u32 = 0o044;

/// A client, from everything that is known.
pub(crate) fn client(connection: &Connection) -> Result<Client, Failure> {
    let sources = Sources::new(connection)?;
    let url = server(&sources)?;
    let credentials = credentials_from(&sources)?.ok_or_else(|| {
        Failure::Login(format!(
            "there is no token to log in with{}; log in with prominence login, or set {TOKEN} or {TOKEN_FILE}",
            sources.remark()
        ))
    })?;
    connect(connection, &sources, url, credentials)
}

/// A client that sends this token, to this server if no setting names another.
pub(crate) fn client_with(
    connection: &Connection,
    url: Option<&str>,
    token: &str,
) -> Result<Client, Failure> {
    let sources = Sources::new(connection)?;
    let url = match (sources.url()?, url) {
        (None, Some(url)) => Found {
            value: BaseUrl::parse(url).map_err(|error| Failure::Usage(error.to_string()))?,
            origin: Origin::Default,
        },
        _ => server(&sources)?,
    };
    let credentials = parse(token, "the server's secret")?;
    connect(connection, &sources, url, credentials)
}

/// True if there are an address and a token.
#[cfg(feature = "server")]
pub(crate) fn can_log_in(connection: &Connection) -> bool {
    let sources = Sources::new(connection);
    sources.is_ok_and(|sources| matches!(sources.url(), Ok(Some(_))) && sources.token().is_some())
}

/// The token that the caller would log in with, if it can be read.
#[cfg(feature = "server")]
pub(crate) fn token_text(connection: &Connection) -> Option<String> {
    match Sources::new(connection).ok()?.token()?.value {
        TokenPlace::Text(text) => Some(text),
        TokenPlace::File(file) => {
            let text = std::fs::read_to_string(file).ok()?;
            Some(text.trim().to_owned())
        }
    }
}

/// The address of the server, which has to be given.
pub(crate) fn server_url(connection: &Connection) -> Result<BaseUrl, Failure> {
    Ok(server(&Sources::new(connection)?)?.value)
}

/// The file of the login.
pub(crate) fn saved_login() -> Option<PathBuf> {
    Some(login::folder()?.join("token"))
}

/// The failure for a login at another server: its token is not sent to this one, which may be a false one.
pub(crate) fn other_server(server: &str, url: &BaseUrl) -> Failure {
    Failure::Login(format!(
        "your login is for {server}, and PROMINENCE_URL is {url}; log in there with prominence login, or use \
         another address"
    ))
}

/// The address of the server.
fn server(sources: &Sources<'_>) -> Result<Found<BaseUrl>, Failure> {
    sources.url()?.ok_or_else(|| {
        Failure::Usage(format!(
            "the server's address is not known{}; set {URL}, as in export \
             {URL}=http://127.0.0.1:8080/prominence/v1, give it with --url, or save it in a profile \
             (see prominence config --help)",
            sources.remark()
        ))
    })
}

fn connect(
    connection: &Connection,
    sources: &Sources<'_>,
    url: Found<BaseUrl>,
    credentials: Credentials,
) -> Result<Client, Failure> {
    if connection.ca_file.is_some() && !url.value.is_encrypted() {
        output::warn(format_args!(
            "--ca-file is not used, because {} has no TLS; write https:// where the server speaks it",
            url.value
        ));
    }
    let config = Config {
        url_from: Some(url.origin.to_string()),
        certificates: sources.certificates()?.value,
        timeouts: Timeouts {
            silence: sources.silence()?.value,
            ..Timeouts::default()
        },
        retry_for: sources.retry_for()?.value,
        on_notice: OnNotice::new(tell),
        ..Config::new(url.value, credentials)
    };
    Ok(Client::new(config)?)
}

/// The URL of the service, if one is given.
#[cfg(feature = "server")]
pub(crate) fn url(connection: &Connection) -> Result<Option<Found<BaseUrl>>, Failure> {
    Sources::new(connection)?.url()
}

/// The token, if there is one.
pub(crate) fn credentials(connection: &Connection) -> Result<Option<Credentials>, Failure> {
    credentials_from(&Sources::new(connection)?)
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn credentials_from(sources: &Sources<'_>) -> Result<Option<Credentials>, Failure> {
    let Some(found) = sources.token() else {
        return Ok(None);
    };
    let credentials = match &found.value {
        TokenPlace::Text(text) => parse(text, &found.origin.to_string()),
        TokenPlace::File(file) => {
            // Batch systems set up the files that flags and variables name; the others are the
            // user's own, and so is closing them.
            if matches!(found.origin, Origin::Profile { .. } | Origin::SavedToken) {
                warn_if_open(file);
            }
            match found.origin {
                Origin::SavedToken => open_login(file, sources),
                _ => open(file),
            }
        }
    };
    credentials.map(Some)
}

/// Says so where other users of this machine can read a token.
fn warn_if_open(file: &Path) {
    let open = std::fs::metadata(file).is_ok_and(|about| about.mode() & OTHERS_READ != 0);
    if open {
        let file = file.display();
        output::warn(format_args!(
            "other users of this machine can read the token in {file}; close the file with chmod \
             600 {file}"
        ));
    }
}

/// Says that a request has failed and is repeated, so that the terminal is not silent.
fn tell(notice: &Notice<'_>) {
    // A part of a second counts as one.
    let left = Duration::from_secs(notice.left.as_secs() + 1);
    output::warn(format!(
        "{}; trying again for up to {}",
        notice.error,
        format_duration(left)
    ));
}

/// The saved login, which is renewed by itself; or what another program has saved there, which is not.
fn open_login(file: &Path, sources: &Sources<'_>) -> Result<Credentials, Failure> {
    let Some(login) = Renewer::open(file)? else {
        return open(file);
    };
    let server = login.server();
    match sources.url()? {
        Some(url) if url.value.origin() != server => Err(other_server(&server, &url.value)),
        _ => Ok(Credentials::Renewed(Arc::new(login))),
    }
}

fn open(file: &Path) -> Result<Credentials, Failure> {
    match TokenFile::open(file) {
        Ok(file) => Ok(Credentials::File(file)),
        Err(error @ TokenFileError::Unreadable { .. }) => Err(Failure::Usage(error.to_string())),
        Err(error) => Err(Failure::Login(error.to_string())),
    }
}

fn parse(text: &str, place: &str) -> Result<Credentials, Failure> {
    let token = Token::parse(text)
        .map_err(|error| Failure::Login(format!("the token from {place} can't be used: {error}")));
    token.map(Credentials::Token)
}
