//! A mistake in the arguments becomes one sentence, with a hint where people often make it.

mod arguments;
mod groups;
mod hints;
mod options;
mod sample;
mod words;

use clap::builder::Styles;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory as _};

use super::{Arguments, called, typed};
use crate::output::one_line;

/// What clap's tip contains where it proposes to take an option that does not exist for a value, which no
/// command but `kv set` and `kv add` has a use for; those have a tip of their own.
const AS_A_VALUE: &str = "as a value, use";

/// The options of the program itself.
const JSON: &str = "--json";
const VERSION: &str = "--version";

/// The parser's error, with texts that were typed as they were typed, and with the variable where a value
/// comes from one.
pub(crate) fn of_what_was_typed(error: clap::Error, words: &[&str]) -> clap::Error {
    // Styles are escape sequences. The parser removes all of them from a message, those of the person
    // included, unless it writes none itself.
    let root = || Arguments::command().styles(Styles::plain());
    let error = match root().try_get_matches_from(std::env::args_os()) {
        Err(plain) if plain.kind() == error.kind() => plain,
        _ => error,
    };
    let mut error = typed::misspelt(error, root());
    let escaped: Vec<_> = error.context().filter_map(escaped).collect();
    for (kind, text) in escaped {
        error.insert(kind, text);
    }
    if let Some(variable) = variable(&error, words) {
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
    error
}

/// A text of an error on one line.
fn escaped((kind, value): (ContextKind, &ContextValue)) -> Option<(ContextKind, ContextValue)> {
    match value {
        ContextValue::String(text) => Some((kind, ContextValue::String(one_line(text)))),
        _ => None,
    }
}

/// The variable of a refused value that no option has.
fn variable(error: &clap::Error, words: &[&str]) -> Option<String> {
    let is_of_value = matches!(
        error.kind(),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue
    );
    let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let mut root = Arguments::command();
    root.build();
    let (_, command) = called(&root, words);
    let is_named = |argument: &&Arg| is_of_value && argument.to_string() == *named;
    let argument = command.get_arguments().find(is_named)?;
    let option = format!("--{}", argument.get_long()?);
    let is_option = |word: &&str| word.split('=').next() == Some(&option);
    let mut options = words.iter().copied().take_while(|word| *word != "--");
    let variable = argument.get_env()?;
    let is_typed = options.any(|word| is_option(&word));
    (!is_typed && std::env::var_os(variable).is_some())
        .then(|| variable.to_string_lossy().into_owned())
}

/// The sentence for an error of the parser.
pub(crate) fn sentence(error: &clap::Error) -> String {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    let mut root = Arguments::command();
    root.build();
    let (path, command) = called(&root, &words);
    let hint = hint(error, &root, &words, &path, command);
    let rendered = error.render().ansi().to_string();
    one_sentence(&rendered, hint.as_deref(), &path)
}

/// The likely meaning of these words.
fn hint(
    error: &clap::Error,
    root: &Command,
    words: &[&str],
    path: &str,
    command: &Command,
) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = text(ContextKind::InvalidSubcommand)?;
            let is_help = words.contains(&super::HELP);
            // The parser itself proposes no similar command after help.
            let similar = || hints::similar(command, typed).filter(|_| is_help);
            hints::for_word(root, path, typed).or_else(similar)
        }
        ErrorKind::UnknownArgument => {
            let typed = text(ContextKind::InvalidArg)?;
            if typed.starts_with('-') {
                hints::for_option(path, command, typed, sample::value_of(words, typed))
            } else {
                Some(arguments::hint(path, command, words, typed))
            }
        }
        ErrorKind::MissingRequiredArgument => {
            // The program's own --json is for its --version alone.
            let missing = error.get(ContextKind::InvalidArg)?.to_string();
            let is_before = !path.is_empty() && missing == VERSION;
            let option = words.iter().find(|word| is_before && **word == JSON)?;
            hints::before_its_command(path, command, option, None)
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
