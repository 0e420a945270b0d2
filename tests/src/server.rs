//! The real server as a process: started, killed, stopped for a while, started again, with a wrong clock or with little
//! memory.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::commands::{clean, program, succeed, text};

/// The time limit for a server until it listens, far more than it takes, for busy machines.
const START_WITHIN: Duration = Duration::from_secs(60);

/// The exit status of timeout(1) where the command did not end in time.
const TIMED_OUT: i32 = 124;

/// Lets the operating system choose a port that is free.
const ANY_PORT: &str = "127.0.0.1:0";

/// A running server and a folder for it.
pub struct Server {
    child: Child,
    /// `PROMINENCE_URL`.
    pub url: String,
    data: PathBuf,
    how: How,
    home: tempfile::TempDir,
}

/// The way in which a server is started.
struct How {
    arguments: Vec<String>,
    clock: MachineClock,
    /// Its limit on address space (`RLIMIT_AS`) in bytes, if it has one.
    address_space: Option<u64>,
}

/// The clock of a server's machine.
enum MachineClock {
    /// The right one.
    Right,
    /// It is wrong by this offset, in the syntax of libfaketime's `FAKETIME` (`+0.2s`).
    Off(String),
    /// It is wrong by the offset in this file, which is read each time.
    Set(PathBuf),
}

impl Server {
    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        self.url.trim_end_matches("/prominence/v1")
    }

    /// Starts a server on a free port, with a new data folder.
    pub fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Self::start_on(home, data, arguments)
    }

    /// Starts a server on a data folder; `home` lives as long as the server.
    pub fn start_on(home: tempfile::TempDir, data: PathBuf, arguments: &[&str]) -> Self {
        Self::start_how(home, data, How::new(arguments))
    }

    /// Starts a server whose clock is wrong by this offset, in the syntax of libfaketime's `FAKETIME` (`+0.2s`).
    pub fn start_with_clock(arguments: &[&str], clock: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let how = How {
            clock: MachineClock::Off(clock.to_owned()),
            ..How::new(arguments)
        };
        Self::start_how(home, data, how)
    }

    /// Starts a server with a limit on its address space in bytes (`RLIMIT_AS`).
    pub fn start_within(arguments: &[&str], address_space: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let how = How {
            address_space: Some(address_space),
            ..How::new(arguments)
        };
        Self::start_how(home, data, how)
    }

    /// Starts a server on a machine whose clock can be set ([`Server::set_clock`]).
    pub fn start_with_settable_clock(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let file = home.path().join("faketime");
        write_offset(&file, 0);
        let how = How {
            clock: MachineClock::Set(file),
            ..How::new(arguments)
        };
        Self::start_how(home, data, how)
    }

    /// Sets the clock of the machine to the right time plus this number of seconds.
    pub fn set_clock(&self, seconds: i64) {
        let MachineClock::Set(file) = &self.how.clock else {
            panic!("the clock of this server's machine can't be set");
        };
        write_offset(file, seconds);
    }

    fn start_how(home: tempfile::TempDir, data: PathBuf, how: How) -> Self {
        let (child, url) = launch(home.path(), &data, ANY_PORT, &how);
        Self {
            child,
            url,
            data,
            how,
            home,
        }
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A folder that commands use as their home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and returns its exit status.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        self.signal("-TERM");
        self.child.wait().unwrap()
    }

    /// Stops the process, and continues it after this time.
    pub fn stand_still(&self, how_long: Duration) {
        self.signal("-STOP");
        std::thread::sleep(how_long);
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success(), "{signal} was not sent");
    }

    /// Starts it again on the same data, on another port.
    pub fn restart(&mut self) {
        self.restart_on(ANY_PORT);
    }

    /// Starts it again on the same data and the same port, so that clients find it again.
    pub fn restart_in_place(&mut self) {
        let address = self.url.strip_prefix("http://").unwrap();
        let address = address.split('/').next().unwrap().to_owned();
        self.restart_on(&address);
    }

    fn restart_on(&mut self, address: &str) {
        let (child, url) = launch(self.home.path(), &self.data, address, &self.how);
        self.child = child;
        self.url = url;
    }

    /// A token of a user.
    pub fn token(&self, user: &str) -> String {
        let mut command = clean(program(), self.home());
        command
            .args(["token", "create", "--user", user, "--data-dir"])
            .arg(&self.data);
        text(succeed(&mut command)).trim().to_owned()
    }

    /// A command that uses this server as this user.
    pub fn command(&self, user: &str) -> Command {
        let mut command = clean(program(), self.home());
        self.as_user(&mut command, user);
        command
    }

    /// Lets any command use this server as this user.
    pub fn as_user(&self, command: &mut Command, user: &str) {
        command
            .env("PROMINENCE_URL", &self.url)
            .env("PROMINENCE_TOKEN", self.token(user));
    }

    /// An HTTP client with a token of this user.
    pub fn client(&self, user: &str) -> Client {
        Client::new(self.url.clone(), self.token(user))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl How {
    fn new(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            clock: MachineClock::Right,
            address_space: None,
        }
    }
}

/// The library that shows a program another time; the dynamic linker replaces `$LIB` by the machine's own folder.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// Replaces the file in one step, so that the server reads the whole offset or the former one.
fn write_offset(file: &Path, seconds: i64) {
    let draft = file.with_extension("new");
    std::fs::write(&draft, format!("{seconds:+}s\n")).unwrap();
    std::fs::rename(&draft, file).unwrap();
}

fn launch(home: &Path, data: &Path, address: &str, how: &How) -> (Child, String) {
    let mut command = match how.address_space {
        None => clean(program(), home),
        Some(bytes) => {
            let mut shell = clean("sh", home);
            let kibibytes = (bytes >> 10).to_string();
            let limited = "ulimit -v \"$0\" && exec \"$@\"";
            shell.args(["-c", limited, &kibibytes]).arg(program());
            shell
        }
    };
    command
        .args(["serve", "--listen", address, "--data-dir"])
        .arg(data)
        .args(&how.arguments);
    if !matches!(how.clock, MachineClock::Right) {
        // A wrong clock runs as fast as a right one.
        command
            .env("LD_PRELOAD", FAKETIME)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    match &how.clock {
        MachineClock::Right => {}
        MachineClock::Off(offset) => _ = command.env("FAKETIME", offset),
        MachineClock::Set(file) => {
            command
                .env("FAKETIME_TIMESTAMP_FILE", file)
                .env("FAKETIME_NO_CACHE", "1");
        }
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = Instant::now();
    while started.elapsed() < START_WITHIN {
        let Some(Ok(line)) = lines.next() else { break };
        if let Some(at) = line.find("http://") {
            let url = line[at..].split_whitespace().next().unwrap().to_owned();
            // Read to the end, since a full pipe would block the server.
            let mut rest = child.stderr.take().unwrap();
            std::thread::spawn(move || std::io::copy(&mut rest, &mut std::io::sink()));
            return (child, url);
        }
    }
    let _ = child.kill();
    let complaint = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    panic!("the server did not start: {complaint}");
}

/// The paths of the first `count` segments of the log in a data folder, whether they exist or not.
#[must_use]
pub fn segments(data: &Path, count: u32) -> Vec<PathBuf> {
    let log = data.join("store/log");
    (1..=count)
        .map(|number| log.join(format!("{number:08}.log")))
        .collect()
}

/// Starts a server that must refuse to start; returns its exit status and its message.
pub fn refused(home: &Path, data: &Path, arguments: &[&str]) -> (i32, String) {
    let limit = START_WITHIN.as_secs().to_string();
    let mut command = clean("timeout", home);
    command
        .args(["--kill-after=10", &limit])
        .arg(program())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let code = output.status.code();
    let code = code.filter(|code| *code != TIMED_OUT);
    let code = code.expect("the server refuses to start, and ends by itself");
    (code, String::from_utf8(output.stderr).unwrap())
}
