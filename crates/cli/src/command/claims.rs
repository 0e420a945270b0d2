//! `prominence kv claims`: which keys are claimed, until when, by whom, and how often before.

use std::io::Write as _;

use prominence_api::time::parse_rfc3339;
use prominence_api::{Detail, Listed};
use prominence_client::{Client, ListOptions, Show};
use prominence_core::Prefix;

use super::list::unexpected;
use super::time;
use crate::args::kv::claim::Claims;
use crate::failure::Failure;
use crate::output::{Look, Output, Reader};

/// The mark of an empty cell.
const NOTHING: &str = "-";

pub(super) fn run(options: &Claims, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let prefix = options.prefix.clone().unwrap_or(Prefix::everything());
    let details = ListOptions {
        show: Show::Details,
        ..ListOptions::default()
    };
    let now = time::now();
    let mut claimed = Vec::new();
    for item in client.list(&prefix, details) {
        let Listed::Detail(detail) = item? else {
            return Err(unexpected());
        };
        let until = detail.claimed_until.as_deref().and_then(parse_rfc3339);
        if until.is_some_and(|until| until > now) {
            claimed.push(*detail);
        }
    }
    // The claim that ends first is the one that people wait for.
    claimed.sort_by(|one, other| one.claimed_until.cmp(&other.claimed_until));
    if options.json {
        output.json(&claimed)?;
        return Ok(());
    }
    table(&claimed, output)
}

/// A line for each key: aligned for people, tab-separated for programs.
fn table(claimed: &[Detail], output: &mut Output) -> Result<(), Failure> {
    let rows: Vec<_> = claimed.iter().map(cells).collect();
    if output.reader() == Reader::Pipe {
        for row in rows {
            writeln!(output, "{}", row.join("\t"))?;
        }
        return Ok(());
    }
    let heads = ["UNTIL", "CLAIMS", "JOB", "KEY"].map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&heads]).map(|row| &row[column]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    let line = |[until, claims, job, key]: &[String; 4]| {
        let [first, second, third] = widths;
        format!("{until:first$}  {claims:>second$}  {job:third$}  {key}")
    };
    if !rows.is_empty() {
        output.styled(Look::Heading, &line(&heads))?;
        writeln!(output)?;
    }
    for row in &rows {
        writeln!(output, "{}", line(row))?;
    }
    Ok(())
}

fn cells(detail: &Detail) -> [String; 4] {
    let or_nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.to_owned());
    [
        or_nothing(&detail.claimed_until),
        detail.claims.to_string(),
        or_nothing(&detail.claimed_by),
        detail.key.clone(),
    ]
}
