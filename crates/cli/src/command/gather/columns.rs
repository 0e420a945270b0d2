//! Values as rows of one table, whose columns are all that any value has.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write};

use prominence_api::Detail;
use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use super::super::object::{Members, plain, unmarked};
use super::count::{Counts, Kind};
use super::join::Entry;
use crate::args::kv::table::Gather;
use crate::failure::Failure;

/// Bytes of rows that wait in memory; more of them wait in a file.
const MAX_IN_MEMORY: usize = 8 << 20;

/// Columns of a table. Every row has a cell for each, so that more would make a table that is
/// mostly commas; Excel ends at 16,384.
const MAX_COLUMNS: usize = 16_384;

/// The columns that every value has.
const KNOWN: [&str; 3] = ["key", "job", "modified"];

/// The columns of values that are not JSON objects.
const VALUE: &str = "value";
const VALUE_BASE64: &str = "value_base64";

/// The columns of inputs that are not JSON objects.
const INPUT_VALUE: &str = "input";
const INPUT_BASE64: &str = "input_base64";

/// The prefix of an input's column if a result has a column of the same name.
const INPUT: &str = "input_";

/// A row while it waits: what is known, and its cells by the number of the column.
#[derive(Serialize, Deserialize)]
struct Waiting {
    known: [String; 3],
    cells: Vec<(usize, String)>,
}

/// A column: whose, and what of it.
type Column = (Side, Content);

/// The two halves of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Result,
    Input,
}

/// The content of a column.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Content {
    /// A member of objects.
    Member(String),
    /// Values that are not objects.
    Value,
    /// Values that are not text.
    Base64,
}

/// Columns in the order in which they first appear.
#[derive(Default)]
struct Columns {
    columns: Vec<Column>,
    numbers: HashMap<Column, usize>,
}

/// Writes the table.
pub(super) fn write(
    options: &Gather,
    entries: impl Iterator<Item = Result<Entry, Failure>>,
    counts: &mut Counts,
    to: &mut impl Write,
) -> Result<(), Failure> {
    let mut columns = Columns::default();
    let mut spool = BufWriter::new(SpooledTempFile::new(MAX_IN_MEMORY));
    let mut rows = 0_u64;
    for entry in entries {
        let row = columns.row(entry?, counts)?;
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
    let order = columns.order();
    let header = columns.header(known, &order);
    if header.is_empty() {
        return Ok(());
    }
    table.write_record(header).map_err(failed)?;
    let mut cells = vec![String::new(); order.len()];
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
        let ordered = order.iter().filter_map(|column| cells.get(*column));
        table.write_record(known.chain(ordered)).map_err(failed)?;
    }
    Ok(table.flush()?)
}

impl Columns {
    fn row(&mut self, entry: Entry, counts: &mut Counts) -> Result<Waiting, Failure> {
        let Entry {
            mut result,
            mut input,
        } = entry;
        let mut cells = Vec::new();
        if let Some(input) = &mut input {
            self.cells(Side::Input, input, &mut cells)?;
        }
        let kind = self.cells(Side::Result, &mut result, &mut cells)?;
        counts.add(&result.key, kind, input.as_deref());
        Ok(Waiting {
            known: [result.key, result.job.unwrap_or_default(), result.modified],
            cells,
        })
    }

    fn cells(
        &mut self,
        side: Side,
        detail: &mut Detail,
        cells: &mut Vec<(usize, String)>,
    ) -> Result<Kind, Failure> {
        let mut add = |content, text: String| -> Result<(), Failure> {
            cells.push((self.number((side, content))?, text));
            Ok(())
        };
        if let Some(members) = Members::of_detail(detail) {
            for (name, value) in members.0 {
                // An empty cell is how a table says that there is nothing.
                let text = match value.get() {
                    "null" => String::new(),
                    json => plain(json),
                };
                add(Content::Member(name), text)?;
            }
            return Ok(Kind::Object);
        }
        if let Some(base64) = detail.value_base64.take() {
            add(Content::Base64, base64)?;
        } else if let Some(text) = detail.value.take() {
            add(Content::Value, unmarked(&text).to_owned())?;
        }
        Ok(Kind::Other)
    }

    fn number(&mut self, column: Column) -> Result<usize, Failure> {
        if let Some(number) = self.numbers.get(&column) {
            return Ok(*number);
        }
        let number = self.columns.len();
        if number == MAX_COLUMNS {
            return Err(Failure::Usage(format!(
                "the values have more than {MAX_COLUMNS} columns, the limit of a table; gather \
                 them with --format ndjson"
            )));
        }
        self.columns.push(column.clone());
        self.numbers.insert(column, number);
        Ok(number)
    }

    /// The numbers of the columns as the table has them: those of inputs come first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_by_key(|number| match self.columns.get(*number) {
            Some((Side::Input, _)) => 0,
            _ => 1,
        });
        order
    }

    /// The names of all columns. Members of results keep theirs, so that a table that was loaded comes
    /// back; those of inputs keep theirs unless a result has the same; and where a member has the name of
    /// another column, such as `key`, that column becomes `_key`.
    fn header(&self, known: &[&str], order: &[usize]) -> Vec<String> {
        let mut taken = HashSet::new();
        let mut names = vec![None; self.columns.len()];
        for turn in [Side::Result, Side::Input] {
            for ((side, content), name) in self.columns.iter().zip(&mut names) {
                if let (true, Content::Member(member)) = (*side == turn, content)
                    && taken.insert(member.clone())
                {
                    *name = Some(member.clone());
                }
            }
        }
        let mut free = |beginning: &str, wanted: &str| {
            let mut name = wanted.to_owned();
            while !taken.insert(name.clone()) {
                name.insert_str(0, beginning);
            }
            name
        };
        // The other inputs choose their names when all these are known.
        for ((_, content), name) in self.columns.iter().zip(&mut names) {
            if let (None, Content::Member(member)) = (&name, content) {
                *name = Some(free(INPUT, member));
            }
        }
        let known: Vec<_> = known.iter().map(|name| free("_", name)).collect();
        for ((side, content), name) in self.columns.iter().zip(&mut names) {
            let (value, base64) = match side {
                Side::Result => (VALUE, VALUE_BASE64),
                Side::Input => (INPUT_VALUE, INPUT_BASE64),
            };
            match content {
                Content::Member(_) => {}
                Content::Value => *name = Some(free("_", value)),
                Content::Base64 => *name = Some(free("_", base64)),
            }
        }
        let columns = order
            .iter()
            .filter_map(|number| names.get(*number).cloned().flatten());
        known.into_iter().chain(columns).collect()
    }
}

fn spooling(error: impl Into<io::Error>) -> Failure {
    let error = error.into();
    Failure::Usage(format!(
        "cannot keep the rows in {}: {error}; set TMPDIR to a folder with more room",
        std::env::temp_dir().display()
    ))
}

/// An error of the output; its kind distinguishes a reader that has gone away.
fn failed(error: csv::Error) -> Failure {
    Failure::Output(match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })
}
