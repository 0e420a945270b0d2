//! Profiles of the client file: what they set, what wins over them, and what is wrong with one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{PROGRAM, Ran, Server, alone, clean, run};

/// Somebody's home, with a client file.
struct Home(TempDir);

impl Home {
    fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(home.file(".config/prominence")).unwrap();
        std::fs::write(home.file(".config/prominence/config.toml"), config).unwrap();
        home
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// A file that only its owner can read, or that others can read as well.
    fn write(&self, name: &str, text: &str, mode: u32) {
        let file = self.file(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(PROGRAM, self.0.path());
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }
}

fn user(ran: Ran) -> String {
    let text = ran.text();
    let line = text.lines().next().unwrap();
    line.strip_prefix("user: ").unwrap().to_owned()
}

/// The value of a setting and where it comes from, as `prominence config --json` shows them.
fn setting(ran: Ran, name: &str) -> (Option<String>, Option<String>) {
    let shown: serde_json::Value = serde_json::from_str(&ran.text()).unwrap();
    let settings = shown["settings"].as_array().unwrap();
    let one = settings.iter().find(|one| one["name"] == name).unwrap();
    let text = |field: &str| one[field].as_str().map(str::to_owned);
    (text("value"), text("from"))
}

#[test]
fn a_profile_names_the_server_and_the_file_with_the_token() {
    let server = Server::start();
    let url = &server.url;
    let home = Home::new(&format!(
        "default-profile = \"one\"\n\
         [profile.one]\nurl = \"{url}\"\ntoken-file = \"~/one\"\n\
         [profile.two]\nurl = \"{url}\"\ntoken-file = \"two\"\n"
    ));
    home.write("one", &server.user("first").token, 0o600);
    // A relative name is below the folder of the client file.
    home.write(
        ".config/prominence/two",
        &server.user("second").token,
        0o600,
    );
    assert_eq!(user(home.run(&["whoami"])), "first");
    assert_eq!(user(home.run(&["whoami", "--profile", "two"])), "second");
    let mut by_variable = home.command(&["whoami"]);
    assert_eq!(
        user(run(by_variable.env("PROMINENCE_PROFILE", "two"))),
        "second"
    );
    let mut elsewhere = home.command(&["whoami"]);
    std::fs::rename(home.file(".config"), home.file("elsewhere")).unwrap();
    let folder = home.file("elsewhere");
    assert_eq!(user(run(elsewhere.env("XDG_CONFIG_HOME", folder))), "first");
}

#[test]
fn a_typed_profile_beats_the_environment_which_beats_any_other_profile() {
    let home = Home::new(
        "default-profile = \"a\"\n\
         [profile.a]\nurl = \"http://a/prominence/v1\"\ntoken-file = \"/a\"\nssl-verify = false\n\
         [profile.b]\nurl = \"http://b/prominence/v1\"\ntoken-file = \"/b\"\n",
    );
    home.write(".prominence/token", "saved", 0o600);
    let config = |flags: &[&str], variables: &[(&str, &str)], name: &str| {
        let mut command = home.command(&["config", "--json"]);
        command.args(flags).envs(variables.iter().copied());
        let (value, from) = setting(run(&mut command), name);
        (value.unwrap_or_default(), from.unwrap_or_default())
    };
    let found = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    let (a, b) = ("http://a/prominence/v1", "http://b/prominence/v1");
    let (v, f) = ("http://v/prominence/v1", "http://f/prominence/v1");
    let variables = [("PROMINENCE_URL", v), ("PROMINENCE_TOKEN", "s3cret")];
    assert_eq!(config(&[], &[], "url"), found(a, "profile a"));
    assert_eq!(config(&[], &variables, "url"), found(v, "PROMINENCE_URL"));
    let named = [("PROMINENCE_PROFILE", "b"), ("PROMINENCE_URL", v)];
    assert_eq!(config(&[], &named, "url"), found(v, "PROMINENCE_URL"));
    assert_eq!(config(&[], &named, "token"), found("in /b", "profile b"));
    assert_eq!(
        config(&[], &named, "profile"),
        found("b", "PROMINENCE_PROFILE")
    );
    let typed = ["--profile", "b"];
    assert_eq!(config(&typed, &variables, "url"), found(b, "profile b"));
    assert_eq!(
        config(&typed, &variables, "token"),
        found("in /b", "profile b")
    );
    let both = ["--profile", "b", "--url", f, "--token", "s3cret"];
    assert_eq!(config(&both, &variables, "url"), found(f, "--url"));
    assert_eq!(
        config(&both, &variables, "token"),
        found("set, not shown", "--token")
    );
    assert_eq!(config(&[], &[], "ssl-verify"), found("false", "profile a"));
    assert_eq!(config(&typed, &[], "ssl-verify"), found("true", "default"));
    let verify = [("PROMINENCE_SSL_VERIFY", "True")];
    let by_variable = found("true", "PROMINENCE_SSL_VERIFY");
    assert_eq!(config(&[], &verify, "ssl-verify"), by_variable);
    let files = "[profile.a]\nca-file = \"/ca\"\nretry-for = 90\n";
    home.write(".config/prominence/config.toml", files, 0o600);
    let a = ["--profile", "a"];
    let ca = [("PROMINENCE_CA_FILE", "/v"), ("PROMINENCE_RETRY_FOR", "0")];
    assert_eq!(config(&a, &ca, "ca-file"), found("/ca", "profile a"));
    assert_eq!(config(&a, &ca, "retry-for"), found("1m30s", "profile a"));
    assert_eq!(
        config(&[], &ca, "ca-file"),
        found("/v", "PROMINENCE_CA_FILE")
    );
    assert_eq!(
        config(&[], &ca, "retry-for"),
        found("0", "PROMINENCE_RETRY_FOR")
    );
    let flags = ["--profile", "a", "--ca-file", "/f", "--retry-for", "2m"];
    assert_eq!(config(&flags, &ca, "ca-file"), found("/f", "--ca-file"));
    assert_eq!(config(&flags, &ca, "retry-for"), found("2m", "--retry-for"));
    assert_eq!(config(&[], &[], "retry-for"), found("1m", "default"));
    // Without a profile that has one, the saved token is used.
    home.write(".config/prominence/config.toml", "", 0o600);
    let (token, from) = config(&[], &[], "token");
    assert!(token.ends_with("/.prominence/token"), "{token}");
    assert_eq!(from, "~/.prominence/token");
    assert_eq!(config(&[], &[], "url"), found("", ""));
}

#[test]
fn the_settings_are_shown_without_any_token() {
    let home = Home::new("[profile.a]\nurl = \"http://a/prominence/v1\"\n");
    home.write(".prominence/token", "s3cret-saved", 0o600);
    for variables in [vec![], vec![("PROMINENCE_TOKEN", "s3cret")]] {
        for form in [vec!["config"], vec!["config", "--json"]] {
            let mut command = home.command(&form);
            let shown = run(command.envs(variables.clone())).text();
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(
                shown.contains("ssl-verify") && shown.contains("config.toml"),
                "{shown}"
            );
        }
    }
    let path = home.run(&["config", "path"]).text();
    let file = home.file(".config/prominence/config.toml");
    assert_eq!(Path::new(path.trim()), file);
    let nowhere = alone(&["config", "path"]).text();
    assert!(
        nowhere.ends_with("/.config/prominence/config.toml\n"),
        "{nowhere}"
    );
}

#[test]
fn a_wrong_line_of_the_client_file_is_named() {
    for (config, words) in [
        (
            "[profile.a]\nulr = \"http://a/prominence/v1\"\n",
            "line 2: a profile has no setting ulr; url may be meant; it can have",
        ),
        (
            "\n[profiles.a]\n",
            "line 2: there is no setting profiles; profile may be meant",
        ),
        (
            "[profile.a]\ntoken = \"s3cret\"\n",
            "line 2: a token does not belong in this file",
        ),
        (
            "default-profile = \"b\"\n",
            "line 1: there is no section [profile.b]",
        ),
    ] {
        let home = Home::new(config);
        for arguments in [["kv", "list"], ["config", "--json"]] {
            let complaint = home.run(&arguments).complaint(2);
            assert!(complaint.contains(words), "{complaint}");
            assert!(complaint.ends_with("prominence config --help shows how the file is written"));
            assert!(!complaint.contains("s3cret"), "{complaint}");
        }
    }
}

#[test]
fn a_profile_that_does_not_exist_is_refused_with_those_that_do() {
    let home = Home::new("[profile.site]\n[profile.laptop]\n");
    let complaint = home.run(&["kv", "list", "--profile", "sit"]).complaint(2);
    assert!(complaint.contains("no profile sit") && complaint.contains("has laptop, site"));
    let mut command = home.command(&["kv", "list"]);
    let complaint = run(command.env("PROMINENCE_PROFILE", "x y")).complaint(2);
    assert!(
        complaint.contains("PROMINENCE_PROFILE is \"x y\""),
        "{complaint}"
    );
    let complaint = alone(&["kv", "list", "--profile", "site"]).complaint(2);
    assert!(complaint.contains("has no profiles"), "{complaint}");
}

#[test]
fn a_token_that_others_can_read_is_told_with_the_command_that_closes_it() {
    let server = Server::start();
    let url = &server.url;
    let home = Home::new(&format!(
        "[profile.a]\nurl = \"{url}\"\ntoken-file = \"~/open\"\n"
    ));
    let token = server.user("me").token;
    home.write("open", &token, 0o644);
    let ran = home.run(&["whoami", "--profile", "a"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.stderr
            .contains("other users of this machine can read the token")
    );
    assert!(ran.stderr.contains("chmod 600"), "{ran:?}");
    let open = home.file("open");
    // Batch systems choose the mode of the files that a flag names.
    let named = [
        "whoami",
        "--url",
        url,
        "--token-file",
        open.to_str().unwrap(),
    ];
    assert_eq!(user(home.run(&named)), "me");
    home.write("open", &token, 0o600);
    assert_eq!(user(home.run(&["whoami", "--profile", "a"])), "me");
    home.write(".prominence/token", &token, 0o640);
    let ran = home.run(&["whoami", "--url", url]);
    assert!(
        ran.status == 0 && ran.stderr.contains("chmod 600"),
        "{ran:?}"
    );
}

#[test]
fn a_home_that_cannot_be_read_is_no_obstacle_to_a_job_that_needs_nothing_from_it() {
    let server = Server::start();
    let me = server.user("me");
    let home = tempfile::tempdir().unwrap();
    // Even root can't read a folder as a file.
    std::fs::create_dir_all(home.path().join(".config/prominence/config.toml")).unwrap();
    let mut command = clean(PROGRAM, home.path());
    me.equip(&mut command);
    assert_eq!(user(run(command.arg("whoami"))), "me");
    let mut named = clean(PROGRAM, home.path());
    me.equip(&mut named);
    let complaint = run(named.args(["whoami", "--profile", "a"])).complaint(2);
    assert!(complaint.contains("cannot read") && complaint.contains("config.toml"));
}

#[test]
fn commands_of_claims_and_locks_reach_the_server_and_the_user_that_flags_or_a_profile_name() {
    let server = Server::start();
    let (other, me) = (server.user("other"), server.user("me"));
    let home = Home::new(&format!(
        "[profile.site]\nurl = \"{}\"\ntoken-file = \"~/mine\"\n",
        server.url
    ));
    home.write("mine", &me.token, 0o600);
    me.kv(&["set", "/queue/1", "--string", "1"]).text();
    let inner = format!("{PROGRAM} whoami | head -1; echo ${{PROMINENCE_TOKEN-unset}}");
    let by_flags = ["--url", &server.url, "--token-file", "mine"];
    let lock = ["kv", "lock", "/lock", "--"];
    let claim = ["kv", "claim", "/queue/", "--"];
    for given in [by_flags.as_slice(), &["--profile", "site"]] {
        for held in [lock, claim] {
            let mut command = home.command(&[given, &held, &["sh", "-c", &inner]].concat());
            // Variables that another user exported earlier must not reach the command.
            command.env("PROMINENCE_TOKEN", &other.token);
            command.env("PROMINENCE_URL", "http://127.0.0.1:1/prominence/v1");
            command.current_dir(home.0.path());
            assert_eq!(
                run(&mut command).text(),
                "user: me\nunset\n",
                "{given:?} {held:?}"
            );
            me.kv(&["set", "/queue/1", "--string", "1"]).text();
        }
    }
}

#[test]
fn a_switch_of_the_environment_takes_the_usual_words_and_refuses_others_by_name() {
    let home = Home::new("");
    let verify = |text: &str| {
        let mut command = home.command(&["config", "--json"]);
        run(command.env("PROMINENCE_SSL_VERIFY", text))
    };
    for (text, value) in [
        ("False", "false"),
        ("no", "false"),
        ("OFF", "false"),
        ("0", "false"),
        ("True", "true"),
        ("yes", "true"),
        ("on", "true"),
        ("1", "true"),
    ] {
        let (shown, _) = setting(verify(text), "ssl-verify");
        assert_eq!(shown.as_deref(), Some(value), "{text}");
    }
    let complaint = verify("maybe").complaint(2);
    assert_eq!(
        complaint,
        "PROMINENCE_SSL_VERIFY is \"maybe\"; write true, yes, on or 1, or false, no, off or 0"
    );
    let mut list = home.command(&[
        "kv",
        "list",
        "--url",
        "https://127.0.0.1:1/prominence/v1",
        "--token",
        "t",
    ]);
    let complaint = run(list.env("PROMINENCE_SSL_VERIFY", "maybe")).complaint(2);
    assert!(
        complaint.starts_with("PROMINENCE_SSL_VERIFY is"),
        "{complaint}"
    );
}

#[test]
fn a_command_of_a_lock_checks_the_certificate_as_the_lock_itself_does() {
    let server = Server::start();
    let me = server.user("me");
    let home = Home::new(&format!(
        "default-profile = \"loose\"\n\
         [profile.loose]\nurl = \"{0}\"\ntoken-file = \"~/mine\"\nssl-verify = false\n\
         [profile.site]\nurl = \"{0}\"\ntoken-file = \"~/mine\"\n",
        server.url
    ));
    home.write("mine", &me.token, 0o600);
    let inner = |flags: &[&str], variables: &[(&str, &str)]| {
        let lock = ["kv", "lock", "/lock", "--", PROGRAM, "config", "--json"];
        let mut command = home.command(&[flags, &lock].concat());
        let (value, _) = setting(run(command.envs(variables.iter().copied())), "ssl-verify");
        value.unwrap()
    };
    assert_eq!(inner(&[], &[]), "false");
    // The default profile must not switch the check off for the command of another profile, nor where a
    // variable switches it on.
    assert_eq!(inner(&["--profile", "site"], &[]), "true");
    assert_eq!(inner(&[], &[("PROMINENCE_SSL_VERIFY", "True")]), "true");
}
