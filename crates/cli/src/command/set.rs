//! `prominence kv set`: a value from the command line, a file or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use prominence_client::{Client, Lifetime, SetOptions, Stored};
use prominence_core::Precondition;
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::value::TOO_LARGE_ADVICE;

use serde::Serialize;

use super::counted;
use super::input::{STDIN, is_stdin, read_stdin};
use crate::args::kv::Set;
use crate::failure::{Failure, next_step};
use crate::output::{self, Output};

/// Extensions of the names of files whose content people store. Other words with a dot in them, such as
/// hello.world or v1.x, are values like any other.
const EXTENSIONS: [&str; 40] = [
    "avro", "bin", "bz2", "cfg", "conf", "csv", "cvs", "dat", "data", "feather", "gz", "h5",
    "hdf5", "html", "ini", "ipynb", "jpeg", "jpg", "json", "jsonl", "log", "md", "nc", "ndjson",
    "npy", "npz", "out", "parquet", "pdf", "pickle", "pkl", "png", "py", "sh", "toml", "tsv",
    "txt", "xml", "yaml", "yml",
];

/// The output of `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    key: &'a str,
    revision: u64,
    created: bool,
}

pub(super) fn run(options: &Set, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let value = value(options)?;
    let condition = match (options.if_absent, options.if_revision) {
        (true, _) => Some(Precondition::Absent),
        (false, revision) => revision.map(Precondition::Revision),
    };
    let how = SetOptions {
        lifetime: options.ttl.unwrap_or(Lifetime::Permanent),
        condition,
        write_id: None,
    };
    let written = client.set(&options.key, &value, &how)?;
    if options.json {
        output.json_line(&Shown {
            key: options.key.as_str(),
            revision: written.revision.get(),
            created: written.stored == Stored::Created,
        })?;
    }
    Ok(())
}

fn value(options: &Set) -> Result<Vec<u8>, Failure> {
    if let Some(text) = &options.string {
        return Ok(text.clone().into_bytes());
    }
    if let Some(file) = &options.file {
        return if is_stdin(file) {
            read_value_from_stdin()
        } else {
            read_file(file)
        };
    }
    let text = options.value.as_deref().unwrap_or_default();
    if text == STDIN {
        return read_value_from_stdin();
    }
    let file = Path::new(text);
    match file.metadata() {
        // A pipe that the shell made, as in <(command), is a file as well.
        Ok(metadata) if !metadata.is_dir() => {
            let value = read_file(file)?;
            output::hint(format_args!(
                "the value is the content of the file {text} ({}); --string stores the text, and \
                 --file says that the file is meant",
                counted(value.len() as u64, "byte")
            ));
            Ok(value)
        }
        // A path that can't be accessed can't be told from a text that looks like one.
        Ok(_) | Err(_) => {
            if looks_like_a_file(text) {
                output::hint(format_args!(
                    "there is no file {text}, so the value is this text; --file stores a file, and \
                     --string says that the text is meant"
                ));
            }
            Ok(text.as_bytes().to_vec())
        }
    }
}

/// True if a text may be the misspelt name of a file: one word with the extension of a file of data, or a
/// path from a folder that is there.
fn looks_like_a_file(text: &str) -> bool {
    if text.contains(char::is_whitespace) || text.contains("://") {
        return false;
    }
    let path = Path::new(text);
    let has_folder = text.starts_with("~/")
        || path.parent().is_some_and(|folder| {
            !folder.as_os_str().is_empty() && folder != Path::new("/") && folder.is_dir()
        });
    let has_extension = path.extension().is_some_and(|extension| {
        let extension = extension.to_string_lossy().to_ascii_lowercase();
        EXTENSIONS.contains(&extension.as_str())
    });
    has_folder || has_extension
}

fn read_value_from_stdin() -> Result<Vec<u8>, Failure> {
    read(read_stdin("the value"), "standard input")
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    read(file, &name)
}

/// Reads to the end, but no more than any server takes. The server says what its own limit is.
fn read(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    from.take(MAX_VALUE_BYTES as u64 + 1)
        .read_to_end(&mut value)
        .map_err(|error| unreadable(name, &error))?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(Failure::Usage(format!(
            "{name} has more than {MAX_VALUE_BYTES} bytes, which is more than a value can have; \
             {TOO_LARGE_ADVICE}"
        )));
    }
    Ok(value)
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    let next = next_step(error, "name another file");
    Failure::Usage(format!("cannot read {name}: {error}; {next}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_an_extension_or_a_folder_looks_like_a_file() {
        for text in [
            "results.cvs",
            "./none",
            "~/x",
            "/tmp/none",
            "a/b.json",
            "x.tar.gz",
        ] {
            assert!(looks_like_a_file(text), "{text}");
        }
        for text in [
            "",
            "42",
            "1.5",
            "-5.2e-3",
            "1.e5",
            ".5",
            "two words.txt",
            "http://host/a.csv",
            "/x",
            "a/b",
            ".hidden",
            "end.",
            "v1.2",
            "v1.x",
            "hello.world",
            "example.org",
            "e.g",
            "yes",
        ] {
            assert!(!looks_like_a_file(text), "{text}");
        }
    }
}
