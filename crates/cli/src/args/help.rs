//! Short help (`-h`): what fits a screen. `--help` shows everything.
//!
//! It is made from the same definitions: the first clause of each description, as many options as there is
//! room for, in their order, and the first examples.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _, Id};

use super::{Arguments, called};

/// Lines and columns of the smallest usual screen: the default of terminals.
const LINES: usize = 24;
const COLUMNS: usize = 80;

/// Examples that come before options; a third one is shown where all options leave room for it.
const EXAMPLES: usize = 2;
const MORE_EXAMPLES: usize = 3;

/// The heading of the examples in the definitions.
const HEADING: &str = "Examples:";

/// The commands by their purpose, since one line for each leaves no room for examples.
const OVERVIEW: &[(&[&str], &str)] = &[
    (&["kv"], "Read and write keys"),
    (
        &["login", "logout"],
        "Log in at your institution, end the login",
    ),
    (
        &["whoami"],
        "Show the user, the job and the scopes of the token",
    ),
    (&["token"], "Make, list, revoke and read access tokens"),
    (
        &["exec"],
        "Run a command as a job would run, with a fresh token",
    ),
    (
        &["demo"],
        "Store example data that arrives as that of jobs does",
    ),
    #[cfg(feature = "server")]
    (&["serve"], "Run the server"),
    #[cfg(feature = "server")]
    (&["admin"], "Look after a server's data"),
    (
        &["config"],
        "Show the settings in effect, and where each comes from",
    ),
    (
        &["version"],
        "Print the version, the commit and the features built in",
    ),
    (
        &["completions", "man"],
        "Print a completion script for a shell, the manual",
    ),
];

/// The commands of `prominence kv` by their purpose, since one line for each does not fit a screen.
const KV_OVERVIEW: &[(&[&str], &str)] = &[
    (
        &["get", "set", "add"],
        "Print a value, store one, add to a number",
    ),
    (&["cp", "mv", "delete"], "Copy, move and delete keys"),
    (&["list", "tree"], "List keys, show them as a tree"),
    (&["batch"], "Do several changes in one commit"),
    (
        &["wait", "watch"],
        "Wait for keys, show changes as they happen",
    ),
    (&["lock"], "Run a command while holding a lock"),
    (
        &["claim", "claims"],
        "Run a command for the keys of a queue, list claimed keys",
    ),
    (
        &["load", "gather"],
        "Store the rows of a table, put results into a table",
    ),
    (&["missing"], "List the inputs that have no result yet"),
    (
        &["export", "import"],
        "Copy keys into a folder, a folder's files to keys",
    ),
    (&["usage"], "Show how much you store, and your limits"),
];

/// The foot of that overview.
const KV_FOOT: &str = "prominence kv COMMAND -h shows the options of a command.
ls, cat, put and rm are other names of list, get, set and delete.";

/// True if short help is asked for, where help is.
pub(crate) fn is_short(words: &[&str]) -> bool {
    let mut before = words.iter().take_while(|word| **word != "--");
    before.find(|word| ["-h", "--help", "help"].contains(word)) == Some(&"-h")
}

/// The short help of the command that these words call.
pub(crate) fn short(words: &[&str]) -> StyledStr {
    let mut root = Arguments::command();
    root.build();
    let (path, command) = called(&root, words);
    let examples = |most| examples(command, most);
    let more_examples = examples(MORE_EXAMPLES);
    let mut command = command.clone().max_term_width(COLUMNS).mut_args(brief);
    command = brief_about(command).after_help(examples(EXAMPLES));
    if path.is_empty() {
        let command = command.mut_args(|one| {
            let is_help = one.get_id() == "help";
            one.hide_short_help(!is_help)
        });
        return overview(command, OVERVIEW, "\n\nOptions:\n{options}{after-help}").render_help();
    }
    if path == "kv" {
        let foot = format!("{{after-help}}\n\n{KV_FOOT}");
        return overview(command, KV_OVERVIEW, &foot).render_help();
    }
    let below: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    for name in below.into_iter().map(str::to_owned).collect::<Vec<_>>() {
        command = command.mut_subcommand(name, brief_about);
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
    let mut with = command.clone().after_help(more_examples);
    if fits(with.clone()) {
        return with.render_help();
    }
    command.render_help()
}

/// The short help of a command with many others below it: these by their purpose, and then the foot.
fn overview(command: Command, rows: &[(&[&str], &str)], foot: &str) -> Command {
    let rows = rows.iter().map(|(names, purpose)| {
        let names = names.join(", ");
        format!("\n  {names:<18}{purpose}")
    });
    let rows: String = rows.collect();
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\nCommands:{rows}{foot}"
    ))
}

/// A command with the first clause of its description.
fn brief_about(command: Command) -> Command {
    let about = command.get_about().map(ToString::to_string);
    command.about(first_clause(&about.unwrap_or_default()).to_owned())
}

/// True if the short help is one line shorter than the screen, so that the next prompt fits below it, and
/// has each option and its description on one line, as far as the screen is wide enough for them at all.
fn fits(mut command: Command) -> bool {
    let help = command.render_help().to_string();
    let is_alone = |line: &str| line.trim_start().starts_with('-') && !line.trim().contains("  ");
    help.trim_end().lines().count() < LINES && !help.lines().any(is_alone)
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
    // A heading takes two lines, which have more use as options.
    let argument = argument
        .help(first_clause(&help).to_owned())
        .help_heading(None::<&'static str>)
        .hide_default_value(true)
        .hide_env(true);
    if is_global {
        argument.hide_short_help(true)
    } else {
        argument
    }
}

/// The first part of the text, without the details.
fn first_clause(text: &str) -> &str {
    let ends = ["; ", ": ", ". ", " (", " ["]
        .iter()
        .filter_map(|end| text.find(end));
    let end = ends.min().unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// The first examples that fit a line; empty if no example fits.
fn examples(command: &Command, most: usize) -> String {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    let Some(examples) = text.strip_prefix(HEADING) else {
        return String::new();
    };
    let lines = examples.lines().skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    let lines: Vec<_> = lines
        .filter(|line| line.chars().count() <= COLUMNS)
        .take(most)
        .collect();
    format!("{HEADING}\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_ends_where_it_goes_into_detail() {
        for (text, clause) in [
            ("Print JSON.", "Print JSON"),
            ("Print JSON: the value.", "Print JSON"),
            ("Show all. More is slow.", "Show all"),
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
    fn the_overview_names_every_command_once() {
        let mut root = Arguments::command();
        root.build();
        let kv = root.find_subcommand("kv").unwrap();
        let all = kv.get_subcommands().map(Command::get_name);
        let mut all: Vec<_> = all.filter(|name| *name != "help").collect();
        let names = KV_OVERVIEW.iter().flat_map(|(names, _)| *names);
        let mut names: Vec<_> = names.copied().collect();
        all.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, all);
        for below in kv.get_subcommands() {
            for alias in below.get_visible_aliases() {
                assert!(KV_FOOT.contains(alias), "{alias}");
            }
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
