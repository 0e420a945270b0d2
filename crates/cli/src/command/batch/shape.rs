//! The mistake in a text that is not a batch, in a sentence for its author.

use std::fmt;

use prominence_core::limits::MAX_COMMIT_OPERATIONS;
use serde_json::error::Category;
use serde_json::{Error, Map, Value};

/// A small batch that is right.
const EXAMPLE: &str = r#"{"do": [{"set": "/a", "value": "1"}]}"#;

/// The members of an object of a batch, with the kind of their values.
type Members = &'static [(&'static str, Kind)];

/// The members of a batch.
const BATCH: Members = &[("if", Kind::Array), ("do", Kind::Array)];

/// The members of a condition.
const CONDITION: Members = &[
    ("key", Kind::Text),
    ("absent", Kind::Truth),
    ("revision", Kind::Whole),
    ("value", Kind::Text),
    ("value_base64", Kind::Text),
];

/// The members of an operation.
const OPERATION: Members = &[
    ("set", Kind::Text),
    ("delete", Kind::Text),
    ("add", Kind::Text),
    ("value", Kind::Text),
    ("value_base64", Kind::Text),
    ("ttl", Kind::Lifetime),
    ("by", Kind::Integer),
];

/// A kind of JSON value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Truth,
    /// A number from 0 on, without a fraction.
    Whole,
    /// The same, also below 0.
    Integer,
    Array,
    /// A duration as text, or a whole number of seconds.
    Lifetime,
}

/// Says what is wrong with a text that was not read as a batch, for which `error` is the reader's reason.
pub(super) fn explain(text: &[u8], error: &Error) -> String {
    match serde_json::from_slice::<Value>(text) {
        Err(error) => not_json(&error),
        Ok(value) => wrong(&value).unwrap_or_else(|| {
            // Only a member that is there twice is left.
            format!(
                "has a member twice in line {}; write each once, as in {EXAMPLE}",
                error.line()
            )
        }),
    }
}

fn not_json(error: &Error) -> String {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    let cause = match error.classify() {
        Category::Eof => "the text ends before its last bracket or quote is closed",
        _ if said.starts_with("trailing comma") => "a comma stands before a closing bracket",
        _ if said.starts_with("key must be a string") => {
            "the names of members need double quotes, as in \"do\""
        }
        _ if said.starts_with("control character") => {
            "a line break within a text is written as \\n"
        }
        _ if said.starts_with("trailing characters") => "a second value follows the batch",
        _ if said.starts_with("invalid escape") => "a \\ within a text is written as \\\\",
        _ if said.starts_with("expected `,`") => "a comma or a closing bracket is missing",
        _ if said.starts_with("expected `:`") => "a colon is missing",
        _ => "no JSON value begins there; texts need double quotes",
    };
    if line == 0 || (line, column) == (1, 0) {
        return format!("is empty; write a batch such as {EXAMPLE}");
    }
    format!(
        "is not JSON (line {line}, column {column}): {cause}; correct it, or begin with {EXAMPLE}"
    )
}

/// The first fault of a JSON value that is to be a batch.
fn wrong(value: &Value) -> Option<String> {
    let batch = match value {
        Value::Object(members) => members,
        Value::Array(_) => {
            return Some(format!(
                "is a JSON array, and a batch is an object; put the operations into its member \"do\", \
                 as in {EXAMPLE}"
            ));
        }
        other => {
            return Some(format!(
                "is {}, and a batch is a JSON object; write one such as {EXAMPLE}",
                name_of(other)
            ));
        }
    };
    if let Some(fault) = wrong_members("", batch, BATCH) {
        return Some(fault);
    }
    if !batch.contains_key("do") {
        return Some(format!(
            "has no member \"do\"; add the operations, as in {EXAMPLE}"
        ));
    }
    let items = |name: &str| {
        batch
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut conditions = items("if").enumerate();
    let mut operations = items("do").enumerate();
    conditions
        .find_map(|(at, item)| wrong_item(&format!("if[{at}]"), item, CONDITION))
        .or_else(|| {
            operations.find_map(|(at, item)| wrong_item(&format!("do[{at}]"), item, OPERATION))
        })
}

fn wrong_item(place: &str, item: &Value, members: Members) -> Option<String> {
    let example = if place.starts_with("if") {
        r#"{"key": "/a", "absent": true}"#
    } else {
        r#"{"set": "/a", "value": "1"}"#
    };
    let Value::Object(object) = item else {
        return Some(format!(
            "has {} at {place}; write an object there, such as {example}",
            name_of(item)
        ));
    };
    wrong_members(place, object, members).or_else(|| {
        let is_named = members != CONDITION || object.get("key").is_some_and(Value::is_string);
        (!is_named).then(|| format!("has no \"key\" at {place}; name one, as in {example}"))
    })
}

fn wrong_members(place: &str, object: &Map<String, Value>, members: Members) -> Option<String> {
    let at = if place.is_empty() {
        String::new()
    } else {
        format!(" at {place}")
    };
    for (name, value) in object {
        let Some((_, kind)) = members.iter().find(|(known, _)| known == name) else {
            let near = members
                .iter()
                .map(|(known, _)| (strsim::osa_distance(known, name), known))
                .min()
                .filter(|(distance, known)| *distance < known.len());
            let known: Vec<_> = members
                .iter()
                .map(|(known, _)| format!("{known:?}"))
                .collect();
            let next = match near {
                Some((_, near)) => format!("write {near:?} if that is meant"),
                None => format!("write one of {}", known.join(", ")),
            };
            return Some(format!("has the unknown member {name:?}{at}; {next}"));
        };
        if !kind.is_of(value) {
            let found = name_of(value);
            let example = kind.example(value);
            return Some(format!(
                "has {found} for {name:?}{at}; write {kind}, such as {example}"
            ));
        }
    }
    None
}

impl Kind {
    fn is_of(self, value: &Value) -> bool {
        match self {
            // A member that is null counts as absent, but for the lists.
            _ if value.is_null() => self != Self::Array,
            Self::Text => value.is_string(),
            Self::Truth => value.is_boolean(),
            Self::Whole => value.is_u64(),
            Self::Integer => value.is_i64(),
            Self::Array => value.is_array(),
            Self::Lifetime => value.is_string() || value.is_u64(),
        }
    }

    /// A value of this kind, where possible the one that is meant.
    fn example(self, meant: &Value) -> String {
        match (self, meant) {
            (Self::Text, Value::Number(_) | Value::Bool(_)) => format!("\"{meant}\""),
            (Self::Text, Value::Object(_) | Value::Array(_)) => r#""{\"x\": 1}""#.to_owned(),
            (Self::Text, _) => "\"1\"".to_owned(),
            (Self::Truth, _) => "true".to_owned(),
            (Self::Whole, _) => "7".to_owned(),
            (Self::Integer, _) => "-2".to_owned(),
            (Self::Array, Value::Object(_)) => format!("[{meant}]"),
            (Self::Array, _) => r#"[{"set": "/a", "value": "1"}]"#.to_owned(),
            (Self::Lifetime, _) => "\"1h\"".to_owned(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a text in double quotes"),
            Self::Truth => f.write_str("true or false"),
            Self::Whole => f.write_str("a whole number from 0 on"),
            Self::Integer => f.write_str("a whole number of 64 bits"),
            Self::Array => write!(f, "an array of at most {MAX_COMMIT_OPERATIONS} objects"),
            Self::Lifetime => f.write_str("a duration in double quotes or a number of seconds"),
        }
    }
}

/// A JSON value by the name of its kind.
fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use prominence_api::{Batch, Object};

    use super::*;

    fn said(text: &str) -> String {
        let error = serde_json::from_slice::<Object<Batch>>(text.as_bytes()).unwrap_err();
        explain(text.as_bytes(), &error)
    }

    #[test]
    fn every_wrong_shape_is_told_with_a_right_one() {
        for (text, fault, next) in [
            ("", "is empty", "{\"do\": ["),
            ("{", "line 1, column 1", "is closed"),
            ("{'do': []}", "column 2", "double quotes"),
            ("{\"do\": [],}", "comma stands before", "{\"do\": ["),
            ("{\"do\": []} {}", "second value", "{\"do\": ["),
            ("{\"do\": [}", "no JSON value", "{\"do\": ["),
            ("[{\"set\": \"/a\"}]", "is a JSON array", "\"do\""),
            (
                "[[], [{\"set\": \"/a\", \"value\": \"1\"}]]",
                "is a JSON array",
                "\"do\"",
            ),
            ("7", "is a number", "{\"do\": ["),
            ("{}", "no member \"do\"", "{\"do\": ["),
            ("{\"od\": []}", "unknown member \"od\"", "write \"do\""),
            (
                "{\"do\": {\"delete\": \"/a\"}}",
                "an object for \"do\"",
                "[{\"delete\":\"/a\"}]",
            ),
            ("{\"do\": null}", "null for \"do\"", "an array"),
            ("{\"do\": [\"/a\"]}", "a text at do[0]", "{\"set\""),
            ("{\"do\": [{\"st\": \"/a\"}]}", "\"st\" at do[0]", "\"set\""),
            (
                "{\"do\": [{\"operation\": \"x\"}]}",
                "\"operation\"",
                "one of \"set\", \"delete\"",
            ),
            (
                "{\"do\": [{\"set\": \"/a\", \"value\": 1.5}]}",
                "a number for \"value\"",
                "\"1.5\"",
            ),
            (
                "{\"do\": [{\"add\": \"/a\", \"by\": 1.5}]}",
                "for \"by\" at do[0]",
                "whole number",
            ),
            (
                "{\"do\": [{\"set\": \"/a\", \"ttl\": -1}]}",
                "for \"ttl\"",
                "\"1h\"",
            ),
            (
                "{\"if\": [{\"revision\": 7}], \"do\": []}",
                "no \"key\" at if[0]",
                "\"absent\"",
            ),
            (
                "{\"if\": [{\"key\": \"/a\", \"revision\": \"7\"}], \"do\": []}",
                "a text for",
                "7",
            ),
            ("{\"do\": [], \"do\": []}", "twice in line 1", "{\"do\": ["),
            (
                "{\"do\": [{\"set\": \"/a\", \"set\": \"/b\"}]}",
                "twice",
                "{\"do\": [",
            ),
        ] {
            let said = said(text);
            assert!(
                said.contains(fault) && said.contains(next),
                "{text}: {said}"
            );
            assert!(
                !said.contains("expected") && !said.contains("invalid type"),
                "{said}"
            );
        }
    }
}
