//! Standard input, which commands read where `-` is given instead of a file.

use std::fmt;
use std::io::{self, IsTerminal as _, StdinLock};
use std::path::Path;

use crate::output;

/// Stands for standard input.
pub(super) const STDIN: &str = "-";

/// True if a path stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// Standard input. A terminal shows nothing while a command reads from it, so a person is told on standard
/// error that the command waits, for `what`, and how the input ends.
pub(super) fn read_stdin(what: impl fmt::Display) -> StdinLock<'static> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        output::warn(format_args!(
            "waiting for {what} on standard input; press Ctrl-D on a line of its own to end it"
        ));
    }
    stdin.lock()
}
