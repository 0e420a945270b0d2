//! One node of a cluster.

use std::path::PathBuf;
use std::process::Command;

use super::record::{NodeRecord, Record};
use crate::certificates;
use crate::network::Network;
use crate::process::{Process, State};

/// One node: a process, and how to start it again.
#[derive(Debug)]
pub struct Node {
    process: Process,
    name: String,
    endpoint: String,
    folder: PathBuf,
    /// Whose place in which network it has.
    network: Option<(Network, u8)>,
    arguments: Vec<String>,
}

impl Node {
    pub(super) fn new(record: &Record, at: usize) -> Self {
        let own = &record.nodes[at];
        let folder = record.folder.join(&own.name);
        let network = record.network.clone();
        let place = u8::try_from(at).ok();
        Self {
            process: Process::at(own.name.clone(), &folder),
            name: own.name.clone(),
            endpoint: client_url(record, own),
            network: network.zip(place),
            arguments: arguments(record, own),
            folder,
        }
    }

    /// What the cluster knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients reach it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// What its process does.
    #[must_use]
    pub fn state(&self) -> State {
        self.process.state()
    }

    /// Where it writes what it says.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.process.log()
    }

    /// The last lines that it said.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }

    /// Starts it, with what it had stored.
    ///
    /// # Errors
    /// Where it runs already, or etcd is not installed.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let mut command = match &self.network {
            Some((network, at)) => network.inside(*at, "etcd"),
            None => Command::new("etcd"),
        };
        // Variables of whoever runs the tests would be settings too.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ETCD") {
                command.env_remove(name);
            }
        }
        command.args(&self.arguments).current_dir("/");
        self.process.start(&mut command)
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Asks it to end.
    ///
    /// # Errors
    /// Where it can't be ended.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop()
    }

    /// Ends it at once and starts it again.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        if self.state() != State::Gone {
            self.kill()?;
        }
        self.start()
    }

    /// Lets it stand still with its connections open.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.process.pause()
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.process.resume()
    }

    /// The folder of its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

fn client_url(record: &Record, node: &NodeRecord) -> String {
    format!(
        "{}://{}:{}",
        record.scheme(),
        node.address,
        node.client_port
    )
}

fn peer_url(record: &Record, node: &NodeRecord) -> String {
    format!("{}://{}:{}", record.scheme(), node.address, node.peer_port)
}

fn arguments(record: &Record, own: &NodeRecord) -> Vec<String> {
    let members = record.nodes.iter();
    let members = members.map(|node| format!("{}={}", node.name, peer_url(record, node)));
    let members = members.collect::<Vec<_>>().join(",");
    let (client, peer) = (client_url(record, own), peer_url(record, own));
    let data = record.folder.join(&own.name).join("data");
    let mut arguments = vec![
        format!("--name={}", own.name),
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={members}"),
        "--initial-cluster-state=new".to_owned(),
        // Nodes of two clusters that were given the same ports one after another don't mix.
        format!("--initial-cluster-token={}", record.folder.display()),
        "--logger=zap".to_owned(),
    ];
    if let Some(bytes) = record.quota_bytes {
        arguments.push(format!("--quota-backend-bytes={bytes}"));
    }
    if record.tls {
        arguments.extend(tls_arguments(record, own));
    }
    arguments
}

fn tls_arguments(record: &Record, own: &NodeRecord) -> Vec<String> {
    let folder = record.certificates();
    let ca = certificates::ca(&folder);
    let pair = certificates::pair(&folder, &own.name);
    let side = |prefix: &str| {
        [
            format!("--{prefix}client-cert-auth"),
            format!("--{prefix}trusted-ca-file={}", ca.display()),
            format!("--{prefix}cert-file={}", pair.certificate.display()),
            format!("--{prefix}key-file={}", pair.key.display()),
        ]
    };
    [side(""), side("peer-")].concat()
}
