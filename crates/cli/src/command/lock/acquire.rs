//! Acquiring a lock, or one of its slots, as soon as it is free.

use std::collections::HashMap;
use std::time::Duration;

use prominence_api::Listed;
use prominence_api::time::rfc3339;
use prominence_client::error::Fate;
use prominence_client::{Client, Entry, Error, Lifetime, ListOptions, SetOptions, Show, Until};
use prominence_core::key::KeyError;
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::{Key, Precondition, Prefix, Revision, Value};

use super::holder::Holder;
use crate::args::kv::lock::Lock;
use crate::command::counted;
use crate::command::time;
use crate::failure::Failure;
use crate::lease::acquire::AcquireGuard;
use crate::lease::clock::Moment;
use crate::output::StatusLine;

/// The longest wait for one slot before all slots are read again: any of them may become free.
const ONE_SLOT: Duration = Duration::from_secs(1);

/// The pause after a request whose answer was lost.
const PAUSE: Duration = Duration::from_millis(200);

/// The keys of which one is to be acquired.
#[derive(Clone)]
pub(super) enum Slots {
    /// The lock's own key.
    One(Key),
    /// Keys below the lock's, one for each slot.
    Many(Key, Vec<Key>),
}

/// A request for a lock: its keys, the holder, the lifetime, and the deadline.
#[derive(Clone)]
pub(super) struct LockRequest {
    pub(super) slots: Slots,
    pub(super) holder: Holder,
    pub(super) ttl: Duration,
    /// `None` with `--no-wait`: the request fails at once.
    pub(super) deadline: Option<Moment>,
    /// The line on the terminal that names the holder.
    pub(super) line: StatusLine,
}

/// A lock that this process has acquired.
#[derive(Debug)]
pub(super) struct AcquiredLock {
    pub(super) key: Key,
    pub(super) slot: Option<usize>,
    /// The revision of the commit.
    pub(super) revision: Revision,
    /// The earliest instant at which its lifetime can have begun.
    pub(super) since: Moment,
}

impl LockRequest {
    /// The time that is left to wait.
    fn left(&self) -> Duration {
        self.deadline.map(Moment::left).unwrap_or_default()
    }

    /// A client that repeats requests until the deadline, also over a restart of the server.
    fn retrying(&self, client: &Client) -> Client {
        match self.deadline {
            Some(deadline) => client.with_retry_for(deadline.left()),
            None => client.clone(),
        }
    }

    /// The message at the deadline.
    fn timed_out(&self, what: &str, holder: &str) -> String {
        match self.deadline {
            None => format!("the lock {what} held by {holder}; leave --no-wait out to wait for it"),
            Some(_) => format!("the lock {what} still held by {holder}; wait longer with --wait"),
        }
    }
}

impl Slots {
    /// The keys that the arguments name.
    pub(super) fn of(options: &Lock) -> Result<Self, Failure> {
        let Some(count) = options.slots else {
            return Ok(Self::One(options.key.clone()));
        };
        let keys = (0..count).map(|slot| Key::parse(&format!("{}/{slot}", options.key)));
        let keys: Result<Vec<_>, KeyError> = keys.collect();
        let keys = keys.map_err(|error| {
            Failure::Usage(format!(
                "there is no room for slots below {}: {error}; name a shorter key",
                options.key
            ))
        })?;
        Ok(Self::Many(options.key.clone(), keys))
    }
}

/// Acquires the lock; the failure at the deadline names its holder.
pub(super) fn acquire(
    client: &Client,
    request: &LockRequest,
    guard: &AcquireGuard,
) -> Result<AcquiredLock, Failure> {
    match &request.slots {
        Slots::One(key) => acquire_one(client, request, key, guard),
        Slots::Many(lock, keys) => acquire_any(client, request, (lock, keys), guard),
    }
}

/// A holder, as messages show it.
pub(super) fn shown(entry: &Entry) -> String {
    let value = String::from_utf8_lossy(&entry.value);
    match &entry.metadata.job {
        Some(job) => format!("{value} (job {job})"),
        None => value.into_owned(),
    }
}

/// The line about a lock that is held: its holder, and its end unless it is renewed.
fn waiting(key: &Key, entry: &Entry) -> String {
    let until = entry.metadata.expires.map(rfc3339);
    let until = until.map(|until| format!(" until {}", time::of_day(&until)));
    let holder = shown(entry);
    format!(
        "the lock {key} is held by {holder}{}",
        until.unwrap_or_default()
    )
}

fn acquire_one(
    client: &Client,
    request: &LockRequest,
    key: &Key,
    guard: &AcquireGuard,
) -> Result<AcquiredLock, Failure> {
    loop {
        let client = &request.retrying(client);
        if let Some(taken) =
            guard.acquire(|| try_to_acquire(client, request, key, None).transpose())
        {
            return taken;
        }
        let mut holder = None;
        // Every renewal ends the wait below. Only an absent key is worth an attempt.
        while let Some(entry) = client.get(key)? {
            if entry.value == request.holder.as_bytes() {
                // An earlier request of this process, whose answer was lost, has acquired it.
                match confirm(client, request, key, None)? {
                    Some(taken) => return Ok(taken),
                    None => continue,
                }
            }
            holder = Some(shown(&entry));
            let left = request.left();
            if left.is_zero() {
                break;
            }
            request.line.show(waiting(key, &entry));
            wait_for_change(client, key, entry.metadata.revision, left)?;
        }
        if request.left().is_zero() {
            let holder = holder.unwrap_or_else(|| "others in turn".to_owned());
            return Err(Failure::No(
                request.timed_out(&format!("{key} is"), &holder),
            ));
        }
    }
}

fn acquire_any(
    client: &Client,
    request: &LockRequest,
    (lock, keys): (&Key, &[Key]),
    guard: &AcquireGuard,
) -> Result<AcquiredLock, Failure> {
    loop {
        let client = &request.retrying(client);
        let held = holders(client, lock)?;
        // If all began at the same slot, all but one would fail, and try the next one together again.
        let first = random_below(keys.len());
        let turned = keys.iter().enumerate().cycle().skip(first).take(keys.len());
        for (slot, key) in turned.filter(|(_, key)| !held.contains_key(key.as_str())) {
            let taken =
                guard.acquire(|| try_to_acquire(client, request, key, Some(slot)).transpose());
            if let Some(taken) = taken {
                return taken;
            }
        }
        let left = request.left();
        if left.is_zero() {
            let slots = keys.len();
            return Err(Failure::No(request.timed_out(
                &format!("{lock} is, in all its {},", counted(slots as u64, "slot")),
                "others",
            )));
        }
        let (slots, others) = (keys.len(), held.len());
        request.line.show(format_args!(
            "{others} of {} of the lock {lock} held",
            counted(slots as u64, "slot")
        ));
        let any = keys.get(random_below(keys.len()));
        if let Some((key, revision)) = any.and_then(|key| Some((key, held.get(key.as_str())?))) {
            wait_for_change(client, key, *revision, left.min(ONE_SLOT))?;
        }
    }
}

/// The slots that are held, with their revisions.
fn holders(client: &Client, lock: &Key) -> Result<HashMap<String, Revision>, Failure> {
    let below =
        Prefix::parse(&format!("{lock}/")).map_err(|error| Failure::Usage(error.to_string()))?;
    let options = ListOptions {
        show: Show::Details,
        ..ListOptions::default()
    };
    let mut held = HashMap::new();
    for item in client.list(&below, options) {
        if let Listed::Detail(detail) = item? {
            held.insert(detail.key, Revision::new(detail.revision));
        }
    }
    Ok(held)
}

/// Waits until a key has another revision or is gone, or the time is over.
fn wait_for_change(
    client: &Client,
    key: &Key,
    revision: Revision,
    within: Duration,
) -> Result<(), Failure> {
    client.get_when(key, Until::Differs(revision), within)?;
    Ok(())
}

/// Acquires a key that does not exist. `None` if another holder has it.
fn try_to_acquire(
    client: &Client,
    request: &LockRequest,
    key: &Key,
    slot: Option<usize>,
) -> Result<Option<AcquiredLock>, Failure> {
    match set(client, request, key, slot, Precondition::Absent) {
        Err(error) if error.fate() == Fate::Unknown => {
            // The answer was lost; the value of the key says whether the lock is ours.
            std::thread::sleep(PAUSE);
            match client.get(key)? {
                Some(entry) if entry.value == request.holder.as_bytes() => {
                    confirm(client, request, key, slot)
                }
                _ => Ok(None),
            }
        }
        taken => Ok(taken?),
    }
}

/// Sets a key that is ours already once more, so that the begin of its lifetime is known. `None` if it is lost.
fn confirm(
    client: &Client,
    request: &LockRequest,
    key: &Key,
    slot: Option<usize>,
) -> Result<Option<AcquiredLock>, Failure> {
    let ours = Value::new(request.holder.as_bytes().to_vec(), MAX_VALUE_BYTES);
    let ours = ours.map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(set(client, request, key, slot, Precondition::Value(ours))?)
}

/// Writes the holder under a condition. `None` if the condition does not hold.
fn set(
    client: &Client,
    request: &LockRequest,
    key: &Key,
    slot: Option<usize>,
    condition: Precondition,
) -> Result<Option<AcquiredLock>, Error> {
    let options = SetOptions {
        lifetime: Lifetime::For(request.ttl),
        condition: Some(condition),
        write_id: None,
    };
    let since = Moment::now();
    match client.set(key, request.holder.as_bytes(), &options) {
        Ok(written) => Ok(Some(AcquiredLock {
            key: key.clone(),
            slot,
            revision: written.revision,
            since,
        })),
        Err(Error::PreconditionFailed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A random number below a limit.
fn random_below(limit: usize) -> usize {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
    // Without a source of random numbers all begin with the first one.
    let random = getrandom::u64().unwrap_or_default();
    usize::try_from(random % limit).unwrap_or_default()
}
