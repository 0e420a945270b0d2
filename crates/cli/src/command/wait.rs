//! `prominence kv wait`: a barrier.

use std::io::Write as _;

use prominence_api::time::format_duration;
use prominence_client::Client;

use crate::args::kv::wait::Wait;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(options: &Wait, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let Wait {
        prefix,
        count: wanted,
        timeout,
    } = options;
    let count = client.count_when(prefix, *wanted, *timeout)?;
    if count < *wanted {
        let timeout = format_duration(*timeout);
        return Err(Failure::No(format!(
            "{count} of {wanted} keys begin with {prefix} after {timeout}; wait longer with --timeout"
        )));
    }
    writeln!(output, "{count}")?;
    Ok(())
}
