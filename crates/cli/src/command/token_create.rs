//! `prominence token create`: a token as the batch platform would make it.

use std::io::Write as _;

use super::issue::Signer;
use crate::args::run::Create;
use crate::config;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(options: Create, output: &mut Output) -> Result<(), Failure> {
    let token = Signer::find(&options.place, None)?.sign(options.token)?;
    if options.export {
        writeln!(output, "export {}={token}", config::TOKEN)?;
    } else {
        writeln!(output, "{token}")?;
    }
    Ok(())
}
