//! Histories of many clients at the real program, which is killed meanwhile, and at several servers over a failing
//! cluster; no check has findings.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use prominence_api::time::parse_duration;
use prominence_tests::history::check::{Size, check};
use prominence_tests::history::load::cluster::{Cluster, Fault, Schedule, Single};
use prominence_tests::history::load::mix::{EVERYTHING, MOSTLY_READS, Mix, WATCHED};
use prominence_tests::history::load::run::{Plan, run};
use prominence_tests::history::load::several::Several;
use prominence_tests::history::operation::Round;
use prominence_tests::history::record;

/// The time during which rounds are begun, by default.
const LASTS: &str = "20s";

/// The default number of the first user's clients; the second user has a quarter of it.
const CLIENTS: usize = 26;

#[test]
fn everything_that_many_clients_are_told_is_true_while_the_server_is_killed_stopped_or_stands_still()
 {
    if let Some(path) = std::env::var_os("PROMINENCE_TEST_HISTORY_FILE") {
        let round = record::read(&PathBuf::from(path)).unwrap();
        demand(&round, None);
        return;
    }
    let size = go(
        &mut Single::start(),
        8_000,
        2,
        &[Fault::Kill, Fault::Pause, Fault::Roll],
    );
    assert!(
        size.lost > 0,
        "requests were in flight at the kills: {size}"
    );
}

#[test]
fn everything_that_many_clients_are_told_is_true_while_a_cluster_fails_in_every_way() {
    let faults = [
        Fault::Kill,
        Fault::Pause,
        Fault::KillNode,
        Fault::KillLeader,
        Fault::PauseLeader,
        Fault::CutNode,
        Fault::PartLeader,
        Fault::LoseMajority,
        Fault::Roll,
        Fault::Tidy,
        Fault::Fill,
    ];
    go(&mut Several::start(), 4_000, 2, &faults);
}

/// Records rounds of many clients for the time in the environment, and checks each.
fn go(cluster: &mut dyn Cluster, requests: usize, strikes: usize, among: &[Fault]) -> Size {
    let lasts = std::env::var("PROMINENCE_TEST_HISTORY");
    let lasts = parse_duration(lasts.as_deref().unwrap_or(LASTS)).unwrap();
    let seed = std::env::var("PROMINENCE_TEST_SEED");
    let seed = seed.map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("{lasts:?} of rounds with PROMINENCE_TEST_SEED={seed}");
    let clients = number("PROMINENCE_TEST_CLIENTS").unwrap_or(CLIENTS);
    let requests = number("PROMINENCE_TEST_REQUESTS").unwrap_or(requests);
    let plan = Plan {
        users: &[("alice", clients), ("alice2", clients / 4)],
        mix: mix(),
        watched: WATCHED,
        requests,
        faults: Schedule { strikes, among },
        lasts,
        seed,
    };
    let mut size = Size::default();
    let (mut rounds, mut checking) = (0, Duration::ZERO);
    let started = Instant::now();
    let pace = run(cluster, &plan, |round| {
        let began = Instant::now();
        size.add(demand(&round, Some(seed)));
        rounds += 1;
        checking += began.elapsed();
    });
    let all = started.elapsed();
    println!(
        "{rounds} histories in {all:.0?}, of which checking took {checking:.1?}, at {:.0} requests/s \
         between the faults: {size}",
        pace.per_second()
    );
    assert!(size.commits > 1_000, "the clients have written: {size}");
    size
}

/// The kinds of requests: all, or mostly reads if the environment says so.
fn mix() -> Mix {
    match std::env::var("PROMINENCE_TEST_MIX").as_deref() {
        Ok("reads") => MOSTLY_READS,
        Ok(other) => panic!("unknown mix {other:?}; the only one is \"reads\""),
        Err(_) => EVERYTHING,
    }
}

/// A number in an environment variable.
fn number(name: &str) -> Option<usize> {
    let given = std::env::var(name).ok()?;
    Some(given.parse().expect("it is a number"))
}

/// Fails if a check has findings, and writes the round to a file for another check.
fn demand(round: &Round, seed: Option<u64>) -> Size {
    let (size, findings) = check(round);
    if findings.is_empty() {
        return size;
    }
    let seed = seed.map_or_else(|| "replay".to_owned(), |seed| seed.to_string());
    let path = prominence_tests::root()
        .join("target/histories")
        .join(format!("{seed}-{}.ndjson", round.user));
    record::write(round, &path).unwrap();
    let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
    panic!(
        "{} ({size})\nThe history is in {path}; to check it again:\n\
         PROMINENCE_TEST_HISTORY_FILE={path} cargo test -p prominence-tests --test history everything",
        findings.join("\n"),
        path = path.display()
    );
}
