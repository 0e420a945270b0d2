//! `prominence token inspect`: what a token says, without asking anybody.

use std::io::{Read as _, Write as _};

use prominence_client::Token;
use serde::Serialize;
use serde_json::{Map, Value};

use super::input::{STDIN, read_stdin};
use super::time;
use crate::args::token::Inspect;
use crate::claims::Claims;
use crate::config::{self, Connection};
use crate::failure::Failure;
use crate::output::{Output, one_line};

/// Longest token that is read. A server takes no longer header.
const MAX_TOKEN_BYTES: u64 = 64 * 1_024;

/// The output of `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    header: &'a Map<String, Value>,
    claims: &'a Map<String, Value>,
}

pub(super) fn run(
    options: &Inspect,
    connection: &Connection,
    output: &mut Output,
) -> Result<(), Failure> {
    let token = token(options.text.as_deref(), connection)?;
    let claims = Claims::read(token.reveal()).ok_or_else(|| {
        Failure::Usage(
            "this is no JSON Web Token, so only the server can tell what it stands for; ask it \
             with prominence whoami"
                .to_owned(),
        )
    })?;
    if options.json {
        output.json(&Shown {
            header: &claims.header,
            claims: &claims.payload,
        })?;
        return Ok(());
    }
    for (label, claim) in [
        ("user", "username"),
        ("job", "job"),
        ("groups", "groups"),
        ("email", "email"),
        ("scopes", "scope"),
        ("issuer", "iss"),
    ] {
        if let Some(text) = claims.text(claim) {
            // A line break in a claim must not look like another claim, in a pipe as well.
            writeln!(output, "{label}: {}", one_line(&text))?;
        }
    }
    let expires = match claims.instant("exp") {
        Some(instant) => time::with_distance(instant),
        None => "never, so no server accepts it".to_owned(),
    };
    writeln!(output, "expires: {expires}")?;
    writeln!(output, "signature: not checked")?;
    Ok(())
}

fn token(text: Option<&str>, connection: &Connection) -> Result<Token, Failure> {
    let parse = |text: &str| {
        // The reason says what to do next.
        Token::parse(text).map_err(|error| Failure::Usage(format!("this is not a token: {error}")))
    };
    match text {
        Some(STDIN) => {
            let mut text = String::new();
            read_stdin("a token")
                .take(MAX_TOKEN_BYTES)
                .read_to_string(&mut text)
                .map_err(|error| {
                    Failure::Usage(format!(
                        "cannot read standard input: {error}; give the token as an argument"
                    ))
                })?;
            parse(&text)
        }
        Some(text) => parse(text),
        None => {
            let credentials = config::credentials(connection)?.ok_or_else(|| {
                Failure::Usage(
                    "there is no token to inspect; give one, or set PROMINENCE_TOKEN".to_owned(),
                )
            })?;
            Ok(credentials.current())
        }
    }
}
