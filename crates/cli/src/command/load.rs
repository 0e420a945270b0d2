//! `prominence kv load`: a key for each row of a table. The table is read twice: once to see whether
//! all of it can be stored, and once to store it, so that memory holds its keys and no values.

pub(super) mod cell;
mod scanner;
mod table;

use std::collections::HashMap;
use std::io::Write as _;

use prominence_client::{Client, Error, Lifetime, SetOptions};
use prominence_core::{Key, Precondition, Prefix};

use self::cell::Typing;
use self::table::{Row, Table};
use super::flight::{self, Tally};
use super::value_limit::value_limit;
use crate::args::kv::table::Load;
use crate::failure::Failure;
use crate::output::{Output, Progress, Show};

/// How keys are named.
enum Naming {
    /// By the row's number, with this many digits.
    Number(usize),
    /// By the cell in this column.
    Column(usize),
}

/// What a row becomes.
struct Pair {
    key: Key,
    value: String,
}

pub(super) fn run(options: &Load, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let limit = value_limit(client)?;
    let table = Table::open(options)?;
    let (naming, length) = check(options, &table, limit)?;
    let mut header = Vec::new();
    let pairs = table.rows(&mut header)?.map(|row| {
        let row = row?;
        let key = key(&options.prefix, &naming, &row, &table)?;
        let value = value(options, &header, &row);
        Ok(Pair { key, value })
    });
    if options.dry_run {
        for pair in pairs {
            let Pair { key, value } = pair?;
            writeln!(output, "{key}\t{value}")?;
        }
        return Ok(());
    }
    let how = SetOptions {
        lifetime: options.ttl.unwrap_or(Lifetime::Permanent),
        condition: options.if_absent.then_some(Precondition::Absent),
        write_id: None,
    };
    let progress = Progress::new(Show::unless(options.quiet), "loading", length);
    let (stored, left) = (Tally::default(), Tally::default());
    let outcome = flight::each(options.jobs, pairs, |Pair { key, value }| {
        match client.set(&key, value.as_bytes(), &how) {
            Ok(_) => stored.add(),
            Err(Error::PreconditionFailed(_)) if options.if_absent => left.add(),
            Err(error) => return Err(error.into()),
        }
        progress.step();
        Ok(())
    });
    drop(progress);
    let rows = format!("{} of {length} rows stored", stored.get());
    match (outcome, left.get()) {
        (Err(failure), _) => Err(failure.after(format!("{rows}; run it again to store the rest"))),
        (Ok(()), 0) if options.quiet => Ok(()),
        (Ok(()), 0) => Ok(output.remark(rows)?),
        (Ok(()), left) => Err(Failure::No(format!(
            "{left} of {length} keys exist already and were left alone; {rows}"
        ))),
    }
}

/// Whether every row can be stored; how keys are named, and how many there are.
fn check(options: &Load, table: &Table, limit: u64) -> Result<(Naming, u64), Failure> {
    let mut header = Vec::new();
    let rows = table.rows(&mut header)?;
    let column = match &options.key {
        None => None,
        Some(name) => Some(column_of(name, &header, table)?),
    };
    let mut lines: HashMap<Key, u64> = HashMap::new();
    let mut count = 0_u64;
    for row in rows {
        let row = row?;
        count += 1;
        let bytes = value(options, &header, &row).len() as u64;
        if bytes > limit {
            return Err(table.wrong(
                row.line,
                format_args!("makes a value of {bytes} bytes, and the limit is {limit}"),
            ));
        }
        let Some(column) = column else { continue };
        let key = key(&options.prefix, &Naming::Column(column), &row, table)?;
        if let Some(first) = lines.insert(key, row.line) {
            let same = format!(
                "has the key \"{}\", and so has line {first}; every row needs its own",
                row.cell(column)
            );
            return Err(table.wrong(row.line, same));
        }
    }
    if let Some(column) = column {
        return Ok((Naming::Column(column), count));
    }
    let digits = count.to_string().len();
    // The prefix may be as long as a key may be.
    join(&options.prefix, &"0".repeat(digits))
        .map_err(|error| Failure::Usage(format!("{} can't name rows: {error}", options.prefix)))?;
    Ok((Naming::Number(digits), count))
}

fn column_of(name: &str, header: &[String], table: &Table) -> Result<usize, Failure> {
    let found = header.iter().position(|column| column == name);
    found.ok_or_else(|| {
        Failure::Usage(format!(
            "{} has no column \"{name}\"; it has {}",
            table.name(),
            header.join(", ")
        ))
    })
}

fn key(prefix: &Prefix, naming: &Naming, row: &Row, table: &Table) -> Result<Key, Failure> {
    let name = match naming {
        Naming::Number(digits) => format!("{:0digits$}", row.number),
        Naming::Column(column) => row.cell(*column).to_owned(),
    };
    join(prefix, &name).map_err(|why| {
        table.wrong(
            row.line,
            format_args!("has \"{name}\" for a key, which can't be one: {why}"),
        )
    })
}

/// The key of a name below a prefix. Only what needs no tidying is taken: two names must not become
/// one key.
fn join(prefix: &Prefix, name: &str) -> Result<Key, String> {
    let slash = if prefix.as_str().ends_with('/') {
        ""
    } else {
        "/"
    };
    let path = format!("{prefix}{slash}{name}");
    let key = Key::parse(&path).map_err(|error| match name {
        "" => "it is empty".to_owned(),
        _ => error.to_string(),
    })?;
    if key.as_str() == path {
        Ok(key)
    } else {
        Err("it has a / too many".to_owned())
    }
}

/// The JSON object of a row, its members in the order of the columns.
fn value(options: &Load, header: &[String], row: &Row) -> String {
    let typing = if options.strings {
        Typing::Strings
    } else {
        Typing::Exact
    };
    let mut object = String::from("{");
    for (at, name) in header.iter().enumerate() {
        if at > 0 {
            object.push(',');
        }
        object.push_str(&cell::string(name));
        object.push(':');
        object.push_str(&cell::json(row.cell(at), typing));
    }
    object.push('}');
    object
}
