//! Short help (`-h`): what fits a screen. `--help` shows everything.
//!
//! It is made from the same definitions: of each description the first clause, of the options as many as
//! there is room for, in their order, and the first examples.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _, Id};

use super::{Arguments, called};

/// Lines and columns of the smallest screen that is in use: that of a terminal nobody has made larger.
const LINES: usize = 24;
const COLUMNS: usize = 80;

/// Examples that are shown; with more there would be no room for options.
const EXAMPLES: usize = 3;

/// What the definitions call the examples.
const HEADING: &str = "Examples:";

/// Whether short help is asked for, where help is.
pub(crate) fn is_short(words: &[&str]) -> bool {
    let mut before = words.iter().take_while(|word| **word != "--");
    before.find(|word| ["-h", "--help", "help"].contains(word)) == Some(&"-h")
}

/// The short help of the command that these words call.
pub(crate) fn short(words: &[&str]) -> StyledStr {
    let mut root = Arguments::command();
    root.build();
    let (_, command) = called(&root, words);
    let examples = examples(command);
    let mut command = command.clone().max_term_width(COLUMNS).mut_args(brief);
    if let Some(examples) = examples {
        command = command.after_help(examples);
    }
    // The word is for people who do not know of options.
    if command.find_subcommand("help").is_some() {
        command = command.mut_subcommand("help", |help| help.hide(true));
    }
    let mut optional: Vec<_> = command
        .get_arguments()
        .filter(|argument| !argument.is_positional() && !argument.is_required_set())
        .filter(|argument| argument.get_id() != "help" && !argument.is_hide_short_help_set())
        .map(|argument| (argument.get_display_order(), argument.get_id().clone()))
        .collect();
    optional.sort();
    let show = |command: Command, id: &Id, hide| {
        command.mut_arg(id, |argument| argument.hide_short_help(hide))
    };
    for (_, id) in &optional {
        command = show(command, id, true);
    }
    // A wide option can move the descriptions of all to lines of their own, so each is tried.
    for (_, id) in &optional {
        let with = show(command.clone(), id, false);
        if fits(with.clone()) {
            command = with;
        }
    }
    command.render_help()
}

/// Whether the short help is one line shorter than the screen, so that the next prompt fits below it.
fn fits(mut command: Command) -> bool {
    let help = command.render_help().to_string();
    help.trim_end().lines().count() < LINES
}

/// An argument with the first clause of its description. Those of the connection go with every command
/// and are left to `--help`.
fn brief(argument: Arg) -> Arg {
    if argument.get_id() == "help" {
        return argument.help("Print this; --help shows everything");
    }
    let help = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let is_global = argument.is_global_set();
    let argument = argument
        .help(first_clause(&help).to_owned())
        .hide_default_value(true)
        .hide_env(true);
    if is_global {
        argument.hide_short_help(true)
    } else {
        argument
    }
}

/// The text up to where it goes into detail.
fn first_clause(text: &str) -> &str {
    let ends = ["; ", ": ", " (", " ["]
        .iter()
        .filter_map(|end| text.find(end));
    let end = ends.min().unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// The first examples that fit a line.
fn examples(command: &Command) -> Option<String> {
    let text = command.get_after_help()?.to_string();
    let lines = text.strip_prefix(HEADING)?.lines().skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    let lines: Vec<_> = lines
        .filter(|line| line.chars().count() <= COLUMNS)
        .take(EXAMPLES)
        .collect();
    Some(format!("{HEADING}\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_ends_where_it_goes_into_detail() {
        for (text, clause) in [
            ("Print JSON.", "Print JSON"),
            ("Print JSON: the value.", "Print JSON"),
            ("The address [default: $PROMINENCE_URL].", "The address"),
            ("The key; with --prefix, more.", "The key"),
            (
                "Only where it exists (see get --json).",
                "Only where it exists",
            ),
        ] {
            assert_eq!(first_clause(text), clause);
        }
    }

    #[test]
    fn only_a_dash_h_before_the_command_of_others_is_short_help() {
        assert!(is_short(&["kv", "get", "-h"]));
        assert!(!is_short(&["kv", "get", "--help"]));
        assert!(!is_short(&["help", "kv"]));
        assert!(!is_short(&["exec", "--", "ls", "-h"]));
    }
}
