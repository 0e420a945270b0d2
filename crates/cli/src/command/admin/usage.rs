//! `prominence admin usage`: how much each user has stored.

use std::io::Write as _;

use prominence_server::admin;

use super::super::counted;
use crate::args::admin::Usage;
use crate::failure::Failure;
use crate::output::{Look, Output};

/// The heads of the columns of numbers; the name needs no alignment and comes last.
const HEADS: [&str; 2] = ["BYTES", "KEYS"];

pub(super) fn run(options: &Usage, output: &mut Output) -> Result<(), Failure> {
    let folder = super::folder(&options.folder)?;
    let report = admin::usage(&folder, options.sort, options.limit)?;
    if options.json {
        output.json(&report)?;
        return Ok(());
    }
    // No number is wider than the sum of all.
    let width = |total: u64, head: &str| total.to_string().len().max(head.len());
    let bytes = width(report.total_bytes, HEADS[0]);
    let keys = width(report.total_keys, HEADS[1]);
    let heads = format!("{:>bytes$}  {:>keys$}  USER\n", HEADS[0], HEADS[1]);
    output.styled(Look::Heading, &heads)?;
    for one in &report.namespaces {
        let (size, number) = (one.bytes, one.keys);
        writeln!(output, "{size:>bytes$}  {number:>keys$}  {}", one.namespace)?;
    }
    let (size, number) = (report.total_bytes, report.total_keys);
    let shown = report.namespaces.len();
    writeln!(
        output,
        "{size:>bytes$}  {number:>keys$}  {}, {shown} shown",
        counted(report.total_namespaces, "user")
    )?;
    Ok(())
}
