//! `prominence kv get`: the value, byte for byte.

mod field;
mod near_miss;

use std::io::Write as _;

use prominence_api::Text;
use prominence_api::time::{format_duration, rfc3339};
use prominence_client::{Awaited, Client, Entry, Until};
use prominence_core::{Key, Timestamp, Value};
use serde::Serialize;

use crate::args::kv::Get;
use crate::failure::Failure;
use crate::output::{Output, Reader};

/// What `--json` prints.
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
    let key = &options.key;
    let found = match options.wait {
        None => client.get(key)?,
        Some(within) => match client.get_when(key, Until::Exists, within)? {
            Awaited::Entry(entry) => Some(entry),
            Awaited::Absent | Awaited::Unchanged => None,
        },
    };
    let Some(mut entry) = found else {
        return Err(Failure::No(match options.wait {
            None => {
                let near = near_miss::find(client, key);
                let near = near.map_or(String::new(), |near| format!(" (there is {near})"));
                format!("there is no key {key}{near}; prominence kv list shows what there is")
            }
            Some(within) => {
                let within = format_duration(within);
                format!("there is still no key {key} after {within}; wait longer with --wait")
            }
        }));
    };
    if let Some(name) = &options.field {
        entry.value = field::of(key, &entry.value, name)?.into_bytes();
        entry.value.push(b'\n');
    }
    if options.json {
        output.json(&shown(key, entry))?;
        return Ok(());
    }
    if let Some(file) = options
        .output
        .as_ref()
        .filter(|file| file.as_os_str() != "-")
    {
        return std::fs::write(file, &entry.value)
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", file.display())));
    }
    output.write_all(&entry.value)?;
    // The prompt of a shell should not stand behind the value; a program gets the value alone.
    if output.reader() == Reader::Terminal && entry.value.last() != Some(&b'\n') {
        writeln!(output)?;
    }
    Ok(())
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
