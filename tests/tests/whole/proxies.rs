//! The service behind a real nginx, with the configuration that docs/proxies.md shows.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use prominence_tests::{Server, clean, root, succeed, text};

/// How long nginx, or an event, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time limit of the proxy in the documents, and a little more.
const BEYOND_THE_LIMIT: Duration = Duration::from_secs(32);

/// Keys with everything that a proxy may decode, merge or refuse.
const HOSTILE_KEYS: [&str; 7] = [
    "/a b/c",
    "/q?x=1&y#z",
    "/per%2Fcent/%25",
    "/plus+and;semi",
    "/dots/...",
    "/ünïcode/☃",
    "/back\\slash/\"quote\"",
];

/// An nginx in front of a server.
struct Proxy {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

/// The settings of one test, instead of those that the documents show.
#[derive(Default)]
struct Changes<'a> {
    /// The time limit for reading from the server.
    read_timeout: Option<&'a str>,
    /// The limit on bodies.
    body: Option<&'a str>,
    /// More for the `server` block.
    more: &'a str,
}

/// The nginx configuration of docs/proxies.md.
fn documented() -> String {
    let page = fs::read_to_string(root().join("docs/proxies.md")).unwrap();
    let (_, block) = page.split_once("```nginx\n").expect("the block is there");
    block.split_once("```").unwrap().0.to_owned()
}

/// Replaces a part of the documented configuration, which has to be there.
fn replace(text: &str, part: &str, by: &str) -> String {
    assert!(
        text.contains(part),
        "docs/proxies.md no longer has {part:?}"
    );
    text.replace(part, by)
}

impl Proxy {
    fn start(server: &Server, changes: &Changes<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let upstream = server.origin().strip_prefix("http://").unwrap();
        let mut site = replace(&documented(), "127.0.0.1:8080", upstream);
        let listen = format!("listen 127.0.0.1:{port};\n{}", changes.more);
        site = replace(&site, "listen 443 ssl;", &listen);
        // TLS is not what these tests are about.
        let lines = site
            .lines()
            .filter(|line| !line.contains("ssl_certificate"));
        site = lines.collect::<Vec<_>>().join("\n");
        if let Some(limit) = changes.read_timeout {
            site = replace(
                &site,
                "proxy_read_timeout 30s",
                &format!("proxy_read_timeout {limit}"),
            );
        }
        if let Some(limit) = changes.body {
            let limit = format!("client_max_body_size {limit}");
            site = replace(&site, "client_max_body_size 2m", &limit);
        }
        let at = folder.path().display();
        let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {at}/{name};\n"))
            .collect();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
             events {{}}\nhttp {{ access_log off;\n{scratch}{site}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let child = Command::new(nginx())
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("cargo xtask install brings nginx");
        let proxy = Self {
            child,
            port,
            _folder: folder,
        };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "nginx does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        proxy
    }

    fn url(&self) -> String {
        self.below("")
    }

    /// The interface's address below a path of the proxy.
    fn below(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}/prominence/v1", self.port)
    }

    /// A command that reaches the server through the proxy.
    fn command(&self, server: &Server, arguments: &[&str]) -> Command {
        let mut command = server.command("alice");
        command.env("PROMINENCE_URL", self.url()).args(arguments);
        command
    }

    /// What curl prints of an answer: its head and body.
    fn curl(&self, server: &Server, target: &str, arguments: &[&str]) -> String {
        let mut curl = clean("curl", server.home());
        curl.args(["-s", "-i", "-H"])
            .arg(format!("Authorization: Bearer {}", server.token("alice")))
            .args(arguments)
            .arg(format!("{}{target}", self.url()));
        String::from_utf8_lossy(&succeed(&mut curl).stdout).into_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian keeps it where not every user's shell looks.
fn nginx() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/nginx");
    if usual.exists() {
        usual
    } else {
        "nginx".into()
    }
}

/// Runs a command and answers its exit status and what it said on standard error.
fn ended(output: &Output) -> (i32, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), said)
}

fn started(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn waits_of_every_kind_outlast_the_time_limit_of_a_proxy() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(&server, &Changes::default());
    let direct = server.client("alice");
    assert_eq!(direct.ask("PUT", "/kv/held?ttl=1h", "other").0, 201);
    let waits: [&[&str]; 4] = [
        &["kv", "get", "/later", "--wait", "2m"],
        &["kv", "wait", "/done/", "--count", "1", "--timeout", "2m"],
        &[
            "kv", "claim", "/todo/", "--for", "1m", "--wait", "2m", "--", "cat",
        ],
        &["kv", "lock", "/held", "--", "true"],
    ];
    let running: Vec<_> = waits
        .iter()
        .map(|arguments| started(&mut proxy.command(&server, arguments)))
        .collect();
    let mut watch = started(&mut proxy.command(&server, &["kv", "watch", "/seen/"]));
    let mut events = BufReader::new(watch.stdout.take().unwrap()).lines();
    // The time limit itself is what these waits have to outlast.
    thread::sleep(BEYOND_THE_LIMIT);
    for key in ["/later", "/done/1", "/todo/1", "/seen/1"] {
        assert_eq!(direct.ask("PUT", &format!("/kv{key}"), "1").0, 201);
    }
    assert_eq!(direct.ask("DELETE", "/kv/held", "").0, 200);
    for (child, arguments) in running.into_iter().zip(waits) {
        let output = child.wait_with_output().unwrap();
        assert_eq!(ended(&output).0, 0, "{arguments:?}: {output:?}");
    }
    // nginx would keep a small event back if it buffered the stream.
    assert!(events.next().unwrap().unwrap().contains("/seen/1"));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_gateway_without_a_server_is_like_a_lost_connection() {
    let mut server = Server::start(&[]);
    let proxy = Proxy::start(&server, &Changes::default());
    let mut set = proxy.command(&server, &["kv", "set", "/k", "--string", "1"]);
    let mut once = proxy.command(&server, &["kv", "get", "/k", "--retry-for", "0"]);
    server.kill();
    let (status, said) = ended(&once.stdin(Stdio::null()).output().unwrap());
    assert!(status == 3 && said.contains("502"), "{status} {said}");
    let mut set = started(&mut set);
    let mut said = BufReader::new(set.stderr.take().unwrap()).lines();
    // It says so after the first failure, and goes on.
    let first = said.next().unwrap().unwrap();
    assert!(first.contains("502"), "{first}");
    server.restart_in_place();
    assert!(set.wait().unwrap().success());
    assert_eq!(server.client("alice").ask("GET", "/kv/k", "").1, "1");
}

#[test]
fn a_gateway_that_lost_patience_repeats_what_is_safe_and_nothing_else() {
    let server = Server::start(&[]);
    let changes = Changes {
        read_timeout: Some("1s"),
        ..Changes::default()
    };
    let proxy = Proxy::start(&server, &changes);
    let pause = thread::scope(|scope| {
        let mut get = proxy.command(&server, &["kv", "list"]);
        let mut add = proxy.command(&server, &["kv", "add", "/n"]);
        let stopped = scope.spawn(|| server.stand_still(Duration::from_secs(4)));
        // The server has to stand still before anything is asked of it.
        thread::sleep(Duration::from_millis(500));
        let get = started(&mut get);
        let add = ended(&add.stdin(Stdio::null()).output().unwrap());
        let get = get.wait_with_output().unwrap();
        stopped.join().unwrap();
        (get, add)
    });
    let (get, (status, said)) = pause;
    assert!(get.status.success(), "{get:?}");
    assert!(status == 3 && said.contains("504"), "{status} {said}");
    assert!(said.contains("may or may not"), "{said}");
}

/// Statuses that nginx answers by itself, with a page of its own. (It closes the connection instead of
/// answering 408.)
const PAGES: [u16; 14] = [
    400, 401, 402, 403, 404, 405, 410, 429, 500, 501, 502, 503, 504, 507,
];

#[test]
fn every_page_of_a_proxy_is_told_as_what_it_is() {
    let server = Server::start(&[]);
    let mut more: String = PAGES
        .iter()
        .map(|status| format!("location /s{status}/ {{ return {status}; }}\n"))
        .collect();
    more += "location /login/ { default_type text/html; return 200 '<title>Log in</title>'; }\n\
             location /empty/ { return 200; }\n\
             location /nothing/ { return 204; }\n\
             location /moved/ { return 302 https://login.example.org/; }\n";
    let changes = Changes {
        body: Some("1k"),
        more: &more,
        ..Changes::default()
    };
    let proxy = Proxy::start(&server, &changes);
    let ask = |path: &str, arguments: &[&str]| {
        let mut command = proxy.command(&server, arguments);
        command
            .args(["--retry-for", "0"])
            .env("PROMINENCE_URL", proxy.below(path));
        ended(&command.output().unwrap())
    };
    let mut paths: Vec<_> = PAGES
        .iter()
        .map(|status| (format!("/s{status}"), format!(": {status} ")))
        .collect();
    for (path, words) in [
        ("/login", "200 OK from nginx"),
        ("/login", "\"Log in\""),
        ("/empty", "without text"),
        ("/nothing", "204 No Content from nginx"),
        ("/moved", "pointing to https://login.example.org/"),
    ] {
        paths.push((path.to_owned(), words.to_owned()));
    }
    let commands: [&[&str]; 5] = [
        &["kv", "get", "/k"],
        &["kv", "set", "/k", "--string", "1"],
        &["kv", "list"],
        &["kv", "delete", "/k"],
        &["kv", "claim", "/k/", "--", "true"],
    ];
    for (path, words) in paths {
        // Errors are told from answers before anything looks at what was asked.
        let is_error = path.starts_with("/s");
        for command in commands
            .iter()
            .take(if is_error { 2 } else { commands.len() })
        {
            let (status, said) = ask(&path, command);
            assert_eq!(status, 3, "{path} {command:?}: {said}");
            assert!(
                said.contains("is not from a Prominence server: ") && said.contains(&words),
                "{path} {command:?}: {said}"
            );
            assert!(said.contains("nginx") && !said.contains('<'), "{said}");
        }
    }
    let long = "x".repeat(2_000);
    let (status, said) = ask("", &["kv", "set", "/k", "--string", &long]);
    assert_eq!(status, 3, "{said}");
    assert!(
        said.contains(": 413 ") && said.contains("2000 bytes"),
        "{said}"
    );
}

#[test]
fn a_tag_that_compression_made_weak_still_names_its_revision() {
    let server = Server::start(&[]);
    let changes = Changes {
        more: "gzip on; gzip_types text/plain; gzip_min_length 100;\n",
        ..Changes::default()
    };
    let proxy = Proxy::start(&server, &changes);
    let value = "compressible ".repeat(200);
    assert_eq!(server.client("alice").ask("PUT", "/kv/k", &value).0, 201);
    let answer = proxy.curl(&server, "/kv/k", &["--compressed"]);
    // Names of headers have no letter case.
    let answer = answer.replace("ETag: ", "etag: ");
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: "));
    let tag = tag.expect("there is a tag").trim();
    assert!(tag.starts_with("W/\""), "nginx made it weak: {tag}");
    let condition = format!("If-None-Match: {tag}");
    let same = proxy.curl(&server, "/kv/k", &["-H", &condition]);
    assert!(same.starts_with("HTTP/1.1 304"), "{same}");
    let condition = format!("If-Match: {tag}");
    let put = |value| {
        proxy.curl(
            &server,
            "/kv/k",
            &["-X", "PUT", "-d", value, "-H", &condition],
        )
    };
    let replaced = put("two");
    assert!(replaced.starts_with("HTTP/1.1 200"), "{replaced}");
    let late = put("three");
    assert!(late.starts_with("HTTP/1.1 412"), "{late}");
}

#[test]
fn every_key_and_every_page_work_through_a_proxy_and_below_a_path_of_it() {
    let server = Server::start(&[]);
    let changes = Changes {
        more: "location /portal/c017/ { proxy_pass http://prominence/; }\n",
        ..Changes::default()
    };
    let proxy = Proxy::start(&server, &changes);
    for url in [proxy.url(), proxy.below("/portal/c017")] {
        let run = |arguments: &[&str]| {
            let mut command = proxy.command(&server, arguments);
            text(succeed(command.env("PROMINENCE_URL", &url)))
        };
        for key in HOSTILE_KEYS {
            run(&["kv", "set", key, "--string", key]);
            assert_eq!(run(&["kv", "get", key]), key, "through {url}");
        }
        let mut keys = HOSTILE_KEYS.map(|key| format!("{key}\n"));
        keys.sort();
        assert_eq!(run(&["kv", "list"]), keys.concat(), "through {url}");
        assert_eq!(pages(&server, &url), keys.concat(), "through {url}");
        run(&["kv", "delete", "--prefix", "/", "--yes"]);
    }
}

/// The keys of all pages of two, found by following `Link` as a program does.
fn pages(server: &Server, url: &str) -> String {
    let script = r#"
import json, os, sys, urllib.parse, urllib.request
url = sys.argv[1] + "/kv?list&limit=2"
while url:
    request = urllib.request.Request(url)
    request.add_header("Authorization", "Bearer " + os.environ["PROMINENCE_TOKEN"])
    with urllib.request.urlopen(request) as answer:
        for key in json.load(answer):
            print(key)
        link = answer.headers["Link"]
    url = link and urllib.parse.urljoin(url, link.split("<")[1].split(">")[0])
"#;
    let mut python = clean("python3", server.home());
    server.as_user(&mut python, "alice");
    python
        .args(["-c", script, url])
        .env("PYTHONIOENCODING", "utf-8")
        .env("no_proxy", "*");
    text(succeed(&mut python))
}
