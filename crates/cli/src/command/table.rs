//! The table of `prominence kv list --long`: aligned for people, tab-separated for programs.

use std::io::{self, Write as _};

use prominence_api::Detail;

use crate::output::{Look, Output, Reader};

/// Rows that are aligned together. Widths only ever grow, so that later rows still line up;
/// waiting for all of them would take memory without bound.
const ALIGNED_ROWS: usize = 200;

/// The mark of an empty cell.
const NOTHING: &str = "-";

/// Columns before the key.
const COLUMNS: usize = 8;

/// A row but for its last column, the key, which needs no alignment.
type Cells = [String; COLUMNS];

/// The heads of the columns.
const HEADS: [&str; COLUMNS] = [
    "SIZE",
    "MODIFIED",
    "CREATED",
    "EXPIRES",
    "CLAIMED",
    "CLAIMED BY",
    "CLAIMS",
    "JOB",
];

/// The column that numbers stand in, aligned to the right.
const SIZE: usize = 0;

pub(super) struct Table {
    rows: Vec<(Cells, Look, String)>,
    widths: [usize; COLUMNS],
    head: Head,
}

/// True if the heads of the columns still have to be written.
#[derive(PartialEq, Eq)]
enum Head {
    Due,
    Written,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            widths: HEADS.map(str::len),
            head: Head::Due,
        }
    }

    /// A row for a key.
    pub(super) fn key(&mut self, detail: Detail, output: &mut Output) -> io::Result<()> {
        let text = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        let cells = [
            detail.size.to_string(),
            detail.modified,
            detail.created,
            text(detail.expires),
            text(detail.claimed_until),
            text(detail.claimed_by),
            detail.claims.to_string(),
            text(detail.job),
        ];
        self.row(cells, Look::Plain, detail.key, output)
    }

    /// A row for a folder, of which no more is known than its name.
    pub(super) fn folder(&mut self, name: String, output: &mut Output) -> io::Result<()> {
        let cells = [NOTHING; COLUMNS].map(str::to_owned);
        self.row(cells, Look::Folder, name, output)
    }

    /// Writes what has been gathered.
    pub(super) fn finish(&mut self, output: &mut Output) -> io::Result<()> {
        if !self.rows.is_empty() && std::mem::replace(&mut self.head, Head::Written) == Head::Due {
            let head = self.line(&HEADS.map(str::to_owned));
            output.styled(Look::Heading, &format!("{head}KEY"))?;
            writeln!(output)?;
        }
        for (cells, look, name) in std::mem::take(&mut self.rows) {
            let line = self.line(&cells);
            output.write_all(line.as_bytes())?;
            output.styled(look, &name)?;
            writeln!(output)?;
        }
        Ok(())
    }

    fn row(
        &mut self,
        cells: Cells,
        look: Look,
        name: String,
        output: &mut Output,
    ) -> io::Result<()> {
        if output.reader() == Reader::Pipe {
            return writeln!(output, "{}\t{name}", cells.join("\t"));
        }
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push((cells, look, name));
        if self.rows.len() >= ALIGNED_ROWS {
            self.finish(output)?;
        }
        Ok(())
    }

    fn line(&self, cells: &Cells) -> String {
        let mut line = String::new();
        for (at, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if at == SIZE {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
            line.push_str("  ");
        }
        line
    }
}
