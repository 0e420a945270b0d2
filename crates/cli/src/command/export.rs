//! `prominence kv export`: a file for each key. Values come with the listing, in pages, and are
//! written while the next page is fetched.

use prominence_api::{Detail, Listed, Text};
use prominence_client::{Client, Levels, ListOptions, Show as Level};
use prominence_core::{Key, Prefix};
use serde::Serialize;

use super::absent::Absent;
use super::file_name::names_of;
use super::folder::{Destination, PutOutcome};
use super::list::unexpected;
use super::parallel::{self, Counter};
use super::siblings::surprises;
use super::swapped;
use crate::args::kv::copy::Export;
use crate::failure::Failure;
use crate::output::{Output, Progress, Show, warn};

/// The output of `--json`.
#[derive(Serialize)]
struct Shown {
    /// Files that were written.
    written: u64,
    /// Files that were there already with the same bytes.
    unchanged: u64,
}

pub(super) fn run(options: &Export, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let show = Show::unless(options.quiet);
    let prefix = &options.prefix;
    let length = if show.is_seen() {
        client.count(prefix)?
    } else {
        0
    };
    swapped::check_export(client, prefix, &options.folder)?;
    let destination = Destination::open(&options.folder)?;
    let progress = Progress::new(show, "exporting", length);
    let (written, already) = (Counter::default(), Counter::default());
    let siblings = Counter::default();
    let entries = details(client, prefix).map(|detail| pair(*detail?));
    let outcome = parallel::for_each(options.jobs, entries, |(key, value)| {
        if surprises(prefix, key.as_str()) {
            siblings.add();
        }
        match destination.put(&names_of(prefix, &key), &value)? {
            PutOutcome::Written => written.add(),
            PutOutcome::Unchanged => already.add(),
        }
        progress.step();
        Ok(())
    });
    drop(progress);
    let done = format!(
        "{} written, {} there already",
        super::keys(written.get()),
        already.get()
    );
    if siblings.get() > 0 && !options.quiet {
        warn(format_args!(
            "{} outside the folder {prefix}/ {} exported as well; write {prefix}/ for that folder alone",
            super::keys(siblings.get()),
            super::was_or_were(siblings.get())
        ));
    }
    if outcome.is_ok() && written.get() + already.get() == 0 && !options.quiet {
        Absent::tell(client, prefix);
    }
    match outcome {
        Ok(()) if options.json => Ok(output.json_line(&Shown {
            written: written.get(),
            unchanged: already.get(),
        })?),
        Ok(()) if options.quiet => Ok(()),
        Ok(()) => Ok(output.remark(done)?),
        Err(failure) => Err(failure.after(format!("{done}; run it again to go on"))),
    }
}

/// Every key with its value and all that is known about it.
pub(super) fn details<'a>(
    client: &'a Client,
    prefix: &Prefix,
) -> impl Iterator<Item = Result<Box<Detail>, Failure>> + use<'a> {
    let options = ListOptions {
        levels: Levels::All,
        show: Level::Entries,
        ..ListOptions::default()
    };
    client.list(prefix, options).map(|item| match item {
        Ok(Listed::Detail(detail)) => Ok(detail),
        Ok(_) => Err(unexpected()),
        Err(error) => Err(error.into()),
    })
}

/// The key and the value.
pub(super) fn pair(detail: Detail) -> Result<(Key, Vec<u8>), Failure> {
    let text = match (detail.value, detail.value_base64) {
        (Some(text), None) => Some(Text::Plain(text)),
        (None, Some(base64)) => Some(Text::Encoded { base64 }),
        _ => None,
    };
    let key = Key::parse(&detail.key).ok();
    match (key, text.and_then(Text::into_bytes)) {
        (Some(key), Some(value)) => Ok((key, value)),
        _ => Err(unexpected()),
    }
}
