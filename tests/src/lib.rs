//! Runs the real program for tests: starts it, talks to it, kills it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use this"
)]

pub mod fault;
pub mod history;
pub mod power;
pub mod python;
pub mod slurm;

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a server may take until it listens. Far more than it needs, for busy machines.
const START_WITHIN: Duration = Duration::from_secs(60);

/// The program's executable, built if it is not up to date.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        // target/PROFILE/deps/TEST
        let folder = test.parent().and_then(Path::parent).unwrap().to_owned();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        build.args([
            "build",
            "--quiet",
            "--package",
            "prominence",
            "--bin",
            "prominence",
            "--features",
            "etcd",
        ]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        build.env("CARGO_TARGET_DIR", folder.parent().unwrap());
        assert!(
            build.current_dir(root()).status().unwrap().success(),
            "the program does not build"
        );
        folder.join("prominence")
    })
}

/// The workspace's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A command without anything that the person running the tests has set for themselves.
pub fn clean(program: impl AsRef<Path>, home: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROMINENCE_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("XDG_DATA_HOME")
        .env("HOME", home)
        .env("USER", "tester");
    command
}

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

/// How a server is started, each time.
struct How {
    arguments: Vec<String>,
    clock: MachineClock,
    /// Bytes of its limit on address space (`RLIMIT_AS`), if it has one.
    address_space: Option<u64>,
}

/// Which time a server's machine shows.
enum MachineClock {
    /// The right one.
    Right,
    /// It is off, by as much as libfaketime's `FAKETIME` says (`+0.2s`).
    Off(String),
    /// It is off by what stands in this file, which is read each time.
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

    /// Starts a server whose clock is off, by as much as libfaketime's `FAKETIME` says (`+0.2s`).
    pub fn start_with_clock(arguments: &[&str], clock: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let how = How {
            clock: MachineClock::Off(clock.to_owned()),
            ..How::new(arguments)
        };
        Self::start_how(home, data, how)
    }

    /// Starts a server that can't have more address space than so many bytes (`RLIMIT_AS`).
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

    /// Sets the clock of the machine to the right time and so many seconds.
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

    /// A folder that commands can use as their home.
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

    /// Asks the process to stop, and answers how it ended.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        self.signal("-TERM");
        self.child.wait().unwrap()
    }

    /// Lets the process stand still for so long, and then go on.
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

    /// A command that talks to this server as this user.
    pub fn command(&self, user: &str) -> Command {
        let mut command = clean(program(), self.home());
        self.as_user(&mut command, user);
        command
    }

    /// Lets any command talk to this server as this user.
    pub fn as_user(&self, command: &mut Command, user: &str) {
        command
            .env("PROMINENCE_URL", &self.url)
            .env("PROMINENCE_TOKEN", self.token(user));
    }

    /// An HTTP client with a token of this user.
    pub fn client(&self, user: &str) -> Client {
        Client {
            url: self.url.clone(),
            token: self.token(user),
            agent: agent(),
        }
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

/// What lets a program see another time; the dynamic linker puts the machine's own folder for `$LIB`.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// The whole offset or the former one is read at any moment.
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
        // Clocks that are off still run as fast as others.
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
            // Nobody reads on; a full pipe must not stop the server.
            let mut rest = child.stderr.take().unwrap();
            std::thread::spawn(move || std::io::copy(&mut rest, &mut std::io::sink()));
            return (child, url);
        }
    }
    let _ = child.kill();
    let complaint = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    panic!("the server did not start: {complaint}");
}

/// The first so many segments of the log in a data folder, whether they are there or not.
#[must_use]
pub fn segments(data: &Path, count: u32) -> Vec<PathBuf> {
    let log = data.join("store/log");
    (1..=count)
        .map(|number| log.join(format!("{number:08}.log")))
        .collect()
}

/// Starts a server that is expected to refuse to start, and answers what it says.
pub fn refused(home: &Path, data: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = clean(program(), home);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let code = output.status.code().expect("the server ends by itself");
    (code, String::from_utf8(output.stderr).unwrap())
}

/// Runs a command that has to succeed.
#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// What a command printed.
pub fn text(output: Output) -> String {
    String::from_utf8(output.stdout).unwrap()
}

/// Somebody with a token.
#[derive(Clone)]
pub struct Client {
    url: String,
    token: String,
    agent: ureq::Agent,
}

/// No answer came.
#[derive(Debug)]
pub struct Lost(String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn lost(error: ureq::Error) -> Lost {
    Lost(error.to_string())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

impl Client {
    /// Somebody else, or the same with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same person at a server that has moved.
    pub fn moved(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: self.token.clone(),
            agent: agent(),
        }
    }

    /// Sends a request; answers status and body.
    ///
    /// # Errors
    /// When no answer came.
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Lost> {
        let response = self.exchange(method, path, body)?;
        let status = response.status().as_u16();
        Ok((status, whole(response)?))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<ureq::http::Response<ureq::Body>, Lost> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .body(body)
            .unwrap();
        self.agent.run(request).map_err(lost)
    }

    /// Sends a request that has to be answered; answers the status, when to try again, and the body.
    #[track_caller]
    pub fn ask_when(&self, method: &str, path: &str, body: &[u8]) -> (u16, Option<String>, String) {
        let response = self.exchange(method, path, body).unwrap();
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after");
        let wait = header.map(|wait| wait.to_str().unwrap().to_owned());
        let body = whole(response).unwrap();
        (status, wait, String::from_utf8_lossy(&body).into_owned())
    }

    /// Sends a request that has to be answered.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, String) {
        let (status, body) = self.send(method, path, body.as_ref()).unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// All of a body.
fn whole(mut response: ureq::http::Response<ureq::Body>) -> Result<Vec<u8>, Lost> {
    let body = response.body_mut().with_config().limit(u64::MAX);
    body.read_to_vec().map_err(lost)
}
