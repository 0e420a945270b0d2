//! `prominence kv list`: printed as it arrives, in constant memory.

use std::io::Write as _;

use prominence_api::Listed;
use prominence_client::error::Fate;
use prominence_client::{Client, Error, Items, Levels, ListOptions, Show};
use prominence_core::Prefix;

use super::table::Table;
use crate::args::kv::List;
use crate::failure::Failure;
use crate::output::{Look, Output};

pub(super) fn run(options: &List, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let prefix = options.prefix.clone().unwrap_or(Prefix::everything());
    if options.count {
        writeln!(output, "{}", client.count(&prefix)?)?;
        return Ok(());
    }
    let show = if options.long || options.json {
        Show::Details
    } else {
        Show::Names
    };
    let levels = if options.dirs {
        Levels::One
    } else {
        Levels::All
    };
    let items = client.list(
        &prefix,
        ListOptions {
            levels,
            show,
            limit: None,
            after: None,
        },
    );
    if options.json {
        json(items, output)
    } else if options.long {
        long(items, output)
    } else {
        names(items, output)
    }
}

fn names(items: Items<'_>, output: &mut Output) -> Result<(), Failure> {
    for item in items {
        let Listed::Name(name) = item? else {
            return Err(unexpected());
        };
        let look = if name.ends_with('/') {
            Look::Folder
        } else {
            Look::Plain
        };
        output.styled(look, &name)?;
        writeln!(output)?;
    }
    Ok(())
}

/// One array, an item a line. Where the listing fails midway the array stays open, so that
/// nobody takes it for a whole one.
fn json(items: Items<'_>, output: &mut Output) -> Result<(), Failure> {
    let mut separator = "[\n";
    for item in items {
        output.write_all(separator.as_bytes())?;
        let line = serde_json::to_string(&item?).map_err(std::io::Error::from)?;
        output.write_all(line.as_bytes())?;
        separator = ",\n";
    }
    let end = if separator == "[\n" { "[]\n" } else { "\n]\n" };
    output.write_all(end.as_bytes())?;
    Ok(())
}

fn long(items: Items<'_>, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new();
    for item in items {
        let row = match item {
            Ok(Listed::Detail(detail)) => table.key(*detail, output),
            Ok(Listed::Folder { prefix }) => table.folder(prefix, output),
            Ok(_) => return Err(unexpected()),
            Err(error) => {
                table.finish(output)?;
                return Err(error.into());
            }
        };
        row?;
    }
    table.finish(output)?;
    Ok(())
}

/// The server answered with another form than was asked for.
pub(super) fn unexpected() -> Failure {
    Error::BadAnswer {
        url: "the server".to_owned(),
        what: "a listing in another form".to_owned(),
        fate: Fate::NotApplied,
    }
    .into()
}
