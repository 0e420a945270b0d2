//! The only place that prints. On a terminal it escapes control characters in everything that it is given.

mod escape;
mod progress;
mod question;

use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};

use clap::builder::StyledStr;
use clap::builder::styling::{AnsiColor, Style};

use escape::Escaper;
pub(crate) use escape::{has_unsafe, one_line};
pub(crate) use progress::{Progress, Show, Status, StatusLine};
pub(crate) use question::{Answer, ask, can_ask};

/// Standard output, buffered, and what is known about who reads it.
pub(crate) struct Output {
    to: BufWriter<StdoutLock<'static>>,
    /// Escapes the text for a terminal; a program gets the bytes unchanged.
    escaper: Escaper,
    reader: Reader,
    colour: Colour,
}

/// The reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person.
    Terminal,
    /// A program or a file.
    Pipe,
}

/// The decoration of the output, on or off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    On,
    Off,
}

/// The style of a piece of text on a terminal.
#[derive(Clone, Copy)]
pub(crate) enum Look {
    /// As it is.
    Plain,
    /// The head of a table.
    Heading,
    /// A folder's name.
    Folder,
    /// Text of less importance.
    Faint,
}

impl Output {
    pub(crate) fn new() -> Self {
        let reader = if io::stdout().is_terminal() {
            Reader::Terminal
        } else {
            Reader::Pipe
        };
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        // https://no-color.org: any value but the empty one.
        let colourless = set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Self {
            to: BufWriter::new(io::stdout().lock()),
            escaper: Escaper::default(),
            reader,
            colour: if reader == Reader::Terminal && !colourless {
                Colour::On
            } else {
                Colour::Off
            },
        }
    }

    /// The reader.
    pub(crate) fn reader(&self) -> Reader {
        self.reader
    }

    /// Text in a style; plain if the reader is not a terminal.
    pub(crate) fn styled(&mut self, look: Look, text: &str) -> io::Result<()> {
        let style = match (look, self.colour) {
            (Look::Plain, _) | (_, Colour::Off) => return self.write_all(text.as_bytes()),
            (Look::Heading, Colour::On) => Style::new().bold(),
            (Look::Folder, Colour::On) => AnsiColor::Blue.on_default().bold(),
            (Look::Faint, Colour::On) => Style::new().dimmed(),
        };
        self.raw(style.to_string().as_bytes())?;
        self.write_all(text.as_bytes())?;
        self.raw(format!("{style:#}").as_bytes())
    }

    /// Bytes, unchanged for every reader.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.escaper.finish(&mut self.to)?;
        self.to.write_all(bytes)
    }

    /// A line for a person, and nothing in a pipe.
    pub(crate) fn remark(&mut self, line: impl fmt::Display) -> io::Result<()> {
        match self.reader {
            Reader::Terminal => writeln!(self, "{line}"),
            Reader::Pipe => Ok(()),
        }
    }

    /// Help, with its headings set off for those who can see it.
    pub(crate) fn help(&mut self, text: &StyledStr) -> io::Result<()> {
        match self.colour {
            Colour::On => write!(self.to, "{}", text.ansi()),
            Colour::Off => write!(self.to, "{text}"),
        }
    }

    /// A structure as JSON, indented.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self, value)?;
        writeln!(self)
    }

    /// A structure as JSON on one line.
    pub(crate) fn json_line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self, value)?;
        writeln!(self)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.reader {
            Reader::Terminal => {
                self.escaper.write(bytes, &mut self.to)?;
                Ok(bytes.len())
            }
            Reader::Pipe => self.to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.escaper.finish(&mut self.to)?;
        self.to.flush()
    }
}

/// Prints a failure on standard error.
pub(crate) fn complain(failure: &crate::failure::Failure) {
    if let crate::failure::Failure::Arguments(error) = failure
        && !is_mistake(error)
    {
        // Help and version are no errors, and go to the stream that the parser chooses.
        let _ = error.print();
        return;
    }
    warn(failure);
}

/// A sentence on standard error.
pub(crate) fn warn(sentence: impl fmt::Display) {
    say(format_args!("prominence: {sentence}"));
}

/// A line on standard error. Names in it may have been chosen by anybody: characters that would end the
/// line, or command the terminal, are shown as escapes.
pub(crate) fn say(line: impl fmt::Display) {
    let line = one_line(&line.to_string());
    progress::around(|| {
        // If standard error can't be written, there is nothing left to do.
        let _ = writeln!(io::stderr(), "{line}");
    });
}

/// A sentence on standard error for a person at a terminal, and nothing otherwise.
pub(crate) fn hint(sentence: impl fmt::Display) {
    if io::stderr().is_terminal() {
        warn(sentence);
    }
}

pub(crate) fn is_mistake(error: &clap::Error) -> bool {
    use clap::error::ErrorKind;
    !matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}
