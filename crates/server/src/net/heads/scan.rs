//! Scans a head for the headers that mark the end of a body, line by line as they arrive.

use axum::http::Method;
use memchr::memchr;

/// Bytes that are kept of each line: the longer of the two names, and a number with more digits than any
/// that can be counted.
const KEPT: usize = 64;

/// The largest length that hyper counts; it uses the two above it for bodies of unknown length.
const MAX_LENGTH: u64 = u64::MAX - 2;

const CONTENT_LENGTH: &[u8] = b"content-length:";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding:";

/// The scan of one head.
pub(super) struct Scan {
    /// The beginning of the current line.
    line: [u8; KEPT],
    /// The bytes of the current line, up to those that are kept.
    filled: usize,
    /// True if a line came before this one.
    has_lines: bool,
    /// The last bytes of the request line, for its version.
    end: [u8; VERSION_1_0.len()],
    has_length: bool,
    has_coding: bool,
    /// The number of the first `Content-Length`.
    length: Option<u64>,
    fault: Option<Fault>,
    progress: Progress,
}

/// The reason why hyper can't parse a head, if the reason is a header about the end of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// `Content-Length` is there with two numbers.
    LengthsDiffer,
    /// `Content-Length` has something else than digits, or nothing.
    NoLength,
    /// `Content-Length` is a number that can't be counted.
    LengthBeyondCounting,
    /// `Transfer-Encoding` is something else than `chunked`, or comes with HTTP/1.0.
    Coding,
}

/// The end of a request line that HTTP/1.0 has, which knows no `Transfer-Encoding`.
const VERSION_1_0: &[u8] = b"/1.0";

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Progress {
    /// Nothing has arrived.
    #[default]
    Waiting,
    /// The head is arriving.
    Reading,
    /// The head is complete.
    Done,
    /// The head of a `GET`, which is not scanned.
    Get,
    /// The head is that of a `HEAD`, and needs no look.
    Head,
}

impl Default for Scan {
    /// Nothing has arrived.
    fn default() -> Self {
        Self {
            line: [0; KEPT],
            filled: 0,
            has_lines: false,
            end: [0; VERSION_1_0.len()],
            has_length: false,
            has_coding: false,
            length: None,
            fault: None,
            progress: Progress::Waiting,
        }
    }
}

impl Scan {
    /// Takes the next bytes; answers whether they complete a head.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        if self.progress == Progress::Waiting {
            // Most requests are reads. Those have no body, and one that claims to have one in chunks
            // is refused whatever else it claims.
            self.progress = match bytes {
                [b'G', b'E', b'T', b' ', ..] => Progress::Get,
                [b'H', b'E', b'A', b'D', b' ', ..] => Progress::Head,
                _ => Progress::Reading,
            };
        }
        if self.progress != Progress::Reading {
            return false;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest);
            let (text, after) = match end {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => (rest, &[][..]),
            };
            let text = match end {
                Some(_) => text.strip_suffix(b"\r").unwrap_or(text),
                None => text,
            };
            rest = after;
            if !self.has_lines {
                self.keep_end(text);
            }
            let room = self.line.len() - self.filled;
            let kept = &text[..text.len().min(room)];
            let is_end = if end.is_some() && self.filled == 0 {
                // Nearly every line arrives whole, and is scanned without a copy.
                self.end_line(kept)
            } else {
                self.line[self.filled..self.filled + kept.len()].copy_from_slice(kept);
                self.filled += kept.len();
                let line = self.line;
                end.is_some() && self.end_line(&line[..self.filled])
            };
            if is_end {
                self.progress = Progress::Done;
                return true;
            }
        }
        false
    }

    /// Keeps the last bytes of the request line.
    fn keep_end(&mut self, text: &[u8]) {
        for byte in &text[text.len().saturating_sub(VERSION_1_0.len())..] {
            // The line's end may arrive later than its `\r`.
            if *byte != b'\r' {
                let [_, second, third, fourth] = self.end;
                self.end = [second, third, fourth, *byte];
            }
        }
    }

    /// Ends a line; answers whether it was the empty one after the headers.
    fn end_line(&mut self, line: &[u8]) -> bool {
        if let Some(value) = after(line, CONTENT_LENGTH) {
            self.end_length(value);
        } else if let Some(value) = after(line, TRANSFER_ENCODING) {
            self.has_coding = true;
            // Lists that end with it pass hyper, and are refused by the service.
            let last = value.rsplit(|byte| *byte == b',').next();
            let last = last.unwrap_or_default().trim_ascii();
            let is_last = last.eq_ignore_ascii_case(b"chunked");
            if !is_last || self.end == VERSION_1_0 {
                self.fault.get_or_insert(Fault::Coding);
            }
        }
        let is_empty = matches!(line, [] | [b'\r']);
        self.filled = 0;
        // Empty lines before a request line don't count (RFC 9112, section 2.2).
        let is_end = is_empty && self.has_lines;
        self.has_lines |= !is_empty;
        is_end
    }

    /// Takes the value of a `Content-Length`.
    fn end_length(&mut self, value: &[u8]) {
        self.has_length = true;
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok();
        let number = number.and_then(|text| text.parse::<u64>().ok());
        let fault = match number.filter(|_| is_number) {
            Some(number) if number <= MAX_LENGTH => {
                let first = *self.length.get_or_insert(number);
                (first != number).then_some(Fault::LengthsDiffer)
            }
            _ if is_number => Some(Fault::LengthBeyondCounting),
            _ => Some(Fault::NoLength),
        };
        self.fault = self.fault.or(fault);
    }

    /// True if the head is known to be complete. Heads of reads are not scanned; they have no body behind them.
    pub(super) fn is_complete(&self) -> bool {
        self.progress == Progress::Done
    }

    pub(super) fn is_framed_twice(&self) -> bool {
        self.has_length && self.has_coding
    }

    /// The reason why the head can't be parsed, if it is known. Heads of reads are not scanned.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The method; for all methods but reads, one that may change something.
    pub(super) fn method(&self) -> Method {
        match self.progress {
            Progress::Get => Method::GET,
            Progress::Head => Method::HEAD,
            Progress::Waiting | Progress::Reading | Progress::Done => Method::POST,
        }
    }
}

/// The value of the header with this name, without white space around it; `None` of any other line.
fn after<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let begin = line.get(..name.len())?;
    // The first letter rules most lines out.
    let may_be = begin.first()?.eq_ignore_ascii_case(name.first()?);
    (may_be && begin.eq_ignore_ascii_case(name)).then(|| line[name.len()..].trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_that_is_at_fault_is_found_however_the_head_arrives() {
        let put = "PUT / HTTP/1.1\r\nHost: x\r\n";
        for (head, expected) in [
            ("Content-Length: 5", None),
            ("Content-Length: 5\r\nContent-Length: 5", None),
            (
                "Content-Length: 5\r\nContent-Length: 6",
                Some(Fault::LengthsDiffer),
            ),
            ("Content-Length: +1", Some(Fault::NoLength)),
            ("Content-Length: -1", Some(Fault::NoLength)),
            ("Content-Length:", Some(Fault::NoLength)),
            ("Content-Length: 5, 5", Some(Fault::NoLength)),
            (
                "content-length: 18446744073709551614",
                Some(Fault::LengthBeyondCounting),
            ),
            (
                "Content-Length:99999999999999999999999999999999999999999999999999999999999999",
                Some(Fault::LengthBeyondCounting),
            ),
            ("Transfer-Encoding:", Some(Fault::Coding)),
            ("Transfer-Encoding: gzip", Some(Fault::Coding)),
            ("Transfer-Encoding: xchunked", Some(Fault::Coding)),
            ("Transfer-Encoding: gzip, chunked", None),
            ("Transfer-Encoding: Chunked", None),
        ] {
            for at_a_time in [1, 2, 3, 7, 1_000] {
                let mut scan = Scan::default();
                let head = format!("{put}{head}\r\n\r\n");
                for part in head.as_bytes().chunks(at_a_time) {
                    scan.feed(part);
                }
                assert_eq!(scan.fault(), expected, "{head} {at_a_time}");
            }
        }
        let old = "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        for at_a_time in [1, 2, 3, 7, 1_000] {
            let mut scan = Scan::default();
            for part in old.as_bytes().chunks(at_a_time) {
                scan.feed(part);
            }
            assert_eq!(scan.fault(), Some(Fault::Coding), "{at_a_time}");
        }
    }

    fn scanned(head: &str, at_a_time: usize) -> (bool, bool) {
        let mut scan = Scan::default();
        let parts: Vec<_> = head.as_bytes().chunks(at_a_time).collect();
        let complete = parts.into_iter().filter(|part| scan.feed(part)).count();
        (complete == 1, scan.is_framed_twice())
    }

    #[test]
    fn both_framings_are_found_however_the_head_is_written_and_arrives() {
        for (head, twice) in [
            (
                "PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                true,
            ),
            (
                "\r\nPUT / HTTP/1.1\ntransfer-encoding:chunked\nCONTENT-LENGTH:1\n\n",
                true,
            ),
            (
                "PUT / HTTP/1.1\r\nContent-Length: 1\r\n\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            (
                "PUT / HTTP/1.1\r\nX-Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            (
                "PUT / HTTP/1.1\r\nTransfer-Encodings: 1\r\nContent-Length: 1\r\n\r\n",
                false,
            ),
        ] {
            for at_a_time in [1, 2, 3, 7, 1_000] {
                assert_eq!(
                    scanned(head, at_a_time),
                    (true, twice),
                    "{head} {at_a_time}"
                );
            }
        }
        let cut = "PUT / HTTP/1.1\r\nContent-Length: 1\r\n";
        assert_eq!(scanned(cut, 5), (false, false));
    }
}
