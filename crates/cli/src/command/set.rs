//! `prominence kv set`: a value from the command line, a file or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use prominence_client::{Client, Lifetime, SetOptions};
use prominence_core::Precondition;
use prominence_core::limits::MAX_VALUE_BYTES;

use crate::args::kv::Set;
use crate::failure::Failure;

/// What stands for standard input.
const STDIN: &str = "-";

pub(super) fn run(options: &Set, client: &Client) -> Result<(), Failure> {
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
    client.set(&options.key, &value, &how)?;
    Ok(())
}

fn value(options: &Set) -> Result<Vec<u8>, Failure> {
    if let Some(text) = &options.string {
        return Ok(text.clone().into_bytes());
    }
    if let Some(file) = &options.file {
        return if file.as_os_str() == STDIN {
            read(io::stdin().lock(), "standard input")
        } else {
            read_file(file)
        };
    }
    let text = options.value.as_deref().unwrap_or_default();
    if text == STDIN {
        return read(io::stdin().lock(), "standard input");
    }
    let file = Path::new(text);
    match file.metadata() {
        // A pipe that the shell made, as in <(command), is a file as well.
        Ok(metadata) if !metadata.is_dir() => read_file(file),
        // What can't be looked at can't be told from a text that looks like a path.
        Ok(_) | Err(_) => Ok(text.as_bytes().to_vec()),
    }
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
            "{name} has more than {MAX_VALUE_BYTES} bytes, which is more than a value can have"
        )));
    }
    Ok(value)
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::Usage(format!("cannot read {name}: {error}"))
}
