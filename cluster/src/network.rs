//! A network of its own for each node: a network namespace whose one interface hangs on a bridge of
//! this machine. A node is cut off by taking its end of the cable off the bridge: packets are lost
//! both ways and nobody is told, as when a switch dies.
//!
//! It takes iproute2 and the rights of root.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// What names of bridges, cables and namespaces begin with. With the network's number and a node's
/// they stay below the 15 characters that Linux allows.
const PREFIX: &str = "pkv";

/// Networks that are tried before giving up. Others may have made theirs.
const ATTEMPTS: u32 = 50;

/// The addresses of all networks: 10.213.0.0/16, of which each network takes a /24.
const FIRST: u8 = 10;
const SECOND: u8 = 213;

/// The bridge's own address, and the one before the first node's.
const BRIDGE_HOST: u8 = 1;
const NODES_FROM: u8 = 10;

/// A bridge and its nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Network {
    number: u8,
    nodes: u8,
}

impl Network {
    /// Makes a network for so many nodes.
    ///
    /// # Errors
    /// Where this machine doesn't allow it; the message says what is missing.
    pub fn make(nodes: u8) -> anyhow::Result<Self> {
        for _ in 0..ATTEMPTS {
            let network = Self {
                number: fastrand::u8(..),
                nodes,
            };
            if network.claim()? {
                if let Err(error) = network.build() {
                    network.remove();
                    return Err(error);
                }
                return Ok(network);
            }
        }
        bail!("all networks 10.213.0.0/16 that were tried are in use")
    }

    /// Makes the bridge, which is only there once, so it is the claim to the number.
    fn claim(&self) -> anyhow::Result<bool> {
        let made = command("ip", &["link", "add", &self.bridge(), "type", "bridge"]).output();
        let made = made.context("install iproute2: networks are made with its program ip")?;
        if made.status.success() {
            return Ok(true);
        }
        let complaint = String::from_utf8_lossy(&made.stderr).into_owned();
        if complaint.contains("File exists") {
            return Ok(false);
        }
        bail!(
            "no bridge can be made ({}); it takes root, or CAP_NET_ADMIN and CAP_SYS_ADMIN, and a \
             kernel with bridges, veth and network namespaces",
            complaint.trim()
        )
    }

    fn build(&self) -> anyhow::Result<()> {
        let bridge = self.bridge();
        let own = format!("{}/24", self.address_of(BRIDGE_HOST));
        ip(&["address", "add", &own, "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        for node in 0..self.nodes {
            let space = self.namespace(node);
            ip(&["netns", "add", &space])?;
            ip(&[
                "link", "add", &space, "type", "veth", "peer", "name", "eth0", "netns", &space,
            ])?;
            ip(&["link", "set", &space, "master", &bridge, "up"])?;
            let address = format!("{}/24", self.address(node));
            ip(&["-n", &space, "address", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            ip(&["-n", &space, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    /// The address of a node, counted from 0.
    #[must_use]
    pub fn address(&self, node: u8) -> Ipv4Addr {
        self.address_of(NODES_FROM + node)
    }

    /// A command that runs where a node is.
    #[must_use]
    pub fn inside(&self, node: u8, program: &str) -> Command {
        command("ip", &["netns", "exec", &self.namespace(node), program])
    }

    /// Cuts a node off from everybody.
    ///
    /// # Errors
    /// Where the network is gone.
    pub fn cut(&self, node: u8) -> anyhow::Result<()> {
        ip(&["link", "set", &self.namespace(node), "nomaster"])
    }

    /// Ends what [`Network::cut`] did.
    ///
    /// # Errors
    /// Where the network is gone.
    pub fn join(&self, node: u8) -> anyhow::Result<()> {
        let bridge = self.bridge();
        ip(&["link", "set", &self.namespace(node), "master", &bridge])
    }

    /// Cuts two nodes off from each other; both are still reached from elsewhere.
    ///
    /// # Errors
    /// Where the network is gone.
    pub fn part(&self, one: u8, other: u8) -> anyhow::Result<()> {
        self.route_between(one, other, "add")
    }

    /// Ends what [`Network::part`] did.
    ///
    /// # Errors
    /// Where the two were not parted.
    pub fn reunite(&self, one: u8, other: u8) -> anyhow::Result<()> {
        self.route_between(one, other, "delete")
    }

    fn route_between(&self, one: u8, other: u8, change: &str) -> anyhow::Result<()> {
        for (from, to) in [(one, other), (other, one)] {
            let to = self.address(to).to_string();
            let space = self.namespace(from);
            ip(&["-n", &space, "route", change, "blackhole", &to])?;
        }
        Ok(())
    }

    /// Removes everything. What still runs in it is alone from then on.
    pub fn remove(&self) {
        // A part that is gone already, or was never made, needs no removal.
        for node in 0..self.nodes {
            let space = self.namespace(node);
            let _ = command("ip", &["link", "delete", &space]).output();
            let _ = command("ip", &["netns", "delete", &space]).output();
        }
        let _ = command("ip", &["link", "delete", &self.bridge()]).output();
    }

    fn bridge(&self) -> String {
        format!("{PREFIX}{}", self.number)
    }

    fn namespace(&self, node: u8) -> String {
        format!("{PREFIX}{}n{}", self.number, node + 1)
    }

    fn address_of(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(FIRST, SECOND, self.number, host)
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = command("ip", arguments).output().context("ip")?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {}", arguments.join(" "), complaint.trim());
    }
    Ok(())
}
