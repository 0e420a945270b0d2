//! The command line reference as Markdown, from the definition of the arguments.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

/// The beginning of the reference.
const PREAMBLE: &str = "# Command line\n\nWritten by `prominence man --markdown`; do not edit by \
                        hand.\n\n";

/// The most characters of a line that is not part of a table, as in help.
const WIDTH: usize = 100;

/// A command and everything below it; with an introduction for the whole program.
pub(super) fn render(command: &Command) -> String {
    let name = name(command);
    let mut page = String::new();
    if !name.contains(' ') {
        page.push_str(PREAMBLE);
    }
    section(command, &mut page);
    page
}

fn section(command: &Command, page: &mut String) {
    let name = name(command);
    let program = !name.contains(' ');
    // Writing to a string can't fail.
    let _ = writeln!(page, "## {name}\n");
    let about = command.get_long_about().or(command.get_about());
    if let Some(about) = about {
        let _ = writeln!(page, "{about}\n");
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let _ = writeln!(page, "```\n{usage}\n```\n");

    let commands: Vec<_> = command.get_subcommands().collect();
    if !commands.is_empty() {
        page.push_str("| command | does |\n| --- | --- |\n");
        for below in &commands {
            let about = below.get_about().map(ToString::to_string);
            let about = cell(&about.unwrap_or_default());
            let full = self::name(below);
            let anchor = full.replace(' ', "-");
            let _ = writeln!(page, "| [{full}](#{anchor}) | {about} |");
        }
        page.push('\n');
    }

    // Those of the connection go with every command and are described once.
    let mut arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| program || !argument.is_global_set())
        .filter(|argument| !is_standard(argument))
        .collect();
    arguments.sort_by_key(|argument| !argument.is_positional());
    if !arguments.is_empty() {
        let title = if program {
            "option of every command"
        } else {
            "argument"
        };
        let _ = writeln!(page, "| {title} | means |\n| --- | --- |");
        for argument in arguments {
            let _ = writeln!(page, "| {} | {} |", spelling(argument), meaning(argument));
        }
        page.push('\n');
    }
    if let Some(more) = command.get_after_help() {
        let more = wrapped(&more.to_string());
        let _ = writeln!(page, "```text\n{more}\n```\n");
    }
    for below in commands {
        section(below, page);
    }
}

/// The words that call a command.
fn name(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    name.to_owned()
}

/// `--help` and `--version`, which are the same everywhere.
fn is_standard(argument: &Arg) -> bool {
    matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

/// The form of an argument.
fn spelling(argument: &Arg) -> String {
    let mut text = String::new();
    if let Some(short) = argument.get_short() {
        let _ = write!(text, "-{short}, ");
    }
    if let Some(long) = argument.get_long() {
        let _ = write!(text, "--{long}");
    }
    if argument.get_action().takes_values() {
        let values = argument.get_value_names().unwrap_or_default();
        let values: Vec<_> = values.iter().map(ToString::to_string).collect();
        let separator = if argument.is_positional() { "" } else { " " };
        let _ = write!(text, "{separator}{}", values.join(" "));
    }
    format!("`{}`", cell(&text))
}

/// The help of an argument, its values, and its other sources.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let mut text = help.map(|help| cell(&help.to_string())).unwrap_or_default();
    let choices = argument.get_possible_values();
    if argument.get_action().takes_values() && !choices.is_empty() {
        let names: Vec<_> = choices
            .iter()
            .map(|choice| format!("`{}`", choice.get_name()))
            .collect();
        let _ = write!(text, " ({})", names.join(", "));
    }
    let defaults = argument.get_default_values();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let defaults: Vec<_> = defaults
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let _ = write!(text, " [default: {}]", defaults.join(" "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, " [env: `{}`]", variable.to_string_lossy());
    }
    text
}

/// A text with its paragraphs, each of which is one line, in lines of at most [`WIDTH`] characters where its
/// words allow it. Indented lines, such as examples, stay as they are.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            out.push_str(line);
        } else {
            let mut width = 0;
            for word in line.split(' ') {
                let length = word.chars().count();
                if width > 0 && width + 1 + length > WIDTH {
                    out.push('\n');
                    width = 0;
                } else if width > 0 {
                    out.push(' ');
                    width += 1;
                }
                out.push_str(word);
                width += length;
            }
        }
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// A text that fits into a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
