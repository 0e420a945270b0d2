//! `prominence login` and `prominence logout`.

use std::io::Write as _;
use std::time::Duration;

use prominence_api::RevokeTokens;
use prominence_client::{OAuth, OAuthAnswer};

use super::whoami;
use crate::args::{Login, WhoAmI};
use crate::claims::Claims;
use crate::config::{self, Connection, Origin, Sources};
use crate::failure::Failure;
use crate::login::device::Pending;
use crate::login::place::{Asked, Place};
use crate::login::{self, Draft, LoginFile, State};
use crate::output::{self, Output};

/// Logs in, keeps the token, and says who the server takes its bearer for.
pub(super) fn run(
    options: &Login,
    connection: &Connection,
    output: &mut Output,
) -> Result<(), Failure> {
    let url = config::server_url(connection)?;
    let path = config::saved_login().ok_or_else(|| {
        Failure::Usage("there is no home folder to keep the login in; set HOME".to_owned())
    })?;
    let asked = Asked {
        issuer: options.issuer.as_deref(),
        client_id: options.client_id.as_deref(),
        may_register: options.register,
    };
    let place = Place::find(&url, &asked)?;
    let pending = Pending::begin(&place)?;
    output::say(format_args!(
        "to log in, open {} in a browser and enter the code {}",
        pending.address, pending.user_code
    ));
    if let Some(address) = &pending.whole_address {
        output::say(format_args!("or open {address}"));
    }
    let answer = pending.wait(&place)?;
    let token = answer.text("access_token").unwrap_or_default().to_owned();
    keep(&path, answer, &place, url.origin())?;
    warn_of_other_token(connection)?;
    // If the server does not accept the token, the login is there all the same, and its answer says why.
    let client = config::client_with(connection, None, &token)?;
    whoami::run(&WhoAmI { json: options.json }, &client, output)
}

/// Tells of a token that counts before the login, which would seem to have no effect.
fn warn_of_other_token(connection: &Connection) -> Result<(), Failure> {
    let found = Sources::new(connection)?.token();
    if let Some(found) = found.filter(|found| found.origin != Origin::SavedToken) {
        output::warn(format_args!(
            "{} is set and counts before this login",
            found.origin
        ));
    }
    Ok(())
}

fn keep(
    path: &std::path::Path,
    answer: OAuthAnswer,
    place: &Place,
    server: &str,
) -> Result<(), Failure> {
    let token = answer.text("access_token").unwrap_or_default();
    if Claims::read(token).is_none() {
        output::warn(
            "the issuer's token is not a JSON Web Token, so that the existing prominence client can't use this login",
        );
    }
    let state = State {
        version: 1,
        issuer: place.issuer.clone(),
        client_id: place.client.id.clone(),
        token_endpoint: place.endpoints.token.clone(),
        revocation_endpoint: place.endpoints.revocation.clone(),
        expires_at: answer
            .number("expires_in")
            .map(|lasts| login::now() + lasts),
        server: server.to_owned(),
    };
    let login = LoginFile::new(answer.body, &state);
    let kept = Draft::new(path).and_then(|draft| draft.keep(path, &login));
    kept.map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))
}

/// Ends the login: at the issuer, at the server, and here.
pub(super) fn end(connection: &Connection, output: &mut Output) -> Result<(), Failure> {
    let Some((path, login)) =
        config::saved_login().and_then(|path| Some((path.clone(), LoginFile::read(&path)?)))
    else {
        writeln!(output, "nobody is logged in here")?;
        return Ok(());
    };
    if let Some(state) = login.state()
        && let Some(endpoint) = &state.revocation_endpoint
    {
        let client = login::client(&state.client_id);
        let oauth = OAuth::new(endpoint)?;
        // The refresh token first: it could be used for others.
        for kind in ["refresh_token", "access_token"] {
            let Some(token) = login.text(kind) else {
                continue;
            };
            let fields = [("token", token), ("token_type_hint", kind)];
            if let Err(error) = oauth.form(endpoint, &client, &fields) {
                output::warn(format_args!("the issuer was not told: {error}"));
                break;
            }
        }
    }
    if let Err(failure) = tell_server(&login, connection) {
        output::warn(format_args!("the server was not told: {failure}"));
    }
    std::fs::remove_file(&path)
        .map_err(|error| Failure::Usage(format!("cannot remove {}: {error}", path.display())))?;
    writeln!(output, "logged out")?;
    Ok(())
}

/// Has the server revoke the access token, if it is the one that the token is for.
fn tell_server(login: &LoginFile, connection: &Connection) -> Result<(), Failure> {
    let Some(token) = login.text("access_token") else {
        return Ok(());
    };
    let url = config::server_url(connection)?;
    if let Some(state) = login.state()
        && state.server != url.origin()
    {
        return Err(config::other_server(&state.server, &url));
    }
    let client = config::client_with(connection, None, token)?.with_retry_for(Duration::ZERO);
    client.revoke(&RevokeTokens {
        token: Some(token.to_owned()),
        ..RevokeTokens::default()
    })?;
    Ok(())
}
