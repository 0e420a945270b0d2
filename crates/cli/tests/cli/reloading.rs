//! The settings and files that a running server takes over on SIGHUP, and when a file changes.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use tempfile::TempDir;

use crate::support::{PROGRAM, Ran, clean, run};

/// The longest time of a reload on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a file of settings, whose log is kept.
pub(crate) struct Reloading {
    process: Child,
    pub(crate) url: String,
    pub(crate) home: Home,
}

/// The folder of a server and of its files.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that only its owner can read, and answers its name.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let (path, draft) = (self.path(name), self.path("draft"));
        fs::write(&draft, text).unwrap();
        fs::set_permissions(&draft, Permissions::from_mode(0o600)).unwrap();
        fs::rename(&draft, &path).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A certificate for `localhost` that has signed itself, and its key.
    fn write_certificate(&self) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        self.write("key.pem", &made.signing_key.serialize_pem());
        self.write("cert.pem", &made.cert.pem());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    pub(crate) fn start(self, settings: &str) -> Reloading {
        let settings = self.write("kv.toml", settings);
        let log = File::create(self.path("log")).unwrap();
        let mut serve = clean(PROGRAM, self.0.path());
        serve.args(["serve", "--listen", "127.0.0.1:0", "--config", &settings]);
        let mut process = serve.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let at = line
            .find("http")
            .unwrap_or_else(|| panic!("{}", self.log()));
        let url = line[at..].trim().replace("127.0.0.1", "localhost");
        Reloading {
            process,
            url,
            home: self,
        }
    }
}

impl Reloading {
    /// Stops the server, so that all lines of its logs are written.
    pub(crate) fn stop(mut self) -> Home {
        let mut kill = Command::new("kill");
        let sent = kill.arg(self.process.id().to_string()).status();
        assert!(sent.unwrap().success());
        assert!(self.process.wait().unwrap().success());
        std::mem::replace(&mut self.home, Home::new())
    }

    /// Sends SIGHUP, and answers the lines of the log that it causes.
    pub(crate) fn hang_up(&self) -> String {
        let before = self.home.log().len();
        let mut kill = Command::new("kill");
        let sent = kill.args(["-HUP", &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success());
        self.reloaded(before)
    }

    /// The lines of the log after this place, once a reload is over.
    fn reloaded(&self, before: usize) -> String {
        let started = Instant::now();
        loop {
            let log = self.home.log().split_off(before);
            if log.lines().any(|line| line.contains("reloaded: ")) && log.ends_with('\n') {
                return log;
            }
            assert!(started.elapsed() < PATIENCE, "no reload: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A token that is signed with this secret.
    pub(crate) fn token(&self, secret: &str) -> String {
        let mut mint = clean(PROGRAM, self.home.0.path());
        mint.args(["token", "create", "--user", "alice", "--secret-file"]);
        run(mint.arg(self.home.path(secret)))
            .text()
            .trim()
            .to_owned()
    }

    fn run(&self, token: &str, arguments: &[&str]) -> Ran {
        let mut command = clean(PROGRAM, self.home.0.path());
        command
            .env("PROMINENCE_URL", &self.url)
            .env("PROMINENCE_TOKEN", token);
        run(command.args(arguments))
    }

    fn accepts(&self, token: &str) -> bool {
        self.run(token, &["whoami"]).status == 0
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn secrets_are_taken_over_and_stay_where_the_new_ones_are_bad() {
    let home = Home::new();
    let secret = home.write("now", &"0123456789abcdef".repeat(4));
    home.write("later", &"fedcba9876543210".repeat(4));
    let server = home.start(&format!("secret-file = [\"{secret}\"]\n"));
    let (old, new) = (server.token("now"), server.token("later"));
    assert!(server.accepts(&old) && !server.accepts(&new));

    fs::copy(server.home.path("later"), server.home.path("now")).unwrap();
    let log = server.hang_up();
    assert!(log.contains("reloaded: secrets"), "{log}");
    assert!(!server.accepts(&old) && server.accepts(&new));
    let made = server.run(&new, &["token", "create", "--from-login", "--for", "1h"]);
    assert!(
        server.accepts(made.text().trim()),
        "it is signed with the new secret"
    );

    server.home.write("now", "short");
    let log = server.hang_up();
    assert!(log.contains("the secrets stay as they were"), "{log}");
    assert!(log.contains("has 5 bytes"), "{log}");
    assert!(log.contains("reloaded: nothing has changed"), "{log}");
    assert!(!server.accepts(&old) && server.accepts(&new));
}

#[test]
fn limits_are_taken_over_and_stay_where_the_file_has_a_mistake() {
    let home = Home::new();
    let secret = home.write("secret", &"0123456789abcdef".repeat(4));
    let settings = |more: &str| format!("secret-file = [\"{secret}\"]\n{more}");
    let server = home.start(&settings("quota-keys = 1\n"));
    let token = server.token("secret");
    let set = |key: &str| server.run(&token, &["kv", "set", key, "1"]).status == 0;
    assert!(set("/a") && !set("/b"));

    let more = "quota-keys = 2\nlisten = \"127.0.0.1:1\"\nvalue-limit = \"1KiB\"\n";
    server.home.write("kv.toml", &settings(more));
    let log = server.hang_up();
    assert!(log.contains("reloaded: quota-keys"), "{log}");
    // The address is a flag, which wins over the file.
    assert!(
        log.contains("used only after a restart: value-limit"),
        "{log}"
    );
    assert!(set("/b") && !set("/c"));

    server
        .home
        .write("kv.toml", &settings("quota-keys = \"many\"\n"));
    let log = server.hang_up();
    assert!(log.contains("the settings stay as they were"), "{log}");
    assert!(log.contains("kv.toml") && log.contains("line 2"), "{log}");
    assert!(!set("/c"));
}

#[test]
fn a_certificate_is_taken_over_and_stays_where_its_key_does_not_fit() {
    let home = Home::new();
    home.write_certificate();
    let secret = home.write("secret", &"0123456789abcdef".repeat(4));
    let file = |name: &str| home.path(name).to_str().unwrap().to_owned();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let settings = format!(
        "secret-file = [\"{secret}\"]\ntls-cert = \"{certificate}\"\ntls-key = \"{key}\"\n"
    );
    let server = home.start(&settings);
    let token = server.token("secret");
    let shows = |certificate: &str| {
        let file = server.home.path(certificate);
        let arguments = ["whoami", "--ca-file", file.to_str().unwrap()];
        server.run(&token, &arguments).status == 0
    };
    assert!(shows("cert.pem"));
    fs::copy(server.home.path("cert.pem"), server.home.path("first.pem")).unwrap();
    server.home.write_certificate();
    let log = server.hang_up();
    assert!(log.contains("reloaded: certificate"), "{log}");
    assert!(shows("cert.pem") && !shows("first.pem"));

    let other = KeyPair::generate().unwrap();
    server.home.write("key.pem", &other.serialize_pem());
    let log = server.hang_up();
    assert!(log.contains("the certificate stays as it was"), "{log}");
    assert!(shows("cert.pem"));
}

#[test]
fn issuers_are_taken_over_once_they_answer() {
    let home = Home::new();
    // The key of RFC 8037, appendix A.2.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let key = format!("{{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"{x}\"}}");
    let keys = home.write("keys", &format!("{{\"keys\": [{key}]}}"));
    let common = "user-claim = \"sub\"\nnamespace-prefix = \"\"\nany-audience = true\n";
    let pods = format!(
        "name = \"pods\"\nissuer = \"https://pods.example.org\"\n{common}jwks-file = \"{keys}\"\n"
    );
    let file = home.write("pods.toml", &pods);
    let server = home.start(&format!("issuer-file = [\"{file}\"]\n"));
    let log = server.hang_up();
    assert!(log.contains("reloaded: nothing has changed"), "{log}");
    server
        .home
        .write("pods.toml", &format!("{pods}leeway = \"1m\"\n"));
    let log = server.hang_up();
    assert!(log.contains("reloaded: issuers"), "{log}");

    // Nothing listens at this port.
    let nobody = format!("name = \"pods\"\nissuer = \"http://127.0.0.1:1\"\n{common}");
    server.home.write("pods.toml", &nobody);
    for _ in 0..2 {
        let log = server.hang_up();
        assert!(log.contains("the issuers stay as they were"), "{log}");
    }
}

#[test]
fn a_file_that_changes_is_read_without_a_signal() {
    let home = Home::new();
    let secret = home.write("secret", &"0123456789abcdef".repeat(4));
    let server = home.start(&format!("secret-file = [\"{secret}\"]\n"));
    let old = server.token("secret");
    assert!(server.accepts(&old));
    server.home.write("secret", &"fedcba9876543210".repeat(4));
    let log = server.reloaded(0);
    assert!(log.contains("reloaded: secrets"), "{log}");
    assert!(!server.accepts(&old) && server.accepts(&server.token("secret")));
}
