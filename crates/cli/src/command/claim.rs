//! `prominence kv claim`: a command for the next key of a queue, or for all of them.
//!
//! A claimed key is deleted when the command succeeds and released when it fails. With `--until-empty` a key whose
//! command failed has to stay claimed: the next claim takes the first free key, which would be the same one again and
//! again. So it stays claimed until the run finds no other key or, if attempts are limited, for a time that grows with
//! each of them.

mod attempts;
mod claimed;
mod event;
mod fields;
mod remaining;
mod run_state;
mod source;
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
use crate::lease;
use crate::lease::release::Releaser;
use crate::lease::signals::{CommandGroup, status_of_signal};
use crate::lease::supervise::LeaseTimes;
use crate::output::{Output, Show};
use attempts::Attempts;
use event::Event;
use run_state::{Results, RunState};
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
    // The commands read a value and not a terminal, so each can have a group of its own.
    let signals = lease::receive_signals(CommandGroup::Own, options.grace)?;
    let run = Run {
        options,
        client,
        releaser: Releaser {
            client: lease::renewal_client(client, options.hold)?,
            retry_for: client.retry_for(),
            signals: signals.clone(),
        },
        signals: &signals,
        environment,
        state: RunState::new(options.max_failures),
        times: LeaseTimes {
            length: options.hold,
            grace: options.grace,
        },
        attempts,
        idle: Mutex::default(),
        show: Show::unless(options.quiet),
    };
    let (sender, events) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..options.workers {
            let events = options.json.then(|| sender.clone());
            let worker = Worker { run: &run, events };
            scope.spawn(move || worker.work());
        }
        drop(sender);
        print(&events, &run.state, output);
    });
    let others = others(&run);
    let is_cut_short = run.state.reached_limit();
    let found = run.state.finish();
    for work in &found.kept {
        work.release();
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

/// Prints events until the last worker has ended. If an event can't be printed, no further command begins.
fn print(events: &Receiver<Event>, state: &RunState, output: &mut Output) {
    for event in events {
        let line = serde_json::to_string(&event).map_err(std::io::Error::from);
        let printed = line.and_then(|line| writeln!(output, "{line}"));
        if let Err(error) = printed.and_then(|()| output.flush()) {
            state.stop(error.into());
        }
    }
}

/// The result of a run, as an exit status and a sentence.
fn conclude(run: &Run<'_>, found: Results, is_cut_short: bool) -> Result<(), Failure> {
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
    // With a limit on attempts, a run until the queue is empty leaves no failed key.
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

/// The reason why nothing was claimed: there are no keys, or others have claimed them.
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
        // A claim whose answer was lost belongs to no worker, and ends by itself.
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

/// The message about keys that other workers have claimed, if this run doesn't wait for them.
fn others(run: &Run<'_>) -> Result<Option<String>, Failure> {
    if !run.options.no_wait || run.state.is_over() {
        return Ok(None);
    }
    let looking = Worker { run, events: None };
    let left = looking.look(run.state.tried())?;
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
