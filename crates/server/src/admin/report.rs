//! The reports for administrators, for both ends of the socket and in JSON.

use prominence_engines::embedded::{self, Namespaces, check};
use serde::{Deserialize, Serialize};

/// Which namespaces come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ranking {
    /// Those with the most bytes.
    Bytes,
    /// Those with the most keys.
    Keys,
    /// By name.
    Name,
}

/// The usage of the store. Entries that have expired count until they are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// The first namespaces of the ranking that was asked for.
    pub namespaces: Vec<NamespaceUsage>,
    /// The number of namespaces, empty ones included.
    pub total_namespaces: u64,
    /// Keys of all of them.
    pub total_keys: u64,
    /// Bytes of all their keys and values.
    pub total_bytes: u64,
}

/// The usage of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceUsage {
    /// Its name, which is its user's.
    pub namespace: String,
    /// Number of keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Its latest revision.
    pub revision: u64,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// True if nothing is wrong.
    pub clean: bool,
    /// Namespaces seen.
    pub namespaces: u64,
    /// Entries seen.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Changes seen in the logs.
    pub changes: u64,
    /// Entries that have an instant of expiry.
    pub expiring: u64,
    /// The first 1,000 findings.
    pub findings: Vec<Finding>,
    /// The number of further findings.
    pub more_findings: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of damage, as a word for programs.
    pub kind: String,
    /// The namespace, if it is known.
    pub namespace: Option<String>,
    /// The key, if it is known.
    pub key: Option<String>,
    /// The place and the finding, as a sentence.
    pub message: String,
}

impl From<Ranking> for embedded::Ranking {
    fn from(ranking: Ranking) -> Self {
        match ranking {
            Ranking::Bytes => Self::Bytes,
            Ranking::Keys => Self::Keys,
            Ranking::Name => Self::Name,
        }
    }
}

impl Ranking {
    /// Its name in a path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Keys => "keys",
            Self::Name => "name",
        }
    }
}

impl From<Namespaces> for UsageReport {
    fn from(found: Namespaces) -> Self {
        let show = |(namespace, usage): (prominence_core::Namespace, prominence_core::Usage)| {
            NamespaceUsage {
                namespace: namespace.as_str().to_owned(),
                keys: usage.keys,
                bytes: usage.bytes,
                revision: usage.revision.get(),
            }
        };
        Self {
            namespaces: found.first.into_iter().map(show).collect(),
            total_namespaces: found.count,
            total_keys: found.keys,
            total_bytes: found.bytes,
        }
    }
}

impl From<check::CheckReport> for CheckReport {
    fn from(report: check::CheckReport) -> Self {
        Self {
            clean: report.is_clean(),
            namespaces: report.namespaces,
            entries: report.entries,
            bytes: report.bytes,
            changes: report.changes,
            expiring: report.expiring,
            findings: report.findings.into_iter().map(Finding::from).collect(),
            more_findings: report.more_findings,
        }
    }
}

impl From<check::Finding> for Finding {
    fn from(finding: check::Finding) -> Self {
        Self {
            kind: finding.kind.name().to_owned(),
            message: finding.to_string(),
            namespace: finding.namespace.map(|name| name.as_str().to_owned()),
            key: finding.key,
        }
    }
}
