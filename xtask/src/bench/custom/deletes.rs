//! Deleting many keys at once, what others notice of it, and what it leaves behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};

use crate::bench::catalogue::Contents;
use crate::bench::figures::{Figures, percentile};
use crate::bench::http::Caller;
use crate::bench::lab::Lab;
use crate::bench::server::{self, Server};
use crate::bench::stores::copied;

/// What keys are deleted of.
const STORE: &str = "hundred-folders";

/// Others who get and set keys of their own meanwhile.
const OTHERS: u32 = 8;

/// They begin this much earlier.
const WARM_UP: Duration = Duration::from_millis(500);

/// Bytes of the values that they set.
const VALUE: [u8; 1_000] = [b'x'; 1_000];

/// A page where the deleted keys were.
const PAGE: &str = "/k/?list&limit=100";

/// A prefix that has so large a part of a million keys.
pub(super) fn delete(lab: &Lab, prefix: &str, part: u64) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let keys = Contents::of(lab, STORE)?.keys / part;
    let data = copied(lab, STORE)?;
    let server = Server::start(lab, data.path())?;
    let page = || {
        let mut page = server.wrk(lab, PAGE, 1);
        page.seconds = 1;
        page
    };
    let before = page().run()?;
    let others = server::token(lab, data.path(), "others")?;

    let ended = AtomicBool::new(false);
    let (deleted, answers) = std::thread::scope(|threads| {
        let others: Vec<_> = (0..OTHERS)
            .map(|number| {
                let (server, token, ended) = (&server, &others, &ended);
                threads.spawn(move || ask_on(server, token, number, ended))
            })
            .collect();
        std::thread::sleep(WARM_UP);
        let started = Instant::now();
        let deleted = server.caller().delete_prefix(&server.kv(prefix));
        let until = Instant::now();
        ended.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for other in others {
            let own = other.join().map_err(|_| anyhow!("a thread panicked"))??;
            // Those that were under way at any time of the deletion.
            let meanwhile = own
                .into_iter()
                .filter(|(from, took)| *from < until && *from + *took > started);
            answers.extend(meanwhile.map(|(_, took)| took.as_secs_f64() * 1_000.0));
        }
        anyhow::Ok((deleted?, answers))
    })?;
    let (took, count) = deleted;
    ensure!(count == keys, "{count} of {keys} keys were deleted");
    figures.note("deletion", took.as_secs_f64() * 1_000.0);
    figures.note(
        "others, p99",
        percentile(answers, 99).context("nobody else asked")?,
    );

    let caller = server.caller();
    let started = Instant::now();
    caller.get(&server.kv(PAGE))?;
    figures.note(
        "first page after",
        started.elapsed().as_secs_f64() * 1_000.0,
    );
    figures.note("page before", before.median);
    figures.note("page after", page().run()?.median);
    server.stop()?;
    Ok(figures)
}

/// Sets and gets a key, over and over; answers when each began and how long it took.
fn ask_on(
    server: &Server,
    token: &str,
    number: u32,
    ended: &AtomicBool,
) -> anyhow::Result<Vec<(Instant, Duration)>> {
    let caller = Caller::with_token(token);
    let url = server.kv(&format!("/other/{number}"));
    let mut answers = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let started = Instant::now();
        caller.post(&url, &VALUE)?;
        let between = Instant::now();
        caller.get(&url)?;
        answers.push((started, between - started));
        answers.push((between, between.elapsed()));
    }
    Ok(answers)
}
