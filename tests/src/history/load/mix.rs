//! The kinds of requests, and the frequency of each.

use crate::history::listing::INSIDE;

/// A kind of request, or of a few that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads a key.
    Get,
    /// Sets a key.
    Set,
    /// Sets a key with a precondition.
    SetIf,
    /// Deletes a key, sometimes with a precondition.
    Delete,
    /// Adds one to a counter that only grows, or reads it.
    Count,
    /// Adds any number to a key, reads it, sets or deletes it.
    Number,
    /// Sets a key in a folder, or lists or deletes the folder.
    Folder,
    /// Changes several keys in one batch, sometimes with preconditions.
    Batch,
    /// Takes a lock, writes the keys that it protects, and releases it or is too late.
    Lock,
    /// Puts, claims, renews, releases and finishes work items.
    Work,
    /// Waits for a key to exist or to change, or for a folder to have enough keys; sets and deletes such keys.
    Wait,
    /// Counts a folder, or lists keys page by page.
    Survey,
    /// Sets, reads, lists and deletes the platform's keys, and others in the same folder.
    Internal,
}

/// Kinds with their weights.
pub type Mix = &'static [(Kind, u32)];

/// Every kind.
pub const EVERYTHING: Mix = &with_gets(32);

/// Every kind, and four requests in five only read a key, as jobs read parameters. This finds more stale reads.
pub const MOSTLY_READS: Mix = &with_gets(472);

/// Every kind, with this weight for reads of a key.
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

/// The prefixes that are watched, each by one watcher. The first two together show every change.
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
