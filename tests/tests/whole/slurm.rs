//! The job array in `examples/slurm/` under a real Slurm.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use prominence_tests::slurm::Slurm;
use prominence_tests::{Server, program, root, succeed, text};
use serde_json::Value;

/// How long all the jobs may take.
const JOBS_WITHIN: Duration = Duration::from_secs(40);

/// How long a task's token lasts, in seconds: the tasks end well before, and the test soon after.
const LIFETIME: u64 = 20;

/// The tasks of the array.
const TASKS: usize = 8;

/// Somebody who is told which keys expire, until the test ends.
struct Watch {
    process: Child,
    expired: Receiver<String>,
}

impl Watch {
    fn start(server: &Server, user: &str, prefix: &str) -> Self {
        let mut process = server
            .command(user)
            .args(["kv", "watch", prefix, "--since", "0", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (tell, expired) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).unwrap();
                if event["event"] == "expire" {
                    let _ = tell.send(event["key"].as_str().unwrap().to_owned());
                }
            }
        });
        Self { process, expired }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Processes that know this folder, by their arguments or their environment.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let process = entry.unwrap().path();
        let knows = |file: &str| {
            let words = std::fs::read(process.join(file)).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(folder)
        };
        (knows("cmdline") || knows("environ")).then(|| process.display().to_string())
    };
    std::fs::read_dir("/proc").unwrap().filter_map(of).collect()
}

#[test]
fn tasks_of_an_array_find_their_parameters_and_one_job_collects_their_results() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let slurm = Slurm::start(folder.path());
    let user = text(succeed(Command::new("id").arg("-un")));
    let user = user.trim();
    let watch = Watch::start(&server, user, "/circles/running/");

    let mut submit = Command::new(root().join("examples/slurm/submit.sh"));
    let path = std::env::var("PATH").unwrap();
    let programs = program().parent().unwrap().display();
    server.as_user(&mut submit, user);
    submit
        .current_dir(folder.path())
        .env("PATH", format!("{programs}:{path}"))
        .env("HOME", folder.path())
        .env("LIFETIME", format!("{LIFETIME}s"));
    let submitted = text(succeed(slurm.reach(&mut submit)));
    let left = slurm.drain(JOBS_WITHIN);
    assert_eq!(left, "", "{}", slurm.logs());

    let array = submitted.split([' ', ',']).nth(1).unwrap();
    check_table(&folder.path().join("circles.csv"), array);
    check_jobs(&server, user);
    let token = folder.path().join("circles.token");
    assert!(!token.exists(), "the last job left a token behind");

    let patience = Duration::from_secs(2 * LIFETIME);
    let gone: BTreeSet<_> = (0..TASKS)
        .map(|_| watch.expired.recv_timeout(patience).unwrap())
        .collect();
    let running = (1..=TASKS).map(|n| format!("/circles/running/{n}"));
    assert_eq!(gone, running.collect::<BTreeSet<_>>());
    let client = server.client(user);
    let count = |prefix: &str| client.ask("GET", &format!("/kv{prefix}?count"), "").1;
    assert_eq!(count("/circles/running/"), "{\"count\":0}");
    assert_eq!(count("/circles/output/"), "{\"count\":8}");
    drop(slurm);
    assert_eq!(
        processes_of(folder.path()),
        [""; 0],
        "Slurm has left processes"
    );
}

#[test]
fn the_page_about_slurm_does_what_it_says() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let slurm = Slurm::start(folder.path());
    let user = text(succeed(Command::new("id").arg("-un")));
    super::book::run_page("slurm.md", &server, user.trim(), |shell| {
        slurm.reach(shell);
    });
}

/// The one table has the right row of every task.
fn check_table(path: &Path, array: &str) {
    let table = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<_>> = table.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(rows[0], ["key", "job", "modified", "n", "radius", "area"]);
    let expected = [
        "1,0.5,0.7854",
        "2,1,3.1416",
        "3,1.5,7.0686",
        "4,2,12.5664",
        "5,2.5,19.6350",
        "6,3,28.2743",
        "7,3.5,38.4845",
        "8,4,50.2655",
    ];
    let results: Vec<_> = rows[1..].iter().map(|row| row[3..].join(",")).collect();
    assert_eq!(results, expected, "{table}");
    let jobs: BTreeSet<_> = rows[1..].iter().map(|row| row[1]).collect();
    assert_eq!(jobs.len(), TASKS, "each task is a job of its own: {table}");
    assert!(
        jobs.contains(array),
        "{array} is the id of one of them: {table}"
    );
}

/// A listing says who wrote what.
fn check_jobs(server: &Server, user: &str) {
    let (status, details) = server
        .client(user)
        .ask("GET", "/kv/circles/output/?list&detail", "");
    assert_eq!(status, 200, "{details}");
    let details: Value = serde_json::from_str(&details).unwrap();
    let entries = details.as_array().unwrap();
    assert_eq!(entries.len(), TASKS, "{details}");
    for entry in entries {
        let job = entry["job"].as_str().expect("a job's name");
        assert!(job.parse::<u32>().is_ok(), "{entry}");
    }
}
