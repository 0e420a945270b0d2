//! Several servers over one etcd cluster, and the faults of both.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{iter, thread};

use prominence_api::time::parse_rfc3339;
use prominence_cluster::etcd::{self, Alarm, Cluster as Nodes, Place};
use prominence_cluster::network::Network;

use serde_json::Value;

use super::cluster::{Cluster, Fault, STANDS_STILL, roll};
use crate::Server;
use crate::history::operation::Moment;

/// The time limit for a cluster to recover, on a busy machine.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// The number of servers and of nodes of a cluster.
const NODES: u8 = 3;

/// Seconds by which the first server's clock is ahead of the second one's, and the third one's is behind it. The error
/// must show in locks and claims, which last for a second.
const OFF: f64 = 0.2;

/// The difference between the first clock and the last.
const DISAGREEMENT: Duration = Duration::from_millis(400);

/// The time for which nodes are unreachable: longer than an election takes, shorter than servers retry.
const AWAY: Duration = Duration::from_secs(3);

/// Three servers over three nodes.
pub struct Several {
    nodes: Nodes,
    servers: Vec<Server>,
    /// The server that has ended.
    down: Option<usize>,
    /// Nodes that have ended.
    ended: Vec<usize>,
    /// The node that is stopped.
    paused: Option<usize>,
    /// The node that nobody can reach.
    cut: Option<u8>,
    /// Nodes that can't reach each other.
    parted: Vec<(u8, u8)>,
}

impl Several {
    /// Starts them. Their clocks differ by [`DISAGREEMENT`].
    #[must_use]
    pub fn start() -> Self {
        let options = etcd::Options {
            nodes: NODES,
            place: Place::Network,
            ..etcd::Options::default()
        };
        let nodes = Nodes::start(&options).expect("etcd starts");
        let endpoints = nodes.endpoints().join(",");
        let over = ["--engine", "etcd", "--etcd-endpoints", &endpoints];
        let [ahead, behind] = ["+", "-"].map(|sign| format!("{sign}{OFF}s"));
        let first = Server::start_with_clock(&over, &ahead);
        let secret = first.data().join("job-token.secret");
        let secret = secret.to_str().expect("a plain path").to_owned();
        let over = [&over[..], &["--secret-file", &secret]].concat();
        let others = [
            Server::start(&over),
            Server::start_with_clock(&over, &behind),
        ];
        let servers: Vec<_> = iter::once(first).chain(others).collect();
        for (server, off) in servers.iter().zip([OFF, 0.0, -OFF]) {
            demand_clock(&servers[0], server, off);
        }
        Self {
            nodes,
            servers,
            down: None,
            ended: Vec::new(),
            paused: None,
            cut: None,
            parted: Vec::new(),
        }
    }

    fn leader(&self) -> usize {
        self.nodes
            .wait_for_leader(WHOLE_WITHIN)
            .expect("there is a leader")
    }

    fn network(&self) -> &Network {
        self.nodes.network().expect("there is a network")
    }

    fn tidy(&self) {
        let started = Instant::now();
        let tidy = || {
            self.nodes.compact(self.nodes.status(0)?.revision)?;
            self.nodes.defragment()
        };
        // A request that a change of leader lost is sent again.
        while let Err(error) = tidy() {
            let waited = started.elapsed();
            assert!(waited < WHOLE_WITHIN, "nodes can't be tidied: {error:#}");
        }
    }

    fn end(&mut self, node: usize) {
        let ended = self.nodes.node(node).and_then(|node| node.kill());
        ended.expect("a node can be killed");
        self.ended.push(node);
    }
}

/// Fails unless a server's clock is wrong by this many seconds. The first server makes the tokens for all.
fn demand_clock(first: &Server, server: &Server, off: f64) {
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.expect("it is later than 1970").as_secs_f64()
    };
    // A server may use the time of another's last commit to the same user's keys.
    let client = first.client(&format!("clock{off}")).moved(&server.url);
    let earliest = now() + off;
    let (status, answer) = client.ask("POST", "/kv/clock", "now");
    let latest = now() + off;
    assert_eq!(status, 201, "{answer}");
    let (_, listed) = client.ask("GET", "/kv/clock?list&detail", "");
    let listed: Value = serde_json::from_str(&listed).expect("a listing is JSON");
    let told = listed[0]["modified"].as_str().and_then(parse_rfc3339);
    let told = told.expect("an entry has an instant");
    let told = Duration::from_millis(told.as_millis()).as_secs_f64();
    // Servers tell times in whole milliseconds.
    assert!(
        (earliest - 0.001..=latest).contains(&told),
        "the clock says {told} between {earliest} and {latest}"
    );
}

impl Cluster for Several {
    fn urls(&self) -> Vec<String> {
        self.servers
            .iter()
            .map(|server| server.url.clone())
            .collect()
    }

    fn token(&self, user: &str) -> String {
        self.servers[0].token(user)
    }

    fn strike(&mut self, fault: Fault, random: &mut fastrand::Rng) {
        match fault {
            Fault::Kill => {
                let number = random.usize(..self.servers.len());
                self.servers[number].kill();
                self.down = Some(number);
            }
            Fault::Pause => {
                let number = random.usize(..self.servers.len());
                self.servers[number].stand_still(STANDS_STILL);
            }
            Fault::KillNode => {
                let number = random.usize(..self.nodes.nodes().len());
                self.end(number);
                // The remaining nodes go on, with another leader if necessary.
                self.leader();
            }
            Fault::KillLeader => {
                let leader = self.leader();
                self.end(leader);
                self.leader();
            }
            Fault::PauseLeader => {
                let leader = self.leader();
                let paused = self.nodes.node(leader).and_then(|node| node.pause());
                paused.expect("a node can be paused");
                self.paused = Some(leader);
                self.leader();
            }
            Fault::CutNode => {
                let number = random.u8(..NODES);
                self.network().cut(number).expect("a node can be cut off");
                self.cut = Some(number);
                thread::sleep(AWAY);
            }
            Fault::PartLeader => {
                let leader = u8::try_from(self.leader()).expect("a few nodes");
                for other in (0..NODES).filter(|other| *other != leader) {
                    let parted = self.network().part(leader, other);
                    parted.expect("nodes can be parted");
                    self.parted.push((leader, other));
                }
                thread::sleep(AWAY);
            }
            Fault::Roll => self.servers.iter_mut().for_each(roll),
            Fault::Tidy => self.tidy(),
            Fault::Fill => {
                let number = random.usize(..self.nodes.nodes().len());
                let raised = self.nodes.raise(number, Alarm::NoSpace);
                raised.expect("an alarm can be raised");
                thread::sleep(AWAY);
                self.nodes.disarm().expect("alarms can be ended");
            }
            Fault::LoseMajority => {
                let spared = random.usize(..self.nodes.nodes().len());
                for number in (0..self.nodes.nodes().len()).filter(|number| *number != spared) {
                    self.end(number);
                }
                thread::sleep(AWAY);
            }
        }
    }

    fn heal(&mut self) {
        if let Some(number) = self.down.take() {
            self.servers[number].restart();
        }
        if let Some(number) = self.paused.take() {
            let resumed = self.nodes.node(number).and_then(|node| node.resume());
            resumed.expect("a node can go on");
        }
        if let Some(number) = self.cut.take() {
            self.network().join(number).expect("a node can be joined");
        }
        for (one, other) in std::mem::take(&mut self.parted) {
            self.network().reunite(one, other).expect("nodes can meet");
        }
        for number in std::mem::take(&mut self.ended) {
            let started = self.nodes.node(number).and_then(|node| node.start());
            started.expect("a node can be started again");
        }
        self.nodes
            .wait_until_whole(WHOLE_WITHIN)
            .expect("the cluster is whole again");
    }

    fn forgets_broken_requests(&self) -> bool {
        // The cluster may execute a request of a server after that server has ended.
        false
    }

    fn disagreement(&self) -> Moment {
        u64::try_from(DISAGREEMENT.as_nanos()).unwrap_or(Moment::MAX)
    }
}
