//! `prominence kv claim`: a command for the next piece of work, or for all of them.
//!
//! What is claimed is deleted when the command succeeds and released when it fails. What fails while
//! all is to be done stays claimed until the end, because the next claim takes the first key that is
//! free, and that would be the same one, again and again.

mod fields;
mod tally;
mod work;
mod worker;

use prominence_client::Client;

use crate::args::kv::claim::Claim;
use crate::failure::Failure;
use crate::held;
use crate::held::signals::Place;
use crate::held::supervise::{Terms, status_of_signal};
use tally::Tally;
use worker::Worker;

pub(super) fn run(options: &Claim, client: &Client) -> Result<(), Failure> {
    // The commands read their work and not a terminal, so each can have a group of its own.
    let signals = held::begin(Place::OwnGroup, options.grace)?;
    let tally = Tally::new(options.max_failures);
    let worker = Worker {
        options,
        client,
        keeper: held::keepers_client(client, options.hold)?,
        patience: client.retry_for(),
        signals: &signals,
        tally: &tally,
        terms: Terms {
            length: options.hold,
            grace: options.grace,
        },
    };
    std::thread::scope(|scope| {
        // One of them is this thread.
        for _ in 1..options.workers {
            scope.spawn(|| worker.run());
        }
        worker.run();
    });
    let found = tally.finish();
    for work in &found.kept {
        work.give_back();
    }
    if let Some(error) = found.error {
        return Err(error);
    }
    let began = found.succeeded + found.failed;
    let alone = options.workers == 1 && !options.until_empty;
    if let (Some(signal), false) = (signals.asked_to_end(), alone && began > 0) {
        return Err(Failure::Command(status_of_signal(signal)));
    }
    match found.failed {
        0 if began == 0 && !options.until_empty => {
            let prefix = &options.prefix;
            Err(Failure::No(format!(
                "there is nothing to claim under {prefix}"
            )))
        }
        0 => Ok(()),
        _ if alone => Err(Failure::Command(found.last_status)),
        failed => Err(Failure::No(format!(
            "the command failed for {failed} of {began} keys, which can be claimed again"
        ))),
    }
}
