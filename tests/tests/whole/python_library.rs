//! The Python library: its own tests against the real program, its types and style, its package, and its memory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use prominence_cluster::etcd::{Cluster, Options as ClusterOptions};
use prominence_core::clock::ManualClock;
use prominence_core::{
    Commit, Key, Lifetime, Namespace, Operation, Quota, Store as _, Timestamp, Value,
};
use prominence_engines::{EmbeddedStore, embedded};
use prominence_tests::{Server, clean, program, python, root, succeed, text};

/// The largest wheel: it is fetched by every job that installs it.
const MAX_WHEEL: u64 = 96 << 10;

/// Keys of the listing whose memory is measured.
const LISTED: usize = 1_000_000;

/// How much Python may grow while it lists them, in KiB: a page of names as text and as objects, and what the
/// allocator keeps.
const MAX_GROWTH: u64 = 24 << 10;

/// Runs modules of the library's tests. Nothing may be left out.
fn run(interpreter: &Path, modules: &[&str], variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let mut suite = clean(interpreter, home.path());
    suite
        .args(["-m", "unittest", "-v"])
        .args(modules)
        .current_dir(root().join("python/tests"))
        .env("PYTHONPATH", root().join("python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PROMINENCE_TEST_PROGRAM", program())
        .envs(variables.iter().copied());
    let output = succeed(&mut suite);
    // unittest reports on standard error.
    let report = String::from_utf8(output.stderr).unwrap();
    println!("{report}");
    assert!(report.contains("\nOK"), "{report}");
    assert!(!report.contains("skipped"), "{report}");
    let ran = report.lines().find(|line| line.starts_with("Ran "));
    assert!(
        ran.is_some_and(|line| !line.starts_with("Ran 0 ")),
        "{report}"
    );
}

/// The same in the library's environment, where everything is there.
fn run_whole(modules: &[&str], variables: &[(&str, &str)]) {
    run(&python::with_tools(), modules, variables);
}

#[test]
fn values_and_listings_are_right() {
    run_whole(&["test_values"], &[]);
}

#[test]
fn waits_and_watches_outlast_the_server() {
    run_whole(&["test_waits"], &[]);
}

#[test]
fn claims_and_locks_have_one_holder() {
    run_whole(&["test_work"], &[]);
}

#[test]
fn threads_and_processes_share_a_store_and_no_token_is_shown() {
    run_whole(&["test_processes"], &[]);
}

#[test]
fn tables_are_those_of_the_command_line() {
    run_whole(&["test_tables"], &[]);
}

#[test]
fn settings_proxies_and_certificates_are_those_of_the_command_line() {
    run_whole(&["test_settings", "test_networks"], &[]);
}

#[test]
fn a_study_of_optuna_is_kept() {
    run_whole(&["test_optuna"], &[]);
}

#[test]
fn the_storage_of_optuna_passes_optunas_own_tests() {
    let home = tempfile::tempdir().unwrap();
    let mut suite = clean(python::with_tools(), home.path());
    suite
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
        .arg("optuna_storages.py")
        .current_dir(root().join("python/tests"))
        .env("PYTHONPATH", root().join("python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PROMINENCE_TEST_PROGRAM", program());
    let report = text(succeed(&mut suite));
    println!("{report}");
    let last = report.lines().last().unwrap();
    assert!(
        last.contains(" passed") && !last.contains("skipped"),
        "{report}"
    );
}

#[test]
fn every_example_of_the_documents_prints_what_follows_it() {
    run_whole(&["test_docs"], &[]);
}

#[test]
fn everything_is_the_same_over_etcd() {
    let cluster = Cluster::start(&ClusterOptions {
        nodes: 1,
        ..ClusterOptions::default()
    })
    .unwrap();
    let engine = format!(
        "--engine etcd --etcd-endpoints {}",
        cluster.endpoints().join(",")
    );
    let modules = ["test_values", "test_waits", "test_work", "test_optuna"];
    run_whole(&modules, &[("PROMINENCE_TEST_ENGINE", &engine)]);
}

#[test]
fn every_python_of_this_machine_runs_it() {
    for minor in 9..=14 {
        // Python 3.11 is that of the environment in which everything runs.
        if minor == 11 {
            continue;
        }
        let Some(interpreter) = python::of_version(minor) else {
            println!("skipped: this machine has no Python 3.{minor}");
            continue;
        };
        println!("Python 3.{minor}: {}", interpreter.display());
        // What versions differ in: the standard library's HTTP and TLS, forks, pickles, and the reader of TOML.
        let modules = [
            "test_values",
            "test_settings",
            "test_networks",
            "test_tables",
            "test_processes.Sharing.test_a_fork_has_connections_of_its_own",
            "test_processes.Sharing.test_pools_of_spawned_and_forked_processes_use_a_pickled_store",
            "test_processes.Secrets",
            "test_processes.Import",
        ];
        run(
            &interpreter,
            &modules,
            &[("PROMINENCE_TEST_WITHOUT_HTTPX", "1")],
        );
    }
}

#[test]
fn the_environment_of_the_tests_has_python_3_11() {
    let version = "import sys; print(sys.version_info[:2] >= (3, 11))";
    let printed = text(succeed(
        Command::new(python::with_tools()).args(["-c", version]),
    ));
    assert_eq!(printed, "True\n");
}

#[test]
fn types_and_style_are_checked() {
    let library = root().join("python");
    let cache = tempfile::tempdir().unwrap();
    for arguments in [
        &["mypy", "--cache-dir"][..],
        &["ruff", "check", "--cache-dir"],
        &["ruff", "format", "--check", "--cache-dir"],
    ] {
        let mut check = Command::new(python::with_tools());
        check
            .arg("-m")
            .args(arguments)
            .arg(cache.path())
            .current_dir(&library);
        println!("{}", text(succeed(&mut check)));
    }
    let mut check = Command::new(python::with_tools());
    check
        .args(["-m", "pyright", "--pythonpath"])
        .arg(python::with_tools())
        .env("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")
        .current_dir(&library);
    println!("{}", text(succeed(&mut check)));
}

#[test]
fn the_version_and_the_licence_are_the_projects() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let version = format!("__version__ = \"{}\"", env!("CARGO_PKG_VERSION"));
    let declared = read("python/src/prominence_kv/_version.py");
    assert!(declared.lines().any(|line| line == version), "{declared}");
    assert_eq!(read("python/LICENSE"), read("LICENSE"));
}

/// Builds the package into a folder, and answers the wheel.
pub(crate) fn build(into: &Path) -> PathBuf {
    let mut build = Command::new(python::with_tools());
    build
        .args(["-m", "hatchling", "build", "--directory"])
        .arg(into)
        .current_dir(root().join("python"));
    succeed(&mut build);
    let files = std::fs::read_dir(into).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "a wheel and a source archive: {files:?}");
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "whl");
    files.into_iter().find(is_wheel).unwrap()
}

#[test]
fn the_package_is_small_and_two_builds_have_the_same_bytes() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] = folders.each_ref().map(|folder| build(folder.path()));
    assert_eq!(
        std::fs::read(&first).unwrap(),
        std::fs::read(second).unwrap()
    );
    let bytes = first.metadata().unwrap().len();
    println!("the wheel has {bytes} bytes");
    assert!(bytes <= MAX_WHEEL, "{bytes}");
}

#[test]
fn it_lives_beside_the_existing_client_and_either_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let wheel = build(&folder.path().join("dist"));
    let server = Server::start(&[]);
    for removed in ["prominence", "prominence-kv"] {
        let environment = folder.path().join(removed);
        succeed(
            Command::new(python::with_tools())
                .args(["-m", "venv"])
                .arg(&environment),
        );
        let interpreter = environment.join("bin/python");
        let pip = |arguments: &[&str]| {
            let mut pip = clean(&interpreter, folder.path());
            pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"])
                .args(arguments);
            pip
        };
        let wheels = python::wheels();
        let mut install = pip(&["install", "--no-index", "--find-links"]);
        succeed(install.arg(&wheels).arg("prominence==0.21.0").arg(&wheel));
        let uses = |script: &str| {
            let mut python = clean(&interpreter, folder.path());
            server.as_user(&mut python, "alice");
            python.args(["-W", "ignore", "-c", script]);
            text(succeed(&mut python))
        };
        let existing = "import prominence
print(prominence.ProminenceClient(authenticated=True).kv_get('/a'))";
        let ours = "from prominence_kv import Store
kv = Store()
kv['/a'] = 'shared'
print(kv['/a'].text)";
        assert_eq!(uses(ours), "shared\n");
        assert_eq!(uses(existing), "shared\n");
        succeed(&mut pip(&["uninstall", "--yes", removed]));
        let (kept, gone) = match removed {
            "prominence" => (ours, "import prominence"),
            _ => (existing, "import prominence_kv"),
        };
        assert_eq!(uses(kept), "shared\n");
        let mut import = clean(&interpreter, folder.path());
        assert!(!import.args(["-c", gone]).output().unwrap().status.success());
    }
}

/// Fills a data folder as a server would, in large commits.
fn fill(folder: &Path) {
    let options = embedded::Options {
        quotas: Quota::UNLIMITED.into(),
        ..embedded::Options::new(folder)
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)));
    let store = EmbeddedStore::open(options, clock).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let user = Namespace::parse("alice").unwrap();
    let numbers: Vec<_> = (0..LISTED).collect();
    for some in numbers.chunks(100) {
        let sets = some.iter().map(|number| Operation::Set {
            key: Key::parse(&format!("/many/{number:07}")).unwrap(),
            value: Value::stored(b"1".to_vec().into()),
            lifetime: Lifetime::Permanent,
        });
        let commit = Commit::new(Vec::new(), sets.collect()).unwrap();
        runtime.block_on(store.commit(&user, None, commit)).unwrap();
    }
    store.close();
}

#[test]
fn a_listing_of_a_million_keys_takes_the_memory_of_a_page() {
    // In memory, since nothing here depends on what reaches a disk.
    let home = tempfile::tempdir_in("/dev/shm").unwrap();
    let data = home.path().join("data");
    fill(&data);
    let server = Server::start_on(home, data, &[]);
    let mut lister = clean(python::with_tools(), server.home());
    server.as_user(&mut lister, "alice");
    lister
        .env("PYTHONPATH", root().join("python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    lister.args([
        "-c",
        "import resource
from prominence_kv import Store
kv = Store()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(1 for _ in kv.keys(limit=20_000)) == 20_000
before = peak()
print(sum(1 for _ in kv.keys()), peak() - before)",
    ]);
    let printed = text(succeed(&mut lister));
    let (count, growth) = printed.trim().split_once(' ').unwrap();
    println!("listed {count} keys, grew by {growth} KiB");
    assert_eq!(count, LISTED.to_string());
    assert!(growth.parse::<u64>().unwrap() <= MAX_GROWTH, "{growth} KiB");
}
