//! `prominence token create`: a token as the batch platform would make it.

use std::io::Write as _;

use prominence_api::time::rfc3339;
use serde::Serialize;

use super::issue::Signer;
use crate::args::run::Create;
use crate::claims::Claims;
use crate::config;
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

pub(super) fn run(options: Create, output: &mut Output) -> Result<(), Failure> {
    let token = Signer::find(&options.place, None)?.sign(options.token)?;
    if options.json {
        output.json(&shown(&token)?)?;
    } else if options.export {
        writeln!(output, "export {}={token}", config::TOKEN)?;
    } else {
        writeln!(output, "{token}")?;
    }
    Ok(())
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
