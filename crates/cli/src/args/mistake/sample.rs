//! Values that were typed, in the place of the samples of hints.

use clap::{Arg, Command};
use prominence_api::time::{format_duration, parse_duration};

use crate::args::kv::table::Delimiter;
use crate::args::values;

/// The hint that repeats a separator, which takes many forms.
const DELIMITER: &str = "--delimiter tab";

/// The value that was typed with this option: in the same word, or in the next one.
pub(super) fn value_of<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word.starts_with(option))?;
    let rest = words[at].strip_prefix(option)?;
    let value = match rest.strip_prefix('=') {
        Some(value) => value,
        None if rest.is_empty() => words.get(at + 1)?,
        None if option.starts_with("--") => return None,
        None => rest,
    };
    (!value.is_empty()).then_some(value)
}

/// The options of a hint and their purpose, with the value that was typed where it is of the kind of the
/// sample: a number, a duration, a name that the option takes, or a separator.
pub(super) fn replaced(
    command: &Command,
    write: &str,
    purpose: &str,
    value: Option<&str>,
) -> (String, String) {
    let changed = value.and_then(|value| {
        if write == DELIMITER {
            return separated_by(value);
        }
        let (options, sample) = write.rsplit_once(' ')?;
        let option = options.rsplit(' ').next()?.strip_prefix("--")?;
        let write = format!("{options} {value}");
        if is_choice(command, option, sample) {
            return is_choice(command, option, value).then(|| (write, purpose.to_owned()));
        }
        let (sample, value) = match spoken(sample)? {
            Some(sample) => (sample, format_duration(parse_duration(value).ok()?)),
            None => (sample.to_owned(), value.parse::<u64>().ok()?.to_string()),
        };
        let is_named = purpose.contains(&sample);
        is_named.then(|| (write, purpose.replace(&sample, &value)))
    });
    changed.unwrap_or_else(|| (write.to_owned(), purpose.to_owned()))
}

fn separated_by(value: &str) -> Option<(String, String)> {
    match values::delimiter(value) {
        Ok(Delimiter::Character(one)) if one != b'\t' => Some((
            format!("--delimiter {}", quoted(value)),
            format!(
                "load a table whose columns are separated by {}",
                quoted(value)
            ),
        )),
        _ => None,
    }
}

/// True if the option takes this name and few others.
fn is_choice(command: &Command, option: &str, name: &str) -> bool {
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_long() == Some(option));
    let choices = argument.map(Arg::get_possible_values).unwrap_or_default();
    choices.iter().any(|choice| choice.get_name() == name)
}

/// A sample as a purpose names it: `10m` as 10 minutes, and a number as it is (then `None`). No value where
/// the sample is neither.
fn spoken(sample: &str) -> Option<Option<String>> {
    if sample.parse::<u64>().is_ok() {
        return Some(None);
    }
    let unit = match sample.chars().last()? {
        's' => "second",
        'm' => "minute",
        'h' => "hour",
        _ => return None,
    };
    let number: u64 = sample[..sample.len() - 1].parse().ok()?;
    let plural = if number == 1 { "" } else { "s" };
    Some(Some(format!("{number} {unit}{plural}")))
}

/// A word as a shell reads it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_an_option_is_in_its_word_or_in_the_next() {
        for (line, option, value) in [
            ("load --sep ;", "--sep", Some(";")),
            ("load --sep=;", "--sep", Some(";")),
            ("load -F;", "-F", Some(";")),
            ("load -F ;", "-F", Some(";")),
            ("load --separate=;", "--sep", None),
            ("load --sep", "--sep", None),
            ("load --sep=", "--sep", None),
        ] {
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!(value_of(&words, option), value, "{line}");
        }
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it_otherwise() {
        assert_eq!(quoted("/a,b"), "/a,b");
        assert_eq!(quoted(";"), "';'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }
}
