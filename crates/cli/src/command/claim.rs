//! `prominence kv claim`: a command for the next piece of work, or for all of them.
//!
//! What is claimed is deleted when the command succeeds and released when it fails. While all is to be
//! done, a key whose command failed has to stay claimed: the next claim takes the first key that is free,
//! and that would be the same one, again and again. So it stays claimed until the run finds nothing else or,
//! where attempts are limited, for a time that grows with each of them.

mod attempts;
mod event;
mod fields;
mod left;
mod source;
mod tally;
mod work;
mod worker;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use prominence_api::time::format_duration;
use prominence_client::{Client, ListOptions};

use super::absent::Absent;
use super::siblings::Siblings;
use super::{counted, keys, was_or_were};
use crate::args::kv::claim::Claim;
use crate::config::Environment;
use crate::failure::Failure;
use crate::held;
use crate::held::giving_back::GivingBack;
use crate::held::signals::Place;
use crate::held::supervise::{Terms, status_of_signal};
use crate::output::{Output, Show};
use attempts::Attempts;
use event::Event;
use tally::{Found, Tally};
use worker::{Run, Worker};

/// Keys that a sentence names.
const MAX_NAMED: usize = 5;

pub(super) fn run(
    options: &Claim,
    client: &Client,
    environment: Environment,
    output: &mut Output,
) -> Result<(), Failure> {
    let attempts = Attempts::of(options)?;
    Siblings::tell(client, &options.prefix);
    // The commands read their work and not a terminal, so each can have a group of its own.
    let signals = held::begin(Place::OwnGroup, options.grace)?;
    let run = Run {
        options,
        client,
        giving_back: GivingBack {
            client: held::keepers_client(client, options.hold)?,
            patience: client.retry_for(),
            signals: signals.clone(),
        },
        signals: &signals,
        environment,
        tally: Tally::new(options.max_failures),
        terms: Terms {
            length: options.hold,
            grace: options.grace,
        },
        attempts,
        idle: Mutex::default(),
        show: Show::unless(options.quiet),
    };
    let (tell, events) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..options.workers {
            let events = options.json.then(|| tell.clone());
            let worker = Worker { run: &run, events };
            scope.spawn(move || worker.work());
        }
        drop(tell);
        print(&events, &run.tally, output);
    });
    let others = others(&run);
    let is_cut_short = run.tally.reached_limit();
    let found = run.tally.finish();
    for work in &found.kept {
        work.give_back();
    }
    let began = found.succeeded + found.failed + found.lost;
    let alone = options.workers == 1 && !options.until_empty;
    if let (Some(signal), false, None) = (
        signals.asked_to_end(),
        alone && began > 0,
        found.error.as_ref(),
    ) {
        return Err(Failure::Command(status_of_signal(signal)));
    }
    let (moved, queue_had_keys) = (found.moved, found.queue_had_keys);
    conclude(&run, found, is_cut_short)?;
    if let Some(held) = others? {
        return Err(Failure::No(held));
    }
    let is_told = options.quiet || signals.asked_to_end().is_some();
    if began + moved == 0 && !queue_had_keys && !is_told {
        Absent::tell(client, &options.prefix);
    }
    Ok(())
}

/// Prints events until the last worker has ended. Where they can't be printed, nothing more is begun.
fn print(events: &Receiver<Event>, tally: &Tally, output: &mut Output) {
    for event in events {
        let line = serde_json::to_string(&event).map_err(std::io::Error::from);
        let printed = line.and_then(|line| writeln!(output, "{line}"));
        if let Err(error) = printed.and_then(|()| output.flush()) {
            tally.stop(error.into());
        }
    }
}

/// What a run has come to, as an exit status and a sentence.
fn conclude(run: &Run<'_>, found: Found, is_cut_short: bool) -> Result<(), Failure> {
    let Run { options, .. } = run;
    if let Some(error) = found.error {
        return Err(error);
    }
    let began = found.succeeded + found.failed + found.lost;
    let alone = options.workers == 1 && !options.until_empty;
    if alone && found.failed + found.lost > 0 {
        return Err(Failure::Command(found.last_status));
    }
    if let (Some(attempts), true) = (&run.attempts, found.moved > 0) {
        return Err(Failure::No(format!(
            "{} moved below {to}, claimed {} without success; prominence kv list {to} shows them",
            keys_were(found.moved),
            counted(attempts.limit, "time"),
            to = attempts.letters.to,
        )));
    }
    // Where attempts are limited, a run that goes on to the end leaves nothing that failed.
    let is_settled = run.attempts.is_some() && options.until_empty && !is_cut_short;
    match found.failed {
        0 if began == 0 && !options.until_empty => Err(Failure::No(nothing(run))),
        0 if found.lost > 0 => Err(Failure::No(format!(
            "the {} of {} of {} lost while the command ran; the lines above say why, and what is left \
             can be claimed again",
            if found.lost == 1 { "claim" } else { "claims" },
            found.lost,
            if began == 1 {
                "1 key was".to_owned()
            } else {
                format!("{} were", keys(began))
            },
        ))),
        0 => Ok(()),
        _ if is_settled => Ok(()),
        failed => Err(Failure::No(format!(
            "the command failed for {failed} of {}, which can be claimed again; see its output, and run \
             this command again",
            keys(began)
        ))),
    }
}

/// Why nothing was claimed: there are no keys, or others have claimed them.
fn nothing(run: &Run<'_>) -> String {
    let (client, prefix) = (run.client, &run.options.prefix);
    if let Some(signal) = run.signals.asked_to_end() {
        let number = signal.as_raw();
        return format!(
            "nothing was claimed under {prefix}: signal {number} ended it; run it again"
        );
    }
    let first = ListOptions {
        limit: Some(1),
        ..ListOptions::default()
    };
    let once = client.with_retry_for(Duration::ZERO);
    match once.list(prefix, first).next() {
        None => format!(
            "there is nothing to claim under {prefix}: there are no keys; {}",
            Absent::of(client, prefix).next_step()
        ),
        // A claim whose answer was lost is in nobody's hands, and ends by itself.
        Some(_) if client.has_repeated() => format!(
            "there is nothing to claim under {prefix}: all keys there are claimed, and a try of this \
             command whose answer was lost may hold one for {} at most; run it again with --wait {}",
            format_duration(run.options.hold),
            format_duration(run.options.hold.saturating_mul(2)),
        ),
        Some(_) => format!(
            "there is nothing to claim under {prefix}: all keys there are claimed; wait for one with \
             --wait 10m, or see who has them with prominence kv claims {prefix}"
        ),
    }
}

/// What other workers hold still, where this run doesn't wait for it.
fn others(run: &Run<'_>) -> Result<Option<String>, Failure> {
    if !run.options.no_wait || run.tally.is_over() {
        return Ok(None);
    }
    let looking = Worker { run, events: None };
    let left = looking.look(run.tally.tried())?;
    let Some(left) = left.filter(|left| left.keys > 0) else {
        return Ok(None);
    };
    let prefix = &run.options.prefix;
    if left.holders.is_empty() {
        let left = keys(left.keys);
        return Ok(Some(format!(
            "{left} under {prefix} can be claimed again; run this command again"
        )));
    }
    let named = left.holders.iter().take(MAX_NAMED).map(|held| {
        let by = held.claimed_by.as_ref().map(|job| format!(" by job {job}"));
        let by = by.unwrap_or_default();
        format!("{}{by} until {}", held.key, held.claimed_until)
    });
    let named: Vec<_> = named.collect();
    let further = match left.held.saturating_sub(named.len() as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Ok(Some(format!(
        "{} still claimed under {prefix}: {}{further}; without --no-wait this command waits for them",
        keys_are(left.held),
        named.join(", "),
    )))
}

fn keys_are(count: u64) -> String {
    format!("{} {}", keys(count), if count == 1 { "is" } else { "are" })
}

fn keys_were(count: u64) -> String {
    format!("{} {}", keys(count), was_or_were(count))
}
