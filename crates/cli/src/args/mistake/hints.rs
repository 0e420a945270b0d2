//! Words and options that people bring along from other programs, and what they are called here.

use clap::Command;

/// Options that mean something elsewhere.
struct OptionHint {
    /// The commands that the hint is for; none is every command.
    commands: &'static [&'static str],
    /// What is typed.
    typed: &'static [&'static str],
    /// The text of the hint. A hint that names an option is shown only for commands that have this option.
    hint: &'static str,
}

/// The first that fits is told. Sources: curl, rm, ls, echo, redis-cli, etcdctl, consul, kubectl.
const OPTIONS: &[OptionHint] = &[
    OptionHint {
        commands: &["kv wait"],
        typed: &["--wait", "--for", "-t"],
        hint: "the longest time to wait is --timeout",
    },
    OptionHint {
        commands: &["kv get", "kv claim", "kv lock"],
        typed: &["--timeout", "-t", "-w"],
        hint: "the longest time to wait is --wait",
    },
    OptionHint {
        commands: &["kv watch"],
        typed: &["--timeout", "-t"],
        hint: "a watch goes on until it is stopped, as by timeout 10m prominence kv watch",
    },
    OptionHint {
        commands: &["kv get"],
        typed: &["-n", "--no-newline", "--raw", "--print-value-only"],
        hint: "a value is printed byte for byte already; only a terminal gets a newline after it",
    },
    OptionHint {
        commands: &["kv get"],
        typed: &["--prefix", "-r", "-R", "--recurse", "--recursive"],
        hint: "the values of all keys under a prefix are printed by prominence kv gather",
    },
    OptionHint {
        commands: &[
            "kv list",
            "kv tree",
            "kv watch",
            "kv wait",
            "kv gather",
            "kv export",
        ],
        typed: &["--prefix", "-p"],
        hint: "the prefix is given without an option, as in prominence kv list /input/",
    },
    OptionHint {
        commands: &[
            "kv list",
            "kv tree",
            "kv watch",
            "kv wait",
            "kv gather",
            "kv export",
        ],
        typed: &["-r", "-R", "--recurse", "--recursive"],
        hint: "every key below the prefix is included already",
    },
    OptionHint {
        commands: &["kv list"],
        typed: &["--keys", "--keys-only"],
        hint: "the keys alone are printed already, unless --long or --json is given",
    },
    OptionHint {
        commands: &["kv delete"],
        typed: &["-r", "-R", "--recurse", "--recursive", "-p"],
        hint: "every key that begins with KEY is deleted with --prefix",
    },
    OptionHint {
        commands: &["kv delete"],
        typed: &["-f", "--force"],
        hint: "the question is left out with --yes",
    },
    OptionHint {
        commands: &["kv delete"],
        typed: &["-n"],
        hint: "the keys are only counted with --dry-run",
    },
    OptionHint {
        commands: &["kv set"],
        typed: &["--ex", "--expire", "--expires", "--lease", "-t"],
        hint: "how long the value stays is said with --ttl",
    },
    OptionHint {
        commands: &["kv set"],
        typed: &["--nx", "--create", "--no-clobber", "--if-not-exists", "-n"],
        hint: "a key is set only where it does not exist with --if-absent",
    },
    OptionHint {
        commands: &["kv set"],
        typed: &["--cas", "--if-match", "--modify-index", "--prev-revision"],
        hint: "a key is set only where its revision is known with --if-revision",
    },
    OptionHint {
        commands: &["kv set"],
        typed: &[
            "-f",
            "-d",
            "-i",
            "--data",
            "--data-binary",
            "--input",
            "--value",
        ],
        hint: "a file is stored with --file, a text with --string",
    },
    OptionHint {
        commands: &[],
        typed: &["-o", "--format", "--output"],
        hint: "JSON is printed with --json",
    },
    OptionHint {
        commands: &[],
        typed: &["-H", "--header"],
        hint: "the token is taken from PROMINENCE_TOKEN or --token-file, and no other header is needed",
    },
    OptionHint {
        commands: &[],
        typed: &["-X", "--request"],
        hint: "the command says what to do: kv get, kv set, kv delete",
    },
    OptionHint {
        commands: &[],
        typed: &[
            "--address",
            "--endpoint",
            "--endpoints",
            "--host",
            "--http-addr",
            "--server",
        ],
        hint: "the server is named with --url",
    },
    OptionHint {
        commands: &[],
        typed: &["-u", "--user", "--username"],
        hint: "the token says who you are; see prominence whoami",
    },
    OptionHint {
        commands: &[],
        typed: &[
            "-k",
            "--insecure",
            "--insecure-skip-tls-verify",
            "--no-verify",
        ],
        hint: "the check of the server's certificate is switched off by PROMINENCE_SSL_VERIFY=False",
    },
    OptionHint {
        commands: &[],
        typed: &["-c", "--config"],
        hint: "settings are read from the file that prominence config path prints",
    },
    OptionHint {
        commands: &[],
        typed: &["--context", "--env"],
        hint: "a saved server is chosen with --profile",
    },
];

/// Commands of other programs, and what they are here.
const WORDS: &[(&str, &str)] = &[
    ("cat", "kv get"),
    ("copy", "kv cp"),
    ("del", "kv delete"),
    ("dump", "kv export"),
    ("incr", "kv add"),
    ("keys", "kv list"),
    ("ls", "kv list"),
    ("put", "kv set"),
    ("read", "kv get"),
    ("remove", "kv delete"),
    ("rename", "kv mv"),
    ("rm", "kv delete"),
    ("scan", "kv list"),
    ("server", "serve"),
    ("start", "serve"),
    ("subscribe", "kv watch"),
    ("upload", "kv import"),
    ("write", "kv set"),
];

/// What an option that this command lacks is called here.
pub(super) fn for_option(path: &str, command: &Command, typed: &str) -> Option<String> {
    let found = OPTIONS.iter().find(|one| {
        (one.commands.is_empty() || one.commands.contains(&path))
            && one.typed.contains(&typed)
            && named(one.hint).all(|option| has(command, option))
    });
    found.map(|one| one.hint.to_owned())
}

/// Where a command is that was looked for in the wrong place.
pub(super) fn for_word(root: &Command, typed: &str) -> Option<String> {
    let known = WORDS.iter().find(|(word, _)| *word == typed);
    // Without the server some commands are not there.
    let known = known.filter(|(_, path)| exists(root, path));
    let path = match known {
        Some((_, path)) => (*path).to_owned(),
        None => search(root, typed)?,
    };
    Some(format!("the command is prominence {path}"))
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

fn exists(root: &Command, path: &str) -> bool {
    let below = |command: &'_ Command, name: &str| command.find_subcommand(name).cloned();
    path.split(' ')
        .try_fold(root.clone(), |command, name| below(&command, name))
        .is_some()
}

/// The options that a hint names.
fn named(hint: &str) -> impl Iterator<Item = &str> {
    hint.split([' ', ',', ';'])
        .filter_map(|word| word.strip_prefix("--"))
}

fn has(command: &Command, option: &str) -> bool {
    let mut arguments = command.get_arguments();
    arguments.any(|argument| argument.get_long() == Some(option))
}

#[cfg(test)]
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

    #[test]
    fn each_hint_is_for_an_option_that_its_commands_lack_and_names_one_that_they_have() {
        let root = root();
        for hint in OPTIONS {
            for path in hint.commands {
                let command = find(&root, path);
                for option in named(hint.hint) {
                    assert!(has(&command, option), "{path} has no --{option}");
                }
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
        }
    }

    #[test]
    #[cfg(feature = "server")]
    fn each_word_leads_to_a_command() {
        let root = root();
        for (word, path) in WORDS {
            assert!(exists(&root, path), "{word}: {path}");
        }
    }
}
