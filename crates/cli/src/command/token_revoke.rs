//! `prominence token revoke`: ends tokens.

use std::io::{Read as _, Write as _};

use prominence_api::RevokeTokens;
use prominence_client::Client;

use super::input::{STDIN, read_stdin};
use crate::args::token::Revoke;
use crate::config::{self, Connection};
use crate::failure::Failure;
use crate::output::Output;

/// Longest token that is read. A server takes no longer one.
const MAX_TOKEN_BYTES: u64 = 32 * 1_024;

/// The digits of a whole id.
const ID_DIGITS: usize = 64;

/// The fewest digits by which a token is named: fewer could be those of a token that nobody meant.
const FEWEST_DIGITS: usize = 8;

pub(super) fn run(
    options: &Revoke,
    connection: &Connection,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = client(options, connection)?;
    let id = match &options.id {
        Some(id) => Some(whole_id(&id.to_ascii_lowercase(), options, &client)?),
        None => None,
    };
    let revoked = client.revoke(&RevokeTokens {
        token: options.token.as_deref().map(token).transpose()?,
        id,
        job: options.job.clone(),
        user: options.user.clone(),
        before: options.before.clone(),
    })?;
    if options.json {
        output.json(&revoked)?;
        return Ok(());
    }
    match (&revoked.before, &revoked.until) {
        (Some(before), _) => {
            let whose = match (&options.job, &options.user) {
                (Some(job), Some(user)) => format!("job {job} of {user}"),
                (Some(job), None) => format!("job {job}"),
                (None, user) => user.clone().unwrap_or_default(),
            };
            writeln!(
                output,
                "the tokens of {whose} that were issued before {before} are revoked"
            )?;
        }
        (None, Some(_)) => writeln!(output, "the token is revoked")?,
        (None, None) => {
            let message = "the server does not accept this token, so there is nothing to revoke";
            writeln!(output, "{message}")?;
        }
    }
    if options.user.is_some() {
        crate::output::say(
            "a login counts as older for as long as clocks may differ: log in again after a minute",
        );
    }
    Ok(())
}

/// The client: for the operator where the server's secret is named, and otherwise for the user who is logged in.
#[cfg(feature = "server")]
fn client(options: &Revoke, connection: &Connection) -> Result<Client, Failure> {
    use super::issue::Signer;

    if !is_operator(options) {
        return config::client(connection);
    }
    let signer = Signer::find(&options.place, None)?;
    config::client_with(connection, signer.url.as_deref(), &signer.sign_to_revoke()?)
}

/// True if the place of the server's secret was named.
#[cfg(feature = "server")]
fn is_operator(options: &Revoke) -> bool {
    let place = &options.place;
    place.config.is_some() || place.data_dir.is_some() || !place.secret_file.is_empty()
}

/// This program can sign nothing.
#[cfg(not(feature = "server"))]
fn is_operator(_: &Revoke) -> bool {
    false
}

#[cfg(not(feature = "server"))]
fn client(_: &Revoke, connection: &Connection) -> Result<Client, Failure> {
    config::client(connection)
}

/// The token of `--token`.
fn token(text: &str) -> Result<String, Failure> {
    let text = if text == STDIN {
        let mut text = String::new();
        let read = read_stdin("a token")
            .take(MAX_TOKEN_BYTES)
            .read_to_string(&mut text);
        read.map_err(|error| Failure::Usage(format!("cannot read standard input: {error}")))?;
        text
    } else {
        text.to_owned()
    };
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Failure::Usage(
            "that is not a token; --token TOKEN takes one token, and --token - reads it from standard input"
                .to_owned(),
        ));
    }
    Ok(text.to_owned())
}

/// The id of a token of which only the beginning was typed, as the list shows it.
fn whole_id(text: &str, options: &Revoke, client: &Client) -> Result<String, Failure> {
    if text.len() >= ID_DIGITS {
        return Ok(text.to_owned());
    }
    if text.len() < FEWEST_DIGITS {
        return Err(Failure::Usage(format!(
            "\"{text}\" is too short for the id of a token; type at least {FEWEST_DIGITS} of its digits"
        )));
    }
    if is_operator(options) {
        return Err(Failure::Usage(format!(
            "with the server's secret, all {ID_DIGITS} digits of an id are needed, because there is no list of everybody's \
             tokens; or revoke the tokens of a --job or --user"
        )));
    }
    let tokens = client.tokens()?;
    let mut found = tokens.iter().filter(|token| token.id.starts_with(text));
    match (found.next(), found.next()) {
        (Some(token), None) => Ok(token.id.clone()),
        (Some(_), Some(_)) => Err(Failure::Usage(format!(
            "the ids of several tokens begin with {text}; type more digits"
        ))),
        (None, _) => Err(Failure::No(format!(
            "no token in your list has an id that begins with {text}; prominence token list shows them"
        ))),
    }
}
