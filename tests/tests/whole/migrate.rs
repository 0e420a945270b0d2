//! `prominence admin migrate`, with 100,000 keys, killed halfway, and with servers afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use prominence_cluster::etcd::{Cluster, Login, Options, Transport};
use prominence_core::clock::ManualClock;
use prominence_core::{
    Clock as _, Commit, Key, Lifetime, Namespace, Operation, Quota, Store as _, Timestamp, Value,
};
use prominence_engines::{EmbeddedStore, embedded};
use prominence_tests::{Server, clean, program, succeed, text};

/// Keys that are migrated.
const KEYS: usize = 100_000;

/// Users who have them.
const USERS: usize = 4;

/// How long a busy machine may take to get halfway.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster of one member, and a folder for everything else.
struct Stage {
    cluster: Cluster,
    home: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::with(Transport::Plain)
    }

    fn with(transport: Transport) -> Self {
        let options = Options {
            nodes: 1,
            transport,
            ..Options::default()
        };
        Self {
            cluster: Cluster::start(&options).unwrap(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn folder(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn at(&self, scheme: &str) -> String {
        let endpoints = self.cluster.endpoints().join(",");
        let members = endpoints.replace("https://", "").replace("http://", "");
        format!("{scheme}://{members}")
    }

    fn migrate(&self, from: &str, to: &str) -> Command {
        let mut command = clean(program(), self.home.path());
        command.args(["admin", "migrate", "--from", from, "--to", to]);
        command
    }

    /// Kills a migration once it is far enough.
    fn kill(&self, from: &str, to: &str, is_far_enough: impl Fn() -> bool) {
        let mut command = self.migrate(from, to);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !is_far_enough() {
            assert!(Instant::now() < deadline, "it gets nowhere");
            assert!(child.try_wait().unwrap().is_none(), "it is done already");
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.code().is_none(), "it was done: {status}");
    }

    /// Entries in the cluster.
    fn entries(&self) -> usize {
        let asked = [
            "get",
            "--prefix",
            "/prominence/kv/",
            "--keys-only",
            "--limit=1",
            "-w",
            "fields",
        ];
        let said = self.cluster.ask(&asked).unwrap();
        let count = said
            .lines()
            .find_map(|line| line.strip_prefix("\"Count\" : "));
        count.map_or(0, |count| count.trim().parse().unwrap())
    }

    /// A server over the cluster, with the secret of the folder.
    fn serve_cluster(&self, secret: &Path) -> Server {
        let endpoints = self.cluster.endpoints().join(",");
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::copy(secret, data.join("job-token.secret")).unwrap();
        let over = ["--engine", "etcd", "--etcd-endpoints", &endpoints];
        Server::start_on(home, data, &over)
    }
}

/// Fills a data folder as a server would, in few commits.
fn fill(folder: &Path, keys: usize) {
    let options = embedded::Options {
        quotas: Quota::UNLIMITED.into(),
        ..embedded::Options::new(folder)
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)));
    let day = clock.now().after(Duration::from_hours(24 * 365 * 100));
    let store = EmbeddedStore::open(options, clock).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let numbers: Vec<_> = (0..keys).collect();
    for some in numbers.chunks(100) {
        let user = Namespace::parse(&format!("user{}", some[0] / 100 % USERS)).unwrap();
        let sets = some.iter().map(|n| Operation::Set {
            key: Key::parse(&format!("/input/{n}")).unwrap(),
            value: Value::stored(format!("{n:0>100}").into()),
            lifetime: match n % 10 {
                0 => Lifetime::Until(day),
                _ => Lifetime::Permanent,
            },
        });
        let commit = Commit::new(Vec::new(), sets.collect()).unwrap();
        runtime.block_on(store.commit(&user, None, commit)).unwrap();
    }
    store.close();
}

/// What a user finds: 99 is the first user's, in the last of the first hundred.
#[track_caller]
fn finds_what_was_there(server: &Server) {
    let found = server.client("user0").ask("GET", "/kv/input/99", "");
    assert_eq!(found, (200, format!("{:0>100}", 99)));
    assert_eq!(server.client("user1").ask("GET", "/kv/input/99", "").0, 404);
    let (_, counted) = server.client("user3").ask("GET", "/kv?list&count", "");
    assert!(counted.contains(&(KEYS / USERS).to_string()), "{counted}");
}

fn timed(what: &str, command: &mut Command) -> String {
    let begun = Instant::now();
    let said = text(succeed(command));
    println!(
        "{what}: {:.1} s for {KEYS} keys",
        begun.elapsed().as_secs_f32()
    );
    said
}

#[test]
fn a_hundred_thousand_keys_go_into_a_cluster_and_back_although_both_are_killed_halfway() {
    let stage = Stage::new();
    let (first, second) = (stage.folder("first"), stage.folder("second"));
    fill(Path::new(&first), KEYS);
    let server = Server::start_on(tempfile::tempdir().unwrap(), stage.path("first"), &[]);
    let secret = stage.path("secret");
    std::fs::copy(server.data().join("job-token.secret"), &secret).unwrap();
    // A server that has the folder.
    let used = stage.migrate(&first, &stage.at("etcd")).output().unwrap();
    let said = String::from_utf8(used.stderr).unwrap();
    assert!(said.contains("in use by process"), "{said}");
    assert_eq!(used.status.code(), Some(3));
    drop(server);

    stage.kill(&first, &stage.at("etcd"), || stage.entries() > KEYS / 4);
    assert!(stage.entries() < KEYS);
    let early = stage.serve_cluster(&secret);
    let asker = early.client("user0").moved(early.origin());
    assert_eq!(asker.ask("GET", "/readyz", "").0, 503);
    drop(early);
    let said = timed(
        "folder to cluster, the rest",
        &mut stage.migrate(&first, &stage.at("etcd")),
    );
    assert!(said.contains("going on where"), "{said}");
    assert!(
        said.contains(&format!("{KEYS} keys of {USERS} users")),
        "{said}"
    );
    let again = timed("compared", &mut stage.migrate(&first, &stage.at("etcd")));
    assert!(again.contains("nothing to do"), "{again}");
    let server = stage.serve_cluster(&secret);
    finds_what_was_there(&server);
    drop(server);
    let other_root = format!("{}/other", stage.at("etcd"));
    timed("folder to cluster", &mut stage.migrate(&first, &other_root));

    let draft = stage.path("second").join("restore.draft/store");
    stage.kill(&stage.at("etcd"), &second, || draft.exists());
    let said = timed(
        "cluster to folder",
        &mut stage.migrate(&stage.at("etcd"), &second),
    );
    assert!(
        said.contains(&format!("{KEYS} keys of {USERS} users")),
        "{said}"
    );
    std::fs::copy(&secret, stage.path("second").join("job-token.secret")).unwrap();
    let server = Server::start_on(tempfile::tempdir().unwrap(), stage.path("second"), &[]);
    finds_what_was_there(&server);
}

#[test]
fn the_existing_services_keys_are_served_to_the_users_that_their_tokens_name() {
    let stage = Stage::new();
    let rows = [
        ("/alice/input/a", "YWxpY2U="),
        ("/alice/lab/input/a", "bGFi"),
        ("/alice/_internal_/x", "eA=="),
        ("/old/a", "b2xk"),
        ("/alice/bad", "no base64"),
    ];
    for (key, value) in rows {
        stage.cluster.ask(&["put", key, value]).unwrap();
    }
    let to = stage.folder("data");
    let run = |users: Option<&str>| {
        let mut command = stage.migrate(&stage.at("existing"), &to);
        if let Some(users) = users {
            std::fs::write(stage.path("users"), users).unwrap();
            command.arg("--users").arg(stage.path("users"));
        }
        command
    };
    let refused = |users: Option<&str>| {
        let done = run(users).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!stage.path("data").exists(), "something was written");
        (said, String::from_utf8(done.stdout).unwrap())
    };
    let (said, listed) = refused(None);
    assert!(said.contains("--users"), "{said}");
    assert!(listed.contains("/alice/_internal_/x"), "{listed}");
    let users = "alice\nalice/lab\nold=new\n";
    let (_, listed) = refused(Some(users));
    assert_eq!(listed, "/alice/bad: the value is not base64\n");
    stage.cluster.ask(&["del", "/alice/bad"]).unwrap();
    let (_, listed) = refused(Some("alice\nalice/lab\n"));
    assert_eq!(listed, "/old/a: it belongs to no user\n");
    let said = text(succeed(&mut run(Some(users))));
    assert!(said.contains("4 keys of 3 users"), "{said}");

    let server = Server::start_on(tempfile::tempdir().unwrap(), stage.path("data"), &[]);
    let get = |user: &str, path: &str| server.client(user).ask("GET", path, "");
    assert_eq!(get("alice", "/kv/input/a"), (200, "alice".to_owned()));
    assert_eq!(get("alice/lab", "/kv/input/a"), (200, "lab".to_owned()));
    assert_eq!(get("alice", "/kv/_internal_/x"), (200, "x".to_owned()));
    assert_eq!(get("new", "/kv/a"), (200, "old".to_owned()));
    assert_eq!(get("old", "/kv/a").0, 404);
    assert_eq!(get("alice", "/kv/lab/input/a").0, 404);
}

#[test]
fn a_cluster_with_certificates_and_logins_is_read_and_written_by_the_options_of_its_side() {
    let mut stage = Stage::with(Transport::Tls);
    let login = Login {
        user: "kv".to_owned(),
        password: "geheim".to_owned(),
    };
    stage.cluster.demand_login(&login, "/prominence").unwrap();
    std::fs::write(stage.path("password"), "geheim\n").unwrap();
    fill(&stage.path("first"), 100);
    let (authority, pair) = stage.cluster.credentials().unwrap();
    let let_in = |side: &str, from: &str, to: &str| {
        let mut command = stage.migrate(from, to);
        let option = |name: &str| format!("--{side}-etcd-{name}");
        command.args([option("user"), "kv".to_owned()]);
        command
            .arg(option("password-file"))
            .arg(stage.path("password"));
        command.arg(option("ca")).arg(&authority);
        command.arg(option("cert")).arg(&pair.certificate);
        command.arg(option("key")).arg(&pair.key);
        text(succeed(&mut command))
    };
    let (first, second) = (stage.folder("first"), stage.folder("second"));
    let said = let_in("to", &first, &stage.at("etcds"));
    assert!(said.contains("100 keys"), "{said}");
    let said = let_in("from", &stage.at("etcds"), &second);
    assert!(said.contains("100 keys"), "{said}");
}

#[test]
fn words_that_make_no_sense_together_are_refused_with_what_to_write() {
    let stage = Stage::new();
    let none = stage.folder("none");
    let cases: [(&[&str], &str, &str, &str); 4] = [
        (
            &["--users", "x"],
            &none,
            "etcd://127.0.0.1:1",
            "leave them out",
        ),
        (
            &["--from-etcd-user", "x"],
            &none,
            "etcd://127.0.0.1:1",
            "leave them out",
        ),
        (&[], &none, "existing://127.0.0.1:1", "--to can't be"),
        (&[], "http://127.0.0.1:1", &none, "existing://HOST:PORT"),
    ];
    for (options, from, to, wanted) in cases {
        let done = stage.migrate(from, to).args(options).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn whoever_looks_after_a_server_over_etcd_is_told_where_its_data_is() {
    let stage = Stage::new();
    let endpoints = stage.cluster.endpoints().join(",");
    let mut server = Server::start(&["--engine", "etcd", "--etcd-endpoints", &endpoints]);
    let config = stage.path("kv.toml");
    let text = format!("engine = \"etcd\"\netcd-endpoints = [\"{endpoints}\"]\n");
    std::fs::write(&config, text).unwrap();
    for (at, command) in [&["usage"][..], &["check"], &["backup", "-"]]
        .iter()
        .enumerate()
    {
        // Running, stopped, and by its settings alone.
        match at {
            1 => assert!(server.terminate().success()),
            2 => std::fs::remove_file(server.data().join("job-token.secret")).unwrap(),
            _ => {}
        }
        let mut admin = clean(program(), server.home());
        admin.arg("admin").args(*command);
        if at == 2 {
            admin.arg("--config").arg(&config);
        }
        let done = admin.arg("--data-dir").arg(server.data()).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(3), "{said}");
        assert!(said.contains("etcdctl snapshot save"), "{said}");
    }
}
