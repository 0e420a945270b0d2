//! `prominence kv lock`: a command that runs while a lock is held.
//!
//! A lock is a key that exists. It is created with a lifetime, on the condition that it does not exist, and renewed
//! long before its end, on the condition that its value is still the holder's. Every renewal is a commit and changes
//! the revision of the key, so conditions name the value instead: no two holders write the same one.

mod acquire;
mod holder;

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
use crate::lease::acquire::attempt;
use crate::lease::clock::Moment;
use crate::lease::release::Releaser;
use crate::lease::renewer::{Lease, Renewal};
use crate::lease::signals::{CommandGroup, NotStarted, Signals, status_of_signal};
use crate::lease::supervise::{self, Ending, LeaseTimes, status_code};
use crate::lease::{self, cannot_run};
use crate::output::{self, Output, Show, Status};
use acquire::{AcquiredLock, LockRequest, Slots};
use holder::Holder;

/// The attempts of a release, each with the revision of the key as it is then. A renewal whose answer was lost
/// changes it once.
const RELEASES: u32 = 3;

const KEY: &str = "PROMINENCE_LOCK_KEY";
const SLOT: &str = "PROMINENCE_LOCK_SLOT";
const VALUE: &str = "PROMINENCE_LOCK_VALUE";
const REVISION: &str = "PROMINENCE_LOCK_REVISION";

/// The events of `--json`.
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
    let renewals = lease::renewal_client(client, options.ttl)?;
    // A command that reads a terminal has to be in the foreground group of the terminal.
    let group = if std::io::stdin().is_terminal() {
        CommandGroup::Terminal
    } else {
        CommandGroup::Own
    };
    let signals = lease::receive_signals(group, options.grace)?;
    let status = Status::new(Show::unless(options.quiet));
    let request = LockRequest {
        slots: Slots::of(options)?,
        holder: Holder::this_process(),
        ttl: options.ttl,
        deadline: (!options.no_wait).then(|| Moment::now().after(options.wait)),
        line: status.line(),
    };
    let (own_client, own_request) = (client.clone(), request.clone());
    let acquired = attempt(&signals, move |guard| {
        acquire::acquire(&own_client, &own_request, guard)
    });
    drop(status);
    let acquired = acquired.map_err(|signal| Failure::Command(status_of_signal(signal)))??;
    let ours = Value::new(request.holder.as_bytes().to_vec(), MAX_VALUE_BYTES);
    let ours = ours.map_err(|error| Failure::Usage(error.to_string()))?;
    let lock = HeldLock {
        releaser: Releaser {
            client: renewals,
            retry_for: client.retry_for().min(options.ttl),
            signals: signals.clone(),
        },
        key: acquired.key.clone(),
        holder: request.holder,
        renewal: SetOptions {
            lifetime: Lifetime::For(options.ttl),
            condition: Some(Precondition::Value(ours)),
            write_id: None,
        },
    };
    let mut events = options.json.then_some(output);
    let mut command = lease::command(&options.command);
    environment.give(&mut command);
    set_variables(&mut command, &lock, &acquired);
    run_with_lock((options, command), &signals, lock, &acquired, &mut events)
}

/// Prints an event, with `--json`.
fn print(output: &mut Option<&mut Output>, event: &Event<'_>) -> Result<(), Failure> {
    if let Some(output) = output {
        let line = serde_json::to_string(event).map_err(std::io::Error::from)?;
        writeln!(output, "{line}")?;
        output.flush()?;
    }
    Ok(())
}

/// Runs the command with the lock, and releases the lock.
fn run_with_lock(
    (options, mut command): (&Lock, Command),
    signals: &Signals,
    lock: HeldLock,
    acquired: &AcquiredLock,
    events: &mut Option<&mut Output>,
) -> Result<(), Failure> {
    let key = lock.key.clone();
    if events.is_some() {
        lease::redirect_standard_output(&mut command);
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
    let event = Event::Acquired {
        key: key.as_str(),
        slot: acquired.slot,
        holder: lock.holder.as_str(),
        revision: acquired.revision.get(),
    };
    // The command goes on if the event can't be printed; the error is returned when it has ended.
    let printed = print(events, &event);
    let times = LeaseTimes {
        length: options.ttl,
        grace: options.grace,
    };
    let Ending {
        status,
        lost,
        lease,
    } = supervise::supervise(running, signals, (lock, acquired.since), times);
    let status = status_code(status);
    if let Some(reason) = lost {
        // A lock that could not be renewed may still be ours, and others need not wait for its end.
        if let Some(lock) = lease {
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
    let problem = match lease.map(|lock| lock.release()) {
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

fn set_variables(command: &mut Command, lock: &HeldLock, acquired: &AcquiredLock) {
    command
        .env(KEY, acquired.key.as_str())
        .env(VALUE, lock.holder.as_str())
        .env(REVISION, acquired.revision.to_string());
    match acquired.slot {
        Some(slot) => command.env(SLOT, slot.to_string()),
        None => command.env_remove(SLOT),
    };
}

/// A lock that this process has.
struct HeldLock {
    releaser: Releaser,
    key: Key,
    holder: Holder,
    renewal: SetOptions,
}

/// The result of a release.
enum Released {
    /// The lock was ours until then.
    Yes,
    /// The lock was not ours any more.
    Lost,
}

impl Lease for HeldLock {
    /// The condition is the value, which stays the same over renewals, and not the revision: so a renewal whose answer
    /// was lost does not make the next one fail.
    fn renew(&mut self) -> Renewal {
        let value = self.holder.as_bytes();
        let client = &self.releaser.client;
        match client.set(&self.key, value, &self.renewal) {
            Ok(_) => Renewal::Renewed,
            Err(Error::PreconditionFailed(_)) => Renewal::Lost(match client.get(&self.key) {
                Ok(Some(entry)) => format!("it is now held by {}", acquire::shown(&entry)),
                Ok(None) | Err(_) => "it expired, or was deleted".to_owned(),
            }),
            Err(error) => Renewal::Unknown(error.to_string()),
        }
    }
}

impl HeldLock {
    /// Deletes the key if it is still ours.
    fn release(&self) -> Result<Released, Failure> {
        let what = format!("releasing the lock {}", self.key);
        self.releaser
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
                    // If the answer of a deletion was lost, the key is gone.
                    return match self.revision(client) {
                        Ok(None) => Ok(Released::Yes),
                        _ => Err(error.into()),
                    };
                }
            }
        }
        Ok(Released::Lost)
    }

    /// The key's revision, if it is ours.
    fn revision(&self, client: &Client) -> Result<Option<Revision>, Failure> {
        let entry = client.get(&self.key)?;
        let ours = entry.filter(|entry| entry.value == self.holder.as_bytes());
        Ok(ours.map(|entry| entry.metadata.revision))
    }
}
