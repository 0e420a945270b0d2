//! `prominence man`: the manual, from the definition of the arguments.

use std::io::Write as _;

use clap::CommandFactory as _;

use super::reference;
use crate::args::{Arguments, Man};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(options: &Man, output: &mut Output) -> Result<(), Failure> {
    let mut root = Arguments::command().disable_help_subcommand(true);
    root.build();
    let command = find(&root, &options.page)?;
    if options.markdown {
        output.write_all(reference::render(command).as_bytes())?;
    } else if options.page.is_empty() {
        pages(command, output)?;
    } else {
        page(command, output)?;
    }
    Ok(())
}

/// The command that a path such as "kv set" leads to.
fn find<'a>(root: &'a clap::Command, path: &[String]) -> Result<&'a clap::Command, Failure> {
    let mut command = root;
    // One argument may hold several words, as in man "kv set".
    for name in path.iter().flat_map(|text| text.split_whitespace()) {
        command = command.find_subcommand(name).ok_or_else(|| {
            Failure::Usage(format!(
                "there is no command {} {name}; prominence --help lists them",
                command.get_bin_name().unwrap_or("prominence")
            ))
        })?;
    }
    Ok(command)
}

/// A command's page and those of all below it.
fn pages(command: &clap::Command, output: &mut Output) -> Result<(), Failure> {
    page(command, output)?;
    for below in command.get_subcommands() {
        pages(below, output)?;
    }
    Ok(())
}

fn page(command: &clap::Command, output: &mut Output) -> Result<(), Failure> {
    // The foot of a page names the program, not the one command.
    clap_mangen::Man::new(command.clone())
        .source(concat!("prominence ", env!("CARGO_PKG_VERSION")))
        .render(output)?;
    Ok(())
}
