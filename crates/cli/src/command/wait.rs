//! `prominence kv wait`: a barrier.

use std::io::Write as _;
use std::time::Duration;

use prominence_api::time::format_duration;
use prominence_client::Client;
use prominence_core::Prefix;
use serde::Serialize;

use super::absent::Absent;
use super::keys;
use super::siblings::Siblings;
use crate::args::kv::wait::Wait;
use crate::failure::Failure;
use crate::output::{Output, Show, Status, StatusLine};

/// The interval at which the number of keys is shown. Each time, the server counts them.
const EVERY: Duration = Duration::from_secs(2);

/// The output of `--json`.
#[derive(Serialize)]
struct Shown {
    count: u64,
    wanted: u64,
    reached: bool,
}

pub(super) fn run(options: &Wait, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let Wait {
        prefix,
        count: wanted,
        timeout,
        ..
    } = options;
    Siblings::tell(client, prefix);
    let status = Status::new(Show::unless(options.quiet));
    if status.is_seen() {
        count_beside(client, prefix, *wanted, status.line());
    }
    let count = client.count_when(prefix, *wanted, *timeout)?;
    drop(status);
    let reached = count >= *wanted;
    if options.json {
        let shown = Shown {
            count,
            wanted: *wanted,
            reached,
        };
        serde_json::to_writer(&mut *output, &shown).map_err(std::io::Error::from)?;
        writeln!(output)?;
    } else if reached {
        writeln!(output, "{count}")?;
    }
    if !reached {
        let timeout = format_duration(*timeout);
        let wanted = keys(*wanted);
        return Err(Failure::No(match count {
            0 => format!(
                "after {timeout}, 0 of {wanted} begin with {prefix}; {}; or wait longer with --timeout",
                Absent::of(client, prefix).next_step()
            ),
            _ => format!(
                "after {timeout}, {count} of {wanted} begin with {prefix}; wait longer with --timeout"
            ),
        }));
    }
    Ok(())
}

/// Shows how many keys there are until the process ends.
fn count_beside(client: &Client, prefix: &Prefix, wanted: u64, line: StatusLine) {
    let keys = keys(wanted);
    line.show(format_args!("waiting for {keys} under {prefix}"));
    let (client, prefix) = (client.clone(), prefix.clone());
    std::thread::spawn(move || {
        loop {
            // If the keys can't be counted, the wait itself fails with the reason.
            if let Ok(count) = client.count(&prefix) {
                line.show(format_args!("{count} of {keys} under {prefix}"));
            }
            std::thread::sleep(EVERY);
        }
    });
}
