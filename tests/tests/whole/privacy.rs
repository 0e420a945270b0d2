//! The data folder and other users of the machine: they can neither look into it nor put anything there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use prominence_tests::{Server, clean, program, refused};

/// The mode bits of the owner's group and of all others.
const OTHERS: u32 = 0o077;

/// Another user of the machine.
const SOMEBODY: u32 = 12_345;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives a file or folder to another user.
fn give_away(path: &Path) {
    chown(path, Some(SOMEBODY), Some(SOMEBODY)).expect("this test has to be run as root");
}

fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let below: Vec<_> = paths
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|path| everything_below(path))
        .collect();
    [paths, below].concat()
}

#[test]
fn other_users_can_open_nothing_in_a_data_folder_whatever_the_umask() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut serve = clean("sh", home.path());
    serve.args([
        "-c",
        "umask 000 && exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \"$1\"",
    ]);
    serve.arg(program()).arg(&data);
    let mut server = serve
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !data.join("listening").exists() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the server did not start"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let open: Vec<_> = everything_below(&data)
        .into_iter()
        .filter(|path| mode(path) & OTHERS != 0)
        .collect();
    assert_eq!(open, Vec::<PathBuf>::new());
    let files = everything_below(&data.join("store"));
    assert!(files.len() > 5, "{files:?}");
    let ended = Command::new("kill").arg(server.id().to_string()).status();
    assert!(ended.unwrap().success());
    server.wait().unwrap();
}

#[test]
fn a_folder_that_others_could_look_into_is_closed_at_the_start() {
    for open in [0o755, 0o777, 0o750] {
        let mut server = Server::start(&[]);
        assert_eq!(server.client("a").ask("POST", "/kv/x", "1").0, 201);
        server.terminate();
        set_mode(server.data(), open);
        server.restart();
        assert_eq!(mode(server.data()), 0o700, "{open:o}");
        assert_eq!(server.client("a").ask("GET", "/kv/x", "").1, "1");
    }
}

#[test]
fn a_folder_of_another_user_is_refused_and_so_is_what_another_user_put_into_ones_own() {
    let home = tempfile::tempdir().unwrap();
    let theirs = home.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    give_away(&theirs);
    let (code, complaint) = refused(home.path(), &theirs, &[]);
    assert_eq!(code, 1, "{complaint}");
    assert!(complaint.contains("12345"), "{complaint}");
    assert_eq!(
        fs::read_dir(&theirs).unwrap().count(),
        0,
        "nothing was made"
    );

    let own = home.path().join("own");
    fs::create_dir(&own).unwrap();
    set_mode(&own, 0o777);
    let planted = own.join("job-token.secret");
    fs::write(&planted, "a secret of 32 bytes that I know").unwrap();
    set_mode(&planted, 0o600);
    give_away(&planted);
    let (code, complaint) = refused(home.path(), &own, &[]);
    assert_eq!(code, 1, "{complaint}");
    let named = complaint.contains("job-token.secret") && complaint.contains("12345");
    assert!(named, "{complaint}");
}

#[test]
fn a_folder_that_all_users_share_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let shared = home.path().join("tmp");
    fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o1777);
    let (code, complaint) = refused(home.path(), &shared, &[]);
    assert_eq!(code, 1, "{complaint}");
    assert!(complaint.contains("all users share"), "{complaint}");
    assert_eq!(mode(&shared), 0o1777);
}

#[test]
fn links_in_the_place_of_files_that_a_start_writes_lead_nowhere() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("target");
    fs::write(&target, "kept").unwrap();
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    set_mode(&data, 0o700);
    symlink(&target, data.join("FORMAT.new")).unwrap();
    let mut server = Server::start_on(home, data, &[]);
    server.terminate();
    for name in ["listening.new", "admin.sock.new", "job-token.new"] {
        symlink(server.home().join("target"), server.data().join(name)).unwrap();
    }
    server.restart();
    server.terminate();
    let lock = server.data().join("LOCK");
    fs::remove_file(&lock).unwrap();
    symlink(server.home().join("target"), &lock).unwrap();
    let (code, complaint) = refused(server.home(), server.data(), &[]);
    assert_eq!(code, 1, "{complaint}");
    assert!(complaint.contains("LOCK"), "{complaint}");
    fs::remove_file(&lock).unwrap();
    // A store works without its clock's note.
    let clock = server.data().join("CLOCK");
    fs::remove_file(&clock).unwrap();
    symlink(server.home().join("target"), &clock).unwrap();
    server.restart();
    server.terminate();
    let target = server.home().join("target");
    assert_eq!(fs::read_to_string(target).unwrap(), "kept");
}
