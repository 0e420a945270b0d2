//! A mistake in the arguments becomes one sentence, with a hint where people often make it.

mod hints;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{Arguments, called};

/// The sentence for an error of the parser.
pub(crate) fn sentence(error: &clap::Error) -> String {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    one_sentence(&error.render().to_string(), hint(error, &words).as_deref())
}

/// What somebody who typed these words probably meant.
fn hint(error: &clap::Error, words: &[&str]) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let mut root = Arguments::command();
    root.build();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            hints::for_word(&root, text(ContextKind::InvalidSubcommand)?)
        }
        ErrorKind::UnknownArgument => {
            let (path, command) = called(&root, words);
            hints::for_option(&path, command, text(ContextKind::InvalidArg)?)
        }
        _ => None,
    }
}

/// The parser's message, which takes several lines, as one. A hint takes the place of the parser's own
/// tips.
fn one_sentence(rendered: &str, hint: Option<&str>) -> String {
    let text = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let (message, rest) = text.split_once("\nUsage: ").unwrap_or((text, ""));
    let mut sentence = String::new();
    for line in message.lines().map(str::trim) {
        if line.is_empty() || line.starts_with("For more information") {
            continue;
        }
        if hint.is_some() && line.starts_with("tip: ") {
            continue;
        }
        let separator = match sentence.chars().last() {
            None => "",
            Some(':' | ',') => " ",
            Some(_) if line.starts_with("tip: ") || line.starts_with('[') => "; ",
            Some(_) => " ",
        };
        sentence.push_str(separator);
        sentence.push_str(line.strip_prefix("tip: ").unwrap_or(line));
    }
    if let Some(hint) = hint {
        sentence.push_str("; ");
        sentence.push_str(hint);
    }
    let is_name = |word: &&str| !word.starts_with(['[', '<', '-', '.']);
    let command: Vec<_> = rest.split_whitespace().take_while(is_name).collect();
    if command.is_empty() {
        sentence.push_str("; see prominence --help");
    } else {
        sentence.push_str(&format!("; see {} --help", command.join(" ")));
    }
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
            one_sentence(rendered, None),
            "unexpected argument '--lng' found; a similar argument exists: '--long'; see \
             prominence kv list --help"
        );
        assert_eq!(
            one_sentence(rendered, Some("try --long")),
            "unexpected argument '--lng' found; try --long; see prominence kv list --help"
        );
        let missing = "error: the following required arguments were not provided:\n  <KEY>\n  \
                       <VALUE>\n\nUsage: prominence kv set <KEY> <VALUE>\n";
        assert_eq!(
            one_sentence(missing, None),
            "the following required arguments were not provided: <KEY> <VALUE>; see prominence \
             kv set --help"
        );
    }
}
