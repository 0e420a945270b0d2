//! What the environment and files add to the arguments. Flags beat the environment, the
//! environment beats files; nothing is read that the command doesn't need.

use std::path::{Path, PathBuf};
use std::time::Duration;

use prominence_api::time::{DurationError, format_duration};
use prominence_client::retry::RETRY_FOR;
use prominence_client::{
    BaseUrl, Certificates, Client, Config, Credentials, Notice, OnNotice, Timeouts, Token,
    TokenFile, TokenFileError,
};

use crate::args::{Connection, values};
use crate::failure::Failure;
use crate::output;

/// Where the service is.
pub(crate) const URL: &str = "PROMINENCE_URL";
/// The token itself.
pub(crate) const TOKEN: &str = "PROMINENCE_TOKEN";
/// A file with the token.
pub(crate) const TOKEN_FILE: &str = "PROMINENCE_TOKEN_FILE";
/// A file with certificate authorities.
pub(crate) const CA_FILE: &str = "PROMINENCE_CA_FILE";
/// `False` switches the check of the server's certificate off.
pub(crate) const SSL_VERIFY: &str = "PROMINENCE_SSL_VERIFY";
/// How long a request that fails for now is repeated.
pub(crate) const RETRY: &str = "PROMINENCE_RETRY_FOR";
/// How long the server may be silent before a connection counts as lost.
pub(crate) const TIMEOUT: &str = "PROMINENCE_TIMEOUT";

/// The file of a saved token, below the home folder.
const SAVED_TOKEN: &str = ".prominence/token";

/// A client, from everything that is known.
pub(crate) fn client(connection: &Connection) -> Result<Client, Failure> {
    let url = url(connection)?.ok_or_else(|| {
        Failure::Usage(format!(
            "the server's address is not known; set {URL}, as in export \
             {URL}=http://127.0.0.1:8080/prominence/v1, or give it with --url"
        ))
    })?;
    let credentials = credentials(connection)?.ok_or_else(|| {
        Failure::Login(format!(
            "there is no token to log in with; set {TOKEN} or {TOKEN_FILE}, or save one in \
             ~/{SAVED_TOKEN}"
        ))
    })?;
    let timeouts = Timeouts::default();
    let config = Config {
        certificates: certificates(connection),
        timeouts: Timeouts {
            silence: setting(TIMEOUT, values::duration)?.unwrap_or(timeouts.silence),
            ..timeouts
        },
        retry_for: retry_for(connection)?,
        on_notice: OnNotice::new(tell),
        ..Config::new(url, credentials)
    };
    Ok(Client::new(config)?)
}

/// The address of the service, where one is given.
pub(crate) fn url(connection: &Connection) -> Result<Option<BaseUrl>, Failure> {
    let Some(text) = connection.url.clone().or_else(|| variable(URL)) else {
        return Ok(None);
    };
    Ok(Some(BaseUrl::parse(&text)?))
}

/// What to log in with, where there is something.
pub(crate) fn credentials(connection: &Connection) -> Result<Option<Credentials>, Failure> {
    if let Some(text) = &connection.token {
        return parse(text, "--token").map(Some);
    }
    if let Some(file) = &connection.token_file {
        return open(file).map(Some);
    }
    if let Some(text) = variable(TOKEN) {
        return parse(&text, TOKEN).map(Some);
    }
    if let Some(file) = std::env::var_os(TOKEN_FILE).filter(|file| !file.is_empty()) {
        return open(Path::new(&file)).map(Some);
    }
    match saved() {
        Some(file) if file.exists() => open(&file).map(Some),
        _ => Ok(None),
    }
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// How long to repeat a request that is answered at once.
fn retry_for(connection: &Connection) -> Result<Duration, Failure> {
    if let Some(given) = connection.retry_for {
        return Ok(given);
    }
    Ok(setting(RETRY, values::duration_or_zero)?.unwrap_or(RETRY_FOR))
}

/// A duration in a variable.
fn setting(
    name: &str,
    parse: fn(&str) -> Result<Duration, DurationError>,
) -> Result<Option<Duration>, Failure> {
    let Some(text) = variable(name) else {
        return Ok(None);
    };
    parse(&text)
        .map(Some)
        .map_err(|error| Failure::Usage(format!("{name} can't be used: {error}")))
}

/// Says that a request has failed and is repeated, so that nobody looks at a silent terminal.
fn tell(notice: &Notice<'_>) {
    // A part of a second counts as one.
    let left = Duration::from_secs(notice.left.as_secs() + 1);
    output::warn(format!(
        "{}; trying again for up to {}",
        notice.error,
        format_duration(left)
    ));
}

/// How the server has to prove who it is. Flags beat the environment, and in the environment the
/// switch beats the file.
fn certificates(connection: &Connection) -> Certificates {
    if let Some(file) = &connection.ca_file {
        return Certificates::VerifiedBy(file.clone());
    }
    if matches!(
        variable(SSL_VERIFY).as_deref(),
        Some("False" | "false" | "0")
    ) {
        return Certificates::Unverified;
    }
    match std::env::var_os(CA_FILE).filter(|file| !file.is_empty()) {
        Some(file) => Certificates::VerifiedBy(file.into()),
        None => Certificates::Verified,
    }
}

fn saved() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join(SAVED_TOKEN))
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
