//! `prominence whoami`: what the server makes of the token.

use std::io::Write as _;

use prominence_api::time::parse_rfc3339;
use prominence_client::Client;

use super::time;
use crate::args::WhoAmI;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(options: &WhoAmI, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let who = client.whoami()?;
    if options.json {
        output.json(&who)?;
        return Ok(());
    }
    writeln!(output, "user: {}", who.user)?;
    if let Some(job) = &who.job {
        writeln!(output, "job: {job}")?;
    }
    if who.scopes.is_empty() {
        writeln!(output, "scopes: unrestricted")?;
    } else {
        writeln!(output, "scopes: {}", who.scopes.join(" "))?;
    }
    let expires = parse_rfc3339(&who.expires).map_or(who.expires, time::with_distance);
    writeln!(output, "expires: {expires}")?;
    writeln!(output, "issuer: {}", who.issuer)?;
    Ok(())
}
