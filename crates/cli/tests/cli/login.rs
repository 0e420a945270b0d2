//! The sources of address and token, and their order.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{PROGRAM, Ran, Server, clean, run};

/// `whoami` with a token file, a token in the environment, and flags.
fn whoami(server: &Server, saved: Option<&str>, variable: Option<&str>, flags: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    if let Some(text) = saved {
        std::fs::create_dir(home.path().join(".prominence")).unwrap();
        let file = home.path().join(".prominence/token");
        std::fs::write(&file, text).unwrap();
        // One that others can read is told (see the tests of profiles).
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    }
    let mut command = clean(PROGRAM, home.path());
    command.env("PROMINENCE_URL", &server.url);
    if let Some(token) = variable {
        command.env("PROMINENCE_TOKEN", token);
    }
    run(command.arg("whoami").args(flags))
}

fn user(ran: Ran) -> String {
    let text = ran.text();
    let line = text.lines().next().unwrap();
    line.strip_prefix("user: ").unwrap().to_owned()
}

#[test]
fn flags_beat_the_environment_and_the_environment_beats_the_file() {
    let server = Server::start();
    let [file, variable, flag] = ["file", "variable", "flag"].map(|name| server.user(name).token);
    let path = server.home.path().join("a-token");
    std::fs::write(&path, format!("{flag}\n")).unwrap();
    let named = ["--token-file", path.to_str().unwrap()];

    assert_eq!(user(whoami(&server, Some(&file), None, &[])), "file");
    assert_eq!(
        user(whoami(&server, Some(&file), Some(&variable), &[])),
        "variable"
    );
    let by_flag = whoami(&server, Some(&file), Some(&variable), &["--token", &flag]);
    assert_eq!(user(by_flag), "flag");
    assert_eq!(user(whoami(&server, None, Some(&variable), &named)), "flag");
    let empty = whoami(&server, Some(&file), Some(""), &[]);
    assert_eq!(user(empty), "file", "an empty variable is none");
}

#[test]
fn a_token_file_holds_the_token_or_the_answer_of_an_oauth_server() {
    let server = Server::start();
    let token = server.user("me").token;
    let json = format!("{{\"access_token\": \"{token}\", \"expires_in\": 3600}}");
    assert_eq!(user(whoami(&server, Some(&json), None, &[])), "me");
    assert_eq!(
        user(whoami(&server, Some(&format!(" {token}\n")), None, &[])),
        "me"
    );
    let other = whoami(&server, Some("{\"id_token\": \"x\"}"), None, &[]).complaint(3);
    assert!(other.contains("access_token"), "{other}");
    let missing = whoami(&server, None, None, &["--token-file", "/no/such"]).complaint(2);
    assert!(missing.contains("/no/such"), "{missing}");
}

#[test]
fn the_url_flag_beats_the_environment() {
    let server = Server::start();
    let token = server.user("me").token;
    let mut command = clean(PROGRAM, server.home.path());
    command
        .env("PROMINENCE_URL", "http://127.0.0.1:1/prominence/v1")
        .env("PROMINENCE_TOKEN", token)
        .args(["kv", "list", "--url", &server.url]);
    assert_eq!(run(&mut command).text(), "");
}

#[test]
fn whoami_says_what_the_server_makes_of_the_token() {
    let server = Server::start();
    let mut mint = clean(PROGRAM, server.home.path());
    mint.args([
        "token", "create", "--user", "me", "--job", "17", "--for", "90m",
    ]);
    mint.args([
        "--scope",
        "storage.read:/in",
        "--scope",
        "storage.modify:/out",
    ]);
    let token = run(&mut mint).text();
    let text = whoami(&server, None, Some(token.trim()), &[]).text();
    assert!(
        text.starts_with("user: me\njob: 17\nscopes: storage.read:/in storage.modify:/out\n"),
        "{text}"
    );
    assert!(text.contains("(in 1h "), "{text}");
    let json = whoami(&server, None, Some(token.trim()), &["--json"]).text();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["job"], "17");
}

#[test]
fn a_server_has_to_prove_who_it_is_unless_that_is_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let certificate = certificate.to_str().unwrap();
    let server = Server::start_with(&[
        "--tls-cert",
        certificate,
        "--tls-key",
        key.to_str().unwrap(),
    ]);
    let url = server.url.replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://localhost:"), "{url}");
    let me = server.user("me");
    let whoami = |name: &str, value: &str| {
        let mut command = me.command(&["whoami", "--url", &url]);
        run(command.env(name, value))
    };
    assert_eq!(user(whoami("SSL_CERT_FILE", certificate)), "me");
    assert_eq!(user(whoami("PROMINENCE_SSL_VERIFY", "False")), "me");
    // Any other list of authorities does not know this server.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let others = folder.path().join("others.pem");
    std::fs::write(&others, other.cert.pem()).unwrap();
    let complaint = whoami("SSL_CERT_FILE", others.to_str().unwrap()).complaint(3);
    assert!(complaint.contains("certificate"), "{complaint}");
}
