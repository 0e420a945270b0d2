//! `prominence kv gather`: one table of all values under a prefix.
//!
//! JSON goes out as it comes in. CSV names all columns first, and the last value may bring another
//! one: its rows wait in memory and then in a file without a name, while only the names of the
//! columns stay in memory.

mod columns;
mod count;
mod form;
mod join;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use prominence_api::Detail;
use prominence_client::Client;
use serde::Serialize;
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use self::count::{Counts, Kind};
use self::join::Entry;
use super::absent::Absent;
use super::below::folder;
use super::folder::cannot;
use super::load::cell::{self, Typing};
use super::object::{self, Members, NonFinite};
use super::siblings::Siblings;
use crate::args::kv::table::{Format, Gather, Nan};
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
    input: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

pub(super) fn run(options: &Gather, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let file = options.output.as_deref();
    let file = file.filter(|file| file.as_os_str() != "-");
    let form = form::of(options, file)?;
    // With inputs, both prefixes are folders.
    if !options.quiet && options.join.is_none() {
        Siblings::tell(client, &options.prefix);
    }
    match file {
        None => gather(options, form, client, output),
        // A special file, such as /dev/stderr or a named pipe, must not be replaced.
        Some(file) if file.metadata().is_ok_and(|metadata| !metadata.is_file()) => {
            let to = OpenOptions::new().write(true).open(file);
            let to = to.map_err(|error| cannot("write", file, &error))?;
            gather_into(options, form, client, file, &to)
        }
        Some(file) => {
            let draft = draft(file)?;
            gather_into(options, form, client, file, draft.as_file())?;
            let placed = draft.persist(file);
            placed.map_err(|error| cannot("write", file, &error.error))?;
            Ok(())
        }
    }
}

/// Gathers into an open file, whose errors name the file that was asked for.
fn gather_into(
    options: &Gather,
    form: Format,
    client: &Client,
    file: &Path,
    open: &File,
) -> Result<(), Failure> {
    let mut to = BufWriter::new(open);
    let gathered = gather(options, form, client, &mut to);
    let written = gathered.and_then(|()| Ok(to.flush()?));
    written.map_err(|failure| match failure {
        // The reader of a named pipe may go away, as that of standard output may.
        failure if failure.is_closed_pipe() => failure,
        Failure::Output(error) => cannot("write", file, &error),
        failure => failure,
    })
}

fn gather(
    options: &Gather,
    form: Format,
    client: &Client,
    to: &mut impl Write,
) -> Result<(), Failure> {
    let mut counts = Counts::new(options.join.is_some());
    match &options.join {
        None => {
            let entries = join::alone(client, &options.prefix);
            write(options, form, entries, &mut counts, to)?;
        }
        Some(inputs) => {
            let entries = join::joined(client, &options.prefix, inputs);
            write(options, form, entries, &mut counts, to)?;
        }
    }
    if !options.quiet {
        counts.tell();
        if counts.are_zero() {
            tell_absent(options, client);
        }
    }
    Ok(())
}

/// Says that there is nothing to gather.
fn tell_absent(options: &Gather, client: &Client) {
    // With inputs, the prefix is a folder.
    match &options.join {
        None => Absent::tell(client, &options.prefix),
        Some(_) => Absent::tell(client, &folder(&options.prefix)),
    }
}

fn write(
    options: &Gather,
    form: Format,
    entries: impl Iterator<Item = Result<Entry, Failure>>,
    counts: &mut Counts,
    to: &mut impl Write,
) -> Result<(), Failure> {
    match form {
        Format::Csv => columns::write(options, entries, counts, to),
        Format::Ndjson => {
            for entry in entries {
                serde_json::to_writer(&mut *to, &shown(options, entry?, counts))
                    .map_err(io::Error::from)?;
                to.write_all(b"\n")?;
            }
            Ok(())
        }
        // If the listing fails midway the array stays open, so that no program takes it for a
        // whole one.
        Format::Json => {
            let mut separator = "[\n";
            for entry in entries {
                let line = serde_json::to_string(&shown(options, entry?, counts));
                write!(to, "{separator}{}", line.map_err(io::Error::from)?)?;
                separator = ",\n";
            }
            let end = if separator == "[\n" { "[]\n" } else { "\n]\n" };
            Ok(to.write_all(end.as_bytes())?)
        }
    }
}

fn shown(options: &Gather, entry: Entry, counts: &mut Counts) -> Shown {
    let Entry { result, input } = entry;
    let form = match options.nan {
        Nan::String => NonFinite::String,
        Nan::Null => NonFinite::Null,
    };
    counts.add(&result.key, Kind::of(&result), input.as_deref());
    let with = !options.bare;
    let (value, value_base64) = embedded(&result, form);
    let (input, input_base64) = match &input {
        Some(input) => embedded(input, form),
        None => (None, None),
    };
    Shown {
        key: with.then_some(result.key),
        job: result.job.filter(|_| with),
        modified: with.then_some(result.modified),
        input,
        input_base64,
        value,
        value_base64,
    }
}

/// A value within JSON, or its bytes in base64.
fn embedded(detail: &Detail, form: NonFinite) -> (Option<Box<RawValue>>, Option<String>) {
    if let Some(text) = &detail.value {
        return (Some(json(text, form)), None);
    }
    // Bytes that only look like UTF-16 stay what they are.
    match object::text_of(detail).filter(|text| Members::of_text(text).is_some()) {
        Some(text) => (Some(json(&text, form)), None),
        None => (None, detail.value_base64.clone()),
    }
}

/// A text as JSON: objects and arrays as they are, numbers and booleans where that keeps them exactly,
/// and otherwise a string.
fn json(text: &str, form: NonFinite) -> Box<RawValue> {
    let text = object::unmarked(text);
    let is_structure = text.trim_start().starts_with(['{', '[']);
    let is_null = form == NonFinite::Null && object::NON_FINITE.contains(&text.trim());
    let json = match object::standard(text, form) {
        Some(json) if is_structure || is_null => object::compact(&json),
        _ => cell::json(text, Typing::Exact).into_owned(),
    };
    RawValue::from_string(json).unwrap_or_default()
}

/// A file beside the one that is to be, which takes its place when it is whole.
fn draft(file: &Path) -> Result<NamedTempFile, Failure> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A draft that a killed process leaves behind is recognized by the name of its file.
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    // The umask decides who can read the file, as for any file. Errors name the destination and not the draft.
    let draft = builder
        .prefix(&prefix)
        .suffix(".part")
        .make_in(folder, |path| {
            OpenOptions::new().write(true).create_new(true).open(path)
        });
    draft.map_err(|error| cannot("write", file, &error))
}
