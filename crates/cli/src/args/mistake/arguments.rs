//! Hints for arguments that are too many.

use clap::{Arg, Command};
use prominence_api::time::{format_duration, parse_duration};

use super::hints::sentence;

/// Milliseconds of a second.
const SECOND: u64 = 1000;

/// The likely meaning of an argument that is one too many, or the arguments that exist.
pub(super) fn hint(path: &str, command: &Command, words: &[&str], typed: &str) -> String {
    let mut after = words.iter().skip_while(|word| **word != typed).skip(1);
    let next = after.next().copied();
    option_of_redis(path, typed, next)
        .or_else(|| option_without_its_name(path, typed))
        .unwrap_or_else(|| which(command, words))
}

/// The option that does what a word after the arguments of a command of Redis does there.
fn option_of_redis(path: &str, typed: &str, next: Option<&str>) -> Option<String> {
    let word = typed.to_ascii_lowercase();
    let for_1h = || sentence("--ttl 1h", "let the value expire after 1 hour");
    let hint = match (path, word.as_str()) {
        ("kv set", "ex" | "ttl" | "expire" | "expires" | "expiry") => {
            next.and_then(lifetime).unwrap_or_else(for_1h)
        }
        ("kv set", "px") => {
            let number = next.and_then(|next| next.parse::<u64>().ok());
            let seconds = number.map(|number| number.div_ceil(SECOND).to_string());
            seconds.as_deref().and_then(lifetime).unwrap_or_else(for_1h)
        }
        ("kv set", "exat" | "pxat") => {
            let purpose = "let the value expire after 1 hour; the end itself can't be named";
            sentence("--ttl 1h", purpose)
        }
        ("kv set", "keepttl") => {
            let purpose =
                "give the value a lifetime again; without it the value stays until it is deleted";
            sentence("--ttl 1h", purpose)
        }
        ("kv set" | "kv cp" | "kv mv", "nx") => {
            sentence("--if-absent", "leave a key that exists as it is")
        }
        ("kv set", "xx") => {
            let purpose = "store the value only if the key still has revision 7";
            sentence("--if-revision 7", purpose)
        }
        ("kv set", "get") => sentence(
            "prominence kv get KEY",
            "see the value before it is replaced",
        ),
        ("kv cp" | "kv mv", "replace") => {
            "a value that exists is replaced without a question".to_owned()
        }
        ("kv list", "match") => {
            let purpose = "find keys by a part of their names";
            sentence("prominence kv list PREFIX | grep TEXT", purpose)
        }
        ("kv list", "count" | "limit") => {
            let number = next.filter(|next| is_number(next)).unwrap_or("10");
            option_without_its_name(path, number)?
        }
        _ => return None,
    };
    Some(hint)
}

/// The option whose value a number or a duration probably is.
fn option_without_its_name(path: &str, typed: &str) -> Option<String> {
    let duration = || parse_duration(typed).ok().map(format_duration);
    let (option, purpose) = match path {
        "kv wait" if is_number(typed) => ("count", format!("wait until there are {typed} keys")),
        "kv list" if is_number(typed) => ("limit", format!("see at most {typed}")),
        "kv watch" if is_number(typed) => {
            ("since", format!("see the changes after revision {typed}"))
        }
        "kv claim" if is_number(typed) => ("workers", format!("run {typed} commands at once")),
        "kv lock" if is_number(typed) => {
            let purpose = format!("let {typed} commands hold the lock at once");
            ("slots", purpose)
        }
        "kv wait" => ("timeout", format!("wait for at most {}", duration()?)),
        "kv claim" | "kv lock" => ("wait", format!("wait for at most {}", duration()?)),
        "kv set" if !is_number(typed) => return lifetime(typed),
        _ => return None,
    };
    Some(sentence(&format!("--{option} {typed}"), &purpose))
}

fn lifetime(text: &str) -> Option<String> {
    let lifetime = format_duration(parse_duration(text).ok()?);
    let purpose = format!("let the value expire after {lifetime}");
    Some(sentence(&format!("--ttl {text}"), &purpose))
}

/// True if this is a number above 0.
fn is_number(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|number| number > 0)
}

/// Which arguments a command takes that was given more.
fn which(command: &Command, words: &[&str]) -> String {
    let runs = command.get_positionals().any(Arg::is_last_set);
    if runs && !words.contains(&"--") {
        return "write -- before the command to run, as in -- ./job.sh".to_owned();
    }
    let names = command.get_positionals().filter(|one| !one.is_last_set());
    let names = names.filter_map(Arg::get_value_names);
    let names: Vec<_> = names.flatten().map(ToString::to_string).collect();
    let place = if runs { " before --" } else { "" };
    match names.as_slice() {
        [] => format!("the command takes options only{place}"),
        [.., last] if last == "VALUE" => format!(
            "the command takes only {}; put a value with spaces in quotes",
            names.join(" and ")
        ),
        names => format!("the command takes only {}{place}", names.join(" and ")),
    }
}

#[cfg(test)]
#[cfg(feature = "server")]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::{Arguments, called};

    #[test]
    fn an_argument_that_is_one_too_many_is_told_its_option_or_which_there_are() {
        let mut root = Arguments::command();
        root.build();
        for (line, typed, words) in [
            (
                "kv lock /a x",
                "x",
                "write -- before the command to run, as in -- ./job.sh",
            ),
            (
                "kv lock /a x -- y",
                "x",
                "the command takes only KEY before --",
            ),
            (
                "exec 3 -- y",
                "3",
                "the command takes options only before --",
            ),
            (
                "kv set /a b c",
                "c",
                "the command takes only KEY and VALUE; put a value with spaces in quotes",
            ),
            ("kv list /a /b", "/b", "the command takes only PREFIX"),
            ("kv usage /a", "/a", "the command takes options only"),
            (
                "kv set /a b EX 10",
                "EX",
                "use --ttl 10 to let the value expire after 10s",
            ),
            (
                "kv set /a b px 1500",
                "px",
                "use --ttl 2 to let the value expire after 2s",
            ),
            (
                "kv set /a b EX",
                "EX",
                "use --ttl 1h to let the value expire after 1 hour",
            ),
            (
                "kv set /a b 10m",
                "10m",
                "use --ttl 10m to let the value expire after 10m",
            ),
            (
                "kv set /a b NX",
                "NX",
                "use --if-absent to leave a key that exists as it is",
            ),
            (
                "kv wait /a/ 9",
                "9",
                "use --count 9 to wait until there are 9 keys",
            ),
            (
                "kv wait /a/ 9m",
                "9m",
                "use --timeout 9m to wait for at most 9m",
            ),
            (
                "kv claim /a/ 4 -- x",
                "4",
                "use --workers 4 to run 4 commands at once",
            ),
            (
                "kv list / COUNT 5",
                "COUNT",
                "use --limit 5 to see at most 5",
            ),
        ] {
            let all: Vec<_> = line.split(' ').collect();
            let (path, command) = called(&root, &all);
            assert_eq!(hint(&path, command, &all, typed), words, "{line}");
        }
    }
}
