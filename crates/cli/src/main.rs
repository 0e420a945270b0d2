//! The program `prominence`: arguments → client (or server) → output.
//!
//! | module | its part |
//! | --- | --- |
//! | [`args`] | what can be typed; keys, durations and scopes are valid from here on |
//! | [`config`] | what the environment and files add |
//! | [`command`] | one file for each command |
//! | [`held`] | running a command while a lock or a piece of work is held for it |
//! | [`output`] | the only place that prints |
//! | [`failure`] | what went wrong becomes a sentence and an exit status |

mod args;
mod claims;
mod command;
mod config;
mod failure;
mod held;
mod output;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::output::Output;

/// A server frees on one thread what it allocated on another, at a rate at which glibc's allocator
/// spends a seventh of the processor, much of it waiting for its own locks.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if held::guard::serve().is_some() {
        return ExitCode::SUCCESS;
    }
    let mut output = Output::new();
    let outcome = Arguments::try_parse()
        .map_err(Failure::from)
        .and_then(|arguments| command::run(arguments, &mut output));
    // What is still buffered belongs before the complaint.
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
