//! The form of a gathered table: the one that is asked for, or the one that the file's name ends in.

use std::path::Path;

use crate::args::kv::table::{Format, Gather};
use crate::failure::Failure;

/// Endings of tables in forms that are not written.
const OTHERS: &[&str] = &[
    "arrow", "db", "dta", "feather", "h5", "hdf5", "html", "mat", "md", "npy", "npz", "ods",
    "parquet", "pickle", "pkl", "rdata", "rds", "sav", "sqlite", "tab", "tsv", "xls", "xlsx",
    "xml", "yaml", "yml",
];

/// Endings of compressed files, each with the command that writes one.
const COMPRESSED: &[(&str, &str)] = &[
    ("bz2", "bzip2"),
    ("gz", "gzip"),
    ("xz", "xz"),
    ("zip", "zip"),
    ("zst", "zstd"),
];

/// The form. A name whose ending stands for another one is refused: such a file would not be readable as what
/// its name says.
pub(super) fn of(options: &Gather, file: Option<&Path>) -> Result<Format, Failure> {
    if options.json {
        return Ok(Format::Json);
    }
    if let Some(form) = options.format {
        return Ok(form);
    }
    let ending = |path: &Path| {
        let ending = path.extension().unwrap_or_default();
        ending.to_string_lossy().to_ascii_lowercase()
    };
    let Some(file) = file else {
        return Ok(Format::Csv);
    };
    let (name, end) = (file.display(), ending(file));
    match end.as_str() {
        "json" => return Ok(Format::Json),
        "jsonl" | "ndjson" => return Ok(Format::Ndjson),
        _ => {}
    }
    if let Some((_, command)) = COMPRESSED.iter().find(|(ending, _)| *ending == end) {
        let inner = file.file_stem().map(Path::new).map(ending);
        let form = match inner.as_deref() {
            Some("json") => "json",
            Some("jsonl" | "ndjson") => "ndjson",
            _ => "csv",
        };
        return Err(Failure::Usage(format!(
            "{name} ends as a compressed file does, and gather does not compress; write to standard output, as in \
             prominence kv gather {} --format {form} | {command} > {name}",
            options.prefix
        )));
    }
    if OTHERS.contains(&end.as_str()) {
        return Err(Failure::Usage(format!(
            "gather does not write .{end} files; name a file that ends in .csv, .json, .ndjson or .jsonl, or add \
             --format csv to write CSV into {name}"
        )));
    }
    Ok(Format::Csv)
}
