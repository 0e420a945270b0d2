//! The only place that prints.

mod progress;

use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};

use clap::builder::StyledStr;
use clap::builder::styling::{AnsiColor, Style};

pub(crate) use progress::{Progress, Show, Status, StatusLine};

/// Standard output, buffered, and what is known about who reads it.
pub(crate) struct Output {
    to: BufWriter<StdoutLock<'static>>,
    reader: Reader,
    colour: Colour,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person.
    Terminal,
    /// A program or a file.
    Pipe,
}

/// Whether to decorate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    On,
    Off,
}

/// What a piece of text is, for those who can see it.
#[derive(Clone, Copy)]
pub(crate) enum Look {
    /// As it is.
    Plain,
    /// The head of a table.
    Heading,
    /// A folder's name.
    Folder,
    /// What matters less.
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
            reader,
            colour: if reader == Reader::Terminal && !colourless {
                Colour::On
            } else {
                Colour::Off
            },
        }
    }

    /// Who reads.
    pub(crate) fn reader(&self) -> Reader {
        self.reader
    }

    /// Text in a certain look; plain where nobody could see it.
    pub(crate) fn styled(&mut self, look: Look, text: &str) -> io::Result<()> {
        let style = match (look, self.colour) {
            (Look::Plain, _) | (_, Colour::Off) => return self.to.write_all(text.as_bytes()),
            (Look::Heading, Colour::On) => Style::new().bold(),
            (Look::Folder, Colour::On) => AnsiColor::Blue.on_default().bold(),
            (Look::Faint, Colour::On) => Style::new().dimmed(),
        };
        write!(self.to, "{style}{text}{style:#}")
    }

    /// A line for a person, and nothing in a pipe.
    pub(crate) fn remark(&mut self, line: impl fmt::Display) -> io::Result<()> {
        match self.reader {
            Reader::Terminal => writeln!(self.to, "{line}"),
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
        serde_json::to_writer_pretty(&mut self.to, value)?;
        writeln!(self.to)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What went wrong, on standard error.
pub(crate) fn complain(failure: &crate::failure::Failure) {
    if let crate::failure::Failure::Arguments(error) = failure
        && !is_mistake(error)
    {
        // Help and version are what was asked for, and go where the parser sends them.
        let _ = error.print();
        return;
    }
    warn(failure);
}

/// A sentence on standard error.
pub(crate) fn warn(sentence: impl fmt::Display) {
    say(format_args!("prominence: {}", printable(sentence)));
}

/// A sentence for a terminal. Names in it may have been chosen by anybody: what would end the line, or
/// command the terminal, is shown as an escape.
fn printable(sentence: impl fmt::Display) -> String {
    let mut shown = String::new();
    for character in sentence.to_string().chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A line on standard error.
pub(crate) fn say(line: impl fmt::Display) {
    progress::around(|| {
        // Where nobody can be told, there is nothing left to do.
        let _ = writeln!(io::stderr(), "{line}");
    });
}

/// Whether there is a person to ask.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a person yes or no.
pub(crate) fn ask(question: impl fmt::Display) -> Answer {
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut line = String::new();
    // An answer that can't be read is no yes.
    let _ = io::stdin().read_line(&mut line);
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        _ => Answer::No,
    }
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

fn is_mistake(error: &clap::Error) -> bool {
    use clap::error::ErrorKind;
    !matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}
