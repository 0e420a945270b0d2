//! One field of a value that is a JSON object, for `prominence kv get --field`.

use std::fmt::Write as _;

use prominence_core::Key;

use super::super::object::{Members, plain};
use crate::failure::Failure;

/// The most fields that a message names if the field does not exist; the rest are only counted.
const MAX_NAMED: usize = 20;

/// The field as text: a string without its quotes, a number with the digits that it is written with. A
/// name with points leads into objects within the object, unless a member has that very name.
pub(super) fn of(key: &Key, value: &[u8], name: &str) -> Result<String, Failure> {
    let members = Members::of_bytes(value).ok_or_else(|| {
        Failure::No(format!(
            "the value of {key} is not a JSON object and has no fields; print it without --field"
        ))
    })?;
    find(&members, name).ok_or_else(|| {
        Failure::No(format!(
            "the value of {key} has no field {name:?}; it has {}",
            names(&members)
        ))
    })
}

fn find(members: &Members, name: &str) -> Option<String> {
    if let Some(value) = members.get(name) {
        return Some(plain(value.get()));
    }
    // The shortest first part that is a member leads on.
    name.match_indices('.').find_map(|(at, _)| {
        let within = Members::of_text(members.get(name.get(..at)?)?.get())?;
        find(&within, name.get(at + 1..)?)
    })
}

fn names(members: &Members) -> String {
    let mut names = String::new();
    for (at, (name, _)) in members.0.iter().take(MAX_NAMED).enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        // Strings can always be written.
        let _ = write!(names, "{comma}{name:?}");
    }
    match members.0.len() {
        0 => "none".clone_into(&mut names),
        all if all > MAX_NAMED => {
            let _ = write!(names, " and {} more", all - MAX_NAMED);
        }
        _ => {}
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(value: &str, name: &str) -> Result<String, String> {
        let key = Key::parse("/in/7").unwrap();
        of(&key, value.as_bytes(), name).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_field_is_printed_as_it_is_written_and_strings_without_quotes() {
        let value = r#"{"rate":1.5e-3,"n":-2,"name":"a \"b\"","on":true,"none":null,"nan":NaN,
            "net":{"depth":[1, 2],"a.b":{"c":"x"}},"net.depth":7}"#;
        for (name, text) in [
            ("rate", "1.5e-3"),
            ("n", "-2"),
            ("name", "a \"b\""),
            ("on", "true"),
            ("none", "null"),
            ("nan", "NaN"),
            ("net.depth", "7"),
            ("net.a.b.c", "x"),
            ("net.a.b", "{\"c\":\"x\"}"),
        ] {
            assert_eq!(field(value, name).as_deref(), Ok(text), "{name}");
        }
    }

    #[test]
    fn a_field_that_is_missing_is_answered_with_those_there_are() {
        let complaint = field(r#"{"n":1,"radius":2}"#, "rate").unwrap_err();
        assert!(
            complaint.contains("no field \"rate\"; it has \"n\", \"radius\""),
            "{complaint}"
        );
        let many: Vec<_> = (0..25).map(|n| format!("\"f{n}\":{n}")).collect();
        let complaint = field(&format!("{{{}}}", many.join(",")), "x").unwrap_err();
        assert!(complaint.ends_with("\"f19\" and 5 more"), "{complaint}");
        assert!(field("{}", "x").unwrap_err().ends_with("it has none"));
        assert!(field("[1]", "x").unwrap_err().contains("not a JSON object"));
        assert!(field("{\"a\":1}", "a.b").unwrap_err().contains("no field"));
    }
}
