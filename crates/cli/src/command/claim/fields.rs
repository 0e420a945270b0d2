//! The fields of a piece of work as environment variables of its command: the field `learning-rate` of a
//! value that is a JSON object is `PROMINENCE_FIELD_LEARNING_RATE`.

use std::collections::{HashMap, HashSet};
use std::process::Command;

use crate::command::counted;
use crate::command::object::{Members, plain};
use crate::output;

/// The beginning of each variable.
const BEGINNING: &str = "PROMINENCE_FIELD_";

/// Variables of one command. A table of parameters has fewer columns, and a shell lists all of them.
const MAX_FIELDS: usize = 256;

/// Bytes of all variables of one command, names included. Linux takes 128 KiB for one and, with a stack
/// limit of 8 MiB, 2 MiB for all together, other systems less; there must be room for the command's own.
const MAX_BYTES: usize = 64 << 10;

/// Fields left out that are named.
const MAX_NAMED: usize = 5;

/// Gives a command the fields of a value, instead of those that this program's own environment may have
/// from another piece, and says which it leaves out.
pub(super) fn give(command: &mut Command, key: &str, value: &[u8]) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(BEGINNING) {
            command.env_remove(name);
        }
    }
    let Some(members) = Members::of_bytes(value) else {
        return;
    };
    let (variables, left_out) = variables(&members);
    command.envs(variables);
    if !left_out.is_empty() {
        let count = counted(left_out.len() as u64, "field");
        let named: Vec<_> = left_out.iter().take(MAX_NAMED).collect();
        output::warn(format_args!(
            "{count} of {key} not in the environment of the command, such as {}; it reads all of them \
             from its standard input",
            format!("{named:?}").trim_matches(['[', ']'])
        ));
    }
}

/// The variables, and the names of members that have none: two members whose variables would have the
/// same name, a text with the character U+0000, which no variable can hold, and all beyond the limits.
fn variables(members: &Members) -> (Vec<(String, String)>, Vec<String>) {
    let mut owners: HashMap<String, HashSet<&str>> = HashMap::new();
    for (member, _) in &members.0 {
        owners.entry(variable(member)).or_default().insert(member);
    }
    let (mut variables, mut left_out) = (Vec::new(), Vec::new());
    let mut done = HashSet::new();
    let mut bytes = 0;
    for (member, _) in &members.0 {
        // The same member twice is one, with the last of its values.
        if !done.insert(member) {
            continue;
        }
        let name = variable(member);
        let text = members.get(member).map(|value| plain(value.get()));
        let text = text.unwrap_or_default();
        let size = name.len() + text.len() + 2;
        let is_shared = owners.get(&name).is_some_and(|owners| owners.len() > 1);
        let is_full = variables.len() == MAX_FIELDS || bytes + size > MAX_BYTES;
        if is_shared || is_full || text.contains('\0') {
            left_out.push(member.clone());
        } else {
            bytes += size;
            variables.push((name, text));
        }
    }
    (variables, left_out)
}

/// The name of a member's variable: letters of ASCII in upper case and digits stay, every other character
/// becomes `_`.
fn variable(member: &str) -> String {
    let character = |character: char| {
        if character.is_ascii_alphanumeric() {
            character.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let mut name = BEGINNING.to_owned();
    name.extend(member.chars().map(character));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> (Vec<String>, Vec<String>) {
        let (variables, left_out) = variables(&Members::of_text(value).unwrap());
        let shown = variables.iter().map(|(name, text)| {
            let name = name.strip_prefix(BEGINNING).unwrap();
            format!("{name}={text}")
        });
        (shown.collect(), left_out)
    }

    #[test]
    fn fields_are_variables_in_upper_case() {
        let value = r#"{"learning-rate":1.5e-3,"n":-2,"größe":"a b","net":{"x": [1]},"n":3}"#;
        let (variables, left_out) = of(value);
        assert_eq!(
            variables,
            [
                "LEARNING_RATE=1.5e-3",
                "N=3",
                "GR__E=a b",
                "NET={\"x\":[1]}"
            ]
        );
        assert!(left_out.is_empty(), "{left_out:?}");
    }

    #[test]
    fn fields_that_would_share_a_variable_and_texts_that_none_can_hold_are_left_out() {
        let (variables, left_out) = of(r#"{"lr":1,"LR":2,"a b":3,"a-b":4,"z":"\u0000","c":5}"#);
        assert_eq!(variables, ["C=5"]);
        assert_eq!(left_out, ["lr", "LR", "a b", "a-b", "z"]);
    }

    #[test]
    fn variables_stay_within_their_number_and_size() {
        let many: Vec<_> = (0..MAX_FIELDS + 3)
            .map(|n| format!("\"f{n}\":{n}"))
            .collect();
        let (variables, left_out) = of(&format!("{{{}}}", many.join(",")));
        assert_eq!(variables.len(), MAX_FIELDS);
        assert_eq!(left_out, ["f256", "f257", "f258"]);
        let large = "x".repeat(MAX_BYTES - 100);
        let (variables, left_out) = of(&format!("{{\"a\":\"{large}\",\"b\":\"{large}\",\"c\":1}}"));
        assert_eq!(variables.len(), 2);
        assert_eq!(left_out, ["b"]);
    }
}
