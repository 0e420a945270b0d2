//! How a running server is reached: through its socket, and by nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use prominence_tests::{Server, clean, program, succeed, text};

use super::{admin, complaint, fill, refused};

/// Nobody's id, on every system.
const NOBODY: u32 = 65_534;

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
