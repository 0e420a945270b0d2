//! `prominence admin`: backups, restores, checks and usage, with and without a server.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use prominence_tests::{Client, Server, clean, program, succeed, text};

/// Nobody's id, on every system.
const NOBODY: u32 = 65_534;

fn admin(home: &Path, arguments: &[&str], data: &Path) -> Command {
    let mut command = clean(program(), home);
    command.arg("admin").args(arguments);
    command.arg("--data-dir").arg(data);
    command
}

/// Runs a command that has to fail with one sentence, which is answered.
#[track_caller]
fn refused(command: &mut Command, status: i32) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    complaint(&output, status)
}

#[track_caller]
fn complaint(output: &Output, status: i32) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("prominence: ") && said.contains("; "),
        "{said}"
    );
    said
}

fn json(output: Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything that a user can see, metadata included.
fn everything(client: &Client) -> (u16, String) {
    client.ask("GET", "/kv?list&detail&values", "")
}

fn fill(client: &Client, keys: u32, value: &str) {
    for n in 0..keys {
        assert_eq!(client.ask("POST", &format!("/kv/k{n}"), value).0, 201);
    }
}

#[test]
fn a_backup_under_load_has_all_that_was_acknowledged_and_no_commit_by_halves() {
    let mut server = Server::start(&[]);
    let client = server.client("alice");
    let reader = server.client("bob");
    assert_eq!(reader.ask("POST", "/kv/kept?ttl=1h", "of bob").0, 201);
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let file = server.home().join("backup");
    let before = thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1_u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                round(&client, n);
                done.store(n, Ordering::Relaxed);
            }
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        while done.load(Ordering::Relaxed) < 20 {
            if Instant::now() > deadline {
                stop.store(true, Ordering::Relaxed);
                panic!("there is no load");
            }
            thread::sleep(Duration::from_millis(1));
        }
        let before = done.load(Ordering::Relaxed);
        let made = admin(
            server.home(),
            &["backup", file.to_str().unwrap()],
            server.data(),
        )
        .output();
        stop.store(true, Ordering::Relaxed);
        let made = made.unwrap();
        assert!(made.status.success(), "{made:?}");
        before
    });
    let bob = everything(&reader);
    assert!(done.load(Ordering::Relaxed) >= before);
    let names = fs::read_dir(server.home()).unwrap();
    assert_eq!(names.count(), 2, "the backup and the data, and no draft");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let secret = fs::read(server.data().join("job-token.secret")).unwrap();
    server.kill();
    fs::remove_dir_all(server.data()).unwrap();
    fs::create_dir(server.data()).unwrap();
    fs::write(server.data().join("job-token.secret"), secret).unwrap();
    let restored = succeed(&mut admin(
        server.home(),
        &["restore", file.to_str().unwrap()],
        server.data(),
    ));
    assert!(text(restored).contains("of 2 users"));
    server.restart();
    assert_eq!(everything(&reader.moved(&server.url)), bob);
    let client = client.moved(&server.url);
    let n: u64 = client.ask("GET", "/kv/n", "").1.parse().unwrap();
    assert!(n >= before, "{n} is older than {before}");
    // A deletion that was seen by halves would leave some of the later keys alone.
    let (_, listed) = client.ask("GET", "/kv/x/?list&values", "");
    let listed: Vec<BTreeMap<String, String>> = serde_json::from_str(&listed).unwrap();
    for (place, (key, value)) in listed.into_iter().flatten().enumerate() {
        assert_eq!((key, value), (format!("/x/{place}"), n.to_string()));
    }
}

/// Writes keys one after another, and deletes them in one commit.
fn round(client: &Client, n: u64) {
    let value = n.to_string();
    assert!(matches!(client.ask("POST", "/kv/n", &value).0, 200 | 201));
    for place in 0..8 {
        let key = format!("/kv/x/{place}");
        assert_eq!(client.ask("POST", &key, &value).0, 201);
    }
    assert_eq!(client.ask("DELETE", "/kv/x/?prefix", "").0, 200);
}

#[test]
fn a_restored_store_is_identical_and_goes_on_where_it_was() {
    let server = Server::start(&[]);
    let client = server.client("alice");
    fill(&client, 30, "value");
    assert_eq!(client.ask("POST", "/kv/soon?ttl=1h", "x").0, 201);
    assert_eq!(client.ask("DELETE", "/kv/k3", "").0, 200);
    let file = server.home().join("backup");
    let to = file.to_str().unwrap();
    succeed(&mut admin(server.home(), &["backup", to], server.data()));
    let seen = (everything(&client), client.ask("GET", "/kv?usage", ""));

    let other = server.home().join("other");
    succeed(&mut admin(server.home(), &["restore", to], &other));
    // A backup of what was restored differs in nothing but when it was made.
    let again = server.home().join("again");
    succeed(&mut admin(
        server.home(),
        &["backup", again.to_str().unwrap()],
        &other,
    ));
    let (first, second) = (fs::read(&file).unwrap(), fs::read(&again).unwrap());
    let records = 28..first.len() - 16;
    assert!(
        first[records.clone()] == second[records],
        "the records differ"
    );

    let secret = server.data().join("job-token.secret");
    fs::copy(secret, other.join("job-token.secret")).unwrap();
    let copy = Server::start_on(tempfile::tempdir().unwrap(), other, &[]);
    let moved = client.moved(&copy.url);
    assert_eq!(
        (everything(&moved), moved.ask("GET", "/kv?usage", "")),
        seen
    );
    assert_eq!(moved.ask("POST", "/kv/new", "x").0, 201);
}

#[test]
fn a_backup_is_not_written_over_what_is_there_unless_told_so() {
    let server = Server::start(&[]);
    let file = server.home().join("backup");
    fs::write(&file, "precious").unwrap();
    let to = file.to_str().unwrap();
    let said = refused(&mut admin(server.home(), &["backup", to], server.data()), 2);
    assert!(said.contains("--force"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    succeed(&mut admin(
        server.home(),
        &["backup", to, "--force"],
        server.data(),
    ));
    succeed(&mut admin(
        server.home(),
        &["check", "--backup", to],
        server.data(),
    ));

    let home = server.home().to_str().unwrap();
    refused(
        &mut admin(server.home(), &["backup", home, "--force"], server.data()),
        2,
    );
    let nowhere = "/nonexistent/backup";
    refused(
        &mut admin(server.home(), &["backup", nowhere], server.data()),
        3,
    );
}

#[test]
fn a_backup_for_which_there_is_no_room_leaves_nothing_behind() {
    let server = Server::start(&[]);
    fill(&server.client("alice"), 1, &"x".repeat(16_000));
    let mut command = admin(server.home(), &["backup", "-"], server.data());
    command.stdout(
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap(),
    );
    let said = complaint(&command.output().unwrap(), 3);
    assert!(said.contains("No space left"), "{said}");
}

#[test]
fn a_damaged_a_truncated_and_a_foreign_file_are_refused_with_the_place() {
    let server = Server::start(&[]);
    fill(&server.client("alice"), 3, "value");
    let file = server.home().join("backup");
    succeed(&mut admin(
        server.home(),
        &["backup", file.to_str().unwrap()],
        server.data(),
    ));
    let whole = fs::read(&file).unwrap();
    let new = server.home().join("new");
    let try_with = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let from = file.to_str().unwrap();
        let restore = refused(&mut admin(server.home(), &["restore", from], &new), 1);
        let check = refused(
            &mut admin(server.home(), &["check", "--backup", from], &new),
            1,
        );
        assert_eq!(restore, check);
        let output = admin(server.home(), &["check", "--json", "--backup", from], &new).output();
        assert_eq!(json(output.unwrap())["clean"], false);
        assert!(!new.join("FORMAT").exists() && !new.join("store").exists());
        restore
    };
    let mut damaged = whole.clone();
    damaged[100] ^= 4;
    assert!(try_with(&damaged).contains("damaged at byte "));
    let cut = &whole[..whole.len() - 3];
    let place = format!("ends at byte {}", cut.len());
    assert!(try_with(cut).contains(&place));
    assert!(try_with(b"PK\x03\x04").contains("not a backup"));
    fs::write(&file, &whole).unwrap();
    succeed(&mut admin(
        server.home(),
        &["restore", file.to_str().unwrap()],
        &new,
    ));
}

#[test]
fn a_folder_that_holds_anything_is_not_restored_into() {
    let server = Server::start(&[]);
    let client = server.client("alice");
    fill(&client, 1, "value");
    let file = server.home().join("backup");
    let from = file.to_str().unwrap();
    succeed(&mut admin(server.home(), &["backup", from], server.data()));
    let said = refused(
        &mut admin(server.home(), &["restore", from], server.data()),
        2,
    );
    assert!(said.contains("holds a store"), "{said}");
    assert_eq!(client.ask("GET", "/kv/k0", "").0, 200);
    let said = refused(
        &mut admin(server.home(), &["restore", from], server.home()),
        2,
    );
    assert!(said.contains("empty"), "{said}");
    let missing = refused(
        &mut admin(server.home(), &["restore", "/nowhere"], server.home()),
        3,
    );
    assert!(missing.contains("/nowhere"), "{missing}");
}

#[test]
fn a_backup_goes_through_a_pipe() {
    let server = Server::start(&[]);
    fill(&server.client("alice"), 10, "value");
    let new = server.home().join("new");
    let pipe = format!(
        "{0} admin backup - --data-dir {1} | {0} admin restore - --data-dir {2}",
        program().display(),
        server.data().display(),
        new.display()
    );
    let done = succeed(clean("sh", server.home()).args(["-c", &pipe]));
    assert!(text(done).contains("restored 10 keys"));
}

#[test]
fn check_and_usage_answer_the_same_with_a_server_and_without() {
    let mut server = Server::start(&[]);
    fill(&server.client("alice"), 5, "value");
    fill(&server.client("bob"), 2, &"x".repeat(1_000));
    let ask = |arguments: &[&str]| {
        let done = succeed(&mut admin(server.home(), arguments, server.data()));
        text(done)
    };
    let questions: [&[&str]; 5] = [
        &["check"],
        &["check", "--json"],
        &["usage"],
        &["usage", "--json", "--sort", "keys"],
        &["usage", "--limit", "1", "--sort", "name"],
    ];
    let live: Vec<_> = questions.iter().map(|words| ask(words)).collect();
    assert!(live[0].contains("checked 7 keys of 2 users"), "{}", live[0]);
    assert!(live[0].contains("nothing is damaged"), "{}", live[0]);
    let check: serde_json::Value = serde_json::from_str(&live[1]).unwrap();
    assert_eq!(
        (&check["clean"], &check["entries"]),
        (&true.into(), &7.into())
    );
    let lines: Vec<_> = live[2]
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let lines: Vec<Vec<&str>> = lines;
    assert_eq!(lines[0], ["BYTES", "KEYS", "USER"]);
    assert_eq!(lines[1], ["2006", "2", "bob"]);
    assert_eq!(lines[2], ["40", "5", "alice"]);
    assert_eq!(lines[3][..3], ["2046", "7", "all"]);
    let usage: serde_json::Value = serde_json::from_str(&live[3]).unwrap();
    assert_eq!(usage["namespaces"][0]["namespace"], "alice");
    assert_eq!(usage["total_bytes"], 2_046);
    assert!(
        live[4].contains("alice") && !live[4].contains("bob"),
        "{}",
        live[4]
    );

    assert!(server.terminate().success());
    assert!(!server.data().join("admin.sock").exists());
    let ask = |arguments: &[&str]| {
        let done = succeed(&mut admin(server.home(), arguments, server.data()));
        text(done)
    };
    let offline: Vec<_> = questions.iter().map(|words| ask(words)).collect();
    assert_eq!(live, offline);
}

#[test]
fn damage_to_stored_data_is_found_without_a_server() {
    let mut server = Server::start(&[]);
    fill(&server.client("alice"), 20, &"x".repeat(10_000));
    let file = server.home().join("backup");
    succeed(&mut admin(
        server.home(),
        &["backup", file.to_str().unwrap()],
        server.data(),
    ));
    server.kill();
    // A restored store has its data in tables, where bits rot unseen by the journal.
    let new = server.home().join("new");
    succeed(&mut admin(
        server.home(),
        &["restore", file.to_str().unwrap()],
        &new,
    ));
    let table = largest_file(&new.join("store/keyspaces"));
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&table, bytes).unwrap();
    let output = admin(server.home(), &["check", "--json"], &new)
        .output()
        .unwrap();
    complaint(&output, 1);
    let report = json(output);
    assert_eq!(report["clean"], false);
    assert!(
        !report["findings"].as_array().unwrap().is_empty(),
        "{report}"
    );
    refused(
        &mut admin(server.home(), &["backup", "/tmp/never-made"], &new),
        1,
    );
    assert!(!Path::new("/tmp/never-made").exists());
}

fn largest_file(folder: &Path) -> PathBuf {
    let mut largest = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                largest.insert(path.metadata().unwrap().len(), path);
            }
        }
    }
    largest.pop_last().unwrap().1
}

#[test]
fn the_socket_is_its_owners_alone() {
    let server = Server::start(&[]);
    let socket = server.data().join("admin.sock").metadata().unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    // Let somebody else as far as the socket itself.
    let public = server.home().join("prominence");
    fs::copy(program(), &public).unwrap();
    for path in [server.home(), server.data(), public.as_path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut other = clean(&public, server.home());
    other
        .args(["admin", "usage", "--data-dir"])
        .arg(server.data());
    let said = refused(other.uid(NOBODY).gid(NOBODY), 3);
    assert!(said.contains("this user may not use"), "{said}");
}

#[test]
fn a_folder_with_a_path_longer_than_a_socket_address_is_served_too() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("deep/".repeat(30)).join("data");
    assert!(data.as_os_str().len() > 108);
    let mut server = Server::start_on(home, data, &[]);
    fill(&server.client("alice"), 1, "value");
    let ask = |server: &Server| {
        text(succeed(&mut admin(
            server.home(),
            &["usage"],
            server.data(),
        )))
    };
    assert!(server.data().join("admin.sock").exists());
    let live = ask(&server);
    assert!(live.contains("alice"), "{live}");
    assert!(server.terminate().success());
    assert_eq!(ask(&server), live);
}

#[test]
fn the_socket_of_a_killed_server_is_in_nobodys_way() {
    let mut server = Server::start(&[]);
    fill(&server.client("alice"), 1, "value");
    server.kill();
    assert!(server.data().join("admin.sock").exists());
    let usage = |server: &Server| {
        text(succeed(&mut admin(
            server.home(),
            &["usage"],
            server.data(),
        )))
    };
    let offline = usage(&server);
    assert!(offline.contains("alice"), "{offline}");
    server.restart();
    assert_eq!(usage(&server), offline);
}

#[test]
fn a_server_without_its_socket_is_named_by_its_process() {
    let server = Server::start(&[]);
    fs::remove_file(server.data().join("admin.sock")).unwrap();
    let said = refused(&mut admin(server.home(), &["check"], server.data()), 3);
    assert!(
        said.contains(&format!("process {}", server.pid())),
        "{said}"
    );
    let nowhere = server.home().join("nowhere");
    let said = refused(&mut admin(server.home(), &["check"], &nowhere), 3);
    assert!(
        said.contains("there is no store") && !nowhere.exists(),
        "{said}"
    );
}

#[test]
fn a_server_that_stops_during_a_backup_ends_it_with_an_error() {
    let mut server = Server::start(&[]);
    let client = server.client("alice");
    // More than all buffers on the way hold.
    fill(&client, 1_000, &"x".repeat(16_000));
    let mut command = admin(server.home(), &["backup", "-"], server.data());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first byte says that it is under way; nobody takes the rest until the server is gone.
    let mut first = [0];
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
    assert!(server.terminate().success());
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stdout, &mut rest).unwrap();
    assert!(rest.len() < 16_000_000, "it was not broken off");
    let said = complaint(&child.wait_with_output().unwrap(), 3);
    assert!(said.contains("broke off"), "{said}");
    let file = server.home().join("short");
    fs::write(&file, [first.as_slice(), &rest].concat()).unwrap();
    let check = ["check", "--backup", file.to_str().unwrap()];
    let said = refused(&mut admin(server.home(), &check, server.data()), 1);
    assert!(said.contains("before its end mark"), "{said}");
}
