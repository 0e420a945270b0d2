//! What is written down of a cluster, so that another process finds it again.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::network::Network;

/// The file in the cluster's folder.
const FILE: &str = "cluster.json";

/// A cluster as it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) folder: PathBuf,
    pub(super) nodes: Vec<NodeRecord>,
    pub(super) tls: bool,
    pub(super) network: Option<Network>,
    pub(super) quota_bytes: Option<u64>,
}

/// A node as it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NodeRecord {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    pub(super) client_port: u16,
    pub(super) peer_port: u16,
}

impl Record {
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(folder.join(FILE))
            .with_context(|| format!("there is no cluster in {}", folder.display()))?;
        let record = serde_json::from_str(&text);
        record.with_context(|| format!("{FILE} in {} is spoilt", folder.display()))
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let text = serde_json::to_string_pretty(self)?;
        fs::write(self.folder.join(FILE), text)?;
        Ok(())
    }

    /// The folder of the certificates.
    pub(super) fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    /// What clients and nodes put before an address.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}
