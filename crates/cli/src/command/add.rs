//! `prominence kv add`: one atomic step, and the sum.

use std::io::Write as _;

use prominence_client::Client;

use crate::args::kv::Add;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(options: &Add, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let sum = client.add(&options.key, options.by)?;
    if options.json {
        output.json_line(&sum)?;
    } else {
        writeln!(output, "{}", sum.value)?;
    }
    Ok(())
}
