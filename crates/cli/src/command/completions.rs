//! `prominence completions`: a script for a shell.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::output::Output;

/// These ask the program at each press of the Tab key, so that they complete keys as well.
const BASH: &str = include_str!("completions/prominence.bash");
const ZSH: &str = include_str!("completions/prominence.zsh");
const FISH: &str = include_str!("completions/prominence.fish");

pub(super) fn run(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    match shell {
        Shell::Bash => output.write_all(BASH.as_bytes())?,
        Shell::Zsh => output.write_all(ZSH.as_bytes())?,
        Shell::Fish => output.write_all(FISH.as_bytes())?,
        shell => {
            // The generator panics if it can't write, so it writes to memory.
            let mut script = Vec::new();
            generate(shell, &mut Arguments::command(), "prominence", &mut script);
            output.write_all(&script)?;
        }
    }
    Ok(())
}
