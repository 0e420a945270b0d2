//! `token create` and `token inspect`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{PROGRAM, Ran, Server, alone, clean, run, run_with_input, save_secret};

fn in_home(home: &std::path::Path, arguments: &[&str]) -> Ran {
    run(clean(PROGRAM, home).args(arguments))
}

#[test]
fn a_token_is_for_a_shell_to_paste_where_that_is_asked_for() {
    let server = Server::start();
    let line = in_home(server.home.path(), &["token", "create", "--export"]).text();
    let token = line.strip_prefix("export PROMINENCE_TOKEN=").unwrap();
    let shown = alone(&["token", "inspect", token.trim()]).text();
    assert!(
        shown.starts_with("user: tester\n"),
        "the system's user: {shown}"
    );
    assert!(
        shown.contains("(in 11h 59m)") || shown.contains("(in 12h 0m)"),
        "{shown}"
    );
}

#[test]
fn the_user_of_the_token_in_the_environment_is_the_default() {
    let server = Server::start();
    let token = server.user("alice").token;
    let mut create = clean(PROGRAM, server.home.path());
    create
        .env("PROMINENCE_TOKEN", token)
        .args(["token", "create"]);
    let token = run(&mut create).text();
    let shown = alone(&["token", "inspect", token.trim()]).text();
    assert!(shown.starts_with("user: alice\n"), "{shown}");
}

#[test]
fn a_secret_alone_is_enough_to_sign_with() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("my.secret");
    save_secret(&secret);
    let path = secret.to_str().unwrap();
    let server = Server::start_with(&["--secret-file", path]);
    let token = in_home(home.path(), &["token", "create", "--secret-file", path]).text();
    let who = ["whoami", "--url", &server.url, "--token", token.trim()];
    assert!(
        in_home(home.path(), &who)
            .text()
            .starts_with("user: tester\n")
    );

    let config = home.path().join("kv.toml");
    std::fs::write(
        &config,
        format!("secret-file = [\"{path}\"]\nlisten = \"0.0.0.0:80\"\n"),
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let token = in_home(home.path(), &["token", "create", "--config", config]).text();
    let who = ["whoami", "--url", &server.url, "--token", token.trim()];
    assert!(
        in_home(home.path(), &who)
            .text()
            .starts_with("user: tester\n")
    );
}

#[test]
fn without_a_secret_it_says_where_it_looked() {
    let complaint = alone(&["token", "create"]).complaint(2);
    assert!(
        complaint.contains("job-token.secret")
            && complaint.contains("--data-dir")
            && complaint.contains("prominence login"),
        "{complaint}"
    );
}

/// Fails if the secret of the server, which can be read here, signs what the caller's token does not allow.
#[test]
fn a_limited_token_is_not_widened_by_a_secret_that_can_be_read_here() {
    let server = Server::start();
    let scope = "storage.read:/x";
    let narrow = in_home(server.home.path(), &["token", "create", "--scope", scope]).text();
    let of_job = in_home(server.home.path(), &["token", "create", "--job", "7"]).text();
    let with = |token: &str, arguments: &[&str]| {
        let mut command = clean(PROGRAM, server.home.path());
        command
            .env("PROMINENCE_URL", &server.url)
            .env("PROMINENCE_TOKEN", token.trim());
        run(command.args(arguments))
    };
    let shown = |token: &str| alone(&["token", "inspect", token.trim()]).text();
    let print = ["exec", "--", "sh", "-c", "echo $PROMINENCE_TOKEN"];
    for words in [&["token", "create"][..], &print] {
        let made = shown(&with(&narrow, words).text());
        assert!(made.contains(&format!("scopes: {scope}\n")), "{made}");
        let made = shown(&with(&of_job, words).text());
        assert!(made.contains("job: 7\n"), "{made}");
    }
    let wider = ["token", "create", "--scope", "storage.modify:/"];
    let complaint = with(&narrow, &wider).complaint(2);
    assert!(complaint.contains("does not have all"), "{complaint}");
    // Whoever names the secret or a user is the operator.
    let made = shown(&with(&narrow, &["token", "create", "--user", "bob"]).text());
    assert!(made.starts_with("user: bob\nissuer"), "{made}");
}

/// Fails if the secret of another server signs, only because it can be read here.
#[test]
fn a_secret_that_was_left_by_another_server_signs_nothing_for_this_one() {
    let (left, site) = (Server::start(), Server::start());
    let eve = site.user("eve");
    left.kill();
    let run_with = |arguments: &[&str]| {
        let mut command = clean(PROGRAM, left.home.path());
        command
            .env("PROMINENCE_URL", &site.url)
            .env("PROMINENCE_TOKEN", &eve.token);
        run(command.args(arguments)).text()
    };
    let made = run_with(&["token", "create", "--job", "7", "--for", "30m"]);
    let who = run_with(&["whoami", "--token", made.trim()]);
    assert!(who.starts_with("user: eve\njob: 7\n"), "{who}");
    let who = run_with(&["exec", "--for", "30m", "--", PROGRAM, "whoami"]);
    assert!(who.starts_with("user: eve\n"), "{who}");
}

#[test]
fn what_is_no_token_can_not_be_revoked() {
    let server = Server::start();
    let alice = server.user("alice");
    for odd in ["", " \n", "a b"] {
        let mut command = alice.command(&["token", "revoke", "--token", "-"]);
        let complaint = run_with_input(&mut command, odd.as_bytes()).complaint(2);
        assert!(complaint.contains("not a token"), "{complaint}");
    }
    let said = alice
        .run(&["token", "revoke", "--token", "e30.e30.AA"])
        .text();
    assert!(said.contains("nothing to revoke"), "{said}");
}

#[test]
fn a_misspelt_scope_never_makes_an_unlimited_token() {
    let server = Server::start();
    for scope in ["storge.read:/in", "read:/in", "", "storage.read"] {
        let arguments = ["token", "create", "--scope", scope];
        let complaint = in_home(server.home.path(), &arguments).complaint(2);
        assert!(
            complaint.contains("storage.read:/PATH"),
            "{scope}: {complaint}"
        );
    }
}

#[test]
fn a_scope_with_a_pattern_or_a_comma_is_refused() {
    let server = Server::start();
    for (scope, advice) in [
        ("storage.read:/a/*", "ends in /"),
        ("storage.read:/a,storage.read:/b", "repeat --scope"),
    ] {
        let arguments = ["token", "create", "--scope", scope];
        let complaint = in_home(server.home.path(), &arguments).complaint(2);
        assert!(complaint.contains(advice), "{scope}: {complaint}");
    }
}

#[test]
fn a_scope_with_white_space_is_refused_and_one_with_an_escape_is_signed_as_it_is() {
    let server = Server::start();
    let home = server.home.path();
    for scope in [
        "storage.read:/a b",
        "storage.read:/a storage.read:/b",
        "storage.read:/a\tb",
        "storage.read:/a ",
    ] {
        let arguments = ["token", "create", "--scope", scope];
        let complaint = in_home(home, &arguments).complaint(2);
        assert!(complaint.contains("%20"), "{scope}: {complaint}");
    }
    server
        .user("tester")
        .kv(&["set", "/a b", "--string", "1"])
        .text();
    let scope = "storage.read:/a%20b";
    let token = in_home(home, &["token", "create", "--scope", scope]).text();
    let shown = alone(&["token", "inspect", token.trim()]).text();
    assert!(shown.contains(&format!("scopes: {scope}\n")), "{shown}");
    let mut get = clean(PROGRAM, home);
    get.env("PROMINENCE_URL", &server.url)
        .env("PROMINENCE_TOKEN", token.trim())
        .args(["kv", "get", "/a b"]);
    assert_eq!(run(&mut get).text(), "1");
}

#[test]
fn a_secret_that_others_can_read_or_guess_is_refused_by_server_and_client() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("my.secret");
    save_secret(&secret);
    let mode = |mode| std::fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
    let path = secret.to_str().unwrap();
    let create = || in_home(home.path(), &["token", "create", "--secret-file", path]);
    let serve = || {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--secret-file", path];
        in_home(home.path(), &arguments)
    };
    create().text();
    mode(0o640);
    for complaint in [create().complaint(2), serve().last_words(1)] {
        assert!(complaint.contains("chmod 600"), "{complaint}");
    }
    mode(0o600);
    std::fs::write(&secret, "x".repeat(32)).unwrap();
    for complaint in [create().complaint(2), serve().last_words(1)] {
        assert!(complaint.contains("random bytes"), "{complaint}");
    }
}

#[test]
fn a_token_that_lasts_longer_than_servers_accept_is_refused_or_told() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("my.secret");
    save_secret(&secret);
    let path = secret.to_str().unwrap();
    let create = |place: [&str; 2], lifetime| {
        let arguments = ["token", "create", place[0], place[1], "--for", lifetime];
        in_home(home.path(), &arguments)
    };
    assert_eq!(create(["--secret-file", path], "30d").stderr, "");
    let told = create(["--secret-file", path], "31d");
    assert_eq!(told.status, 0);
    assert!(
        told.stderr.contains("token-max-lifetime"),
        "{}",
        told.stderr
    );

    let config = home.path().join("kv.toml");
    let text = format!("secret-file = [\"{path}\"]\ntoken-max-lifetime = \"1h\"\n");
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    create(["--config", config], "1h").text();
    let complaint = create(["--config", config], "2h").complaint(2);
    assert!(complaint.contains("token-max-lifetime"), "{complaint}");

    let server = Server::start_with(&["--token-max-lifetime", "1h"]);
    let home = server.home.path();
    let whoami = |lifetime| {
        let token = in_home(home, &["token", "create", "--for", lifetime]).text();
        let who = ["whoami", "--url", &server.url, "--token", token.trim()];
        in_home(home, &who)
    };
    whoami("1h").text();
    let complaint = whoami("61m").complaint(3);
    assert!(complaint.contains("lasts longer than 1h"), "{complaint}");
}

#[test]
fn a_token_is_read_from_argument_standard_input_and_environment() {
    let server = Server::start();
    let me = server.user("me");
    let expected = me.run(&["token", "inspect"]).text();
    assert!(expected.starts_with("user: me\n"), "{expected}");
    assert!(expected.contains("signature: not checked"), "{expected}");
    let home = server.home.path();
    let named = in_home(home, &["token", "inspect", &me.token]).text();
    assert!(named.starts_with("user: me\n"), "{named}");
    let mut inspect = clean(PROGRAM, home);
    inspect.args(["token", "inspect", "-"]);
    let piped = run_with_input(&mut inspect, format!("{}\n", me.token).as_bytes()).text();
    assert!(piped.starts_with("user: me\n"), "{piped}");
    let json = in_home(home, &["token", "inspect", "--json", &me.token]).text();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["header"]["alg"], "HS256");
    assert_eq!(json["claims"]["username"], "me");
}

#[test]
fn an_expired_token_is_shown_as_expired() {
    // {"alg":"HS256"} and {"username":"old\u001b[2J","exp":1000000000}
    let token = "eyJhbGciOiJIUzI1NiJ9.\
                 eyJ1c2VybmFtZSI6Im9sZFx1MDAxYlsySiIsImV4cCI6MTAwMDAwMDAwMH0.c2ln";
    let shown = alone(&["token", "inspect", token]).text();
    assert!(
        shown.contains("expires: 2001-09-09T01:46:40.000Z (expired "),
        "{shown}"
    );
    assert!(
        !shown.contains('\u{1b}'),
        "what it says can't steer a terminal"
    );
}

#[test]
fn what_is_no_token_is_said_to_be_none() {
    let complaint = alone(&["token", "inspect", "opaque"]).complaint(2);
    assert!(complaint.contains("whoami"), "{complaint}");
    let complaint = alone(&["token", "inspect"]).complaint(2);
    assert!(complaint.contains("PROMINENCE_TOKEN"), "{complaint}");
}
