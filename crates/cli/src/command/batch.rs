//! `prominence kv batch`: many changes, all of them or none.

mod shape;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use prominence_api::body::MAX_BATCH_BYTES;
use prominence_api::{Batch, BatchResult, Object};
use prominence_client::{Client, Error};

use super::input::{is_stdin, read_stdin};
use crate::args::kv::batch as arguments;
use crate::failure::{Failure, next_step};
use crate::output::Output;

pub(super) fn run(
    options: &arguments::Batch,
    client: &Client,
    output: &mut Output,
) -> Result<(), Failure> {
    let batch = read(&options.file)?;
    let done = client.batch(&batch).map_err(|error| match error {
        // The server names the operation that is wrong.
        Error::BadRequest(_) => Failure::from(error).after(
            "nothing was changed; prominence kv batch --help shows how a batch is written"
                .to_owned(),
        ),
        error => error.into(),
    })?;
    if options.json {
        serde_json::to_writer(&mut *output, &done).map_err(io::Error::from)?;
        writeln!(output)?;
        return Ok(());
    }
    for result in &done.results {
        match result {
            BatchResult::Set { key, created: true } => writeln!(output, "created {key}")?,
            BatchResult::Set { key, .. } => writeln!(output, "replaced {key}")?,
            BatchResult::Added { key, value } => writeln!(output, "added {key} {value}")?,
            BatchResult::Deleted { key, deleted: 0 } => writeln!(output, "absent {key}")?,
            BatchResult::Deleted { key, .. } => writeln!(output, "deleted {key}")?,
        }
    }
    Ok(())
}

/// The batch in a file. What doesn't fit together in it is for the server to say.
fn read(file: &Path) -> Result<Batch, Failure> {
    let name = if is_stdin(file) {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let unreadable = |error: io::Error| {
        let next = next_step(&error, "name another file");
        Failure::Usage(format!("cannot read {name}: {error}; {next}"))
    };
    let mut bytes = Vec::new();
    let most = MAX_BATCH_BYTES as u64 + 1;
    if is_stdin(file) {
        read_stdin("a batch").take(most).read_to_end(&mut bytes)
    } else {
        let file = File::open(file).map_err(unreadable)?;
        file.take(most).read_to_end(&mut bytes)
    }
    .map_err(unreadable)?;
    if bytes.len() > MAX_BATCH_BYTES {
        return Err(Failure::Usage(format!(
            "{name} has more than {MAX_BATCH_BYTES} bytes, which is more than a batch can have; \
             split it into several"
        )));
    }
    serde_json::from_slice(&bytes)
        .map(|Object(batch)| batch)
        .map_err(|error| Failure::Usage(format!("{name} {}", shape::explain(&bytes, &error))))
}
