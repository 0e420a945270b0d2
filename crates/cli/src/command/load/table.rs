//! A table of text: a row that names the columns, and rows of as many cells (RFC 4180).

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::rc::Rc;

use super::scanner::{Scanner, Seen};
use crate::args::kv::table::Load;
use crate::failure::Failure;

/// A table that can be read only once is kept in memory, up to this many bytes. Larger ones belong
/// in a file, which is read as it is needed.
const MAX_PIPED_BYTES: u64 = 256 << 20;

/// What stands for standard input.
const STDIN: &str = "-";

/// What some programs put in front of a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What stands in front of a text in UTF-16, either way round.
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// A table, which can be read again and again.
pub(super) struct Table {
    source: Source,
    name: String,
    delimiter: u8,
}

enum Source {
    File(PathBuf),
    Memory(Vec<u8>),
}

/// A row.
pub(super) struct Row {
    /// Its number among the rows, from 1.
    pub(super) number: u64,
    /// The line of the file on which it begins, from 1.
    pub(super) line: u64,
    record: csv::StringRecord,
}

/// The rows of a table, read as they are wanted.
pub(super) struct Rows<'a> {
    table: &'a Table,
    reader: csv::Reader<Box<dyn Read + 'a>>,
    seen: Rc<RefCell<Seen>>,
    width: usize,
    number: u64,
}

impl Table {
    /// Opens the table that was asked for; what can't be read twice is read now.
    pub(super) fn open(options: &Load) -> Result<Self, Failure> {
        let path = &options.table;
        let stdin = path.as_os_str() == STDIN;
        let name = if stdin {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let unreadable = |error: io::Error| Failure::Usage(format!("cannot read {name}: {error}"));
        let source = if stdin {
            Source::Memory(piped(io::stdin().lock(), &name)?)
        } else if path.metadata().map_err(unreadable)?.is_file() {
            Source::File(path.clone())
        } else {
            Source::Memory(piped(File::open(path).map_err(unreadable)?, &name)?)
        };
        let extension = path.extension().map(|text| text.to_ascii_lowercase());
        let tabs = extension.is_some_and(|text| text == "tsv" || text == "tab");
        Ok(Self {
            source,
            name,
            delimiter: options.delimiter.unwrap_or(if tabs { b'\t' } else { b',' }),
        })
    }

    /// What to call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong on which line.
    pub(super) fn wrong(&self, line: u64, what: impl fmt::Display) -> Failure {
        Failure::Usage(format!(
            "line {line} of {} {what}; nothing was stored",
            self.name
        ))
    }

    /// Reads the names of the columns; the rows come as they are wanted.
    pub(super) fn rows(&self, header: &mut Vec<String>) -> Result<Rows<'_>, Failure> {
        let unreadable = |error| Failure::Usage(format!("cannot read {}: {error}", self.name));
        let mut text: Box<dyn BufRead> = match &self.source {
            Source::File(path) => Box::new(BufReader::new(File::open(path).map_err(unreadable)?)),
            Source::Memory(bytes) => Box::new(bytes.as_slice()),
        };
        let start = text.fill_buf().map_err(unreadable)?;
        if UTF_16_MARKS.iter().any(|mark| start.starts_with(mark)) {
            let name = &self.name;
            return Err(Failure::Usage(format!(
                "{name} is UTF-16; save it as UTF-8"
            )));
        }
        if start.starts_with(BYTE_ORDER_MARK) {
            text.consume(BYTE_ORDER_MARK.len());
        }
        let (scanner, seen) = Scanner::new(text, self.delimiter);
        let reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            // Rows are counted and compared here, for errors that say more.
            .has_headers(false)
            .flexible(true)
            .from_reader(Box::new(scanner) as Box<dyn Read>);
        let mut rows = Rows {
            table: self,
            reader,
            seen,
            width: 0,
            number: 0,
        };
        let Some(first) = rows.read()? else {
            let name = &self.name;
            return Err(Failure::Usage(format!(
                "{name} is empty; its first row must name the columns"
            )));
        };
        *header = first.record.iter().map(str::to_owned).collect();
        rows.width = header.len();
        self.check_header(first.line, header)?;
        Ok(rows)
    }

    fn check_header(&self, line: u64, header: &[String]) -> Result<(), Failure> {
        let mut columns: HashMap<&str, usize> = HashMap::new();
        for (at, name) in header.iter().enumerate() {
            let column = at + 1;
            if name.is_empty() {
                return Err(self.wrong(line, format_args!("has no name for column {column}")));
            }
            if let Some(first) = columns.insert(name, column) {
                let what = format!("names both column {first} and column {column} \"{name}\"");
                return Err(self.wrong(line, what));
            }
        }
        Ok(())
    }
}

impl Row {
    /// The text of a cell.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default()
    }
}

impl Rows<'_> {
    /// The next row, of any width.
    fn read(&mut self) -> Result<Option<Row>, Failure> {
        let mut record = csv::ByteRecord::new();
        let more = self.reader.read_byte_record(&mut record);
        let name = &self.table.name;
        let more = more.map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
        if let Some(line) = self.seen.borrow().open_quote {
            let what = "has a quote before a cell that is never closed";
            return Err(self.table.wrong(line, what));
        }
        if !more {
            return Ok(None);
        }
        let line = self
            .seen
            .borrow_mut()
            .begins
            .pop_front()
            .unwrap_or_default();
        let record = csv::StringRecord::from_byte_record(record);
        let record = record.map_err(|_| self.table.wrong(line, "is not valid UTF-8"))?;
        Ok(Some(Row {
            number: self.number,
            line,
            record,
        }))
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.number += 1;
        let row = match self.read() {
            Ok(row) => row?,
            Err(failure) => return Some(Err(failure)),
        };
        let (cells, width) = (row.record.len(), self.width);
        if cells == width {
            return Some(Ok(row));
        }
        let cells = match cells {
            1 => "1 cell".to_owned(),
            _ => format!("{cells} cells"),
        };
        let what = format!("has {cells}, and the first row names {width} columns");
        Some(Err(self.table.wrong(row.line, what)))
    }
}

/// Reads all of what can be read only once.
fn piped(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(MAX_PIPED_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
    if bytes.len() as u64 > MAX_PIPED_BYTES {
        return Err(Failure::Usage(format!(
            "{name} has more than {MAX_PIPED_BYTES} bytes, the limit for what is no file; save it \
             in one and load that"
        )));
    }
    Ok(bytes)
}
