//! A real Slurm of one node, on this machine alone: munged, slurmctld and slurmd with a folder, a key and
//! ports of their own, run by the user who runs the test.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{succeed, text};

/// The time limit for the daemons until the node accepts jobs, far more than they take, for busy machines.
const START_WITHIN: Duration = Duration::from_secs(40);

/// The time limit for a daemon to end before it is killed.
const END_WITHIN: Duration = Duration::from_secs(10);

/// The interval of polling.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The number of jobs that may run at once, whatever processors this machine has.
const PLACES: u32 = 8;

/// A running Slurm, which ends with the test.
pub struct Slurm {
    folder: PathBuf,
    user: String,
    daemons: Vec<Child>,
}

impl Slurm {
    /// Starts the daemons with their files in this folder, and waits until the node accepts jobs.
    pub fn start(folder: &Path) -> Self {
        let user = text(succeed(Command::new("id").arg("-un")));
        let mut slurm = Self {
            folder: folder.to_owned(),
            user: user.trim().to_owned(),
            daemons: Vec::new(),
        };
        for name in ["state", "spool"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        std::fs::write(slurm.configuration(), slurm.settings()).unwrap();
        // Debian 12's slurmd needs a kind of control groups even where nothing uses them, and finds none on some
        // machines. This setting is only read.
        std::fs::write(folder.join("cgroup.conf"), "CgroupPlugin=cgroup/v1\n").unwrap();
        slurm.start_munge();
        slurm.daemon("slurmctld", &["-D", "-c", "-i"]);
        slurm.daemon("slurmd", &["-D"]);
        slurm.await_node();
        slurm
    }

    /// Lets a command use this Slurm.
    pub fn reach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SLURM_CONF", self.configuration())
    }

    /// Waits until no job is left or the time is over; returns the jobs that are left.
    pub fn drain(&self, within: Duration) -> String {
        let begun = Instant::now();
        loop {
            let ask = &["--noheader", "--format=%i %T %r"];
            let left = match self.reach(Command::new("squeue").args(ask)).output() {
                Ok(asked) if asked.status.success() => text(asked),
                Ok(asked) => String::from_utf8_lossy(&asked.stderr).into_owned(),
                Err(error) => error.to_string(),
            };
            if left.trim().is_empty() || begun.elapsed() > within {
                return left;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The logs of the daemons, for the message of a failed test.
    pub fn logs(&self) -> String {
        let mut logs = String::new();
        for name in ["munged", "slurmctld", "slurmd"] {
            let said = std::fs::read_to_string(self.folder.join(format!("{name}.log")));
            let _ = writeln!(logs, "== {name}\n{}", said.unwrap_or_default());
        }
        logs
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("slurm.conf")
    }

    fn settings(&self) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let host = host.trim().split('.').next().unwrap();
        let [controller, node] = free_ports();
        let folder = self.folder.display();
        let user = &self.user;
        format!(
            "ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
MinJobAge=10
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={PLACES} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=10 State=UP
"
        )
    }

    /// Starts munged, which authenticates daemons and clients.
    fn start_munge(&mut self) {
        let key: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(128)
            .collect();
        let path = self.folder.join("munge.key");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o400).open(path);
        file.as_mut().unwrap().write_all(&key).unwrap();
        let at =
            |option: &str, name: &str| format!("--{option}={}", self.folder.join(name).display());
        let options = [
            "--foreground".to_owned(),
            // Without this option it refuses folders that all users can write, such as those for temporary files.
            "--force".to_owned(),
            at("key-file", "munge.key"),
            at("socket", "munge.socket"),
            at("pid-file", "munge.pid"),
            at("seed-file", "munge.seed"),
            at("log-file", "munge.log"),
        ];
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        self.daemon("munged", &options);
        let socket = self.folder.join("munge.socket");
        self.wait_until("munged listens", || socket.exists());
    }

    fn await_node(&self) {
        let ask = &["--noheader", "--format=%T"];
        self.wait_until("the node is idle", || {
            let state = self.reach(Command::new("sinfo").args(ask)).output();
            state.is_ok_and(|state| state.stdout.trim_ascii() == b"idle")
        });
    }

    fn daemon(&mut self, name: &str, options: &[&str]) {
        let log = std::fs::File::create(self.folder.join(format!("{name}.log"))).unwrap();
        // Debian installs daemons where only root's shell looks for them.
        let mut command = Command::new(format!("/usr/sbin/{name}"));
        self.reach(&mut command);
        let started = command
            .args(options)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let daemon = started
            .unwrap_or_else(|error| panic!("{name}: {error}; `cargo xtask install` installs it"));
        self.daemons.push(daemon);
    }

    fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            let late = begun.elapsed() > START_WITHIN;
            assert!(!late, "not in time: {what}\n{}", self.logs());
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Slurm {
    /// Ends the jobs, which would outlive slurmd, and then the daemons in the reverse order of their start.
    fn drop(&mut self) {
        let mut cancel = Command::new("scancel");
        let user = format!("--user={}", self.user);
        if self.reach(cancel.arg(user)).output().is_ok() {
            let _ = self.drain(END_WITHIN);
        }
        for daemon in self.daemons.iter_mut().rev() {
            end(daemon);
        }
    }
}

/// Asks a process to end, and kills it where it does not end in time.
fn end(process: &mut Child) {
    let pid = process.id().to_string();
    let _ = Command::new("kill").args(["-TERM", &pid]).status();
    let begun = Instant::now();
    while begun.elapsed() < END_WITHIN {
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let _ = process.kill();
    let _ = process.wait();
}

/// Free ports, since Slurm's daemons don't accept open sockets.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|socket| socket.local_addr().unwrap().port())
}
