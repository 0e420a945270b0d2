//! `prominence kv get`: the value, byte for byte.

mod field;
mod near_miss;

use std::io::Write as _;
use std::time::Duration;

use prominence_api::Text;
use prominence_api::time::{format_duration, rfc3339};
use prominence_client::{Awaited, Client, Entry, Until};
use prominence_core::{Key, Timestamp, Value};
use serde::Serialize;

use crate::args::kv::Get;
use crate::failure::{Failure, next_step};
use crate::lease::clock::Moment;
use crate::output::{Output, Reader, Show as Shows, Status};

/// Keys that are named where many do not exist; the rest are only counted.
const MAX_NAMED: usize = 10;

/// Rounds a time up to whole seconds.
const ALMOST_A_SECOND: Duration = Duration::from_millis(999);

/// The output of `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    key: &'a str,
    size: u64,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

pub(super) fn run(options: &Get, client: &Client, output: &mut Output) -> Result<(), Failure> {
    if options.output.is_some() && options.keys.len() > 1 {
        return Err(Failure::Usage(
            "--output takes the value of one key; send the values of several into a file with >, or \
             copy a folder with prominence kv export"
                .to_owned(),
        ));
    }
    let deadline = options.wait.map(|wait| Moment::now().after(wait));
    let mut missing = Vec::new();
    for key in &options.keys {
        match find(key, deadline, client)? {
            Some(entry) => show(key, entry, options, output)?,
            None => missing.push(key),
        }
    }
    match missing.as_slice() {
        [] => Ok(()),
        missing => Err(Failure::No(not_found(missing, options, client))),
    }
}

/// The entry of a key; waits for it until the deadline, if there is one.
fn find(key: &Key, deadline: Option<Moment>, client: &Client) -> Result<Option<Entry>, Failure> {
    let Some(left) = deadline.map(Moment::left).filter(|left| !left.is_zero()) else {
        return Ok(client.get(key)?);
    };
    let status = Status::new(Shows::Progress);
    // Part of the first second is over already.
    let limit = format_duration(left + ALMOST_A_SECOND);
    status.show(format_args!(
        "waiting for {key}, for {limit} at the longest"
    ));
    Ok(match client.get_when(key, Until::Exists, left)? {
        Awaited::Entry(entry) => Some(entry),
        Awaited::Absent | Awaited::Unchanged => None,
    })
}

fn not_found(missing: &[&Key], options: &Get, client: &Client) -> String {
    let named: Vec<_> = missing
        .iter()
        .take(MAX_NAMED)
        .map(|key| key.as_str())
        .collect();
    let mut names = named.join(", ");
    match missing.len() - named.len() {
        0 => {}
        more => names.push_str(&format!(" and {more} more")),
    }
    let keys = match options.keys.len() {
        1 => format!("key {names}"),
        all => format!("key {names} ({} of {all})", missing.len()),
    };
    match options.wait {
        None => {
            // One more question at most; who asks for several keys rarely mistypes all of them.
            let near = match missing {
                [key] => near_miss::find(client, key),
                _ => None,
            };
            let near = near.map_or(String::new(), |near| format!(" (there is {near})"));
            format!("there is no {keys}{near}; prominence kv list shows what there is")
        }
        Some(within) => {
            let within = format_duration(within);
            format!("there is still no {keys} after {within}; wait longer with --wait")
        }
    }
}

fn show(key: &Key, mut entry: Entry, options: &Get, output: &mut Output) -> Result<(), Failure> {
    if let Some(name) = &options.field {
        entry.value = field::of(key, &entry.value, name)?.into_bytes();
        entry.value.push(b'\n');
    }
    if options.json {
        let shown = shown(key, entry);
        if options.keys.len() == 1 {
            output.json(&shown)?;
        } else {
            output.json_line(&shown)?;
        }
        return Ok(());
    }
    if let Some(file) = options
        .output
        .as_ref()
        .filter(|file| file.as_os_str() != "-")
    {
        return std::fs::write(file, &entry.value).map_err(|error| {
            let file = file.display();
            Failure::Usage(format!(
                "cannot write {file}: {error}; {}",
                next_step(&error, "name another file with -o")
            ))
        });
    }
    // A program gets the value alone, byte for byte.
    if output.reader() == Reader::Pipe {
        return Ok(output.write_all(&entry.value)?);
    }
    if options.force {
        output.raw(&entry.value)?;
    } else if is_text(&entry.value) {
        output.write_all(&entry.value)?;
    } else {
        return Err(Failure::Usage(format!(
            "the value of {key} is not text ({}) and could upset the terminal; write it to a \
             file with -o FILE, or show it as it is with --force",
            super::counted(entry.value.len() as u64, "byte")
        )));
    }
    // The prompt of a shell should not stand behind the value.
    if entry.value.last() != Some(&b'\n') {
        writeln!(output)?;
    }
    Ok(())
}

/// True if a value is text. No text has the character U+0000, by which git and grep tell it, too.
fn is_text(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok() && !value.contains(&0)
}

fn shown(key: &Key, entry: Entry) -> Shown<'_> {
    let Entry { value, metadata } = entry;
    let (value, value_base64) = match Text::of(&Value::stored(value.into())) {
        Text::Plain(text) => (Some(text), None),
        Text::Encoded { base64 } => (None, Some(base64)),
    };
    let instant = |at: Option<Timestamp>| at.map(rfc3339);
    Shown {
        key: key.as_str(),
        size: metadata.size,
        revision: metadata.revision.get(),
        created: instant(metadata.created),
        modified: instant(metadata.modified),
        expires: instant(metadata.expires),
        job: metadata.job,
        claimed_until: instant(metadata.claimed_until),
        claimed_by: metadata.claimed_by,
        claims: Some(metadata.claims).filter(|claims| *claims > 0),
        value,
        value_base64,
    }
}
