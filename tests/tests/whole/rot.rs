//! A server whose stored data is damaged says so and names the file, instead of serving less.

use std::fs;

use prominence_engines::embedded::check::{FindingKind, Place, check_folder};
use prominence_tests::{Server, refused, segments};

#[test]
fn a_server_does_not_start_on_a_damaged_log_and_says_which_it_is_and_what_to_do() {
    let mut server = Server::start(&[]);
    let client = server.client("alice");
    for n in 0..20 {
        assert_eq!(client.ask("POST", &format!("/kv/k{n}"), "value").0, 201);
    }
    server.kill();

    let segment = segments(server.data(), 1).remove(0);
    let whole = fs::read(&segment).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    fs::write(&segment, &flipped).unwrap();

    let (code, said) = refused(server.home(), server.data(), &[]);
    assert_ne!(code, 0);
    let name = segment.file_name().unwrap().to_str().unwrap();
    for part in [name, "prominence admin check", "prominence admin restore"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(fs::read(&segment).unwrap(), flipped, "it is left alone");

    let report = check_folder(server.data(), &mut |_| {}).unwrap();
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::DamagedFile);
    let place = Place::File(format!("store/log/{name}"));
    assert_eq!(report.findings[0].place, place);

    fs::write(&segment, &whole).unwrap();
    server.restart();
    let client = client.moved(&server.url);
    for n in 0..20 {
        let found = client.ask("GET", &format!("/kv/k{n}"), "");
        assert_eq!(found, (200, "value".into()));
    }
}
