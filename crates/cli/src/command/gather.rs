//! `prominence kv gather`: one table of all values under a prefix.
//!
//! JSON goes out as it comes in. CSV names all columns first, and the last value may bring another
//! one: its rows wait in memory and then in a file without a name, while only the names of the
//! columns stay in memory.

mod columns;
mod compact;

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use prominence_api::Detail;
use prominence_client::Client;
use serde::Serialize;
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use super::export::details;
use super::folder::cannot;
use super::load::cell::{self, Typing};
use crate::args::kv::table::{Format, Gather};
use crate::failure::Failure;
use crate::output::Output;

/// An entry as JSON shows it.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

pub(super) fn run(options: &Gather, client: &Client, output: &mut Output) -> Result<(), Failure> {
    match options
        .output
        .as_deref()
        .filter(|file| file.as_os_str() != "-")
    {
        None => gather(options, client, output),
        // What is no file, such as /dev/stderr or a named pipe, must not be replaced by one.
        Some(file) if file.metadata().is_ok_and(|metadata| !metadata.is_file()) => {
            let to = std::fs::OpenOptions::new().write(true).open(file);
            let mut to = BufWriter::new(to.map_err(|error| cannot("write", file, &error))?);
            gather(options, client, &mut to)?;
            to.flush().map_err(|error| cannot("write", file, &error))
        }
        Some(file) => {
            let mut draft = BufWriter::new(draft(file)?);
            gather(options, client, &mut draft)?;
            let written = draft.into_inner().map_err(io::IntoInnerError::into_error);
            written
                .and_then(|draft| draft.persist(file).map_err(|error| error.error))
                .map_err(|error| cannot("write", file, &error))?;
            Ok(())
        }
    }
}

fn gather(options: &Gather, client: &Client, to: &mut impl Write) -> Result<(), Failure> {
    let entries = details(client, &options.prefix);
    match options.format {
        Format::Csv => columns::write(options, entries, to),
        Format::Ndjson => {
            for entry in entries {
                serde_json::to_writer(&mut *to, &shown(options, *entry?))
                    .map_err(io::Error::from)?;
                to.write_all(b"\n")?;
            }
            Ok(())
        }
        // Where the listing fails midway the array stays open, so that nobody takes it for a
        // whole one.
        Format::Json => {
            let mut separator = "[\n";
            for entry in entries {
                let line = serde_json::to_string(&shown(options, *entry?));
                write!(to, "{separator}{}", line.map_err(io::Error::from)?)?;
                separator = ",\n";
            }
            let end = if separator == "[\n" { "[]\n" } else { "\n]\n" };
            Ok(to.write_all(end.as_bytes())?)
        }
    }
}

fn shown(options: &Gather, detail: Detail) -> Shown {
    let with = !options.bare;
    Shown {
        key: with.then_some(detail.key),
        job: detail.job.filter(|_| with),
        modified: with.then_some(detail.modified),
        value: detail.value.map(embedded),
        value_base64: detail.value_base64,
    }
}

/// A value within JSON: objects and arrays as they are, numbers and booleans where that keeps them
/// exactly, and otherwise a string.
fn embedded(text: String) -> Box<RawValue> {
    let structure = text.trim_start().starts_with(['{', '[']);
    if structure && serde_json::from_str::<&RawValue>(&text).is_ok() {
        let compact = compact::compact(&text);
        return RawValue::from_string(compact).unwrap_or_default();
    }
    let json = cell::json(&text, Typing::Exact).into_owned();
    RawValue::from_string(json).unwrap_or_default()
}

/// A file beside the one that is to be, which takes its place when it is whole.
fn draft(file: &Path) -> Result<NamedTempFile, Failure> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gather-");
    permit(&mut builder);
    let draft = builder.tempfile_in(folder);
    draft.map_err(|error| cannot("write", file, &error))
}

/// What may be read by others may be read by others here too: the umask decides, as for any file.
#[cfg(unix)]
fn permit(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn permit(_: &mut tempfile::Builder<'_, '_>) {}
