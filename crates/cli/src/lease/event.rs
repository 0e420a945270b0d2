//! The events of a lease and of the command that runs under it.

use super::clock::Moment;

/// An event of a lease or its command.
#[derive(Debug)]
pub(crate) enum Event {
    /// The command has ended.
    Ended,
    /// The lease was renewed and lasts until then.
    Renewed(Moment),
    /// A renewal has failed for this reason and will be tried again.
    RenewalFailed(String),
    /// The lease is lost, for this reason.
    Lost(String),
}
