//! `prominence admin`: backups, restores, checks and usage, with and without a server.

mod checking;
mod reaching;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use prominence_tests::{Client, Server, clean, program, succeed, text};

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
    let secret_file = server.data().join("job-token.secret");
    fs::write(&secret_file, secret).unwrap();
    fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o600)).unwrap();
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
