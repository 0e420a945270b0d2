//! A table of text: names of columns, and rows of as many cells (RFC 4180).

use std::fmt;
use std::io::Read;

use super::super::input::is_stdin;
use super::header::ColumnNames;
use super::kind::{HEAD_BYTES, Kind};
use super::separator::Separator;
use super::text::{self, Text};
use super::width;
use crate::args::kv::table::{Delimiter, Load};
use crate::failure::Failure;

/// Bytes of the table that are read at a time.
const BUFFER: usize = 64 << 10;

/// Bytes of a row in which cells with quotes are looked for.
const MAX_ROW: u64 = 64 << 10;

/// Columns that a sentence names.
const MAX_NAMED: usize = 20;

/// A table, which can be read again and again.
pub(super) struct Table {
    text: Text,
    separator: Separator,
    has_header: bool,
    columns: Vec<String>,
    blanks: Blanks,
}

/// Blanks around cells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blanks {
    Keep,
    Remove,
}

/// A row.
pub(super) struct Row {
    /// Its place among the rows, from 0.
    pub(super) index: u64,
    /// The reader's position before it.
    pub(super) position: u64,
    record: csv::StringRecord,
    blanks: Blanks,
}

/// The rows of a table, read as they are wanted.
pub(super) struct Rows<'a> {
    table: &'a Table,
    reader: csv::Reader<Box<dyn Read + 'a>>,
    index: u64,
    blank: Blank,
}

/// Rows in which every cell is empty, as a spreadsheet writes them below a table.
#[derive(Clone, Copy, Default)]
pub(super) struct Blank {
    pub(super) rows: u64,
    /// The position of the first one.
    pub(super) first: u64,
}

impl Table {
    /// Opens the table that was asked for, and reads the names of its columns.
    pub(super) fn open(options: &Load) -> Result<Self, Failure> {
        let text = Text::open(&options.table)?;
        refuse_other_kinds(options, &text)?;
        let separator = separator(options, &text)?;
        let names = ColumnNames::of(options);
        let mut table = Self {
            text,
            separator,
            has_header: names.are_first_row(),
            columns: Vec::new(),
            blanks: if options.trim {
                Blanks::Remove
            } else {
                Blanks::Keep
            },
        };
        let Some(first) = table.all_rows()?.read()? else {
            let name = table.name();
            return Err(Failure::Usage(format!(
                "{name} is empty; load a table whose first row names the columns"
            )));
        };
        let cells: Vec<&str> = first.record.iter().collect();
        match names.take(&cells, separator) {
            Ok(columns) => table.columns = columns,
            Err(what) => return Err(table.wrong(first.position, what)),
        }
        Ok(table)
    }

    /// The name for messages.
    pub(super) fn name(&self) -> &str {
        self.text.name()
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of a column.
    pub(super) fn column(&self, name: &str, option: &str) -> Result<usize, Failure> {
        let found = self.columns.iter().position(|column| column == name);
        found.ok_or_else(|| {
            Failure::Usage(format!(
                "{} has no column {name:?} for {option}; name one that it has: {}",
                self.name(),
                self.named_columns()
            ))
        })
    }

    /// The first columns, and how many more there are.
    fn named_columns(&self) -> String {
        let first = self.columns.iter().take(MAX_NAMED).map(String::as_str);
        let names = first.collect::<Vec<_>>().join(", ");
        match self.columns.len().saturating_sub(MAX_NAMED) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }

    /// An error in the row whose reader stood at this position before it.
    pub(super) fn wrong(&self, position: u64, what: impl fmt::Display) -> Failure {
        match self.line_at(position) {
            Err(failure) => failure,
            Ok(line) => Failure::Usage(format!(
                "line {line} of {} {what}; nothing was stored",
                self.name()
            )),
        }
    }

    /// The line of the row whose reader stood at this position before it.
    pub(super) fn line_at(&self, position: u64) -> Result<u64, Failure> {
        self.text.line_at(position)
    }

    /// Reads the rows below the names of the columns.
    pub(super) fn rows(&self) -> Result<Rows<'_>, Failure> {
        let mut rows = self.all_rows()?;
        if self.has_header {
            rows.read()?;
        }
        Ok(rows)
    }

    fn all_rows(&self) -> Result<Rows<'_>, Failure> {
        let reader = csv::ReaderBuilder::new()
            .delimiter(self.separator.byte())
            .buffer_capacity(BUFFER)
            // Rows are counted and compared here, for errors that say more.
            .has_headers(false)
            .flexible(true)
            .from_reader(self.text.reader()?);
        Ok(Rows {
            table: self,
            reader,
            index: 0,
            blank: Blank::default(),
        })
    }
}

/// Refuses a file that is known not to be a table of text, such as a workbook.
fn refuse_other_kinds(options: &Load, text: &Text) -> Result<(), Failure> {
    let head = text.head(HEAD_BYTES)?;
    // A table whose separator is named may begin with any text.
    let is_named = options.delimiter.is_some() || text.separator().is_some();
    let kind = Kind::of(&head).map(|kind| kind.by_name(&options.table));
    let kind = kind.or_else(|| Kind::of_text(&head).filter(|_| !is_named));
    kind.map_or(Ok(()), |kind| {
        let file = (!is_stdin(&options.table)).then(|| text.name());
        let explained = kind.explain(file, options.prefix.as_str());
        let name = text.name();
        Err(Failure::Usage(format!(
            "{name} {explained}; nothing was stored"
        )))
    })
}

/// The separator of columns: from the options, the text or the file's name, otherwise a comma.
fn separator(options: &Load, text: &Text) -> Result<Separator, Failure> {
    let extension = options.table.extension();
    let extension = extension.map(|text| text.to_ascii_lowercase());
    let tabs = extension.is_some_and(|text| text == "tsv" || text == "tab");
    let said = options.delimiter.map(|said| match said {
        Delimiter::Character(byte) => Separator::Named(byte),
        Delimiter::None => Separator::None,
    });
    match (said, text.separator()) {
        (Some(said), Some(own)) if said != Separator::Named(own) => Err(Failure::Usage(format!(
            "line 1 of {} names the separator '{}', and --delimiter another one; leave --delimiter \
             out, or delete that line",
            text.name(),
            char::from(own).escape_default()
        ))),
        (Some(said), _) => Ok(said),
        (None, Some(own)) => Ok(Separator::Named(own)),
        (None, None) if tabs => Ok(Separator::Named(b'\t')),
        (None, None) => Ok(Separator::Assumed),
    }
}

impl Row {
    /// The text of a cell.
    pub(super) fn cell(&self, column: usize) -> &str {
        let cell = self.record.get(column).unwrap_or_default();
        match self.blanks {
            Blanks::Keep => cell,
            Blanks::Remove => cell.trim(),
        }
    }

    /// True if a row of several cells has nothing in any of them. A single cell that is empty must have
    /// quotes around it, and is there on purpose.
    fn is_blank(&self) -> bool {
        self.record.len() > 1 && self.record.iter().all(|cell| cell.trim().is_empty())
    }
}

impl Rows<'_> {
    /// The rows without any content that were left out so far.
    pub(super) fn blank(&self) -> Blank {
        self.blank
    }

    /// The next row, of any width.
    fn read(&mut self) -> Result<Option<Row>, Failure> {
        let table = self.table;
        let mut record = csv::ByteRecord::new();
        let more = self.reader.read_byte_record(&mut record);
        let more = more.map_err(|error| text::unreadable(table.name(), &error.into()))?;
        let end = self.reader.position().byte();
        if !more {
            table.text.ends_at(end)?;
            return Ok(None);
        }
        let position = record.position().map_or(0, csv::Position::byte);
        if table.text.is_within_quote(end) {
            let what = "has a quote before a cell that is never closed; close it, or remove it";
            return Err(table.wrong(position, what));
        }
        // Without a separator of columns the reader uses NUL.
        let is_cut = table.separator == Separator::None && record.len() > 1;
        if is_cut || record.as_slice().contains(&0) {
            let what = "has a NUL character, as binary files have, and text in UTF-16 without its byte order \
                        mark; save the table as text in UTF-8";
            return Err(table.wrong(position, what));
        }
        let record = csv::StringRecord::from_byte_record(record).map_err(|error| {
            let what = invalid(error.into_byte_record());
            table.wrong(position, what)
        })?;
        Ok(Some(Row {
            index: self.index,
            position,
            record,
            blanks: table.blanks,
        }))
    }
}

/// The message for a row that is not text in UTF-8.
fn invalid(record: csv::ByteRecord) -> String {
    let cell = record
        .iter()
        .find(|cell| std::str::from_utf8(cell).is_err());
    let broken = cell.and_then(|cell| {
        let error = std::str::from_utf8(cell).err()?;
        cell.get(error.valid_up_to())
    });
    let byte = broken.map_or(String::new(), |byte| {
        format!(", with the byte 0x{byte:02X}")
    });
    format!(
        "is not valid UTF-8{byte}; save the table as UTF-8, or convert it, for instance with iconv -f \
         WINDOWS-1252 -t UTF-8"
    )
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = loop {
            let row = match self.read() {
                Ok(row) => row?,
                Err(failure) => return Some(Err(failure)),
            };
            if !row.is_blank() {
                break row;
            }
            if self.blank.rows == 0 {
                self.blank.first = row.position;
            }
            self.blank.rows += 1;
        };
        self.index += 1;
        let columns = self.table.columns.len();
        if row.record.len() == columns {
            return Some(Ok(row));
        }
        let cells: Vec<_> = row.record.iter().collect();
        let table = self.table;
        Some(Err(match table.text.head_at(row.position, MAX_ROW) {
            Ok(raw) => {
                let what = width::explain(&cells, &raw, columns, table.separator);
                table.wrong(row.position, what)
            }
            Err(failure) => failure,
        }))
    }
}
