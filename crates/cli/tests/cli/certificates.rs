//! Servers with certificates of every kind, and what is said of those that are not accepted.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use crate::support::{Ran, Server, run};

/// A certificate authority of a site, and files that it makes.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        Self { folder, issuer }
    }

    /// Its own certificate.
    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server with a certificate that it has signed.
    fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serve(self.folder.path(), &certificate.pem(), &key)
    }
}

fn serve(folder: &Path, certificate: &str, key: &KeyPair) -> Server {
    let (certificate_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate_file, certificate).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    Server::start_with(&[
        "--tls-cert",
        certificate_file.to_str().unwrap(),
        "--tls-key",
        key_file.to_str().unwrap(),
    ])
}

/// Asks a server by the name `localhost`, with a changed environment and flags.
fn list(server: &Server, flags: &[&str], change: impl FnOnce(&mut Command)) -> Ran {
    let me = server.user("me");
    let url = server.url.replace("127.0.0.1", "localhost");
    let mut command = me.command(&["kv", "list", "--count", "--url", &url]);
    change(&mut command);
    run(command.args(flags))
}

/// The message about a server's certificate where the site's authority is known.
fn complaint(server: &Server, authority: &Path) -> String {
    let complaint = list(server, &["--ca-file", authority.to_str().unwrap()], |_| {});
    let complaint = complaint.complaint(3);
    assert!(complaint.contains("; "), "without a next step: {complaint}");
    for debug in ["other(", "Error", "Der", "{"] {
        assert!(!complaint.contains(debug), "{complaint}");
    }
    complaint
}

#[test]
fn the_authority_of_a_site_is_named_by_flag_or_environment() {
    let authority = Authority::new();
    let server = authority.server("localhost", |_| {});
    let file = authority.file();
    let name = file.to_str().unwrap();
    let unknown = list(&server, &[], |_| {}).complaint(3);
    assert!(
        unknown.contains("pass its file with --ca-file"),
        "{unknown}"
    );
    assert_eq!(list(&server, &["--ca-file", name], |_| {}).text(), "0\n");
    for variable in ["PROMINENCE_CA_FILE", "SSL_CERT_FILE"] {
        let found = list(&server, &[], |command| {
            command.env(variable, &file);
        });
        assert_eq!(found.text(), "0\n", "{variable}");
    }
    // Flags beat the environment.
    let other = Authority::new().file();
    let found = list(&server, &["--ca-file", name], |command| {
        command.env("PROMINENCE_CA_FILE", other);
    });
    assert_eq!(found.text(), "0\n");
    let others = Authority::new();
    let refused = list(
        &server,
        &["--ca-file", others.file().to_str().unwrap()],
        |command| {
            command.env("PROMINENCE_SSL_VERIFY", "False");
        },
    );
    refused.complaint(3);
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_named() {
    let authority = Authority::new();
    let server = authority.server("localhost", |_| {});
    let empty = authority.folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for (file, word) in [
        ("/no/such/ca.pem", "No such file"),
        (empty.to_str().unwrap(), "PEM form"),
    ] {
        let complaint = list(&server, &["--ca-file", file], |_| {}).complaint(2);
        assert!(
            complaint.contains(file) && complaint.contains(word),
            "{complaint}"
        );
    }
    // A machine without any authorities, as small containers are.
    let complaint = list(&server, &[], |command| {
        command.env("SSL_CERT_FILE", "/no/such/ca.pem");
    });
    let complaint = complaint.complaint(3);
    assert!(
        complaint.contains("ca-certificates") && complaint.contains("--ca-file"),
        "{complaint}"
    );
}

#[test]
fn each_fault_of_a_certificate_has_its_sentence() {
    let authority = Authority::new();
    let file = authority.file();
    let other = authority.server("kv.example.org", |_| {});
    let text = complaint(&other, &file);
    assert!(
        text.contains("not for localhost, but for kv.example.org"),
        "{text}"
    );

    let expired = authority.server("localhost", |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let text = complaint(&expired, &file);
    assert!(text.contains("has expired"), "{text}");

    let early = authority.server("localhost", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
    });
    let text = complaint(&early, &file);
    assert!(text.contains("not valid yet"), "{text}");

    let stranger = Authority::new();
    let text = complaint(&stranger.server("localhost", |_| {}), &file);
    assert!(text.contains("--ca-file"), "{text}");

    // Without subjectAltName, as old instructions for openssl make them.
    let nameless = authority.server("localhost", |params| {
        params.subject_alt_names.clear();
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
    });
    let text = complaint(&nameless, &file);
    assert!(
        text.contains("has no subjectAltName") && text.contains("subjectAltName=DNS:localhost"),
        "{text}"
    );

    // As `openssl req -x509` makes them.
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().pem();
    let server = serve(folder.path(), &certificate, &key);
    let text = complaint(&server, &folder.path().join("cert.pem"));
    assert!(text.contains("CA:FALSE"), "{text}");

    // Self-signed, with one of the same name that was made before.
    let old = folder.path().join("old.pem");
    std::fs::write(&old, self_signed(&KeyPair::generate().unwrap())).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = serve(folder.path(), &self_signed(&key), &key);
    let text = complaint(&server, &old);
    assert!(
        text.contains("another one of the same name") && text.contains("--ca-file"),
        "{text}"
    );
    let present = folder.path().join("cert.pem");
    let found = list(&server, &["--ca-file", present.to_str().unwrap()], |_| {});
    assert_eq!(found.text(), "0\n");
}

/// A certificate of a server's own, as it is made without an authority.
fn self_signed(key: &KeyPair) -> String {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    params.self_signed(key).unwrap().pem()
}

#[test]
fn a_file_of_authorities_that_is_given_for_a_server_without_tls_is_told_to_be_unused() {
    let server = Server::start();
    let me = server.user("me");
    let mut list = me.command(&["kv", "list", "--count", "--ca-file", "/no/such/ca.pem"]);
    let ran = run(&mut list);
    assert_eq!(
        (ran.status, ran.stdout.as_slice()),
        (0, &b"0\n"[..]),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("--ca-file is not used") && ran.stderr.contains("https://"),
        "{ran:?}"
    );
    // A variable is often set for all servers of a site.
    let mut list = me.command(&["kv", "list", "--count"]);
    list.env("PROMINENCE_CA_FILE", "/no/such/ca.pem");
    assert_eq!(run(&mut list).text(), "0\n");
}

#[test]
fn http_and_https_that_meet_are_told_apart() {
    let plain = Server::start();
    let me = plain.user("me");
    let url = plain.url.replace("http://", "https://");
    let authority = Authority::new();
    let file = authority.file();
    let ask = [
        "kv",
        "list",
        "--url",
        &url,
        "--ca-file",
        file.to_str().unwrap(),
    ];
    let complaint = me.run(&ask).complaint(3);
    assert!(
        complaint.contains("write http:// instead of https://"),
        "{complaint}"
    );

    let encrypted = authority.server("localhost", |_| {});
    let url = encrypted.url.replace("https://", "http://");
    let me = encrypted.user("me");
    let complaint = me
        .run(&["kv", "list", "--url", &url, "--retry-for", "0"])
        .complaint(3);
    assert!(complaint.contains("https"), "{complaint}");
}
