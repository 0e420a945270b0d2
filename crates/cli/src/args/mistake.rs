//! A mistake in the arguments becomes one sentence, with a hint where people often make it.

mod hints;
mod options;
mod words;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};

use super::{Arguments, called};

/// What clap's tip contains where it proposes to take an option that does not exist for a value, which no
/// command but `kv set` and `kv add` has a use for; those have a tip of their own.
const AS_A_VALUE: &str = "as a value, use";

/// The sentence for an error of the parser.
pub(crate) fn sentence(error: &clap::Error) -> String {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    let mut root = Arguments::command();
    root.build();
    let (path, command) = called(&root, &words);
    let hint = hint(error, &root, &path, command);
    one_sentence(&error.render().to_string(), hint.as_deref(), &path)
}

/// What somebody who typed these words probably meant.
fn hint(error: &clap::Error, root: &Command, path: &str, command: &Command) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            hints::for_word(root, text(ContextKind::InvalidSubcommand)?)
        }
        ErrorKind::UnknownArgument => {
            let typed = text(ContextKind::InvalidArg)?;
            if typed.starts_with('-') {
                hints::for_option(path, command, typed)
            } else {
                Some(hints::for_argument(command))
            }
        }
        ErrorKind::InvalidUtf8 => Some("write arguments in UTF-8".to_owned()),
        _ => None,
    }
}

/// The parser's message, which takes several lines, as one that ends in the help of the command. A hint
/// takes the place of the parser's own tips.
fn one_sentence(rendered: &str, hint: Option<&str>, path: &str) -> String {
    let text = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let message = text.split_once("\nUsage: ").map_or(text, |(text, _)| text);
    let mut sentence = String::new();
    for line in message.lines().map(str::trim) {
        if line.is_empty() || line.starts_with("For more information") {
            continue;
        }
        let tip = line.strip_prefix("tip: ");
        if tip.is_some_and(|tip| hint.is_some() || tip.contains(AS_A_VALUE)) {
            continue;
        }
        let separator = match sentence.chars().last() {
            None => "",
            Some(':' | ',') => " ",
            Some(_) if tip.is_some() || line.starts_with('[') => "; ",
            Some(_) => " ",
        };
        sentence.push_str(separator);
        sentence.push_str(tip.unwrap_or(line));
    }
    if let Some(hint) = hint {
        sentence.push_str("; ");
        sentence.push_str(hint);
    }
    let separator = if path.is_empty() { "" } else { " " };
    sentence.push_str(&format!("; see prominence{separator}{path} --help"));
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parsers_message_becomes_one_sentence() {
        let rendered = "error: unexpected argument '--lng' found\n\n  tip: a similar argument \
                        exists: '--long'\n\nUsage: prominence kv list --long [PREFIX]\n\nFor more \
                        information, try '--help'.\n";
        assert_eq!(
            one_sentence(rendered, None, "kv list"),
            "unexpected argument '--lng' found; a similar argument exists: '--long'; see \
             prominence kv list --help"
        );
        assert_eq!(
            one_sentence(rendered, Some("try --long"), "kv list"),
            "unexpected argument '--lng' found; try --long; see prominence kv list --help"
        );
        let missing = "error: the following required arguments were not provided:\n  <KEY>\n  \
                       <VALUE>\n\nUsage: prominence kv set <KEY> <VALUE>\n";
        assert_eq!(
            one_sentence(missing, None, "kv set"),
            "the following required arguments were not provided: <KEY> <VALUE>; see prominence \
             kv set --help"
        );
    }

    #[test]
    fn an_option_that_does_not_exist_is_not_proposed_as_a_value() {
        let rendered = "error: unexpected argument '-a' found\n\n  tip: to pass '-a' as a value, use \
                        '-- -a'\n\nUsage: prominence kv list [PREFIX]\n";
        assert_eq!(
            one_sentence(rendered, None, ""),
            "unexpected argument '-a' found; see prominence --help"
        );
    }
}
