//! `prominence kv usage`: how much is stored, and how much may be.

use std::io::Write as _;

use prominence_client::Client;

use crate::args::kv::Usage;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(options: &Usage, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let usage = client.usage()?;
    if options.json {
        output.json(&usage)?;
        return Ok(());
    }
    let limits = usage.limits;
    writeln!(output, "keys: {} of {}", usage.keys, limits.keys)?;
    writeln!(output, "bytes: {} of {}", usage.bytes, limits.bytes)?;
    writeln!(output, "bytes of a key: at most {}", limits.key_bytes)?;
    writeln!(output, "bytes of a value: at most {}", limits.value_bytes)?;
    if let Some(limit) = limits.requests_per_second {
        writeln!(output, "requests a second: at most {limit}")?;
    }
    if let Some(limit) = limits.held {
        writeln!(output, "waits and watches at once: at most {limit}")?;
    }
    Ok(())
}
