//! `prominence token create`: a token as the batch platform would make it, or one that the server makes from the
//! caller's own.

use std::io::Write as _;

use prominence_api::time::rfc3339;
use prominence_client::TokenOptions;
#[cfg(feature = "server")]
use prominence_core::permit::Scopes;
use serde::Serialize;

#[cfg(feature = "server")]
use super::issue::Signer;
#[cfg(feature = "server")]
use crate::args::run::Place;
use crate::args::run::{Create, NewToken};
use crate::claims::Claims;
use crate::config::{self, Connection};
use crate::failure::Failure;
use crate::output::Output;

/// The output of `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    token: &'a str,
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    scopes: Vec<String>,
    expires: Option<String>,
}

pub(super) fn run(
    options: Create,
    connection: &Connection,
    output: &mut Output,
) -> Result<(), Failure> {
    let (is_json, is_export) = (options.json, options.export);
    let token = make(options, connection)?;
    if is_json {
        output.json(&shown(&token)?)?;
    } else if is_export {
        writeln!(output, "export {}={token}", config::TOKEN)?;
    } else {
        writeln!(output, "{token}")?;
    }
    Ok(())
}

/// A token signed with the server's secret, where that is at hand, or made from the caller's own.
#[cfg(feature = "server")]
fn make(options: Create, connection: &Connection) -> Result<String, Failure> {
    let Create {
        token, place, note, ..
    } = options;
    if options.from_login || note.is_some() || must_be_narrower(&token, &place, connection) {
        return from_own(token, note, connection);
    }
    match Signer::find(&place, None) {
        Ok(signer)
            if can_use_login(&token, &place, connection) && is_of_another(&signer, connection) =>
        {
            from_own(token, None, connection)
        }
        Ok(signer) => signer.sign(token),
        Err(_) if can_use_login(&token, &place, connection) => from_own(token, None, connection),
        Err(failure) if is_named(&place) || token.user.is_some() => Err(failure),
        Err(failure) => Err(Failure::Usage(format!(
            "{failure}; or have a server make the token from your own one: set {} and log in with prominence login, \
             or set {}",
            config::URL,
            config::TOKEN
        ))),
    }
}

/// A token made from the caller's own: this program can sign none.
#[cfg(not(feature = "server"))]
fn make(options: Create, connection: &Connection) -> Result<String, Failure> {
    from_own(options.token, options.note, connection)
}

/// True if a login does as well: neither a secret nor a user was named.
#[cfg(feature = "server")]
pub(super) fn can_use_login(token: &NewToken, place: &Place, connection: &Connection) -> bool {
    let is_own = token.user.is_none() && token.groups.is_empty();
    is_own && !is_named(place) && config::can_log_in(connection)
}

/// True if the caller's own token is limited and nothing else was named: then the new one is made from it, although a secret
/// that can be read here could sign one without its limits.
#[cfg(feature = "server")]
pub(super) fn must_be_narrower(token: &NewToken, place: &Place, connection: &Connection) -> bool {
    can_use_login(token, place, connection)
        && config::token_text(connection).is_some_and(|token| is_limited(&token))
}

/// True if a secret is not that of the server that commands go to, which would refuse what it signs: the folder of a server
/// that was tried earlier may still be there.
#[cfg(feature = "server")]
pub(super) fn is_of_another(signer: &Signer, connection: &Connection) -> bool {
    let url = config::server_url(connection)
        .map(|url| url.to_string())
        .ok();
    url.is_some() && signer.url != url
}

#[cfg(feature = "server")]
fn is_named(place: &Place) -> bool {
    place.config.is_some() || place.data_dir.is_some() || !place.secret_file.is_empty()
}

/// True if a token has a job or scopes that limit it.
#[cfg(feature = "server")]
fn is_limited(token: &str) -> bool {
    let Some(claims) = Claims::read(token) else {
        return false;
    };
    let scopes = |name| {
        let words = claims.text(name).unwrap_or_default();
        !matches!(Scopes::parse(&words), Ok(Scopes::Unrestricted))
    };
    claims.text("job").is_some() || scopes("scope") || scopes("scp")
}

/// Has the server make a token.
pub(super) fn from_own(
    token: NewToken,
    note: Option<String>,
    connection: &Connection,
) -> Result<String, Failure> {
    let made = config::client(connection)?.make_token(&TokenOptions {
        scopes: token.scopes,
        job: token.job.map(|job| job.to_string()),
        lifetime: Some(token.lifetime),
        note,
    })?;
    if made.expires_in < token.lifetime.as_secs() {
        crate::output::warn(format_args!(
            "the token lasts {} and not longer, because the one that it is made from ends then",
            prominence_api::time::format_duration(std::time::Duration::from_secs(made.expires_in))
        ));
    }
    Ok(made.access_token)
}

/// The claims of the token, read from the token itself.
fn shown(token: &str) -> Result<Shown<'_>, Failure> {
    let claims = Claims::read(token)
        .ok_or_else(|| Failure::Usage("the new token can't be read; report this".to_owned()))?;
    let scopes = claims.text("scope").unwrap_or_default();
    Ok(Shown {
        token,
        user: claims.text("username"),
        job: claims.text("job"),
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        expires: claims.instant("exp").map(rfc3339),
    })
}
