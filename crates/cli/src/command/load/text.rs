//! The text of a table: its file, its encoding, and the line of each byte.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::input::{is_stdin, read_stdin};
use super::super::utf16::{self, Broken};
use super::separator;
use crate::failure::{Failure, next_step};

/// A table that can be read only once, or has to be decoded, is kept in memory, up to this many bytes.
/// A larger one belongs in a file in UTF-8, which is read piece by piece.
const MAX_BYTES_IN_MEMORY: u64 = 256 << 20;

/// The mark that some programs write before text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

/// Line ends that [`Text::reader`] adds. The reader of cells reaches the second of them only within a
/// quote that is never closed; every other row ends at the first one at the latest.
const END: &[u8] = b"\n\n";

/// The text of a table, which can be read again and again.
pub(super) struct Text {
    name: String,
    origin: Origin,
    /// The position of the first row, after a byte order mark and a line `sep=…`.
    start: u64,
    /// Bytes from there to the end.
    length: u64,
    /// The separator that a first line such as `sep=;` names.
    separator: Option<u8>,
}

enum Origin {
    File(PathBuf),
    Memory(Vec<u8>),
}

impl Text {
    /// Opens a file, or reads all of what can be read only once.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let is_stdin = is_stdin(path);
        let name = if is_stdin {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let failed = |error: io::Error| unreadable(&name, &error);
        let origin = if is_stdin {
            Origin::Memory(read_whole(read_stdin("a table"), &name)?)
        } else if path.metadata().map_err(failed)?.is_file() {
            Origin::File(path.to_owned())
        } else {
            Origin::Memory(read_whole(File::open(path).map_err(failed)?, &name)?)
        };
        let mut text = Self {
            name,
            origin,
            start: 0,
            length: 0,
            separator: None,
        };
        text.decode()?;
        text.measure()
            .map_err(|error| unreadable(&text.name, &error))?;
        Ok(text)
    }

    /// The name for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The separator that the text itself names in a first line such as `sep=;`.
    pub(super) fn separator(&self) -> Option<u8> {
        self.separator
    }

    /// The first bytes, as they are stored.
    pub(super) fn head(&self, bytes: u64) -> Result<Vec<u8>, Failure> {
        self.part(0, bytes)
    }

    /// The first bytes from this position of a reader on.
    pub(super) fn head_at(&self, position: u64, bytes: u64) -> Result<Vec<u8>, Failure> {
        self.part(self.start + position, bytes)
    }

    fn part(&self, start: u64, bytes: u64) -> Result<Vec<u8>, Failure> {
        let mut head = Vec::new();
        self.open_at(start)
            .and_then(|text| text.take(bytes).read_to_end(&mut head))
            .map_err(|error| unreadable(&self.name, &error))?;
        Ok(head)
    }

    /// Reads from the first row on.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + '_>, Failure> {
        let reader = self.open_at(self.start);
        let reader = reader.map_err(|error| unreadable(&self.name, &error))?;
        Ok(Box::new(reader.take(self.length).chain(END)))
    }

    /// True if a reader that stands behind a row at this position has found the end within a quote.
    pub(super) fn is_within_quote(&self, position: u64) -> bool {
        position == self.length + END.len() as u64
    }

    /// An error if a reader has ended at another position than the end of the text.
    pub(super) fn ends_at(&self, position: u64) -> Result<(), Failure> {
        if position == self.length + END.len() as u64 {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{} became shorter while it was read; run the command again when it is complete",
            self.name
        )))
    }

    /// The line, from 1 and as an editor counts, of the row whose reader stood at this position before
    /// it. Empty lines before the row are not part of it.
    pub(super) fn line_at(&self, position: u64) -> Result<u64, Failure> {
        let count = || -> io::Result<u64> {
            let mut text = BufReader::with_capacity(BUFFER, self.open_at(0)?);
            let mut line = 1;
            let mut left = self.start + position;
            // A line ends with LF, CR LF, or CR alone, as a row does.
            let mut follows_cr = false;
            let mut ends = |bytes: &[u8]| -> u64 {
                let ends_line = |byte: &&u8| {
                    let is_end = **byte == b'\r' || (**byte == b'\n' && !follows_cr);
                    follows_cr = **byte == b'\r';
                    is_end
                };
                bytes.iter().filter(ends_line).count() as u64
            };
            loop {
                let bytes = text.fill_buf()?;
                let before = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let (before, rest) = bytes.split_at(before);
                line += ends(before);
                left -= before.len() as u64;
                let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
                let blank = if left == 0 { blank.count() } else { 0 };
                line += ends(&rest[..blank]);
                let (seen, all) = (before.len() + blank, bytes.len());
                text.consume(seen);
                if seen < all || all == 0 {
                    return Ok(line);
                }
            }
        };
        count().map_err(|error| unreadable(&self.name, &error))
    }

    fn open_at(&self, start: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.origin {
            Origin::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(start))?;
                Box::new(file)
            }
            Origin::Memory(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                Box::new(bytes.get(start..).unwrap_or_default())
            }
        })
    }

    /// Turns UTF-16 into UTF-8.
    fn decode(&mut self) -> Result<(), Failure> {
        let failed = |error: io::Error| unreadable(&self.name, &error);
        let mut mark = Vec::new();
        self.open_at(0)
            .and_then(|text| text.take(2).read_to_end(&mut mark))
            .map_err(failed)?;
        if !utf16::is_marked(&mark) {
            return Ok(());
        }
        let bytes = read_whole(self.open_at(0).map_err(failed)?, &self.name)?;
        match utf16::decode(&bytes) {
            None => Ok(()),
            Some(Ok(text)) => {
                self.origin = Origin::Memory(text.into_bytes());
                Ok(())
            }
            Some(Err(Broken { line })) => Err(Failure::Usage(format!(
                "line {line} of {} is not valid UTF-16, as which its first bytes mark it; save the \
                 table as UTF-8",
                self.name
            ))),
        }
    }

    /// Finds the first row and the length.
    fn measure(&mut self) -> io::Result<()> {
        // A byte order mark and a line `"sep=;"` with its end are shorter.
        const HEAD: u64 = 16;
        let mut head = Vec::new();
        self.open_at(0)?.take(HEAD).read_to_end(&mut head)?;
        let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head);
        let mark = head.len() - text.len();
        let line = separator::first_line(text);
        self.separator = line.map(|(separator, _)| separator);
        self.start = (mark + line.map_or(0, |(_, length)| length)) as u64;
        let all = match &self.origin {
            Origin::File(path) => path.metadata()?.len(),
            Origin::Memory(bytes) => bytes.len() as u64,
        };
        self.length = all.saturating_sub(self.start);
        Ok(())
    }
}

/// Reads all of what can be read only once.
fn read_whole(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES_IN_MEMORY + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > MAX_BYTES_IN_MEMORY {
        return Err(Failure::Usage(format!(
            "{name} has more than {MAX_BYTES_IN_MEMORY} bytes, the limit for what is not a file in \
             UTF-8; save it as one and load that"
        )));
    }
    Ok(bytes)
}

pub(super) fn unreadable(name: &str, error: &io::Error) -> Failure {
    let next = next_step(error, "name another file");
    Failure::Usage(format!("cannot read {name}: {error}; {next}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Text {
        decoded(bytes).unwrap()
    }

    fn decoded(bytes: &[u8]) -> Result<Text, Failure> {
        let mut text = Text {
            name: "t.csv".to_owned(),
            origin: Origin::Memory(bytes.to_vec()),
            start: 0,
            length: 0,
            separator: None,
        };
        text.decode()?;
        text.measure().unwrap();
        Ok(text)
    }

    /// The line of each row, and whether the last one ends within a quote.
    fn lines(bytes: &[u8]) -> (Vec<u64>, bool) {
        rows(&text(bytes))
    }

    fn rows(text: &Text) -> (Vec<u64>, bool) {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.reader().unwrap());
        let (mut record, mut lines, mut quoted) = (csv::ByteRecord::new(), Vec::new(), false);
        while reader.read_byte_record(&mut record).unwrap() {
            let before = record.position().unwrap().byte();
            lines.push(text.line_at(before).unwrap());
            quoted = text.is_within_quote(reader.position().byte());
        }
        text.ends_at(reader.position().byte()).unwrap();
        (lines, quoted)
    }

    #[test]
    fn rows_begin_on_the_lines_that_an_editor_shows() {
        assert_eq!(lines(b"a,b\n1,2\n"), (vec![1, 2], false));
        assert_eq!(lines(b"a,b\r\n1,2\r\n\r\n\r\n3,4"), (vec![1, 2, 5], false));
        assert_eq!(lines(b"a\n\"1\n2\"\n3\n"), (vec![1, 2, 4], false));
        assert_eq!(lines(b"a,b\n,\n"), (vec![1, 2], false));
        assert_eq!(lines(b"a,b\r1,2\r\r3,4\r"), (vec![1, 2, 4], false));
        assert_eq!(
            lines(b"\xef\xbb\xbfsep=,\r\n\r\na,b\r\n1,2"),
            (vec![3, 4], false)
        );
        let cell = "x\n".repeat(BUFFER);
        let long = format!("a\n\"{cell}\"\nlast\n");
        assert_eq!(lines(long.as_bytes()).0, [1, 2, BUFFER as u64 + 3]);
    }

    #[test]
    fn the_rows_of_any_text_begin_on_one_line_after_the_other() {
        prominence_fuzz::run("table", |input| {
            if let Ok(text) = decoded(input) {
                let (lines, _) = rows(&text);
                assert!(lines.is_sorted_by(|line, next| line < next), "{lines:?}");
            }
        });
    }

    #[test]
    fn a_quote_that_is_never_closed_is_found() {
        for open in [
            "a,b\n1,\"2\n3,4\n",
            "a,b\n1,\"2\"\"\n",
            "a,b\n1,\"2\n\n",
            "\"",
            "a\n\"\n",
        ] {
            assert!(lines(open.as_bytes()).1, "{open:?}");
        }
        for closed in [
            "a,b\n1,\"2\"\"\"\n",
            "a,b\n1,5\" pipe\n",
            "a,b\n1,\"2\"",
            "a,b\n1,\"2\n\n\"\n\n\n",
            "a\r\"\n\"\r",
            "a",
        ] {
            assert!(!lines(closed.as_bytes()).1, "{closed:?}");
        }
    }

    #[test]
    fn utf_16_is_decoded_and_its_separator_line_is_found() {
        let unicode = "\u{feff}sep=;\r\né;b\r\n";
        let bytes: Vec<u8> = unicode.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let text = text(&bytes);
        assert_eq!(text.separator(), Some(b';'));
        let mut rows = String::new();
        text.reader().unwrap().read_to_string(&mut rows).unwrap();
        assert_eq!(rows, "é;b\r\n\n\n");
    }
}
