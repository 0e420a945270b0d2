//! Server-sent events, read line by line (WHATWG, HTML, section 9.2.6).

use std::io::{self, BufRead, Read as _};

/// The largest number of bytes of a line. The largest value takes four thirds of a MiB in base64, and JSON writes a
/// control character in six bytes.
const MAX_LINE: u64 = 8 << 20;

/// The lines of a stream.
pub(super) struct Lines<R> {
    from: R,
}

/// The lines between two empty lines, or a comment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// The id after which a reader continues.
    pub(super) id: Option<String>,
    /// The name of the event; empty for a comment.
    pub(super) event: String,
    /// Its data.
    pub(super) data: String,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from }
    }

    /// The next block, or `None` at the end of the stream. A block without its end is dropped, as the standard
    /// requires.
    pub(super) fn block(&mut self) -> io::Result<Option<Block>> {
        let mut block = Block::default();
        let mut lines = 0;
        loop {
            let Some(line) = self.line()? else {
                return Ok(None);
            };
            if line.is_empty() && lines > 0 {
                return Ok(Some(block));
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                // A comment between blocks shows that the connection is alive.
                "" if lines == 0 => return Ok(Some(block)),
                "id" => block.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut block.event),
                "data" => {
                    if !block.data.is_empty() {
                        block.data.push('\n');
                    }
                    block.data.push_str(value);
                }
                _ => {}
            }
            lines += 1;
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.from.by_ref().take(MAX_LINE).read_line(&mut line)?;
        let Some(whole) = line.strip_suffix('\n') else {
            return if read as u64 == MAX_LINE {
                let reason = "a line of the watch is too long";
                Err(io::Error::new(io::ErrorKind::InvalidData, reason))
            } else {
                Ok(None)
            };
        };
        Ok(Some(whole.strip_suffix('\r').unwrap_or(whole).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(id: &str, event: &str, data: &str) -> Block {
        Block {
            id: Some(id.to_owned()),
            event: event.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn events_ids_and_comments_are_told_apart_and_half_an_event_is_none() {
        let text = "id: 7\n\n:\nid: 8.0\nevent: put\ndata: {}\n\n:\r\nid:9\r\ndata:a\r\n\
                    data: b\r\n\r\nid: 10\nevent: put\ndata: {}\n";
        let mut lines = Lines::new(text.as_bytes());
        let mut next = || lines.block().unwrap();
        assert_eq!(next(), Some(block("7", "", "")));
        assert_eq!(next(), Some(Block::default()));
        assert_eq!(next(), Some(block("8.0", "put", "{}")));
        assert_eq!(next(), Some(Block::default()));
        assert_eq!(next(), Some(block("9", "", "a\nb")));
        assert_eq!(next(), None);
    }
}
