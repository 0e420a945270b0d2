//! Logging in at a real OpenID provider by the command line, and by the existing one.

#[path = "../../../crates/server/tests/http/provider.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod provider;

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use prominence_tests::{Server, clean, program, python, succeed, text};
use serde_json::Value;

use provider::Provider;

/// A provider, and a server that tells people to log in there.
struct Site {
    provider: Provider,
    server: Server,
    /// The home of a person.
    home: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let provider = Provider::start();
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("kv.toml");
        std::fs::write(&settings, "").unwrap();
        let data = folder.path().join("data");
        let arguments = ["--config", settings.to_str().unwrap()];
        let mut server = Server::start_on(folder, data, &arguments);
        // Its address is known only now.
        let audit = server.home().join("audit");
        let table = issuer_table(&provider, server.origin());
        std::fs::write(&settings, format!("audit-log = {audit:?}\n{table}")).unwrap();
        assert!(server.terminate().success());
        server.restart_in_place();
        Self {
            provider,
            server,
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".prominence/token")
    }

    fn saved(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap()
    }

    fn access_token(&self) -> String {
        self.saved()["access_token"].as_str().unwrap().to_owned()
    }

    /// Our program, for the person.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = clean(program(), self.home.path());
        command.env("PROMINENCE_URL", &self.server.url).args(words);
        command
    }

    /// `kv list` with a fault in system calls, as strace injects it.
    fn injected(&self, fault: &str) -> Command {
        let mut command = clean("strace", self.home.path());
        command.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
        command.arg(format!("inject={fault}"));
        command.arg(program()).args(["kv", "list"]);
        command.env("PROMINENCE_URL", &self.server.url);
        command
    }

    /// `admin`, at the server.
    fn admin(&self, words: &[&str]) -> Command {
        let mut command = clean(program(), self.home.path());
        let command_line = command.arg("admin").args(words);
        command_line.arg("--data-dir").arg(self.server.data());
        command
    }

    fn log_in(&self, user: &str) -> String {
        let mut login = self.command(&["login"]);
        let login = login.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut login = login.spawn().unwrap();
        self.provider.approve(&code_of(&mut login), user);
        assert!(login.wait().unwrap().success());
        let mut said = String::new();
        login.stdout.unwrap().read_to_string(&mut said).unwrap();
        said
    }

    /// Has the program take the access token for one that is about to end.
    fn let_it_end(&self) {
        let mut saved = self.saved();
        saved["prominence"]["expires_at"] = 1.into();
        std::fs::write(self.file(), saved.to_string()).unwrap();
    }
}

fn issuer_table(provider: &Provider, origin: &str) -> String {
    format!(
        "public-url = \"{origin}\"\n[[issuer]]\nname = \"campus\"\nissuer = \"{}\"\n\
         user-claim = \"preferred_username\"\naudience = [\"{origin}\", \"https://kv.example.org\"]\n\
         [issuer.login]\nclient-id = \"prominence-cli\"\nscopes = [\"openid\", \"profile\", \"offline_access\"]\n\
         parameters = {{ resource = \"{origin}\", prompt = \"consent\" }}\n",
        provider.issuer
    )
}

/// The code in the first line that a login prints on standard error or output.
fn code_of(login: &mut Child) -> String {
    let mut lines = BufReader::new(login.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    // The rest is read so that the program can go on writing.
    std::thread::spawn(move || lines.count());
    line.rsplit(' ').next().unwrap().to_owned()
}

fn status(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), said)
}

#[test]
fn a_person_logs_in_and_shares_keys_with_jobs_and_the_existing_client() {
    let site = Site::start();
    let (status_before, said) = status(&mut site.command(&["kv", "list"]));
    assert_eq!(status_before, 3);
    assert!(said.contains("prominence login"), "{said}");
    assert!(site.log_in("alice").contains("user: alice"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&site.file()), 0o600);
    assert_eq!(mode(site.file().parent().unwrap()), 0o700);
    succeed(&mut site.command(&["kv", "set", "/a", "1"]));
    assert_eq!(site.server.client("alice").ask("GET", "/kv/a", "").1, "1");

    let create = [
        "token",
        "create",
        "--from-login",
        "--job",
        "7",
        "--scope",
        "storage.read:/a",
    ];
    let token = text(succeed(&mut site.command(&create)));
    let job = site.server.client("alice").with_token(token.trim());
    assert_eq!(job.ask("GET", "/kv/a", "").1, "1");
    assert_eq!(job.ask("POST", "/kv/a", "2").0, 403);
    let listed = text(succeed(&mut site.command(&["token", "list"])));
    let id = listed
        .lines()
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    succeed(&mut site.command(&["token", "revoke", "--id", &id]));
    assert_eq!(job.ask("GET", "/kv/a", "").0, 401);
    let share = "token create --scope storage.read:/a --for 30d --note";
    let share: Vec<_> = share.split(' ').chain(["for Ada"]).collect();
    let token = text(succeed(&mut site.command(&share)));
    let ada = site.server.client("alice").with_token(token.trim());
    assert_eq!(ada.ask("GET", "/kv/a", "").1, "1");
    let listed = text(succeed(&mut site.command(&["token", "list"])));
    assert!(listed.contains("storage.read:/a  (for Ada)"), "{listed}");

    let interpreter = python::with_pypi_client();
    let mut theirs = clean(&interpreter, site.home.path());
    theirs
        .arg(interpreter.with_file_name("prominence"))
        .args(["kv", "get", "/a"])
        .env("PROMINENCE_URL", &site.server.url);
    assert_eq!(text(succeed(&mut theirs)), "1\n");
}

/// Fails if the tokens of an account are not revoked together with the loss of its name.
#[test]
fn a_name_that_is_taken_from_an_account_takes_its_tokens_and_those_of_its_jobs_with_it() {
    let mut site = Site::start();
    // Two accounts whose tokens have the same name.
    let (former, next) = (site.provider.token("alice"), site.provider.token("mallory"));
    let status = |site: &Site, token: &str| {
        let client = site.server.client("alice").with_token(token);
        client.ask("GET", "/whoami", "").0
    };
    let made_from = |site: &Site, token: &str| {
        let create = ["token", "create", "--from-login", "--token", token];
        text(succeed(&mut site.command(&create))).trim().to_owned()
    };
    assert_eq!(status(&site, &former), 200);
    let job = made_from(&site, &former);
    let job_of_job = made_from(&site, &job);
    let of_site = site.server.token("alice");
    for (token, expected) in [(&job_of_job, 200), (&of_site, 200), (&next, 403)] {
        assert_eq!(status(&site, token), expected);
    }
    let waiting = site.server.client("alice").with_token(&job);
    let waiting = std::thread::spawn(move || waiting.ask("GET", "/kv/x?wait=60", "").0);
    std::thread::sleep(std::time::Duration::from_millis(300));
    succeed(&mut site.admin(&["user", "unpin", "alice"]));
    assert_eq!(waiting.join().unwrap(), 401);
    for _ in 0..2 {
        for token in [&former, &job, &job_of_job] {
            assert_eq!(status(&site, token), 401);
        }
        // The next account has the name now, and the site's own tokens are no account's.
        for token in [&next, &of_site] {
            assert_eq!(status(&site, token), 200);
        }
        site.server.kill();
        site.server.restart_in_place();
    }
    // A login of the former account counts as one from before as long as the clocks may differ.
    let again = site.provider.token("alice");
    assert_eq!(status(&site, &again), 401);

    let job = made_from(&site, &next);
    let issuer = ["--issuer", &site.provider.issuer, "--sub", "alice"];
    succeed(&mut site.admin(&[&["user", "pin", "alice"], &issuer[..]].concat()));
    for _ in 0..2 {
        for token in [&next, &job] {
            assert_eq!(status(&site, token), 401);
        }
        // The name is the first account's again, and so are the tokens that it has had.
        for token in [&former, &again] {
            assert_eq!(status(&site, token), 200);
        }
        site.server.kill();
        site.server.restart_in_place();
    }
    let job = site.server.client("alice").with_token(&of_site);
    assert_eq!(job.ask("GET", "/whoami", "").0, 200);
    succeed(&mut site.admin(&["quota", "set", "alice", "--keys", "7"]));
    assert!(site.server.terminate().success());
    let audit = std::fs::read_to_string(site.server.home().join("audit")).unwrap();
    for (count, effect) in [
        (2, "the name alice belongs to the account "),
        (1, "the name alice was taken from its accounts"),
        (1, "the name alice was given to the account alice of "),
        (1, "the quota of alice is 7 keys"),
    ] {
        assert_eq!(audit.matches(effect).count(), count, "{effect}: {audit}");
    }
}

#[test]
fn the_existing_client_logs_in_by_itself_and_its_login_is_read_here() {
    let site = Site::start();
    let interpreter = python::with_pypi_client();
    let mut theirs = clean(&interpreter, site.home.path());
    let mut login = theirs
        .arg("-u")
        .arg(interpreter.with_file_name("prominence"))
        .arg("login")
        .env("PROMINENCE_URL", &site.server.url)
        .env("PROMINENCE_OIDC_URL", &site.provider.issuer)
        .env("PROMINENCE_OIDC_CLIENT_ID", "prominence-pypi")
        .env(
            "PROMINENCE_OIDC_CLIENT_SECRET",
            "the secret of prominence-pypi",
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(login.stdout.take().unwrap()).lines();
    let line = lines.find_map(|line| Some(line.unwrap()).filter(|line| line.contains("code")));
    let line = line.unwrap();
    let code = line
        .split("the code ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    site.provider.approve(code, "alice");
    assert!(login.wait().unwrap().success());
    site.server.client("alice").ask("POST", "/kv/a", "1");
    assert_eq!(
        text(succeed(&mut site.command(&["kv", "get", "/a"]))).trim(),
        "1"
    );
}

/// Fails if the lock is taken, or the issuer asked, before it is known that the token has to be renewed.
#[test]
fn a_read_opens_no_file_of_its_user_but_the_login_and_connects_to_the_server_alone() {
    let site = Site::start();
    site.log_in("alice");
    succeed(&mut site.command(&["kv", "set", "/a", "1"]));
    let home = site.home.path();
    let calls = tempfile::NamedTempFile::new().unwrap();
    let mut traced = clean("strace", home);
    traced.args(["-f", "-qq", "-e", "trace=open,openat,connect", "-o"]);
    traced.arg(calls.path()).arg(program());
    traced.env("PROMINENCE_URL", &site.server.url);
    assert_eq!(text(succeed(traced.args(["kv", "get", "/a"]))), "1");
    let calls = std::fs::read_to_string(calls.path()).unwrap();
    let of_home = format!("\"{}", home.display());
    // The settings are looked for, and this user has none.
    let is_opened = |call: &&str| call.contains(&of_home) && !call.contains("ENOENT");
    let opened: Vec<_> = calls.lines().filter(is_opened).collect();
    assert_eq!(opened.len(), 1, "{opened:#?}");
    assert!(opened[0].contains(site.file().to_str().unwrap()));
    let port = site.server.origin().rsplit(':').next().unwrap();
    let port = format!("htons({port})");
    let connected: Vec<_> = calls
        .lines()
        .filter(|call| call.contains("sin_port"))
        .collect();
    assert_eq!(connected.len(), 1, "{connected:#?}");
    assert!(connected[0].contains(&port), "{connected:#?}");
}

/// Fails without the lock.
#[test]
fn fifty_processes_renew_a_login_once() {
    let site = Site::start();
    site.log_in("alice");
    succeed(&mut site.command(&["kv", "set", "/a", "1"]));
    let first = site.access_token();
    let asked = site.provider.requests("/token");
    site.let_it_end();
    let running: Vec<_> = (0..50)
        .map(|_| {
            let mut command = site.command(&["kv", "get", "/a"]);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(site.provider.requests("/token"), asked + 1);
    assert_ne!(site.access_token(), first);
    // A refresh token that is used twice would have ended the login.
    site.let_it_end();
    succeed(&mut site.command(&["kv", "get", "/a"]));
    assert_eq!(site.provider.requests("/token"), asked + 2);
}

#[test]
fn a_login_that_cannot_be_kept_is_not_renewed() {
    let site = Site::start();
    site.log_in("alice");
    let asked = site.provider.requests("/token");
    site.let_it_end();
    let lock = site.file().with_extension("lock");
    std::fs::create_dir(&lock).unwrap();
    // The access token still lives, so it is used.
    succeed(&mut site.command(&["kv", "list"]));
    let revocation = ["token", "revoke", "--token", &site.access_token()];
    succeed(&mut site.command(&revocation));
    let (code, said) = status(&mut site.command(&["kv", "list"]));
    assert_eq!(code, 3, "{said}");
    assert_eq!(site.provider.requests("/token"), asked);
}

/// Fails if the new file is made after the issuer has answered.
#[test]
fn a_refresh_token_is_not_used_up_where_the_new_login_can_not_be_written() {
    let site = Site::start();
    site.log_in("alice");
    let (token, asked) = (site.access_token(), site.provider.requests("/token"));
    site.let_it_end();
    let before = site.saved();
    let revocation = ["token", "revoke", "--token", &token];
    succeed(&mut site.command(&revocation));
    // The only files whose mode is changed are those of a new login. A mode of the folder would not stop root.
    let (code, said) = status(&mut site.injected("fchmod:error=EROFS"));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("can't be written"), "{said}");
    assert_eq!(site.provider.requests("/token"), asked);
    assert_eq!(site.saved(), before);
    // The refresh token is still good.
    succeed(&mut site.command(&["kv", "list"]));
    assert_eq!(site.provider.requests("/token"), asked + 1);
}

#[test]
fn a_renewal_that_is_killed_before_it_is_kept_leaves_a_whole_file_and_asks_for_a_login() {
    let site = Site::start();
    site.log_in("alice");
    let (saved, asked) = (site.saved(), site.provider.requests("/token"));
    site.let_it_end();
    let before = site.saved();
    // The file of the new login gets its name by this call, after the provider has answered.
    let mut killed = site.injected("rename,renameat,renameat2:signal=SIGKILL:when=1");
    let ended = killed.stdout(Stdio::null()).status().unwrap();
    assert!(!ended.success(), "{ended}");
    assert_eq!(site.provider.requests("/token"), asked + 1);
    assert_eq!(site.saved(), before);
    // Nobody has the new refresh token, and the old one was used. The access token is good until it ends.
    let revocation = [
        "token",
        "revoke",
        "--token",
        saved["access_token"].as_str().unwrap(),
    ];
    succeed(&mut site.command(&revocation));
    let (code, said) = status(&mut site.command(&["kv", "list"]));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("prominence login"), "{said}");
    assert_eq!(site.saved(), before);
    site.log_in("alice");
    succeed(&mut site.command(&["kv", "list"]));
}

#[test]
fn a_logout_ends_the_login_everywhere() {
    let site = Site::start();
    site.log_in("alice");
    let (token, saved) = (site.access_token(), site.saved());
    succeed(&mut site.command(&["logout"]));
    assert!(!site.file().exists());
    let client = site.server.client("alice").with_token(&token);
    assert_eq!(client.ask("GET", "/whoami", "").0, 401);
    // Somebody has kept a copy.
    std::fs::write(site.file(), saved.to_string()).unwrap();
    site.let_it_end();
    let (code, said) = status(&mut site.command(&["kv", "list"]));
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("your login has ended; run prominence login"),
        "{said}"
    );
    assert_eq!(site.access_token(), token, "the file is whole");
    std::fs::remove_file(site.file()).unwrap();
    assert!(text(succeed(&mut site.command(&["logout"]))).contains("nobody"));
}

/// Fails if the resource of the metadata, or the server of the saved login, is not compared with the address.
#[test]
fn a_login_is_sent_to_its_own_server_alone() {
    let site = Site::start();
    site.log_in("alice");
    let other = Server::start(&[]);
    let mut asked = site.command(&["kv", "list"]);
    let (code, said) = status(asked.env("PROMINENCE_URL", &other.url));
    assert_eq!(code, 3);
    assert!(said.contains("your login is for"), "{said}");
    let mut login = site.command(&["login"]);
    let (code, said) = status(login.env("PROMINENCE_URL", &other.url));
    assert_eq!(code, 3);
    assert!(said.contains("does not say where people log in"), "{said}");
    // Another address of the same server is not the one that its operator has said.
    let alias = site.server.url.replace("127.0.0.1", "localhost");
    let mut login = site.command(&["login"]);
    let (code, said) = status(login.env("PROMINENCE_URL", alias));
    assert_eq!(code, 3);
    assert!(said.contains("is about http://127.0.0.1"), "{said}");
}

#[test]
fn a_client_is_registered_only_if_that_is_asked_for() {
    let site = Site::start();
    let issuer = site.provider.issuer.clone();
    let (code, said) = status(&mut site.command(&["login", "--issuer", &issuer]));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--register"), "{said}");
    let file = site.home.path().join(".prominence/client");
    assert!(!file.exists());
    let mut login = site.command(&["login", "--issuer", &issuer, "--register"]);
    let mut login = login.stderr(Stdio::piped()).spawn().unwrap();
    site.provider.approve(&code_of(&mut login), "alice");
    assert!(login.wait().unwrap().success());
    let client: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(client["client_secret"].is_string());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    succeed(&mut site.command(&["kv", "set", "/a", "1"]));
}
