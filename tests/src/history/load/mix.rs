//! Which requests there are, and how often each comes.

use crate::history::listing::INSIDE;

/// A kind of thing that a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads a key.
    Get,
    /// Sets a key.
    Set,
    /// Sets a key under a precondition.
    SetIf,
    /// Deletes a key, at times under a precondition.
    Delete,
    /// Adds one to a counter that only grows, or reads it.
    Count,
    /// Adds any number to a key, reads it, sets or deletes it.
    Number,
    /// Sets a key in a folder, or lists or deletes the folder.
    Folder,
    /// Changes several keys at once, at times under preconditions.
    Batch,
    /// Takes a lock, writes what it protects, gives it back, or oversleeps.
    Lock,
    /// Puts, claims, renews, releases and does work items.
    Work,
    /// Waits for a key to appear or to change, or for a folder to have enough keys; sets and deletes
    /// keys that are waited for.
    Wait,
    /// Counts a folder, or lists keys page by page.
    Survey,
    /// Sets, reads, lists and deletes keys of the platform, and others beside them.
    Internal,
}

/// Kinds with their weights.
pub type Mix = &'static [(Kind, u32)];

/// Everything there is.
pub const EVERYTHING: Mix = &with_gets(32);

/// The same, and four requests in five only read a key, as jobs read parameters: stale reads have more
/// chances to show.
pub const MOSTLY_READS: Mix = &with_gets(472);

/// Everything there is, with this weight of reading a key.
const fn with_gets(weight: u32) -> [(Kind, u32); 13] {
    [
        (Kind::Get, weight),
        (Kind::Set, 16),
        (Kind::SetIf, 14),
        (Kind::Delete, 6),
        (Kind::Count, 9),
        (Kind::Number, 5),
        (Kind::Folder, 5),
        (Kind::Batch, 6),
        (Kind::Lock, 8),
        (Kind::Work, 12),
        (Kind::Wait, 6),
        (Kind::Survey, 4),
        (Kind::Internal, 3),
    ]
}

/// What is watched, each by one watcher. The first two tell of everything there is.
pub const WATCHED: &[&str] = &["/", INSIDE, "/r/", "/c/", "/d/1/"];

/// Keys that are set and read.
pub const REGISTERS: usize = 100;

/// Picks a kind.
pub fn pick(mix: Mix, random: &mut fastrand::Rng) -> Kind {
    let total: u32 = mix.iter().map(|(_, weight)| weight).sum();
    let mut place = random.u32(..total);
    for (kind, weight) in mix {
        match place.checked_sub(*weight) {
            Some(rest) => place = rest,
            None => return *kind,
        }
    }
    Kind::Get
}
