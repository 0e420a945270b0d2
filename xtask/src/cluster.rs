//! A cluster for experiments: three etcd nodes, and three servers over them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use prominence_cluster::etcd::{self, Cluster, Node, Place};
use prominence_cluster::poll;
use prominence_cluster::process::{Process, State};

use crate::sh;

/// The number of servers, and of nodes.
const SERVERS: u16 = 3;

/// The time limit until a server answers, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Options of `cargo xtask cluster`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder of the cluster while it exists [default: target/cluster].
    #[arg(long, value_name = "FOLDER", global = true)]
    folder: Option<PathBuf>,

    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Start three etcd nodes and three servers, and print how to use them.
    Up(Up),
    /// End all processes, and remove the cluster's folder.
    Down,
    /// Show the state of every node and server.
    Status,
    /// Kill a node or a server.
    Kill(Which),
    /// Stop a node or a server (SIGSTOP).
    Pause(Which),
    /// Continue a node or a server that is stopped.
    Resume(Which),
    /// Start a node or a server that has ended.
    Restart(Which),
    /// Disconnect a node from all others and from the servers (needs `up --networks`).
    Cut(Which),
    /// Connect a node again.
    Join(Which),
}

#[derive(clap::Args)]
struct Up {
    /// Port of the first server; the others have the next ones. 0 takes free ones.
    #[arg(long, default_value_t = 8081)]
    port: u16,

    /// User of the printed token.
    #[arg(long, default_value = "me")]
    user: String,

    /// Give each node a network of its own, which `cut` can disconnect (needs root).
    #[arg(long)]
    networks: bool,

    /// An executable to use instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Which {
    /// Its number: 1, 2 or 3.
    number: u16,

    /// A server instead of a node.
    #[arg(long)]
    server: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let folder = options.folder.clone();
    let folder = folder.unwrap_or_else(|| sh::root().join("target/cluster"));
    let stage = Stage { folder };
    match &options.action {
        Action::Up(up) => stage.up(up),
        Action::Down => stage.down(),
        Action::Status => stage.status(),
        Action::Kill(which) => stage.change(which, Node::kill, Process::kill),
        Action::Pause(which) => stage.change(which, Node::pause, Process::pause),
        Action::Resume(which) => stage.change(which, Node::resume, Process::resume),
        Action::Restart(which) if which.server => stage.start_server(which.number()?),
        Action::Restart(which) => stage.change(which, Node::restart, Process::resume),
        Action::Cut(which) => stage.network(which, |network, node| network.cut(node)),
        Action::Join(which) => stage.network(which, |network, node| network.join(node)),
    }
}

/// A running cluster.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn up(&self, up: &Up) -> anyhow::Result<()> {
        ensure!(
            !self.folder.exists(),
            "there is a cluster in {}; end it with: cargo xtask cluster down",
            self.folder.display()
        );
        crate::test::install()?;
        let program = match &up.program {
            Some(program) => program.clone(),
            None => build()?,
        };
        let started = self.start(up, &program);
        if started.is_err() {
            // Without this, the next `up` would be refused because of the incomplete cluster.
            self.down()?;
        }
        started
    }

    fn start(&self, up: &Up, program: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let place = if up.networks {
            Place::Network
        } else {
            Place::Loopback
        };
        let options = etcd::Options {
            place,
            ..etcd::Options::default()
        };
        let nodes = Cluster::create(&self.nodes(), &options)?;
        fs::write(self.program_file(), program.to_string_lossy().as_bytes())?;
        for number in 1..=SERVERS {
            let port = match up.port {
                0 => 0,
                first => first + number - 1,
            };
            fs::create_dir_all(self.server_folder(number))?;
            fs::write(self.port_file(number), port.to_string())?;
            self.start_server(number)?;
        }
        println!("etcd: {}", nodes.endpoints().join(" "));
        self.explain(program, &up.user)
    }

    /// Prints the commands that set the URL and the token in a shell.
    fn explain(&self, program: &Path, user: &str) -> anyhow::Result<()> {
        let mut token = Command::new(program);
        token
            .args(["token", "create", "--user", user, "--secret-file"])
            .arg(self.secret());
        let token = sh::output(&mut token)?;
        println!("Use any of the three servers:");
        for number in 1..=SERVERS {
            println!("export PROMINENCE_URL={}", self.url(number)?);
        }
        println!("export PROMINENCE_TOKEN={}", token.trim());
        Ok(())
    }

    fn down(&self) -> anyhow::Result<()> {
        for number in 1..=SERVERS {
            self.server(number).stop()?;
        }
        if self.nodes().exists() {
            Cluster::open(&self.nodes())?.remove();
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }

    fn status(&self) -> anyhow::Result<()> {
        let nodes = self.cluster()?;
        let leader = nodes.leader().ok().flatten();
        for (at, node) in nodes.nodes().iter().enumerate() {
            let leads = if leader == Some(at) { ", leads" } else { "" };
            println!(
                "{} {} {:?}{leads}",
                node.name(),
                node.endpoint(),
                node.state()
            );
        }
        for number in 1..=SERVERS {
            let url = self.url(number).unwrap_or_default();
            println!("server-{number} {url} {:?}", self.server(number).state());
        }
        Ok(())
    }

    /// Calls the function for a node or that for a server.
    fn change(
        &self,
        which: &Which,
        node: impl FnOnce(&mut Node) -> anyhow::Result<()>,
        server: impl FnOnce(&mut Process) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let number = which.number()?;
        let mut nodes = self.cluster()?;
        if which.server {
            return server(&mut self.server(number));
        }
        node(nodes.node(usize::from(number) - 1)?)
    }

    fn network(
        &self,
        which: &Which,
        change: impl FnOnce(&prominence_cluster::network::Network, u8) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        ensure!(!which.server, "only nodes can be disconnected");
        let node = u8::try_from(which.number()? - 1)?;
        let nodes = self.cluster()?;
        let network = nodes.network();
        let network = network.context("the cluster was started without --networks")?;
        change(network, node)
    }

    fn start_server(&self, number: u16) -> anyhow::Result<()> {
        let nodes = self.cluster()?;
        let program = fs::read_to_string(self.program_file())?;
        let port = fs::read_to_string(self.port_file(number))?;
        let data = self.server_folder(number).join("data");
        let mut serve = Command::new(program);
        serve
            .args(["serve", "--engine", "etcd", "--etcd-endpoints"])
            .arg(nodes.endpoints().join(","))
            .args(["--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
            .arg(&data);
        if number > 1 {
            // The first server has created it.
            serve.arg("--secret-file").arg(self.secret());
        }
        let mut server = self.server(number);
        server.start(&mut serve)?;
        let answers = poll::holds(&format!("server {number}"), READY_WITHIN, || {
            ensure!(server.state() != State::Gone, server.last_words());
            let ready = self.url(number)?.replace("/prominence/v1", "/readyz");
            Ok(ureq::get(&ready).call().is_ok())
        });
        answers.with_context(|| server.last_words())?;
        // After a restart, the server must have the same address for its clients.
        let url = self.url(number)?;
        let port = url
            .rsplit(':')
            .next()
            .and_then(|rest| rest.split('/').next());
        fs::write(self.port_file(number), port.unwrap_or("0"))?;
        Ok(())
    }

    fn cluster(&self) -> anyhow::Result<Cluster> {
        if !self.nodes().exists() {
            bail!("there is no cluster; start one with: cargo xtask cluster up");
        }
        Cluster::open(&self.nodes())
    }

    fn server(&self, number: u16) -> Process {
        Process::at(format!("server-{number}"), self.server_folder(number))
    }

    fn url(&self, number: u16) -> anyhow::Result<String> {
        let file = self.server_folder(number).join("data/listening");
        Ok(fs::read_to_string(file)?.trim().to_owned())
    }

    fn nodes(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    fn server_folder(&self, number: u16) -> PathBuf {
        self.folder.join(format!("server-{number}"))
    }

    fn secret(&self) -> PathBuf {
        self.server_folder(1).join("data/job-token.secret")
    }

    fn program_file(&self) -> PathBuf {
        self.folder.join("program")
    }

    fn port_file(&self, number: u16) -> PathBuf {
        self.server_folder(number).join("port")
    }
}

impl Which {
    fn number(&self) -> anyhow::Result<u16> {
        let number = self.number;
        ensure!(
            (1..=SERVERS).contains(&number),
            "there is no number {number}; they are 1 to {SERVERS}"
        );
        Ok(number)
    }
}

/// Builds the release executable.
fn build() -> anyhow::Result<PathBuf> {
    let mut build = sh::cargo();
    build.args(["build", "--release", "-p", "prominence"]);
    sh::run(build.args(["--features", "etcd"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| sh::root().join("target"));
    Ok(target.join("release/prominence"))
}
