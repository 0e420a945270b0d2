//! A running server, people who use it, and what their commands did.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;

use prominence_client::{BaseUrl, Client, Config, Token};
use tempfile::TempDir;

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_prominence");

/// Longer than any test takes.
const TOKEN_LIFETIME: &str = "1h";

/// A server on a port of its own, with a data folder of its own. Both go with it.
pub(crate) struct Server {
    child: Mutex<Child>,
    pub(crate) url: String,
    pub(crate) home: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (child, url) = serve(home.path(), "127.0.0.1:0", arguments);
        let child = Mutex::new(child);
        Self { child, url, home }
    }

    /// Kills the server, so that nothing is told to anybody.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again after it was killed, on the same port and with the same data.
    pub(crate) fn start_again(&self) {
        let address = self.url.split('/').nth(2).unwrap();
        let (child, url) = serve(self.home.path(), address, &[]);
        assert_eq!(url, self.url);
        *self.child.lock().unwrap() = child;
    }

    /// How many requests the server holds.
    pub(crate) fn held(&self) -> u64 {
        let address = self.url.split('/').nth(2).unwrap();
        let token = self.user("monitor").token;
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let held = text
            .lines()
            .filter(|line| line.starts_with("prominence_held_requests{"));
        let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        held.map(number).sum()
    }

    /// Somebody who has the keys of this user.
    pub(crate) fn user(&self, name: &str) -> Person<'_> {
        let mint = clean(PROGRAM, self.home.path())
            .args(["token", "create", "--for", TOKEN_LIFETIME, "--user", name])
            .output()
            .unwrap();
        let token = Ran::from(mint).text().trim().to_owned();
        Person {
            server: self,
            token,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }
}

/// Starts a server and answers its URL once it listens.
fn serve(home: &Path, address: &str, arguments: &[&str]) -> (Child, String) {
    let mut child = clean(PROGRAM, home)
        .args(["serve", "--listen", address])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    // Blocks until the server listens, or ends at its end.
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some(at) = line.find("http") {
            return (child, line[at..].trim().to_owned());
        }
    }
    panic!("the server ended: {:?}", child.wait());
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A user of a server.
pub(crate) struct Person<'a> {
    server: &'a Server,
    pub(crate) token: String,
}

impl Person<'_> {
    /// The folder that this person calls home.
    pub(crate) fn home(&self) -> &Path {
        self.server.home.path()
    }

    /// The program, with this person's environment.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = clean(PROGRAM, self.home());
        self.equip(&mut command);
        command.args(arguments);
        command
    }

    /// Gives any command this person's environment.
    pub(crate) fn equip(&self, command: &mut Command) {
        command
            .env("PROMINENCE_URL", &self.server.url)
            .env("PROMINENCE_TOKEN", &self.token);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    pub(crate) fn kv(&self, arguments: &[&str]) -> Ran {
        run(self.command(&["kv"]).args(arguments))
    }

    pub(crate) fn kv_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        run_with_input(self.command(&["kv"]).args(arguments), input)
    }

    /// The client library as this person.
    pub(crate) fn client(&self) -> Client {
        let url = BaseUrl::parse(&self.server.url).unwrap();
        let token = Token::parse(&self.token).unwrap();
        Client::new(Config::new(url, token)).unwrap()
    }
}

/// A command without anything that the person running the tests has set for themselves.
pub(crate) fn clean(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROMINENCE_") {
            command.env_remove(name);
        }
    }
    for name in [
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "NO_COLOR",
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ] {
        command.env_remove(name);
    }
    command
        .env("HOME", home)
        .env("USER", "tester")
        .env("TERM", "xterm")
        .stdin(Stdio::null());
    command
}

/// The program in an empty home, without a server.
pub(crate) fn alone(arguments: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    run(clean(PROGRAM, home.path()).args(arguments))
}

pub(crate) fn run(command: &mut Command) -> Ran {
    Ran::from(command.output().unwrap())
}

pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not want all of it closes the pipe, which is its right.
    let _ = child.stdin.take().unwrap().write_all(input);
    Ran::from(child.wait_with_output().unwrap())
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().expect("it ends by itself"),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// What it printed, after a success without a word of complaint.
    #[track_caller]
    pub(crate) fn bytes(self) -> Vec<u8> {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{self:?}");
        self.stdout
    }

    /// The same as text.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// The sentence that it complained with, after an exit with this status and no output.
    #[track_caller]
    pub(crate) fn complaint(self, status: i32) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        let sentence = self.stderr.strip_prefix("prominence: ");
        let sentence = sentence.and_then(|rest| rest.strip_suffix('\n'));
        let sentence = sentence.unwrap_or_else(|| panic!("{:?}", self.stderr));
        assert!(!sentence.contains('\n'), "more than a sentence: {sentence}");
        sentence.to_owned()
    }
}

impl Ran {
    /// What it said last, after an exit with this status; a command that was stopped may have spoken
    /// before.
    #[track_caller]
    pub(crate) fn last_words(self, status: i32) -> String {
        assert_eq!(self.status, status, "{self:?}");
        self.stderr.lines().last().unwrap_or_default().to_owned()
    }
}

/// A server that gives these answers, one a connection, and is gone afterwards.
pub(crate) struct Script {
    pub(crate) url: String,
    thread: JoinHandle<()>,
}

impl Script {
    pub(crate) fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/prominence/v1", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, thread }
    }

    /// The program against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let home = tempfile::tempdir().unwrap();
        let mut command = clean(PROGRAM, home.path());
        command.args(["--url", &self.url, "--token", "t"]);
        run(command.args(arguments))
    }

    /// Waits until every answer was asked for.
    pub(crate) fn played(self) {
        self.thread.join().unwrap();
    }
}

/// Makes a file with a signing secret, as a site would: only its owner reads it.
pub(crate) fn save_secret(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).unwrap();
    file.write_all(b"0123456789abcdef0123456789abcdef").unwrap();
}

/// An answer of the server with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    page(status, &format!("X-Request-Id: r-0\r\n{headers}"), body)
}

/// The same without the header that the server puts on every answer, as proxies and other servers answer.
pub(crate) fn page(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}
