//! `prominence kv lock`: a command that runs while a lock is held.
//!
//! A lock is a key that exists. It is set where it does not exist, with a lifetime, and set again, where
//! its value is still the holder's, long before that is over. Every renewal is a commit and gives the key
//! another revision, so what stays the same, and what conditions can name, is the value: no two
//! holders write the same.

mod holder;
mod take;

use std::io::{IsTerminal as _, Write as _};
use std::process::Command;
use std::time::Duration;

use prominence_client::{Client, Error, Lifetime, SetOptions};
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::{Key, Precondition, Revision, Value};
use serde::Serialize;

use crate::args::kv::lock::Lock;
use crate::config::Environment;
use crate::failure::Failure;
use crate::held::attempt::attempt;
use crate::held::clock::Moment;
use crate::held::giving_back::GivingBack;
use crate::held::keeper::{Hold, Renewal};
use crate::held::signals::{NotStarted, Place, Signals};
use crate::held::supervise::{self, Ending, Terms, status_code, status_of_signal};
use crate::held::{self, cannot_run};
use crate::output::{self, Output, Show, Status};
use holder::Holder;
use take::{Slots, Taken, Wish};

/// How often a release looks again at a key that has changed. A renewal whose answer was lost changes it
/// once.
const RELEASES: u32 = 3;

const KEY: &str = "PROMINENCE_LOCK_KEY";
const SLOT: &str = "PROMINENCE_LOCK_SLOT";
const VALUE: &str = "PROMINENCE_LOCK_VALUE";
const REVISION: &str = "PROMINENCE_LOCK_REVISION";

/// What `--json` tells.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    /// The lock is held, and the command begins.
    Acquired {
        key: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        slot: Option<usize>,
        holder: &'a str,
        revision: u64,
    },
    /// The command has ended, and the lock is free.
    Released {
        key: &'a str,
        /// The exit status of the command, as shells count it.
        status: u8,
    },
    /// The lock was lost, or could not be released, while the command ran or afterwards.
    Lost {
        key: &'a str,
        reason: String,
        status: u8,
    },
}

pub(super) fn run(
    options: &Lock,
    client: &Client,
    environment: Environment,
    output: &mut Output,
) -> Result<(), Failure> {
    let keeper = held::keepers_client(client, options.ttl)?;
    // A command that talks to a terminal has to be in the group that the terminal talks to.
    let place = if std::io::stdin().is_terminal() {
        Place::Terminal
    } else {
        Place::OwnGroup
    };
    let signals = held::begin(place, options.grace)?;
    let status = Status::new(Show::unless(options.quiet));
    let wish = Wish {
        slots: Slots::of(options)?,
        holder: Holder::this_process(),
        ttl: options.ttl,
        deadline: (!options.no_wait).then(|| Moment::now().after(options.wait)),
        line: status.line(),
    };
    let (asking, asked) = (client.clone(), wish.clone());
    let taken = attempt(&signals, move |door| take::take(&asking, &asked, door));
    drop(status);
    let taken = taken.map_err(|signal| Failure::Command(status_of_signal(signal)))??;
    let ours = Value::new(wish.holder.as_bytes().to_vec(), MAX_VALUE_BYTES);
    let ours = ours.map_err(|error| Failure::Usage(error.to_string()))?;
    let lock = HeldLock {
        giving_back: GivingBack {
            client: keeper,
            patience: client.retry_for().min(options.ttl),
            signals: signals.clone(),
        },
        key: taken.key.clone(),
        holder: wish.holder,
        renewal: SetOptions {
            lifetime: Lifetime::For(options.ttl),
            condition: Some(Precondition::Value(ours)),
            write_id: None,
        },
    };
    let mut events = options.json.then_some(output);
    let mut command = held::command(&options.command);
    environment.give(&mut command);
    tell(&mut command, &lock, &taken);
    hold((options, command), &signals, lock, &taken, &mut events)
}

/// Prints what happened, where that is asked for.
fn print(output: &mut Option<&mut Output>, event: &Event<'_>) -> Result<(), Failure> {
    if let Some(output) = output {
        let line = serde_json::to_string(event).map_err(std::io::Error::from)?;
        writeln!(output, "{line}")?;
        output.flush()?;
    }
    Ok(())
}

/// Runs the command with the lock, and gives the lock back.
fn hold(
    (options, mut command): (&Lock, Command),
    signals: &Signals,
    lock: HeldLock,
    taken: &Taken,
    events: &mut Option<&mut Output>,
) -> Result<(), Failure> {
    let key = lock.key.clone();
    if events.is_some() {
        held::free_standard_output(&mut command);
    }
    let running = match signals.start(&mut command) {
        Ok(running) => running,
        Err(not_started) => {
            lock.release()?;
            return Err(match not_started {
                NotStarted::Interrupted(signal) => Failure::Command(status_of_signal(signal)),
                NotStarted::Failed(cause) => cannot_run(&command, cause),
            });
        }
    };
    let acquired = Event::Acquired {
        key: key.as_str(),
        slot: taken.slot,
        holder: lock.holder.as_str(),
        revision: taken.revision.get(),
    };
    // The command goes on where nobody reads; its end tells of it.
    let printed = print(events, &acquired);
    let terms = Terms {
        length: options.ttl,
        grace: options.grace,
    };
    let Ending { status, lost, hold } =
        supervise::supervise(running, signals, (lock, taken.since), terms);
    let status = status_code(status);
    if let Some(reason) = lost {
        // What could not be renewed may be ours still, and nobody needs to wait for its end.
        if let Some(lock) = hold {
            let _ = lock.release();
        }
        let failure = Failure::No(format!(
            "the lock {key} was lost and the command was stopped: {reason}; run it again, with a longer \
             --ttl if the server was away"
        ));
        let _ = print(
            events,
            &Event::Lost {
                key: key.as_str(),
                reason,
                status,
            },
        );
        return Err(failure);
    }
    let problem = match hold.map(|lock| lock.release()) {
        Some(Ok(Released::Yes)) => None,
        Some(Ok(Released::Lost)) | None => Some(
            "was lost before the command ended; another holder may have been at work at the same \
             time"
                .to_owned(),
        ),
        Some(Err(failure)) => Some(format!(
            "could not be released and is free after {}: {failure}",
            prominence_api::time::format_duration(options.ttl)
        )),
    };
    let key = key.as_str();
    let ended = match problem {
        None => print(events, &Event::Released { key, status }),
        Some(reason) => {
            output::warn(format!("the lock {key} {reason}"));
            print(
                events,
                &Event::Lost {
                    key,
                    reason,
                    status,
                },
            )
        }
    };
    match status {
        0 => printed.and(ended),
        status => Err(Failure::Command(status)),
    }
}

fn tell(command: &mut Command, lock: &HeldLock, taken: &Taken) {
    command
        .env(KEY, taken.key.as_str())
        .env(VALUE, lock.holder.as_str())
        .env(REVISION, taken.revision.to_string());
    match taken.slot {
        Some(slot) => command.env(SLOT, slot.to_string()),
        None => command.env_remove(SLOT),
    };
}

/// A lock that this process has.
struct HeldLock {
    giving_back: GivingBack,
    key: Key,
    holder: Holder,
    renewal: SetOptions,
}

/// What became of a lock that was given back.
enum Released {
    /// It was ours until then.
    Yes,
    /// It was not ours any more.
    Lost,
}

impl Hold for HeldLock {
    /// The condition is the value, which stays ours from renewal to renewal, and not the revision:
    /// so a renewal whose answer was lost does not stand in the way of the next one.
    fn renew(&mut self) -> Renewal {
        let value = self.holder.as_bytes();
        let client = &self.giving_back.client;
        match client.set(&self.key, value, &self.renewal) {
            Ok(_) => Renewal::Kept,
            Err(Error::PreconditionFailed(_)) => Renewal::Lost(match client.get(&self.key) {
                Ok(Some(entry)) => format!("it is now held by {}", take::shown(&entry)),
                Ok(None) | Err(_) => "it ran out, or somebody deleted it".to_owned(),
            }),
            Err(error) => Renewal::Unknown(error.to_string()),
        }
    }
}

impl HeldLock {
    /// Deletes the key where it is still ours.
    fn release(&self) -> Result<Released, Failure> {
        let what = format!("releasing the lock {}", self.key);
        self.giving_back
            .run(Duration::MAX, &what, |client| self.release_by(client))
    }

    fn release_by(&self, client: &Client) -> Result<Released, Failure> {
        for _ in 0..RELEASES {
            let Some(revision) = self.revision(client)? else {
                return Ok(Released::Lost);
            };
            match client.delete_revision(&self.key, revision) {
                Ok(_) => return Ok(Released::Yes),
                Err(Error::PreconditionFailed(_)) => {}
                Err(error) => {
                    // A deletion whose answer was lost shows in that the key is gone.
                    return match self.revision(client) {
                        Ok(None) => Ok(Released::Yes),
                        _ => Err(error.into()),
                    };
                }
            }
        }
        Ok(Released::Lost)
    }

    /// The key's revision where it is ours.
    fn revision(&self, client: &Client) -> Result<Option<Revision>, Failure> {
        let entry = client.get(&self.key)?;
        let ours = entry.filter(|entry| entry.value == self.holder.as_bytes());
        Ok(ours.map(|entry| entry.metadata.revision))
    }
}
