//! `prominence __complete SHELL …`: what the completion scripts ask for at each press of the Tab key.
//!
//! It answers candidates, one a line, each with a description after a tab; or [`FILES`] alone, where the
//! shell completes the names of files better by itself. Where something fails it says nothing, because a
//! sentence would end up in the line that somebody is typing.
//!
//! | module | its part |
//! | --- | --- |
//! | `line` | the words of an unfinished line, by the rules of the shell |
//! | `place` | which argument the last word is |
//! | `keys` | the keys that begin with it |

mod cursor;
mod keys;
mod line;

use std::io::Write as _;
use std::sync::mpsc;
use std::time::Duration;

use clap::{Arg, CommandFactory as _, FromArgMatches as _};

use crate::args::Arguments;
use crate::config::{Connection, Profiles};
use crate::output::{Output, has_unsafe};

use cursor::{Candidates, Cursor};
use line::Unfinished;

/// The word after the program's name that a completion script begins with.
const CALL: &str = "__complete";

/// Asks the shell to complete the name of a file. No candidate begins with `:`, because no command,
/// option or key does.
const FILES: &str = ":files";

/// The longest time that the Tab key may take: longer, and people press it again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something that the last word can become.
struct Candidate {
    /// The whole word, not quoted.
    text: String,
    description: String,
}

/// Answers a completion script, if one calls.
pub(crate) fn serve(output: &mut Output) -> Option<()> {
    let mut words = std::env::args().skip(1);
    if words.next()? != CALL {
        return None;
    }
    let line = Unfinished::read(&words.collect::<Vec<_>>());
    let (send, answer) = mpsc::channel();
    // A thread that still waits for a server when the time is over ends with the program.
    std::thread::spawn(move || line.and_then(|line| send.send(complete(&line)).ok()));
    if let Ok(Some(text)) = answer.recv_timeout(PATIENCE) {
        // The reader has gone away, or takes what there is.
        let _ = output.write_all(text.as_bytes());
    }
    Some(())
}

/// The output for the script.
fn complete(line: &Unfinished) -> Option<String> {
    let mut root = Arguments::command();
    root.build();
    let cursor = Cursor::of(&root, &line.before, &line.last.text);
    let mut answer = String::new();
    let mut candidates = Vec::new();
    for wanted in cursor.wanted() {
        match wanted {
            Candidates::Command(command) => candidates.extend(commands(command)),
            Candidates::Option(command) => candidates.extend(options(command)),
            Candidates::Value {
                argument,
                given,
                typed,
            } => match values(argument, line, typed) {
                Some(values) => candidates.extend(values.into_iter().map(|value| Candidate {
                    text: format!("{given}{}", value.text),
                    description: value.description,
                })),
                None => return Some(format!("{FILES}\n")),
            },
        }
    }
    // A shell shows candidates as they are, so that a terminal would obey them. Keys can be chosen by anybody.
    let shown = candidates
        .into_iter()
        .filter(|candidate| !has_unsafe(&candidate.text));
    for candidate in shown {
        let Some(text) = line.last.finish(&candidate.text, line.shell) else {
            continue;
        };
        answer.push_str(&text);
        if !candidate.description.is_empty() {
            answer.push('\t');
            answer.push_str(&candidate.description);
        }
        answer.push('\n');
    }
    Some(answer)
}

fn commands(command: &clap::Command) -> impl Iterator<Item = Candidate> {
    let below = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    below.map(|below| Candidate {
        text: below.get_name().to_owned(),
        description: first_line(below.get_about()),
    })
}

fn options(command: &clap::Command) -> impl Iterator<Item = Candidate> {
    let visible = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    visible.filter_map(|argument| {
        Some(Candidate {
            text: format!("--{}", argument.get_long()?),
            description: first_line(argument.get_help()),
        })
    })
}

/// The values of an argument; `None` if it is the name of a file.
fn values(argument: &Arg, line: &Unfinished, typed: &str) -> Option<Vec<Candidate>> {
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        let visible = possible.iter().filter(|value| !value.is_hide_set());
        let values = visible.map(|value| Candidate {
            text: value.get_name().to_owned(),
            description: first_line(value.get_help()),
        });
        return Some(values.collect());
    }
    let name = argument.get_value_names().and_then(|names| names.first());
    match name.map(clap::builder::Str::as_str) {
        Some("KEY" | "PREFIX" | "IN" | "OUT" | "FROM" | "TO") => {
            Some(keys::beginning_with(typed, &connection(line)))
        }
        Some("PROFILE") => Some(profiles()),
        Some("FILE" | "DIR" | "TABLE" | "VALUE" | "CMD") => None,
        _ => Some(Vec::new()),
    }
}

/// The server that the line names.
fn connection(line: &Unfinished) -> Connection {
    let words = std::iter::once("prominence").chain(line.before.iter().map(String::as_str));
    // The line is not finished, so required arguments may be missing.
    let matches = Arguments::command()
        .ignore_errors(true)
        .try_get_matches_from(words);
    let connection = matches.and_then(|matches| Connection::from_arg_matches(&matches));
    // A server that fails now is not asked again: completion must not wait.
    Connection {
        retry_for: Some(Duration::ZERO),
        ..connection.unwrap_or_default()
    }
}

fn profiles() -> Vec<Candidate> {
    let profiles = Profiles::path().and_then(|file| Profiles::read(&file).ok());
    let profiles = profiles.unwrap_or_default();
    let candidates = profiles.names().map(|name| Candidate {
        text: name.to_string(),
        description: String::new(),
    });
    candidates.collect()
}

/// A description that fits beside a candidate.
fn first_line(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().replace('\t', " ")
}
