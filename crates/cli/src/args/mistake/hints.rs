//! Hints for words and options that people bring along from other programs.

use clap::{Arg, Command};

use super::options::OPTIONS;
use super::words::WORDS;
use super::{groups, sample};
use crate::text::nearest;

/// Bytes of an option of one letter.
const SHORT: usize = 2;

const SERVER: &str = "name the server, as in http://127.0.0.1:8080/prominence/v1";

/// The options that do here what an option of another program does. `value` is what stands after it.
pub(super) fn for_option(
    path: &str,
    command: &Command,
    typed: &str,
    value: Option<&str>,
) -> Option<String> {
    if let Some(hint) = before_its_command(path, command, typed, value) {
        return Some(hint);
    }
    let is_address = value.is_some_and(|value| value.contains("://"));
    // psql and redis-cli name a server by -u; curl names a proxy by -x.
    if is_address && typed.len() == SHORT && typed != "-x" && path != "serve" && has(command, "url")
    {
        return Some(sentence("--url URL", SERVER));
    }
    // The same name is that of a line of names above a table, and of a field of HTTP.
    let is_field = typed == "--header" && value.is_some_and(|value| value.contains(':'));
    let found = OPTIONS.iter().find(|one| {
        one.typed.contains(&typed)
            && (!is_field || one.typed.contains(&"-H"))
            && (one.commands.is_empty() || one.commands.contains(&path))
            && named(one.write).all(|option| has(command, option))
    });
    if let Some(one) = found {
        let (write, purpose) = sample::replaced(command, one.write, one.purpose, value);
        return Some(sentence(&write, &purpose));
    }
    // head -3 shows three lines.
    let number: u64 = typed.strip_prefix('-')?.parse().ok()?;
    has(command, "limit").then(|| format!("use --limit {number} to see at most {number}"))
}

/// The place of an option that the command has, but that stands before the command.
pub(super) fn before_its_command(
    path: &str,
    command: &Command,
    typed: &str,
    value: Option<&str>,
) -> Option<String> {
    let is_it = |argument: &&Arg| match typed.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short() == typed.chars().nth(1),
    };
    let argument = command.get_arguments().find(is_it)?;
    let value = value.filter(|_| argument.get_action().takes_values());
    let value = value.map_or_else(String::new, |value| format!(" {}", sample::quoted(value)));
    Some(format!(
        "write {typed} after the command, as in prominence {path} {typed}{value}"
    ))
}

/// The command below this one whose name is like this.
pub(super) fn similar(command: &Command, typed: &str) -> Option<String> {
    let names = command.get_subcommands().map(Command::get_name);
    let nearest = nearest(typed, names)?;
    Some(format!("a similar subcommand exists: '{nearest}'"))
}

/// The command that an unknown or misplaced word means.
pub(super) fn for_word(root: &Command, path: &str, typed: &str) -> Option<String> {
    if let Some(hint) = groups::hint(root, path, typed) {
        return Some(hint);
    }
    // In a group of its own, a word means something of that group, and never keys.
    let is_meant = |write: &str| !groups::is_one(path) || !write.starts_with("kv ");
    let known = WORDS.iter().find(|one| one.typed.contains(&typed));
    // A program without the server lacks some of the commands.
    let known = known.filter(|one| one.write.is_empty() || parses(root, one.write));
    let known = known.filter(|one| is_meant(one.write));
    match known {
        Some(one) if one.write.is_empty() => Some(one.purpose.to_owned()),
        Some(one) if one.purpose.is_empty() => {
            Some(format!("the command is prominence {}", one.write))
        }
        Some(one) => Some(sentence(&format!("prominence {}", one.write), one.purpose)),
        None => search(root, typed)
            .filter(|found| is_meant(found))
            .map(|found| format!("the command is prominence {found}")),
    }
}

pub(super) fn sentence(write: &str, purpose: &str) -> String {
    if write.is_empty() {
        purpose.to_owned()
    } else {
        format!("use {write} to {purpose}")
    }
}

/// True if this program takes such a command line.
pub(super) fn parses(root: &Command, line: &str) -> bool {
    let words = std::iter::once("prominence").chain(words(line));
    root.clone().try_get_matches_from(words).is_ok()
}

/// The words of a command line up to the next program.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(' ').take_while(|word| *word != "|");
    words.map(|word| if word == "''" { "" } else { word })
}

/// The command of this name, wherever it is.
fn search(above: &Command, name: &str) -> Option<String> {
    above.get_subcommands().find_map(|below| {
        if below.get_name() == name || below.get_all_aliases().any(|alias| alias == name) {
            return Some(below.get_name().to_owned());
        }
        // "help" has the names of all commands below it as well.
        let path = (below.get_name() != "help").then(|| search(below, name))?;
        Some(format!("{} {}", below.get_name(), path?))
    })
}

/// The options of the same command that a hint names; empty for a whole command line.
fn named(write: &str) -> impl Iterator<Item = &str> {
    let options = (!write.contains("prominence ")).then_some(write);
    let words = options.into_iter().flat_map(|text| text.split(' '));
    words.filter_map(|word| word.strip_prefix("--"))
}

fn has(command: &Command, option: &str) -> bool {
    let mut arguments = command.get_arguments();
    arguments.any(|argument| argument.get_long() == Some(option))
}

#[cfg(test)]
#[cfg(feature = "server")]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Arguments;

    fn root() -> Command {
        let mut root = Arguments::command();
        root.build();
        root
    }

    fn find(root: &Command, path: &str) -> Command {
        path.split(' ').fold(root.clone(), |command, name| {
            command.find_subcommand(name).unwrap().clone()
        })
    }

    /// Every command that does something, with its path.
    fn commands(above: &Command, path: &str, all: &mut Vec<(String, Command)>) {
        for below in above
            .get_subcommands()
            .filter(|one| one.get_name() != "help")
        {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            commands(below, &path, all);
            if !below.is_subcommand_required_set() {
                all.push((path, below.clone()));
            }
        }
    }

    /// The rest of a command line in which these options stand: what the command needs besides them.
    fn needed(command: &Command, write: &str) -> String {
        let mut rest = String::new();
        for argument in command.get_arguments() {
            let given = argument
                .get_long()
                .is_some_and(|long| named(write).any(|one| one == long));
            if given || !argument.is_required_set() {
                continue;
            }
            match argument.get_long() {
                Some(long) => rest.insert_str(0, &format!(" --{long} 1")),
                None if argument.is_last_set() => rest.push_str(" -- CMD"),
                None => {
                    let choices = argument.get_possible_values();
                    let choice = choices.first().map_or("KEY", |choice| choice.get_name());
                    rest.push_str(&format!(" {choice}"));
                }
            }
        }
        // One option of each group of which one has to be given.
        for group in command.get_groups().filter(|group| group.is_required_set()) {
            let of_group = || {
                group.get_args().filter_map(|id| {
                    let argument = command.get_arguments().find(|one| one.get_id() == id)?;
                    argument.get_long()
                })
            };
            let given = of_group().any(|long| named(write).any(|one| one == long));
            // The last one, because the first of a revocation is also an option of the connection.
            if let (Some(long), false) = (of_group().last(), given) {
                rest.insert_str(0, &format!(" --{long} 1"));
            }
        }
        // A migration needs a folder, or a source and a destination.
        let more = match command.get_name() {
            "migrate" if !named(write).any(|one| one == "data-dir") => " --data-dir a",
            _ => "",
        };
        rest + more
    }

    #[test]
    fn every_option_hint_is_a_command_line_that_parses_for_an_option_that_does_not_exist() {
        let root = root();
        let mut all = Vec::new();
        commands(&root, "", &mut all);
        for hint in OPTIONS {
            for path in hint.commands {
                let command = find(&root, path);
                assert!(
                    named(hint.write).all(|one| has(&command, one)),
                    "{path}: {}",
                    hint.write
                );
                for typed in hint.typed {
                    let is_there = match typed.strip_prefix("--") {
                        Some(long) => has(&command, long),
                        None => command
                            .get_arguments()
                            .any(|one| one.get_short() == typed.chars().nth(1)),
                    };
                    assert!(!is_there, "{path} has {typed}; remove its hint");
                }
            }
            if let Some(at) = hint.write.find("prominence ") {
                let line = &hint.write[at + "prominence ".len()..];
                assert!(parses(&root, line), "{}", hint.write);
                continue;
            }
            if hint.write.is_empty() || hint.write == "--help" {
                continue;
            }
            let mut uses = 0;
            for (path, command) in &all {
                let meant = hint.commands.is_empty() || hint.commands.contains(&path.as_str());
                if meant && named(hint.write).all(|one| has(command, one)) {
                    let line = format!("{path} {}{}", hint.write, needed(command, hint.write));
                    let words = std::iter::once("prominence").chain(words(&line));
                    let parsed = root.clone().try_get_matches_from(words);
                    assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                    uses += 1;
                }
            }
            assert!(uses > 0, "no command has {}", hint.write);
        }
    }

    #[test]
    fn every_hint_names_only_command_lines_that_parse() {
        let root = root();
        for purpose in OPTIONS
            .iter()
            .map(|one| one.purpose)
            .chain(WORDS.iter().map(|one| one.purpose))
        {
            for line in purpose.split("prominence ").skip(1) {
                let line = line.split([',', ';']).next().unwrap();
                let line = line.split(" or").next().unwrap().trim();
                assert!(parses(&root, line), "{purpose}: {line}");
            }
        }
    }

    #[test]
    fn every_word_is_no_command_stands_once_and_leads_to_a_command_line_that_parses() {
        let root = root();
        let mut seen = std::collections::HashSet::new();
        for hint in WORDS {
            assert!(
                hint.write.is_empty() || parses(&root, hint.write),
                "{}",
                hint.write
            );
            for typed in hint.typed {
                assert!(seen.insert(typed), "{typed} stands twice");
                for above in [&root, &find(&root, "kv")] {
                    assert!(
                        above.find_subcommand(typed).is_none(),
                        "{typed} is a command"
                    );
                }
                let told = for_word(&root, "kv", typed).unwrap();
                assert!(told.contains(hint.write), "{typed}: {told}");
            }
        }
    }

    #[test]
    fn a_command_in_the_wrong_place_is_found() {
        let root = root();
        for (word, path) in [
            ("get", "kv get"),
            ("rm", "kv delete"),
            ("backup", "admin backup"),
            ("serve", "serve"),
        ] {
            let told = for_word(&root, "kv", word).unwrap();
            assert_eq!(told, format!("the command is prominence {path}"));
        }
        assert_eq!(for_word(&root, "kv", "zzz"), None);
    }
}
