//! The identity of one attempt at a write.

use crate::row::Body;

/// The identity of one attempt at a write. In the head and the log it shows whether an attempt
/// whose answer was lost was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticket {
    /// A random number of the process, chosen when it starts.
    pub(super) process: u64,
    pub(super) number: u64,
}

impl Ticket {
    pub(super) fn bytes(self) -> [u8; 16] {
        (u128::from(self.process) << 64 | u128::from(self.number)).to_be_bytes()
    }

    pub(super) fn read(body: &mut Body<'_>) -> Option<Self> {
        Some(Self {
            process: body.u64()?,
            number: body.u64()?,
        })
    }
}
