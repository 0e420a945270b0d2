//! `prominence completions`: a script for a shell, from the definition of the arguments.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    // The generator panics where it can't write, so it writes to memory.
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "prominence", &mut script);
    output.write_all(&script)?;
    Ok(())
}
