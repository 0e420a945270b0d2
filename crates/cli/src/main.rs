//! The program `prominence`: arguments → client (or server) → output.
//!
//! | module | its part |
//! | --- | --- |
//! | [`args`] | what can be typed; keys, durations and scopes are valid from here on |
//! | [`config`] | what the environment and files add |
//! | [`command`] | one file for each command |
//! | [`login`] | the saved login: getting one, and renewing it |
//! | [`lease`] | runs a command under a lease: a lock or a claim |
//! | [`output`] | the only place that prints |
//! | [`text`] | texts that arguments, the environment and the client file have in common |
//! | [`failure`] | what went wrong becomes a sentence and an exit status |

mod args;
mod claims;
mod command;
mod config;
mod failure;
mod lease;
mod login;
mod output;
mod text;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Arguments, help, mistake};
use crate::failure::Failure;
use crate::output::Output;

/// A server frees on one thread what it allocated on another, at a rate at which glibc's allocator
/// spends a seventh of the processor, much of it waiting for its own locks.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if lease::guard::serve().is_some() {
        return ExitCode::SUCCESS;
    }
    let mut output = Output::new();
    if command::complete::serve(&mut output).is_some() {
        let _ = output.flush();
        return ExitCode::SUCCESS;
    }
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => command::run(arguments, &mut output),
        Err(error) => help_or_mistake(error, &mut output),
    };
    // The buffered output comes before the error.
    let outcome = outcome.and(output.flush().map_err(Failure::Output));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_told() {
                output::complain(&failure);
            }
            ExitCode::from(failure.status())
        }
    }
}

/// Prints short help if the arguments ask for it.
fn help_or_mistake(error: clap::Error, output: &mut Output) -> Result<(), Failure> {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    if error.kind() == ErrorKind::DisplayHelp && help::is_short(&words) {
        output.help(&help::short(&words))?;
        return Ok(());
    }
    if output::is_mistake(&error) {
        return Err(Failure::from(mistake::of_what_was_typed(error, &words)));
    }
    Err(Failure::from(error))
}
