//! Values as rows of one table, whose columns are all that any value has.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write};

use prominence_api::Detail;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use tempfile::SpooledTempFile;

use super::compact::compact;
use crate::args::kv::table::Gather;
use crate::failure::Failure;

/// Bytes of rows that wait in memory; more of them wait in a file.
const MAX_IN_MEMORY: usize = 8 << 20;

/// Columns of a table. Every row has a cell for each, so that more would make a table that is
/// mostly commas; Excel ends at 16,384.
const MAX_COLUMNS: usize = 16_384;

/// What is known about every value.
const KNOWN: [&str; 3] = ["key", "job", "modified"];

/// The columns of values that are no JSON objects.
const VALUE: &str = "value";
const VALUE_BASE64: &str = "value_base64";

/// A row while it waits: what is known, and its cells by the number of the column.
#[derive(Serialize, Deserialize)]
struct Waiting {
    known: [String; 3],
    cells: Vec<(usize, String)>,
}

/// What a column is the column of.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Column {
    /// A member of objects.
    Member(String),
    /// Values that are no objects.
    Value,
    /// Values that are no text.
    Base64,
}

/// The members of an object, in order, each as it is written.
struct Members(Vec<(String, Box<RawValue>)>);

/// Columns in the order in which they first appear.
#[derive(Default)]
struct Columns {
    names: Vec<Column>,
    numbers: HashMap<Column, usize>,
}

/// Writes the table.
pub(super) fn write(
    options: &Gather,
    entries: impl Iterator<Item = Result<Box<Detail>, Failure>>,
    to: &mut impl Write,
) -> Result<(), Failure> {
    let mut columns = Columns::default();
    let mut spool = BufWriter::new(SpooledTempFile::new(MAX_IN_MEMORY));
    let mut rows = 0_u64;
    for entry in entries {
        let row = columns.row(*entry?)?;
        serde_json::to_writer(&mut spool, &row).map_err(spooling)?;
        spool.write_all(b"\n").map_err(spooling)?;
        rows += 1;
    }
    let mut spool = spool
        .into_inner()
        .map_err(|error| spooling(error.into_error()))?;
    spool.rewind().map_err(spooling)?;

    let mut table = csv::Writer::from_writer(to);
    let known = if options.bare { &[][..] } else { &KNOWN[..] };
    let header = columns.header(known);
    if header.is_empty() {
        return Ok(());
    }
    table.write_record(header).map_err(failed)?;
    let mut cells = vec![String::new(); columns.names.len()];
    let mut lines = BufReader::new(spool);
    let mut line = String::new();
    for _ in 0..rows {
        line.clear();
        lines.read_line(&mut line).map_err(spooling)?;
        let row: Waiting = serde_json::from_str(&line).map_err(spooling)?;
        cells.iter_mut().for_each(String::clear);
        for (column, text) in row.cells {
            if let Some(cell) = cells.get_mut(column) {
                *cell = text;
            }
        }
        let known = row.known.iter().take(known.len());
        table.write_record(known.chain(&cells)).map_err(failed)?;
    }
    Ok(table.flush()?)
}

impl Columns {
    fn row(&mut self, detail: Detail) -> Result<Waiting, Failure> {
        let mut cells = Vec::new();
        let mut cell = |column, text: String| -> Result<(), Failure> {
            cells.push((self.number(column)?, text));
            Ok(())
        };
        match (detail.value, detail.value_base64) {
            (_, Some(base64)) => cell(Column::Base64, base64)?,
            (Some(text), None) => match serde_json::from_str::<Members>(&text) {
                Ok(Members(members)) => {
                    for (name, value) in members {
                        cell(Column::Member(name), text_of(value.get()))?;
                    }
                }
                Err(_) => cell(Column::Value, text)?,
            },
            (None, None) => {}
        }
        Ok(Waiting {
            known: [detail.key, detail.job.unwrap_or_default(), detail.modified],
            cells,
        })
    }

    fn number(&mut self, column: Column) -> Result<usize, Failure> {
        if let Some(number) = self.numbers.get(&column) {
            return Ok(*number);
        }
        let number = self.names.len();
        if number == MAX_COLUMNS {
            return Err(Failure::Usage(format!(
                "the values have more than {MAX_COLUMNS} columns, the limit of a table; gather \
                 them with --format ndjson"
            )));
        }
        self.names.push(column.clone());
        self.numbers.insert(column, number);
        Ok(number)
    }

    /// The names of all columns. Members keep theirs, so that a table that was loaded comes back;
    /// where one of them is `key`, what is known under that name becomes `_key`.
    fn header(&self, known: &[&str]) -> Vec<String> {
        let members = self.names.iter().filter_map(|column| match column {
            Column::Member(name) => Some(name.as_str()),
            _ => None,
        });
        let taken: HashSet<_> = members.collect();
        let free = |name: &str| {
            let mut name = name.to_owned();
            while taken.contains(name.as_str()) {
                name.insert(0, '_');
            }
            name
        };
        let known = known.iter().map(|name| free(name));
        let columns = self.names.iter().map(|column| match column {
            Column::Member(name) => name.clone(),
            Column::Value => free(VALUE),
            Column::Base64 => free(VALUE_BASE64),
        });
        known.chain(columns).collect()
    }
}

/// A member as a cell: strings without their quotes, `null` as nothing, all else as it is written.
fn text_of(json: &str) -> String {
    match json.as_bytes() {
        b"null" => String::new(),
        [b'"', ..] => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
        _ => compact(json),
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

fn spooling(error: impl Into<io::Error>) -> Failure {
    let error = error.into();
    Failure::Usage(format!(
        "cannot keep the rows in {}: {error}; set TMPDIR to a folder with more room",
        std::env::temp_dir().display()
    ))
}

fn failed(error: csv::Error) -> Failure {
    Failure::Output(error.into())
}
