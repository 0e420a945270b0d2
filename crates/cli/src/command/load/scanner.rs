//! Lines and quotes of a table, seen on the way to the reader of its cells. That reader doesn't say
//! when a quote is never closed, and counts lines otherwise than an editor does.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

/// What is known of the rows that have been read.
#[derive(Default)]
pub(super) struct Seen {
    /// The line on which each row begins, from the next row on; no more rows than a buffer holds.
    pub(super) begins: VecDeque<u64>,
    /// At the end: the line of a quote that was never closed.
    pub(super) open_quote: Option<u64>,
}

/// A reader that looks at what goes through it.
pub(super) struct Scanner<R> {
    from: R,
    delimiter: u8,
    state: State,
    line: u64,
    quote_line: u64,
    seen: Rc<RefCell<Seen>>,
}

/// Where in a table the next byte stands, by RFC 4180.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a row.
    Row,
    /// Before a cell.
    Cell,
    /// In a cell that has no quotes around it.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote between quotes: the end of the cell, or half of a doubled one.
    Quote,
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(from: R, delimiter: u8) -> (Self, Rc<RefCell<Seen>>) {
        let seen = Rc::new(RefCell::new(Seen::default()));
        let scanner = Self {
            from,
            delimiter,
            state: State::Row,
            line: 1,
            quote_line: 0,
            seen: Rc::clone(&seen),
        };
        (scanner, seen)
    }

    fn look(&mut self, byte: u8) {
        let ends = matches!(byte, b'\n' | b'\r');
        if self.state == State::Row && !ends {
            self.seen.borrow_mut().begins.push_back(self.line);
        }
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => State::Quoted,
            (State::Quote, b'"') => State::Quoted,
            (_, _) if ends => State::Row,
            (_, _) if byte == self.delimiter => State::Cell,
            (State::Row | State::Cell, b'"') => {
                self.quote_line = self.line;
                State::Quoted
            }
            _ => State::Plain,
        };
        if byte == b'\n' {
            self.line += 1;
        }
    }
}

impl<R: Read> Read for Scanner<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        for byte in buffer.iter().take(length) {
            self.look(*byte);
        }
        if length == 0 && !buffer.is_empty() && self.state == State::Quoted {
            self.seen.borrow_mut().open_quote = Some(self.quote_line);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> (Vec<u64>, Option<u64>) {
        let (mut scanner, seen) = Scanner::new(text.as_bytes(), b',');
        scanner.read_to_end(&mut Vec::new()).unwrap();
        let seen = seen.borrow();
        (seen.begins.iter().copied().collect(), seen.open_quote)
    }

    #[test]
    fn rows_begin_where_an_editor_says() {
        assert_eq!(scan("a,b\n1,2\n"), (vec![1, 2], None));
        assert_eq!(scan("a,b\r\n1,2\r\n\r\n\r\n3,4"), (vec![1, 2, 5], None));
        assert_eq!(scan("a\n\"1\n2\"\n3\n"), (vec![1, 2, 4], None));
        assert_eq!(scan("a,b\n,\n"), (vec![1, 2], None));
    }

    #[test]
    fn a_quote_that_is_never_closed_is_seen() {
        assert_eq!(scan("a,b\n1,\"2\n3,4\n").1, Some(2));
        assert_eq!(scan("a,b\n1,\"2\"\"\n").1, Some(2));
        assert_eq!(scan("a,b\n1,\"2\"\"\"\n").1, None);
        assert_eq!(
            scan("a,b\n1,5\" pipe\n").1,
            None,
            "no quote around the cell"
        );
    }
}
