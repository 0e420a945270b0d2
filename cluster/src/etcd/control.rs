//! What is asked of a cluster with etcdctl.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::Cluster;

/// How long etcdctl waits for a node.
const ASK_WITHIN: &str = "5s";

/// How long it waits for one that compacts or defragments, which takes long under load.
const TIDY_WITHIN: &str = "30s";

/// What etcdctl reads such a time from.
const COMMAND_TIMEOUT: &str = "ETCDCTL_COMMAND_TIMEOUT";

/// A user of a cluster whose users have to log in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug)]
pub struct MemberStatus {
    /// Its number in the cluster.
    pub member: u64,
    /// Whom it follows; 0 for nobody.
    pub leader: u64,
    /// The revision that it has come to.
    pub revision: i64,
    /// Bytes of its database's file.
    pub size: i64,
}

/// An alarm that etcd raises against itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The database has reached its quota.
    NoSpace,
}

impl Cluster {
    /// etcdctl for all nodes, with what it needs to be let in.
    #[must_use]
    pub fn etcdctl(&self) -> Command {
        self.etcdctl_at(&self.endpoints().join(","))
    }

    fn etcdctl_at(&self, endpoints: &str) -> Command {
        let mut command = Command::new("etcdctl");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ETCDCTL_") {
                command.env_remove(name);
            }
        }
        command
            .env("ETCDCTL_API", "3")
            .env("ETCDCTL_ENDPOINTS", endpoints)
            .env(COMMAND_TIMEOUT, ASK_WITHIN)
            .env("ETCDCTL_DIAL_TIMEOUT", ASK_WITHIN);
        if let Some((ca, pair)) = self.credentials() {
            command
                .env("ETCDCTL_CACERT", ca)
                .env("ETCDCTL_CERT", pair.certificate)
                .env("ETCDCTL_KEY", pair.key);
        }
        if let Some(login) = &self.login {
            command
                .env("ETCDCTL_USER", &login.user)
                .env("ETCDCTL_PASSWORD", &login.password);
        }
        command
    }

    /// Runs etcdctl at all nodes; answers what it printed.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        said(self.etcdctl().args(arguments))
    }

    /// Runs etcdctl at one node.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub fn ask_node(&self, at: usize, arguments: &[&str]) -> anyhow::Result<String> {
        let node = self.nodes.get(at).context("there is no such node")?;
        said(self.etcdctl_at(&node.endpoint()).args(arguments))
    }

    /// What a node says of itself.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn status(&self, at: usize) -> anyhow::Result<MemberStatus> {
        let text = self.ask_node(at, &["endpoint", "status", "--write-out=json"])?;
        let told: Value = serde_json::from_str(&text)?;
        let status = told.pointer("/0/Status").context("no status")?;
        let number = |path: &str| status.pointer(path);
        let member = number("/header/member_id").and_then(Value::as_u64);
        Ok(MemberStatus {
            member: member.context("a member's number")?,
            // A node without a leader leaves the field out.
            leader: number("/leader").and_then(Value::as_u64).unwrap_or(0),
            revision: number("/header/revision")
                .and_then(Value::as_i64)
                .unwrap_or(0),
            size: number("/dbSize").and_then(Value::as_i64).unwrap_or(0),
        })
    }

    /// The node that a node which answers follows.
    ///
    /// # Errors
    /// Where no node answers.
    pub fn leader(&self) -> anyhow::Result<Option<usize>> {
        let running = |at: &usize| self.nodes[*at].state() == crate::process::State::Running;
        let told: Vec<_> = (0..self.nodes.len())
            .filter(running)
            .filter_map(|at| Some((at, self.status(at).ok()?)))
            .collect();
        ensure!(!told.is_empty(), "no node answers");
        // A leader is one that follows itself, and has a majority behind it.
        let of = |leader: u64| {
            told.iter()
                .filter(|(_, status)| status.leader == leader)
                .count()
        };
        let leads = |status: &MemberStatus| {
            status.member == status.leader && 2 * of(status.leader) > self.nodes.len()
        };
        Ok(told
            .iter()
            .find(|(_, status)| leads(status))
            .map(|(at, _)| *at))
    }

    /// Makes another node the leader.
    ///
    /// # Errors
    /// Where there is no leader, or the node can't become one.
    pub fn move_leader(&self, to: usize) -> anyhow::Result<()> {
        let leader = self.leader()?.context("there is no leader")?;
        let member = format!("{:x}", self.status(to)?.member);
        self.ask_node(leader, &["move-leader", &member]).map(|_| ())
    }

    /// Forgets what keys were before a revision.
    ///
    /// # Errors
    /// Where it was compacted already.
    pub fn compact(&self, revision: i64) -> anyhow::Result<()> {
        let revision = revision.to_string();
        let mut compact = self.etcdctl();
        compact.env(COMMAND_TIMEOUT, TIDY_WITHIN);
        said(compact.args(["compact", "--physical", &revision])).map(|_| ())
    }

    /// Gives back the room of what was compacted, one node after another; each stands still
    /// meanwhile.
    ///
    /// # Errors
    /// Where a node does not answer.
    pub fn defragment(&self) -> anyhow::Result<()> {
        for node in &self.nodes {
            let mut defragment = self.etcdctl_at(&node.endpoint());
            defragment.env(COMMAND_TIMEOUT, TIDY_WITHIN);
            said(defragment.arg("defrag"))?;
        }
        Ok(())
    }

    /// The alarms that are raised.
    ///
    /// # Errors
    /// Where no node answers.
    pub fn alarms(&self) -> anyhow::Result<Vec<Alarm>> {
        let text = self.ask(&["alarm", "list"])?;
        let raised = text.lines().filter(|line| line.contains("NOSPACE"));
        Ok(raised.map(|_| Alarm::NoSpace).collect())
    }

    /// Raises an alarm, as a node does by itself when it has to. etcdctl can't, so the node's own
    /// gateway is asked.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub fn raise(&self, at: usize, alarm: Alarm) -> anyhow::Result<()> {
        let Alarm::NoSpace = alarm;
        let member = self.status(at)?.member;
        let node = self.nodes.get(at).context("there is no such node")?;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "10"]);
        if let Some((ca, pair)) = self.credentials() {
            curl.arg("--cacert").arg(ca);
            curl.arg("--cert").arg(pair.certificate);
            curl.arg("--key").arg(pair.key);
        }
        let body = format!(r#"{{"action":"ACTIVATE","memberID":"{member}","alarm":"NOSPACE"}}"#);
        let url = format!("{}/v3/maintenance/alarm", node.endpoint());
        let said = curl.args(["--data", &body, &url]).output();
        let said = said.context("curl can't be run")?;
        anyhow::ensure!(
            said.status.success(),
            "the alarm can't be raised: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        Ok(())
    }

    /// Ends every alarm.
    ///
    /// # Errors
    /// Where no node answers.
    pub fn disarm(&self) -> anyhow::Result<()> {
        self.ask(&["alarm", "disarm"]).map(|_| ())
    }

    /// Saves what a node has to a file, from which a cluster can be made again.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn snapshot(&self, file: &Path) -> anyhow::Result<()> {
        let file = file.to_str().context("an odd file name")?;
        self.ask_node(0, &["snapshot", "save", file]).map(|_| ())
    }

    /// Lets in nobody without a password from now on: `login` may read and write below a root and
    /// nothing else, and this cluster asks as etcd's own root.
    ///
    /// # Errors
    /// Where no node answers.
    pub fn demand_login(&mut self, login: &Login, root: &str) -> anyhow::Result<()> {
        let master = Login {
            user: "root".to_owned(),
            password: "master".to_owned(),
        };
        let pair = |login: &Login| format!("{}:{}", login.user, login.password);
        self.ask(&["user", "add", &pair(&master)])?;
        self.ask(&["user", "grant-role", "root", "root"])?;
        self.ask(&["role", "add", "store"])?;
        let grant = [
            "role",
            "grant-permission",
            "--prefix=true",
            "store",
            "readwrite",
            root,
        ];
        self.ask(&grant)?;
        self.ask(&["user", "add", &pair(login)])?;
        self.ask(&["user", "grant-role", &login.user, "store"])?;
        self.ask(&["auth", "enable"])?;
        self.login = Some(master);
        Ok(())
    }
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .context("install etcd-client: it has etcdctl")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "etcdctl: {}", complaint.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
