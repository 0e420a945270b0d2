//! A cluster of etcd nodes on this machine: each a process with a folder of its own.

mod control;
mod node;
mod record;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::certificates::{self, Authority};
use crate::network::Network;
use crate::poll;
use crate::process::State;

pub use control::{Alarm, Login, MemberStatus};
pub use node::Node;
use record::{NodeRecord, Record};

/// How long a cluster may take until it has a leader, on a busy machine.
const LEADER_WITHIN: Duration = Duration::from_secs(60);

/// Clusters whose ports are tried before giving up: others may take a port between its choice and
/// its use.
const ATTEMPTS: u32 = 5;

/// The name of the client whose certificate every cluster with TLS has.
pub const CLIENT: &str = "client";

/// How a cluster is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nodes: 1, 3, or 5.
    pub nodes: u8,
    /// How nodes and clients talk.
    pub transport: Transport,
    /// Where the nodes are.
    pub place: Place,
    /// After so many bytes a node raises the alarm NOSPACE; etcd's own choice is 2 GiB.
    pub quota_bytes: Option<u64>,
}

/// How nodes and clients talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In the clear.
    Plain,
    /// With TLS, and certificates at both ends.
    Tls,
}

/// Where the nodes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On loopback ports that are free.
    Loopback,
    /// On these loopback ports: two for each node, the first for clients.
    Ports(Vec<u16>),
    /// Each in a network of its own, from which it can be cut off. It takes the rights of root.
    Network,
}

impl Default for Options {
    /// Three nodes on loopback ports, in the clear.
    fn default() -> Self {
        Self {
            nodes: 3,
            transport: Transport::Plain,
            place: Place::Loopback,
            quota_bytes: None,
        }
    }
}

/// A cluster. Where it has a temporary folder, it goes away when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    record: Record,
    nodes: Vec<Node>,
    login: Option<Login>,
    /// Dropped last, after the processes that write into it have ended.
    temporary: Option<TempDir>,
}

impl Cluster {
    /// Starts a cluster that goes away when it is dropped, and waits until it has a leader.
    ///
    /// # Errors
    /// Where etcd is not installed, or doesn't start.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let mut attempt = 0;
        loop {
            let folder = tempfile::tempdir()?;
            attempt += 1;
            match Self::create(folder.path(), options) {
                Ok(mut cluster) => {
                    cluster.temporary = Some(folder);
                    return Ok(cluster);
                }
                Err(error) if attempt < ATTEMPTS && is_taken(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a cluster in a folder, starts it, and waits until it has a leader. It stays until
    /// [`Cluster::remove`].
    ///
    /// # Errors
    /// Where etcd is not installed or doesn't start; then nothing runs.
    pub fn create(folder: &Path, options: &Options) -> anyhow::Result<Self> {
        let record = plan(folder, options)?;
        let mut cluster = Self::of(record);
        let started = cluster.bring_up(options.transport);
        if let Err(error) = started {
            let said = cluster.last_words();
            cluster.remove();
            return Err(error.context(said));
        }
        Ok(cluster)
    }

    /// The cluster that was made in a folder, perhaps by another process.
    ///
    /// # Errors
    /// Where there is none.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self::of(Record::read(folder)?))
    }

    fn of(record: Record) -> Self {
        let nodes = (0..record.nodes.len()).map(|at| Node::new(&record, at));
        Self {
            nodes: nodes.collect(),
            record,
            login: None,
            temporary: None,
        }
    }

    fn bring_up(&mut self, transport: Transport) -> anyhow::Result<()> {
        if transport == Transport::Tls {
            let folder = self.certificates();
            let authority = Authority::make(&folder, "etcd of a test")?;
            for node in &self.record.nodes {
                let address = node.address.to_string();
                authority.sign_server(&node.name, &[&address, "127.0.0.1"])?;
            }
            authority.sign_client(CLIENT)?;
        }
        self.record.write()?;
        for node in &mut self.nodes {
            node.start()?;
        }
        self.wait_for_leader(LEADER_WITHIN).map(|_| ())
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node, counted from 0.
    ///
    /// # Errors
    /// Where there is no such node.
    pub fn node(&mut self, at: usize) -> anyhow::Result<&mut Node> {
        let nodes = self.nodes.len();
        self.nodes
            .get_mut(at)
            .with_context(|| format!("there are {nodes} nodes"))
    }

    /// Where clients reach the nodes.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(Node::endpoint).collect()
    }

    /// The folder of the certificates, where there are any.
    #[must_use]
    pub fn certificates(&self) -> PathBuf {
        self.record.certificates()
    }

    /// The authority's certificate and what the client shows, in a cluster with TLS.
    #[must_use]
    pub fn credentials(&self) -> Option<(PathBuf, certificates::Pair)> {
        let folder = self.certificates();
        self.record.tls.then(|| {
            (
                certificates::ca(&folder),
                certificates::pair(&folder, CLIENT),
            )
        })
    }

    /// The network that the nodes are in, where they have one.
    ///
    /// # Errors
    /// Where the nodes are on loopback addresses.
    pub fn network(&self) -> anyhow::Result<&Network> {
        let missing = "the nodes are on loopback addresses, where nothing can be cut off; run as \
                       root for networks of their own";
        self.record.network.as_ref().context(missing)
    }

    /// Which node leads, once there is one that the others agree on.
    ///
    /// # Errors
    /// Where there is none in time.
    pub fn wait_for_leader(&self, within: Duration) -> anyhow::Result<usize> {
        poll::until("a leader", within, || {
            self.all_alive()?;
            self.leader()
        })
    }

    /// Waits until every node answers and follows the same leader.
    ///
    /// # Errors
    /// Where that is not so in time.
    pub fn wait_until_whole(&self, within: Duration) -> anyhow::Result<()> {
        poll::holds("every node answering", within, || {
            let told: Vec<_> = (0..self.nodes.len()).map(|at| self.status(at)).collect();
            let told: Vec<_> = told.into_iter().collect::<Result<_, _>>()?;
            let first = told.first().context("no node")?.leader;
            Ok(first != 0 && told.iter().all(|status| status.leader == first))
        })
    }

    /// A node that ends by itself while its leader is awaited will never have one.
    fn all_alive(&self) -> anyhow::Result<()> {
        let paused_or_gone = |node: &&Node| node.state() != State::Running;
        let running = self.nodes.len() - self.nodes.iter().filter(paused_or_gone).count();
        ensure!(running > self.nodes.len() / 2, "only {running} nodes run");
        Ok(())
    }

    fn last_words(&self) -> String {
        let said = self.nodes.iter().map(Node::last_words);
        said.collect::<Vec<_>>().join("\n")
    }

    /// Ends every node and removes the network and the folder.
    pub fn remove(&mut self) {
        for node in &mut self.nodes {
            // One that is gone already is as it should be.
            let _ = node.kill();
        }
        if let Some(network) = &self.record.network {
            network.remove();
        }
        let _ = fs::remove_dir_all(&self.record.folder);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.temporary.is_some() {
            self.remove();
        }
    }
}

/// Gives every node its addresses.
fn plan(folder: &Path, options: &Options) -> anyhow::Result<Record> {
    let count = usize::from(options.nodes);
    let ports = match &options.place {
        Place::Loopback => free_ports(2 * count)?,
        Place::Ports(ports) => ports.clone(),
        // In a network of its own every node can have the ports that everybody knows.
        Place::Network => [2379, 2380].repeat(count),
    };
    if ports.len() != 2 * count {
        bail!(
            "{count} nodes need {} ports, not {}",
            2 * count,
            ports.len()
        );
    }
    let network = match options.place {
        Place::Network => Some(Network::make(options.nodes)?),
        Place::Loopback | Place::Ports(_) => None,
    };
    let nodes = (0..options.nodes)
        .zip(ports.chunks_exact(2))
        .map(|(at, ports)| {
            let address = network.as_ref().map(|network| network.address(at));
            NodeRecord {
                name: format!("node-{}", at + 1),
                address: address.unwrap_or(Ipv4Addr::LOCALHOST),
                client_port: ports.first().copied().unwrap_or_default(),
                peer_port: ports.last().copied().unwrap_or_default(),
            }
        });
    Ok(Record {
        folder: folder.to_owned(),
        nodes: nodes.collect(),
        tls: options.transport == Transport::Tls,
        network,
        quota_bytes: options.quota_bytes,
    })
}

/// Ports that nobody listens on now. All are held until the last one is found, so that they differ.
fn free_ports(number: usize) -> anyhow::Result<Vec<u16>> {
    let listeners: Vec<_> = (0..number)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()?;
    let ports = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()));
    ports.collect()
}

fn is_taken(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("address already in use")
}
