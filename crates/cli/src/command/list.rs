//! `prominence kv list`: printed as it arrives, in constant memory.

use std::io::Write as _;

use prominence_api::{Counted, Listed};
use prominence_client::error::Fate;
use prominence_client::{Client, Error, Levels, ListOptions, Show};
use prominence_core::{Order, Prefix};

use super::absent::Absent;
use super::table::Table;
use crate::args::kv::List;
use crate::failure::Failure;
use crate::output::{Look, Output};

pub(super) fn run(options: &List, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let prefix = options.prefix.clone().unwrap_or(Prefix::everything());
    if options.count {
        let count = client.count(&prefix)?;
        if options.json {
            output.json_line(&Counted { count, more: false })?;
        } else {
            writeln!(output, "{count}")?;
        }
        return Ok(());
    }
    let show = match (options.values, options.long || options.json) {
        (true, _) => Show::Entries,
        (false, true) => Show::Details,
        (false, false) => Show::Names,
    };
    let levels = if options.dirs {
        Levels::One
    } else {
        Levels::All
    };
    let (order, after, until) = match options.reverse {
        false => (Order::Ascending, options.after.clone(), None),
        // Where the listing comes to this key, it ends.
        true => (Order::Descending, None, options.after.as_ref()),
    };
    let items = client.list(
        &prefix,
        ListOptions {
            levels,
            show,
            order,
            limit: options.limit,
            after,
        },
    );
    let mut count = 0_u64;
    let shown = items.take_while(|item| sorts_after(item, until));
    print(shown.inspect(|_| count += 1), options, output)?;
    if count == 0 && options.after.is_none() {
        Absent::hint(client, &prefix);
    }
    Ok(())
}

fn print(
    items: impl Iterator<Item = Result<Listed, Error>>,
    options: &List,
    output: &mut Output,
) -> Result<(), Failure> {
    if options.json {
        json(items, output)
    } else if options.long {
        long(items, output)
    } else {
        names(items, output)
    }
}

/// True if an item sorts after a key or folder; an error does.
fn sorts_after(item: &Result<Listed, Error>, after: Option<&Prefix>) -> bool {
    let (Ok(item), Some(after)) = (item, after) else {
        return true;
    };
    match item {
        Listed::Name(name) | Listed::Folder { prefix: name, .. } => name.as_str() > after.as_str(),
        Listed::Detail(detail) => detail.key.as_str() > after.as_str(),
        Listed::Value(_) => true,
    }
}

fn names(
    items: impl Iterator<Item = Result<Listed, Error>>,
    output: &mut Output,
) -> Result<(), Failure> {
    for item in items {
        let name = match item? {
            Listed::Name(name) | Listed::Folder { prefix: name, .. } => name,
            Listed::Detail(detail) => {
                let (key, value) = super::export::pair(*detail)?;
                writeln!(output, "{key}\t{}", on_one_line(&value))?;
                continue;
            }
            Listed::Value(_) => return Err(unexpected()),
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

/// A value that takes no second line and no second column.
fn on_one_line(value: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(value) else {
        return format!("<{}>", super::counted(value.len() as u64, "byte"));
    };
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            _ => line.push(character),
        }
    }
    line
}

/// One array, an item a line. Where the listing fails midway the array stays open, so that
/// no program takes it for a complete one.
fn json(
    items: impl Iterator<Item = Result<Listed, Error>>,
    output: &mut Output,
) -> Result<(), Failure> {
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

fn long(
    items: impl Iterator<Item = Result<Listed, Error>>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut table = Table::new();
    for item in items {
        let row = match item {
            Ok(Listed::Detail(detail)) => table.key(*detail, output),
            Ok(Listed::Folder { prefix, .. }) => table.folder(prefix, output),
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
