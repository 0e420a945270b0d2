//! The files in `deploy/` fit the program: its metrics, its start and stop under systemd, and the rules of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use prominence_tests::{Server, clean, program, python, root, succeed, text};
use serde_json::Value;

/// The worst exposure of the service that is accepted, in tenths of the points of `systemd-analyze security`.
const MAX_EXPOSURE: &str = "15";

/// Labels that Prometheus adds to every series.
const ADDED: [&str; 2] = ["instance", "job"];

/// An issuer that does not answer, so that the series of issuers are there.
const ISSUER: &str = r#"
name = "campus"
issuer = "http://127.0.0.1:9"
user-claim = "sub"
any-audience = true
"#;

fn deployed(name: &str) -> PathBuf {
    root().join("deploy").join(name)
}

/// A program that `cargo xtask install` has put into an environment of its own.
fn checker(name: &str) -> PathBuf {
    root().join("target/deploy/bin").join(name)
}

/// The documents of a YAML file.
fn yaml(path: &Path) -> Vec<Value> {
    let read = "import json, sys, yaml
print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf-8')))))";
    let mut convert = Command::new(python::with_tools());
    let documents = text(succeed(convert.args(["-c", read]).arg(path)));
    serde_json::from_str(&documents).unwrap()
}

/// The labels of one series.
type Labels = BTreeMap<String, String>;

/// Labels and what stands between quotation marks behind each, as in `method="GET",status="2xx"`.
fn labels(text: &str) -> Vec<(&str, &str)> {
    let mut parts = text.split('"');
    let mut found = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        found.push((name.trim_start_matches([',', ' ']), value));
    }
    found
}

/// All series of a server that has read, set and failed, by their names.
fn series() -> BTreeMap<String, Vec<Labels>> {
    let folder = tempfile::tempdir().unwrap();
    let issuers = folder.path().join("issuers.toml");
    std::fs::write(&issuers, ISSUER).unwrap();
    let server = Server::start(&["--issuer-file", issuers.to_str().unwrap()]);
    let client = server.client("alice");
    assert_eq!(client.ask("PUT", "/kv/a", "1").0, 201);
    assert_eq!(client.ask("GET", "/kv/a", "").0, 200);
    let metrics = ureq::get(format!("{}/metrics", server.origin()));
    let bearer = format!("Bearer {}", server.token("monitor"));
    let mut answer = metrics.header("Authorization", bearer).call().unwrap();
    let shown = answer.body_mut().read_to_string().unwrap();
    let mut series: BTreeMap<String, Vec<Labels>> = BTreeMap::new();
    for line in shown.lines().filter(|line| line.starts_with("prominence_")) {
        let (name, _) = line.rsplit_once(' ').unwrap();
        let (name, given) = name.split_once('{').unwrap_or((name, ""));
        let given = labels(given).into_iter();
        let given = given.map(|(label, value)| (label.trim_end_matches('=').into(), value.into()));
        series.entry(name.into()).or_default().push(given.collect());
    }
    series
}

/// What a query names that no series has.
fn unknown(query: &str, series: &BTreeMap<String, Vec<Labels>>) -> Vec<String> {
    let mut unknown = Vec::new();
    for (at, _) in query.match_indices("prominence_") {
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let (name, rest) = query[at..].split_at(
            query[at..]
                .find(|c: char| !is_name(c))
                .unwrap_or(query.len() - at),
        );
        let chosen = rest
            .strip_prefix('{')
            .and_then(|rest| rest.split('}').next());
        let fits = |series: &Labels| {
            labels(chosen.unwrap_or_default())
                .into_iter()
                .all(|(matcher, value)| {
                    let label = matcher.trim_end_matches(['=', '~']);
                    let found = series.get(label);
                    ADDED.contains(&label)
                        || value
                            .split('|')
                            .any(|value| found.is_some_and(|found| found == value))
                })
        };
        if !series.get(name).is_some_and(|all| all.iter().any(fits)) {
            unknown.push(format!("{name}{{{}}}", chosen.unwrap_or_default()));
        }
    }
    let known: BTreeSet<_> = series
        .values()
        .flatten()
        .flat_map(Labels::keys)
        .map(String::as_str)
        .collect();
    for (at, _) in query
        .match_indices("by (")
        .chain(query.match_indices("on ("))
    {
        let grouped = query[at + "by (".len()..].split(')').next().unwrap();
        let missing = grouped
            .split(", ")
            .filter(|label| !known.contains(label) && !ADDED.contains(label));
        unknown.extend(missing.map(str::to_owned));
    }
    unknown
}

/// The queries of the alerts and of the dashboard, each with what it belongs to.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    let told = |value: &Value| value.as_str().unwrap().to_owned();
    for group in yaml(&deployed("prometheus/alerts.yml"))[0]["groups"]
        .as_array()
        .unwrap()
    {
        for rule in group["rules"].as_array().unwrap() {
            queries.push((told(&rule["alert"]), told(&rule["expr"])));
        }
    }
    let dashboard = std::fs::read_to_string(deployed("grafana/prominence.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            queries.push((told(&panel["title"]), told(&target["expr"])));
        }
    }
    let chosen = &dashboard["templating"]["list"][1]["query"]["query"];
    queries.push(("the choice of a server".to_owned(), told(chosen)));
    queries
}

#[test]
fn alerts_and_the_dashboard_name_only_series_that_the_server_has() {
    let series = series();
    let queries = queries();
    assert!(queries.len() > 15, "{queries:?}");
    for (of, query) in &queries {
        let unknown = unknown(query, &series);
        assert!(unknown.is_empty(), "{of}: {unknown:?} in {query}");
    }
    for wrong in [
        "rate(prominence_requests_total[5m])",
        "prominence_engine_operations_total{operation=\"look\"}",
        "sum by (user) (prominence_connections)",
    ] {
        assert!(!unknown(wrong, &series).is_empty(), "{wrong}");
    }
}

/// The unit as it is installed, except that it starts the program of this build.
fn unit(folder: &Path) -> PathBuf {
    let unit = std::fs::read_to_string(deployed("systemd/prominence.service")).unwrap();
    let built = unit.replace("/usr/bin/prominence", program().to_str().unwrap());
    assert_ne!(unit, built);
    let path = folder.join("prominence.service");
    std::fs::write(&path, built).unwrap();
    path
}

#[test]
fn systemd_accepts_the_unit_and_finds_it_confined() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path());
    let mut verify = Command::new("systemd-analyze");
    let output = succeed(
        verify
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(&unit),
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let mut security = Command::new("systemd-analyze");
    security
        .args([
            "security",
            "--no-pager",
            "--offline=true",
            "--threshold",
            MAX_EXPOSURE,
        ])
        .arg(&unit);
    println!("{}", text(succeed(&mut security)));
}

#[test]
fn systemd_is_told_when_the_server_is_ready_and_when_it_stops() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let data = home.path().join("data");
    let mut server = clean(program(), home.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = || {
        let mut message = [0; 256];
        let length = systemd.recv(&mut message).expect("a message comes");
        String::from_utf8_lossy(&message[..length])
            .trim()
            .to_owned()
    };
    assert_eq!(told(), "READY=1");
    // A service that systemd starts after this one can use it at once.
    let url = std::fs::read_to_string(data.join("listening")).unwrap();
    let ready = url.replace("/prominence/v1", "/readyz");
    assert_eq!(ureq::get(ready.trim()).call().unwrap().status(), 200);
    let pid = server.id().to_string();
    succeed(Command::new("kill").args(["-TERM", &pid]));
    assert_eq!(told(), "STOPPING=1");
    assert!(server.wait().unwrap().success());
}

#[test]
fn manifests_are_valid_and_pods_are_restricted() {
    let files = [
        "statefulset",
        "service",
        "networkpolicy",
        "poddisruptionbudget",
    ];
    let files = files.map(|name| deployed(&format!("kubernetes/{name}.yaml")));
    let folder = deployed("kubernetes");
    let mut validate = Command::new(checker("kubernetes-validate"));
    succeed(validate.args(["--strict", "--quiet"]).args(&files));
    let mut lint = Command::new(checker("yamllint"));
    lint.args(["--strict", "-d"])
        .arg("{extends: default, rules: {line-length: {max: 120}, document-start: disable, braces: disable}}")
        .args([&folder, &deployed("prometheus")]);
    succeed(&mut lint);

    let pod = &yaml(&files[0])[0]["spec"]["template"]["spec"];
    // Kubernetes, Pod Security Standards, profile "restricted".
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_ne!(pod["securityContext"]["runAsUser"], 0);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    let container = &pod["containers"][0];
    let confined = &container["securityContext"];
    assert_eq!(confined["allowPrivilegeEscalation"], false);
    assert_eq!(confined["capabilities"]["drop"], serde_json::json!(["ALL"]));
    assert_eq!(confined["readOnlyRootFilesystem"], true);
    for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[forbidden].is_null(), "{forbidden}");
    }

    // The settings of the container are settings of the program.
    let words = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap());
    let words: Vec<_> = words
        .map(|word| word.replace("/data/", "/nowhere/"))
        .collect();
    let home = tempfile::tempdir().unwrap();
    succeed(clean(program(), home.path()).args(words).arg("--check"));
}
