//! Hints for words and options that people bring along from other programs, and for arguments that are too
//! many.

use clap::{Arg, Command};

use super::options::OPTIONS;
use super::words::WORDS;

/// The options that do here what an option of another program does.
pub(super) fn for_option(path: &str, command: &Command, typed: &str) -> Option<String> {
    let found = OPTIONS.iter().find(|one| {
        one.typed.contains(&typed)
            && (one.commands.is_empty() || one.commands.contains(&path))
            && named(one.write).all(|option| has(command, option))
    });
    if let Some(one) = found {
        return Some(sentence(one.write, one.purpose));
    }
    // head -3 shows three lines.
    let number: u64 = typed.strip_prefix('-')?.parse().ok()?;
    has(command, "limit").then(|| format!("use --limit {number} to see at most {number}"))
}

/// The command that a word means which is none, or which stands in the wrong place.
pub(super) fn for_word(root: &Command, typed: &str) -> Option<String> {
    let known = WORDS.iter().find(|one| one.typed.contains(&typed));
    // A program without the server lacks some of the commands.
    let known = known.filter(|one| one.write.is_empty() || parses(root, one.write));
    match known {
        Some(one) if one.write.is_empty() => Some(one.purpose.to_owned()),
        Some(one) if one.purpose.is_empty() => {
            Some(format!("the command is prominence {}", one.write))
        }
        Some(one) => Some(sentence(&format!("prominence {}", one.write), one.purpose)),
        None => search(root, typed).map(|path| format!("the command is prominence {path}")),
    }
}

/// Which arguments a command takes that was given more.
pub(super) fn for_argument(command: &Command) -> String {
    if command.get_positionals().any(Arg::is_last_set) {
        return "write -- before the command to run, as in -- ./job.sh".to_owned();
    }
    let names = command.get_positionals().filter_map(Arg::get_value_names);
    let names: Vec<_> = names.flatten().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => "the command takes options only".to_owned(),
        [.., last] if last == "VALUE" => format!(
            "the command takes only {}; put a value with spaces in quotes",
            names.join(" and ")
        ),
        names => format!("the command takes only {}", names.join(" and ")),
    }
}

fn sentence(write: &str, purpose: &str) -> String {
    if write.is_empty() {
        purpose.to_owned()
    } else {
        format!("use {write} to {purpose}")
    }
}

/// Whether this program takes such a command line.
fn parses(root: &Command, line: &str) -> bool {
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

/// The options of the same command that a hint names; in a whole command line there are none.
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
                Some(long) => rest.insert_str(0, &format!(" --{long} a")),
                None if argument.is_last_set() => rest.push_str(" -- CMD"),
                None => {
                    let choices = argument.get_possible_values();
                    let choice = choices.first().map_or("KEY", |choice| choice.get_name());
                    rest.push_str(&format!(" {choice}"));
                }
            }
        }
        // The value of a set is one of three arguments.
        let is_set = command.get_name() == "set" && !named(write).any(|one| one == "file");
        let value = if is_set { " VALUE" } else { "" };
        rest + value
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
                let told = for_word(&root, typed).unwrap();
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
            let told = for_word(&root, word).unwrap();
            assert_eq!(told, format!("the command is prominence {path}"));
        }
        assert_eq!(for_word(&root, "zzz"), None);
    }

    #[test]
    fn arguments_that_are_too_many_are_told_which_there_are() {
        let root = root();
        for (path, words) in [
            (
                "kv lock",
                "write -- before the command to run, as in -- ./job.sh",
            ),
            (
                "kv set",
                "the command takes only KEY and VALUE; put a value with spaces in quotes",
            ),
            ("kv list", "the command takes only PREFIX"),
            ("kv usage", "the command takes options only"),
        ] {
            assert_eq!(for_argument(&find(&root, path)), words);
        }
    }
}
