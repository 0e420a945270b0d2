//! The findings of a check, in plain types.

use std::fmt;

use prominence_core::Namespace;

/// Findings that a report keeps. Whoever reads them needs the first few; damage to a whole file
/// would otherwise fill the memory.
pub const MAX_FINDINGS: usize = 1_000;

/// The result of a check: the rows that it read, and the findings.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Namespaces that something is stored for.
    pub namespaces: u64,
    /// Entries, those included that have expired and are not removed yet.
    pub entries: u64,
    /// Bytes of the keys and values of these entries.
    pub bytes: u64,
    /// Changes in the logs.
    pub changes: u64,
    /// Entries that have an instant of expiry.
    pub expiring: u64,
    /// The findings, at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// The number of further findings.
    pub more_findings: u64,
}

/// One thing that is wrong. Displayed, it is one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of fault.
    pub kind: FindingKind,
    /// Where.
    pub place: Place,
    /// Whose data it is, where that is known.
    pub namespace: Option<Namespace>,
    /// The key, or the row's key with everything escaped that is no printable ASCII.
    pub key: Option<String>,
    /// The state that was found, and the one that should be.
    pub explanation: String,
}

/// The place where a finding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The entries.
    Entries,
    /// The logs of changes.
    Log,
    /// The index of what expires.
    Expiry,
    /// The rows of the namespaces.
    Namespaces,
    /// A file, by its path within the folder of the store.
    File(String),
}

/// The kinds of faults of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// A file is damaged or missing.
    DamagedFile,
    /// Rows could not be read, and those after them were left out.
    Unreadable,
    /// A row's key is none that this program writes.
    IllegalKey,
    /// A row fails its checksum or makes no sense.
    DamagedRow,
    /// There are entries or changes of a namespace that has no row of its own.
    NoNamespace,
    /// The keys or bytes of a namespace are not what a recount gives.
    WrongUsage,
    /// Something has a revision later than the namespace's latest.
    FutureRevision,
    /// The log does not have as many rows as the namespace says.
    WrongLogLength,
    /// The log has a row that should have been trimmed.
    BelowLogFloor,
    /// A change is missing from the log.
    LogGap,
    /// The log and an entry contradict each other.
    LogDisagrees,
    /// An entry expires and is not in the index.
    NotIndexed,
    /// The index has a row that no entry agrees with.
    StaleIndex,
    /// The index has a row before the instant at which it is said to begin.
    BelowExpiryFloor,
}

impl CheckReport {
    /// True if nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds a finding, or counts it where there are enough.
    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "In {}", self.place)?;
        if let Some(namespace) = &self.namespace {
            write!(f, ", namespace {namespace}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ", at {key}")?;
        }
        write!(f, ": {}.", self.explanation)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries => f.write_str("the entries"),
            Self::Log => f.write_str("the log"),
            Self::Expiry => f.write_str("the expiry index"),
            Self::Namespaces => f.write_str("the rows of the namespaces"),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

impl FindingKind {
    /// Its name in lower case with hyphens, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DamagedFile => "damaged-file",
            Self::Unreadable => "unreadable",
            Self::IllegalKey => "illegal-key",
            Self::DamagedRow => "damaged-row",
            Self::NoNamespace => "no-namespace",
            Self::WrongUsage => "wrong-usage",
            Self::FutureRevision => "future-revision",
            Self::WrongLogLength => "wrong-log-length",
            Self::BelowLogFloor => "below-log-floor",
            Self::LogGap => "log-gap",
            Self::LogDisagrees => "log-disagrees",
            Self::NotIndexed => "not-indexed",
            Self::StaleIndex => "stale-index",
            Self::BelowExpiryFloor => "below-expiry-floor",
        }
    }
}
