//! `prominence kv missing`: the inputs that have no result.

use std::collections::HashSet;
use std::io::Write as _;

use prominence_client::Client;
use serde::Serialize;

use super::absent::Absent;
use super::below::{folder, names};
use crate::args::kv::table::Missing;
use crate::failure::Failure;
use crate::output::Output;

/// The exit status where inputs are printed, as that of `diff` where files differ.
const SOME: u8 = 1;

/// The output of `--json`.
#[derive(Serialize)]
struct Report {
    inputs: u64,
    missing: Vec<Input>,
}

#[derive(Serialize)]
struct Input {
    key: String,
    name: String,
}

pub(super) fn run(options: &Missing, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let inputs = folder(&options.inputs);
    let results = results(options, client)?;
    let mut report = Report {
        inputs: 0,
        missing: Vec::new(),
    };
    let mut some = false;
    for name in names(client, &inputs) {
        let name = name?;
        report.inputs += 1;
        if results.contains(&name) {
            continue;
        }
        some = true;
        let key = format!("{inputs}{name}");
        if options.json {
            report.missing.push(Input { key, name });
        } else if options.names {
            writeln!(output, "{name}")?;
        } else {
            writeln!(output, "{key}")?;
        }
    }
    if options.json {
        output.json(&report)?;
    }
    if report.inputs == 0 {
        let next = Absent::of(client, &inputs).next_step();
        return Err(Failure::No(format!(
            "there are no inputs under {inputs}; {next}"
        )));
    }
    if results.is_empty() {
        // Every input is without a result, which may be true, or the folder misspelt.
        Absent::tell(client, &folder(&options.results));
    }
    if some {
        return Err(Failure::Command(SOME));
    }
    Ok(())
}

/// The names of results, and of the folders that results are in: `7` also if there is only `7/log`.
/// They are as many as the keys of a namespace at most.
fn results(options: &Missing, client: &Client) -> Result<HashSet<String>, Failure> {
    let mut results = HashSet::new();
    for name in names(client, &folder(&options.results)) {
        let name = name?;
        for (end, _) in name.match_indices('/') {
            if !results.contains(&name[..end]) {
                results.insert(name[..end].to_owned());
            }
        }
        results.insert(name);
    }
    Ok(results)
}
