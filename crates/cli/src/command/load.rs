//! `prominence kv load`: a key for each row of a table. The table is read twice: once to see whether
//! all of it can be stored, and once to store it, so that memory holds its keys and no values.

pub(super) mod cell;
mod conversion;
mod earlier;
mod header;
mod kind;
mod naming;
mod notation;
mod separator;
mod store;
mod table;
mod text;
mod width;

use std::collections::HashMap;
use std::io::Write as _;

use prominence_client::{Client, Error, Lifetime, SetOptions};
use prominence_core::value::TOO_LARGE_ADVICE;
use prominence_core::{Key, Precondition};
use serde::Serialize;

use self::cell::Typing;
use self::naming::{Naming, Numbers, RowNames, join};
use self::notation::Notation;
use self::store::{Groups, Pair, Storing};
use self::table::{Blank, Row, Table};
use super::parallel::{self, Counter};
use super::swapped;
use super::value_limit::value_limit;
use super::{counted, keys};
use crate::args::kv::table::Load;
use crate::failure::Failure;
use crate::output::{self, Output, Progress, Show};

/// The conversion of rows into JSON objects.
struct Objects {
    notation: Notation,
    typing: Vec<Typing>,
}

/// A table that can be stored.
struct Checked {
    naming: Naming,
    names: RowNames,
    rows: u64,
    blank: Blank,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    prefix: &'a str,
    rows: u64,
    stored: u64,
    /// Rows that `--if-absent` left out.
    existing: u64,
    /// Rows without any content, which are left out.
    blank: u64,
    /// Rows of an earlier table that are still there; `null` to a token that may not list them.
    remaining: Option<u64>,
    removed: u64,
}

pub(super) fn run(options: &Load, client: &Client, output: &mut Output) -> Result<(), Failure> {
    swapped::check_load(&options.prefix, &options.table)?;
    let limit = value_limit(client)?;
    let table = Table::open(options)?;
    let objects = Objects::of(options, &table)?;
    let checked = check(options, &table, &objects, limit)?;
    tell_blank(&table, checked.blank)?;
    let pairs = table.rows()?.map(|row| {
        let row = row?;
        let key = checked.naming.key(&options.prefix, &row, &table)?;
        let value = objects.value(&row, &table)?;
        Ok(Pair { key, value })
    });
    if options.dry_run {
        for pair in pairs {
            let Pair { key, value } = pair?;
            if options.json {
                // The value is JSON already.
                writeln!(
                    output,
                    "{{\"key\":{},\"value\":{value}}}",
                    cell::string(key.as_str())
                )?;
            } else {
                writeln!(output, "{key}\t{value}")?;
            }
        }
        return Ok(());
    }
    let storing = Storing {
        client,
        how: SetOptions {
            lifetime: options.ttl.unwrap_or(Lifetime::Permanent),
            condition: options.if_absent.then_some(Precondition::Absent),
            write_id: None,
        },
        stored: Counter::default(),
        existing: Counter::default(),
    };
    let progress = Progress::new(Show::unless(options.quiet), "loading", checked.rows);
    let outcome = parallel::for_each(options.jobs, Groups::new(pairs), |group: Vec<Pair>| {
        progress.steps(storing.store(&group)?);
        Ok(())
    });
    drop(progress);
    let rows = format!(
        "{} of {} stored",
        storing.stored.get(),
        counted(checked.rows, "row")
    );
    outcome.map_err(|failure| failure.after(format!("{rows}; run it again to store the rest")))?;
    let (remaining, removed) = others(options, client, &checked)?;
    let existing = storing.existing.get();
    if options.json {
        output.json(&Summary {
            prefix: options.prefix.as_str(),
            rows: checked.rows,
            stored: storing.stored.get(),
            existing,
            blank: checked.blank.rows,
            remaining,
            removed,
        })?;
    }
    match existing {
        0 if options.quiet || options.json => Ok(()),
        0 => Ok(output.remark(rows)?),
        existing => Err(Failure::No(format!(
            "{existing} of {} exist already and were left alone; {rows}; leave --if-absent out to replace \
             them",
            keys(checked.rows)
        ))),
    }
}

/// Checks whether every row can be stored.
fn check(options: &Load, table: &Table, objects: &Objects, limit: u64) -> Result<Checked, Failure> {
    let column = match &options.key {
        None => None,
        Some(name) => Some(table.column(name, "--key")?),
    };
    let mut positions: HashMap<Key, u64> = HashMap::new();
    let mut count = 0_u64;
    let mut rows = table.rows()?;
    while let Some(row) = rows.next().transpose()? {
        count += 1;
        let bytes = objects.value(&row, table)?.len() as u64;
        if bytes > limit {
            return Err(table.wrong(
                row.position,
                format_args!(
                    "makes a value of {bytes} bytes, and the limit is {limit}; {TOO_LARGE_ADVICE}"
                ),
            ));
        }
        let Some(column) = column else { continue };
        let key = Naming::Column(column).key(&options.prefix, &row, table)?;
        if let Some(first) = positions.insert(key, row.position) {
            let first = table.line_at(first)?;
            let same = format!(
                "has the key {:?}, and so has line {first}; every row needs its own",
                row.cell(column)
            );
            return Err(table.wrong(row.position, same));
        }
    }
    // With --replace, nothing would be left; a file that was not written to its end looks like this too.
    if count == 0 {
        return Err(Failure::Usage(format!(
            "{} names columns and has no rows, so nothing was stored; check that it is the right table",
            table.name()
        )));
    }
    let (naming, names) = match column {
        Some(column) => (Naming::Column(column), RowNames::Keys(positions)),
        None => {
            let numbers = Numbers::new(options, count);
            // The prefix may be as long as a key may be.
            join(&options.prefix, &numbers.last()).map_err(|error| {
                Failure::Usage(format!(
                    "{} can't name rows: {error}; choose a shorter prefix",
                    options.prefix
                ))
            })?;
            (Naming::Numbers(numbers), RowNames::Numbers(numbers))
        }
    };
    Ok(Checked {
        naming,
        names,
        rows: count,
        blank: rows.blank(),
    })
}

/// Says that rows without any content were left out.
fn tell_blank(table: &Table, blank: Blank) -> Result<(), Failure> {
    if blank.rows > 0 {
        let line = table.line_at(blank.first)?;
        output::warn(format_args!(
            "{} of {} without any content left out, from line {line} on",
            counted(blank.rows, "row"),
            table.name()
        ));
    }
    Ok(())
}

/// Removes the rows of an earlier table, or says that they remain. Answers how many remain, if that is
/// known, and how many were removed.
fn others(
    options: &Load,
    client: &Client,
    checked: &Checked,
) -> Result<(Option<u64>, u64), Failure> {
    let (prefix, names) = (&options.prefix, &checked.names);
    if options.replace {
        let removed = earlier::remove(client, prefix, names, options.jobs);
        let removed = removed.map_err(|failure| {
            let after = "all rows are stored, and some of an earlier table remain; run it again";
            failure.after(after.to_owned())
        })?;
        if removed > 0 && !options.quiet {
            output::hint(format_args!(
                "{} of an earlier table removed",
                counted(removed, "row")
            ));
        }
        return Ok((Some(0), removed));
    }
    let found = match earlier::find(client, prefix, names) {
        Ok(found) => found,
        // A token that may write and not list is enough to load.
        Err(Failure::Request(error)) if matches!(*error, Error::Forbidden(_)) => {
            return Ok((None, 0));
        }
        Err(failure) => return Err(failure.after("all rows are stored".to_owned())),
    };
    if let Some(first) = &found.first {
        output::warn(format_args!(
            "{} of an earlier table {} under {prefix}, such as {first}; --replace removes them",
            counted(found.count, "row"),
            if found.count == 1 {
                "remains"
            } else {
                "remain"
            }
        ));
    }
    Ok((Some(found.count), 0))
}

impl Objects {
    fn of(options: &Load, table: &Table) -> Result<Self, Failure> {
        let columns = table.columns();
        let mut typing = match &options.strings {
            Some(names) if names.is_empty() => vec![Typing::Strings; columns.len()],
            _ => vec![Typing::Exact; columns.len()],
        };
        for name in options.strings.iter().flatten() {
            let column = table.column(name, "--strings")?;
            if let Some(typing) = typing.get_mut(column) {
                *typing = Typing::Strings;
            }
        }
        Ok(Self {
            notation: Notation::of(options),
            typing,
        })
    }

    /// The JSON object of a row, its members in the order of the columns.
    fn value(&self, row: &Row, table: &Table) -> Result<String, Failure> {
        let mut object = String::from("{");
        for (at, (name, typing)) in table.columns().iter().zip(&self.typing).enumerate() {
            if at > 0 {
                object.push(',');
            }
            object.push_str(&cell::string(name));
            object.push(':');
            let cell = row.cell(at);
            match self.notation.json(cell, *typing) {
                Ok(json) => object.push_str(&json),
                Err(unclear) => {
                    return Err(table.wrong(row.position, unclear.explain(cell, name)));
                }
            }
        }
        object.push('}');
        Ok(object)
    }
}
