//! Data folders that are missing, locked, foreign, read-only or full.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use prominence_tests::{Server, refused, succeed};

#[test]
fn a_missing_folder_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("not/yet/there");
    let server = Server::start_on(home, data.clone(), &[]);
    assert_eq!(server.client("a").ask("POST", "/kv/x", "1").0, 201);
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let secret = data.join("job-token.secret").metadata().unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    let listening = std::fs::read_to_string(data.join("listening")).unwrap();
    assert_eq!(listening.trim(), server.url);
}

#[test]
fn a_folder_in_use_is_refused_and_its_user_named() {
    let server = Server::start(&[]);
    let (code, complaint) = refused(server.home(), server.data(), &[]);
    assert_eq!(code, 1, "{complaint}");
    assert!(complaint.contains(&server.pid().to_string()), "{complaint}");
    assert_eq!(server.client("a").ask("POST", "/kv/x", "1").0, 201);
}

#[test]
fn a_folder_of_another_format_or_of_something_else_is_refused_untouched() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    drop(Server::start_on(
        tempfile::tempdir().unwrap(),
        data.clone(),
        &[],
    ));
    std::fs::write(data.join("FORMAT"), "prominence-kv 999\n").unwrap();
    let (code, complaint) = refused(home.path(), &data, &[]);
    assert_eq!(code, 1, "{complaint}");
    assert!(complaint.contains("999"), "{complaint}");

    let foreign = home.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.txt"), "years of work").unwrap();
    let (code, complaint) = refused(home.path(), &foreign, &[]);
    assert_eq!(code, 1, "{complaint}");
    assert_eq!(
        std::fs::read_dir(&foreign).unwrap().count(),
        1,
        "nothing was added"
    );

    let (code, complaint) = refused(home.path(), &foreign.join("thesis.txt"), &[]);
    assert_eq!(code, 1, "{complaint}");
    assert!(complaint.contains("thesis.txt"), "{complaint}");
}

/// A small file system of its own.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path, options: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at);
        let done = mount.output().expect("mount can be run");
        assert!(
            done.status.success(),
            "this test has to be root to mount a small disk: {done:?}"
        );
        Self(at)
    }

    fn remount(&self, options: &str) {
        succeed(
            Command::new("mount")
                .args(["-o", &format!("remount,{options}")])
                .arg(self.0),
        );
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_read_only_folder_is_refused_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("disk");
    let disk = Disk::mount(&place, "size=1m");
    disk.remount("ro");
    let (code, complaint) = refused(home.path(), &place.join("data"), &[]);
    assert_eq!(code, 1, "{complaint}");
    assert!(
        complaint.to_lowercase().contains("read-only"),
        "{complaint}"
    );
}

#[test]
fn on_a_full_disk_writes_are_refused_reads_go_on_and_writes_return_with_the_room() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("disk");
    let disk = Disk::mount(&place, "size=160m");
    let server = Server::start_on(
        tempfile::tempdir().unwrap(),
        place.join("data"),
        &["--min-free-disk", "16MiB"],
    );
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/before", "kept").0, 201);

    // Somebody else fills the disk.
    let ballast = place.join("ballast");
    let mut fill = Command::new("dd");
    fill.args(["if=/dev/zero", "bs=1M", "status=none"])
        .arg(format!("of={}", ballast.display()));
    assert!(
        !fill.output().unwrap().status.success(),
        "dd ends where the disk does"
    );

    let (status, reason) = client.ask("POST", "/kv/during", "x");
    assert!(matches!(status, 503 | 507), "{status} {reason}");
    assert!(reason.contains("disk"), "{reason}");
    assert_eq!(client.ask("GET", "/kv/before", ""), (200, "kept".into()));
    assert_eq!(client.ask("GET", "/kv?list", "").0, 200);
    assert_eq!(client.ask("GET", "/kv/during", "").0, 404);

    std::fs::remove_file(&ballast).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.ask("POST", "/kv/after", "x").0 != 201 {
        assert!(
            Instant::now() < deadline,
            "writes work again once there is room"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(client.ask("GET", "/kv/before", ""), (200, "kept".into()));
    drop(server);
    drop(disk);
}
