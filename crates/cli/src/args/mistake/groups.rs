//! Words after `prominence config`, `token` and `admin`: they mean something of that group, and not the command
//! for keys that has the same name.

use clap::Command;

use super::hints::{parses, sentence};
use crate::config::Profiles;

/// The groups of commands whose words mean no keys.
const GROUPS: [&str; 3] = ["config", "token", "admin"];

/// The mark that the path of the client file replaces.
const FILE: &str = "{FILE}";

/// What is typed after which group; the command line that does it, without the name of the program, where one
/// does; and its purpose, or the whole hint.
#[rustfmt::skip]
const HINTS: &[(&str, &[&str], &str, &str)] = &[
    ("config", &["set", "put", "add", "edit", "write", "update", "change", "save", "delete", "del", "unset", "remove",
                 "rm", "init", "create", "new", "use", "import", "use-context", "use-profile", "set-context"],
     "", "settings are changed in the client file, {FILE}"),
    ("config", &["list", "ls", "get", "show", "cat", "view", "print", "read", "current", "dump", "export", "all",
                 "profiles", "current-context", "get-contexts"],
     "config", "see the settings and where they come from"),
    ("config", &["file", "where", "location"], "config path", "see the path of the client file"),
    ("token", &["show", "get", "read", "cat", "print", "view", "info", "current"],
     "token inspect", "see what a token says"),
    ("token", &["ls", "all"], "token list", "see the tokens that the server has made for you"),
    ("token", &["delete", "del", "remove", "rm", "invalidate", "expire", "disable", "destroy", "reset"],
     "token revoke --id ID", "end a token"),
    ("token", &["new", "add", "make", "mint", "issue", "sign", "generate", "gen", "renew", "refresh", "rotate", "set"],
     "token create --user USER", "make a token"),
    ("token", &["verify", "validate", "check", "test"], "whoami", "have the server check the token"),
    ("admin", &["list", "ls", "show", "get", "users", "stats", "top", "du"],
     "admin usage", "see how much each user has stored"),
    ("admin", &["export", "dump", "save", "snapshot"], "admin backup FILE", "write a backup of the server's data"),
    ("admin", &["import", "load", "recover"], "admin restore FILE --data-dir DIR", "restore a backup"),
];

/// True if this command has subcommands of its own.
pub(super) fn is_one(path: &str) -> bool {
    GROUPS.contains(&path)
}

/// The likely meaning of a word after the name of a group.
pub(super) fn hint(root: &Command, path: &str, typed: &str) -> Option<String> {
    let is_it = |row: &&(&str, &[&str], &str, &str)| row.0 == path && row.1.contains(&typed);
    let (_, _, write, purpose) = HINTS.iter().find(is_it)?;
    if write.is_empty() {
        let file = Profiles::path().map_or("~/.config".into(), |file| file.display().to_string());
        return Some(purpose.replace(FILE, &file));
    }
    // A program without the server lacks some of the commands.
    parses(root, write).then(|| sentence(&format!("prominence {write}"), purpose))
}

#[cfg(test)]
#[cfg(feature = "server")]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Arguments;

    #[test]
    fn every_hint_is_for_words_that_are_no_command_and_names_a_command_line_that_parses() {
        let mut root = Arguments::command();
        root.build();
        for (group, words, write, _) in HINTS {
            assert!(is_one(group));
            let command = root.find_subcommand(group).unwrap();
            for word in *words {
                assert!(command.find_subcommand(word).is_none(), "{group} {word}");
                assert!(hint(&root, group, word).is_some(), "{group} {word}");
            }
            assert!(write.is_empty() || parses(&root, write), "{write}");
        }
    }
}
