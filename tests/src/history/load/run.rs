//! Rounds, one after another: clients, watchers and faults, and at the end a listing of every key.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, Schedule};
use super::connection::{Connection, Network};
use super::mix::Mix;
use super::watcher::Watcher;
use super::worker::Worker;
use crate::history::listing::INSIDE;
use crate::history::operation::{Answer, Call, Expect, Follows, Record, Round, Snapshot, Text};
use crate::history::record::{Clock, MAX_REQUESTS, value};

/// The time limit for the requests of a round, far more than they take, for busy machines.
const ROUND_WITHIN: Duration = Duration::from_secs(300);

/// The interval in which the progress of the clients is read.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The largest number of keys in a page.
const LARGEST_PAGE: usize = 10_000;

/// The plan of a run.
pub struct Plan<'a> {
    /// Users, each with its number of clients. Similar names find more faults.
    pub users: &'a [(&'a str, usize)],
    /// The kinds of requests.
    pub mix: Mix,
    /// The prefixes that each user watches; the first one is of all keys.
    pub watched: &'a [&'a str],
    /// Answered requests in a round, at most [`MAX_REQUESTS`].
    pub requests: usize,
    /// Faults in each round.
    pub faults: Schedule<'a>,
    /// No round begins later than this.
    pub lasts: Duration,
    /// The seed of all random choices.
    pub seed: u64,
}

/// One user's part of a run.
struct Party {
    user: String,
    workers: Vec<Worker>,
    watchers: Vec<Watcher>,
    steward: Connection,
    before: Snapshot,
    expiring: Vec<Text>,
}

/// The requests that were answered while there was no fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Answered requests.
    pub requests: usize,
    /// The time in which they were answered.
    pub time: Duration,
}

impl Pace {
    /// Waits until this number of requests has been answered in all.
    fn reach(&mut self, requests: usize, asked: &AtomicUsize) {
        let before = asked.load(Ordering::Relaxed);
        let started = Instant::now();
        while asked.load(Ordering::Relaxed) < requests {
            assert!(started.elapsed() < ROUND_WITHIN, "the clients are stuck");
            thread::sleep(LOOK_EVERY);
        }
        self.requests += asked.load(Ordering::Relaxed) - before;
        self.time += started.elapsed();
    }

    /// Answered requests a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "it is rounded to be read")]
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.time.as_secs_f64()
    }
}

/// Executes the plan, and passes on each round of each user; returns the speed of the clients between the faults.
pub fn run(cluster: &mut dyn Cluster, plan: &Plan, mut checked: impl FnMut(Round)) -> Pace {
    assert!(
        plan.requests <= MAX_REQUESTS,
        "a round has to fit into memory"
    );
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let network = Arc::new(Network {
        urls: RwLock::new(cluster.urls()),
        clock: Clock::default(),
        forgets_broken_requests: cluster.forgets_broken_requests(),
    });
    let mut parties: Vec<_> = plan
        .users
        .iter()
        .map(|(user, clients)| {
            let token = Text::from(cluster.token(user));
            Party::new(user, *clients, &token, &network, plan, &mut random)
        })
        .collect();
    let started = Instant::now();
    let mut pace = Pace::default();
    while started.elapsed() < plan.lasts {
        let (rounds, well) = go_round(cluster, plan, &network, &mut parties, &mut random);
        pace.requests += well.requests;
        pace.time += well.time;
        rounds.into_iter().for_each(&mut checked);
    }
    pace
}

fn go_round(
    cluster: &mut dyn Cluster,
    plan: &Plan,
    network: &Network,
    parties: &mut [Party],
    random: &mut fastrand::Rng,
) -> (Vec<Round>, Pace) {
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let strikes = plan.faults.draw(plan.requests, random);
    thread::scope(|scope| {
        let (stop, asked) = (&stop, &asked);
        let _stopping = crate::fault::StopAtEnd(stop);
        let mut busy = Vec::new();
        for party in parties {
            let workers: Vec<_> = party
                .workers
                .iter_mut()
                .map(|worker| scope.spawn(move || worker.run(stop, asked)))
                .collect();
            let watchers: Vec<_> = party
                .watchers
                .iter_mut()
                .map(|watcher| scope.spawn(move || watcher.run()))
                .collect();
            let kept = (&mut party.before, &mut party.expiring);
            let rest = (&party.user, &mut party.steward, kept);
            busy.push((workers, watchers, rest));
        }
        let mut disturbed = Vec::new();
        let mut pace = Pace::default();
        for strike in strikes {
            pace.reach(strike.after, asked);
            let begin = network.clock.now();
            cluster.strike(strike.fault, random);
            cluster.heal();
            disturbed.push((begin, network.clock.now()));
            *network.urls.write().unwrap_or_else(PoisonError::into_inner) = cluster.urls();
        }
        pace.reach(plan.requests, asked);
        stop.store(true, Ordering::Relaxed);
        let mut rounds = Vec::new();
        for (workers, watchers, (user, steward, (before, expiring))) in busy {
            let mut records = Vec::new();
            for worker in workers {
                records.extend(worker.join().expect("a worker ends well"));
            }
            if !network.forgets_broken_requests {
                records.extend(flush(steward, network, user));
            }
            // The watch of all keys also has the events that end the other watches.
            for prefix in plan.watched.iter().rev() {
                let value = value(user, network.clock.name());
                records.push(end_watch(steward, Watcher::sentinel(prefix), value));
            }
            let watches = watchers
                .into_iter()
                .map(|watcher| watcher.join().expect("a watcher ends well"))
                .collect();
            let (listings, after) = list_everything(steward);
            records.extend(listings);
            let known = expiring.clone();
            expiring.extend(records.iter().filter_map(Record::expiring).cloned());
            expiring.sort();
            expiring.dedup();
            rounds.push(Round {
                user: user.clone(),
                before: std::mem::replace(before, after),
                expiring: known,
                records,
                watches,
                disturbed: disturbed.clone(),
                disagreement: cluster.disagreement(),
            });
        }
        (rounds, pace)
    })
}

/// Writes a key through every server. An earlier request is then executed, or it depends on a former state of the
/// namespace and will never be.
fn flush(steward: &mut Connection, network: &Network, user: &str) -> Vec<Record> {
    let urls = network.urls.read().unwrap_or_else(PoisonError::into_inner);
    let urls = urls.clone();
    let flushed = urls.iter().map(|url| {
        steward.turn_to(url);
        let call = Call::Set {
            key: "/flushed".into(),
            value: value(user, network.clock.name()),
            expect: Expect::Anything,
            ttl: None,
        };
        settle(steward, &call)
    });
    flushed.collect()
}

/// Writes the key that tells a watcher that the round is over.
fn end_watch(steward: &mut Connection, key: Text, value: Text) -> Record {
    let call = Call::Set {
        key,
        value,
        expect: Expect::Anything,
        ttl: None,
    };
    let record = settle(steward, &call);
    assert!(record.answer.revision().is_some(), "{record:?}");
    record
}

/// Lists a whole namespace while nobody writes: first the platform's keys, then all others.
fn list_everything(steward: &mut Connection) -> (Vec<Record>, Snapshot) {
    let listings = [INSIDE, "/"].map(|prefix| list(steward, prefix.into()));
    let (records, shown): (Vec<_>, Vec<_>) = listings.into_iter().unzip();
    (records, shown.into_iter().flatten().collect())
}

/// Lists a prefix in pages while nobody writes, so that the pages show one state.
fn list(steward: &mut Connection, prefix: Text) -> (Record, Snapshot) {
    let mut all = Snapshot::new();
    let mut first = None;
    loop {
        let page = Call::Page {
            prefix: prefix.clone(),
            after: all.keys().next_back().cloned(),
            limit: LARGEST_PAGE,
        };
        let record = settle(steward, &page);
        let start = *first.get_or_insert(record.start);
        let Answer::Page(page, follows) = record.answer else {
            panic!("{prefix} can't be listed: {:?}", record.answer);
        };
        all.extend(page);
        if follows == Follows::Nothing {
            let whole = Record {
                start,
                call: Call::List(prefix),
                answer: Answer::Listed(all.clone()),
                ..record
            };
            return (whole, all);
        }
    }
}

/// Sends a request until a server answers it. The first attempt may use a connection that a fault has broken.
fn settle(steward: &mut Connection, call: &Call) -> Record {
    let started = Instant::now();
    loop {
        let answered = steward.send(call.clone());
        match answered.filter(|record| record.answer != Answer::Lost) {
            Some(record) => return record,
            None => assert!(started.elapsed() < ROUND_WITHIN, "nobody answers {call:?}"),
        }
    }
}

impl Party {
    fn new(
        user: &str,
        clients: usize,
        token: &Text,
        network: &Arc<Network>,
        plan: &Plan,
        random: &mut fastrand::Rng,
    ) -> Self {
        let workers = (0..clients)
            .map(|_| Worker::new(user, token, network, plan.mix, random))
            .collect();
        let watchers = plan
            .watched
            .iter()
            .map(|prefix| Watcher::new(network, token, prefix, random))
            .collect();
        let mut steward = Connection::new(network, token, random);
        let (_, before) = list_everything(&mut steward);
        Self {
            user: user.to_owned(),
            workers,
            watchers,
            steward,
            before,
            expiring: Vec::new(),
        }
    }
}
