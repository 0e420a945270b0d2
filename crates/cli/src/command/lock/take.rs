//! Taking a lock, or one of its slots, as soon as it is free.

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
use crate::held::attempt::Door;
use crate::held::clock::Moment;
use crate::output::StatusLine;

/// How long to wait for one slot before looking at all of them again: any of them may become free.
const ONE_SLOT: Duration = Duration::from_secs(1);

/// The pause after a request of which nobody knows what became.
const PAUSE: Duration = Duration::from_millis(200);

/// The keys of which one is to be taken.
#[derive(Clone)]
pub(super) enum Slots {
    /// The lock's own key.
    One(Key),
    /// Keys below the lock's, of equal rank.
    Many(Key, Vec<Key>),
}

/// Which lock is wanted, by whom, for how long, and until when.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) slots: Slots,
    pub(super) holder: Holder,
    pub(super) ttl: Duration,
    /// `None` is not to wait.
    pub(super) deadline: Option<Moment>,
    /// Where a person is told for whom this process waits.
    pub(super) line: StatusLine,
}

/// A lock that is ours.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) key: Key,
    pub(super) slot: Option<usize>,
    /// The commit that took it.
    pub(super) revision: Revision,
    /// When it began at the earliest.
    pub(super) since: Moment,
}

impl Wish {
    /// How long to wait still.
    fn left(&self) -> Duration {
        self.deadline.map(Moment::left).unwrap_or_default()
    }

    /// A client that tries for as long as the lock is waited for, over a restart of the server too.
    fn patient(&self, client: &Client) -> Client {
        match self.deadline {
            Some(deadline) => client.with_retry_for(deadline.left()),
            None => client.clone(),
        }
    }

    /// What to say when the time is over.
    fn late(&self, what: &str, holder: &str) -> String {
        match self.deadline {
            None => format!("the lock {what} held by {holder}; leave --no-wait out to wait for it"),
            Some(_) => format!("the lock {what} still held by {holder}; wait longer with --wait"),
        }
    }
}

impl Slots {
    /// The keys that were meant.
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

/// Takes the lock, or says who has it when the time is over.
pub(super) fn take(client: &Client, wish: &Wish, door: &Door) -> Result<Taken, Failure> {
    match &wish.slots {
        Slots::One(key) => take_one(client, wish, key, door),
        Slots::Many(lock, keys) => take_any(client, wish, (lock, keys), door),
    }
}

/// What a person wants to know of a holder.
pub(super) fn shown(entry: &Entry) -> String {
    let value = String::from_utf8_lossy(&entry.value);
    match &entry.metadata.job {
        Some(job) => format!("{value} (job {job})"),
        None => value.into_owned(),
    }
}

/// Who holds a lock until when, in case the holder does not renew it.
fn waiting(key: &Key, entry: &Entry) -> String {
    let until = entry.metadata.expires.map(rfc3339);
    let until = until.map(|until| format!(" until {}", time::of_day(&until)));
    let holder = shown(entry);
    format!(
        "the lock {key} is held by {holder}{}",
        until.unwrap_or_default()
    )
}

fn take_one(client: &Client, wish: &Wish, key: &Key, door: &Door) -> Result<Taken, Failure> {
    loop {
        let client = &wish.patient(client);
        if let Some(taken) = door.take(|| try_to_take(client, wish, key, None).transpose()) {
            return taken;
        }
        let mut holder = None;
        // Every renewal wakes us up; only an absent key is worth an attempt.
        while let Some(entry) = client.get(key)? {
            if entry.value == wish.holder.as_bytes() {
                // An earlier request of ours, whose answer was lost, has taken it after all.
                match take_again(client, wish, key, None)? {
                    Some(taken) => return Ok(taken),
                    None => continue,
                }
            }
            holder = Some(shown(&entry));
            let left = wish.left();
            if left.is_zero() {
                break;
            }
            wish.line.show(waiting(key, &entry));
            wait_for_change(client, key, entry.metadata.revision, left)?;
        }
        if wish.left().is_zero() {
            let holder = holder.unwrap_or_else(|| "others in turn".to_owned());
            return Err(Failure::No(wish.late(&format!("{key} is"), &holder)));
        }
    }
}

fn take_any(
    client: &Client,
    wish: &Wish,
    (lock, keys): (&Key, &[Key]),
    door: &Door,
) -> Result<Taken, Failure> {
    loop {
        let client = &wish.patient(client);
        let held = holders(client, lock)?;
        // Where all begin at the same slot, all fail but one, and try the next one together again.
        let first = random_below(keys.len());
        let turned = keys.iter().enumerate().cycle().skip(first).take(keys.len());
        for (slot, key) in turned.filter(|(_, key)| !held.contains_key(key.as_str())) {
            let taken = door.take(|| try_to_take(client, wish, key, Some(slot)).transpose());
            if let Some(taken) = taken {
                return taken;
            }
        }
        let left = wish.left();
        if left.is_zero() {
            let slots = keys.len();
            return Err(Failure::No(wish.late(
                &format!("{lock} is, in all its {},", counted(slots as u64, "slot")),
                "others",
            )));
        }
        let (slots, others) = (keys.len(), held.len());
        wish.line.show(format_args!(
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

/// Takes a key where it does not exist. `None` where somebody else has it.
fn try_to_take(
    client: &Client,
    wish: &Wish,
    key: &Key,
    slot: Option<usize>,
) -> Result<Option<Taken>, Failure> {
    match set(client, wish, key, slot, Precondition::Absent) {
        Err(error) if error.fate() == Fate::Unknown => {
            // The answer was lost; the key tells whether the lock is ours.
            std::thread::sleep(PAUSE);
            match client.get(key)? {
                Some(entry) if entry.value == wish.holder.as_bytes() => {
                    take_again(client, wish, key, slot)
                }
                _ => Ok(None),
            }
        }
        taken => Ok(taken?),
    }
}

/// Takes a key that is ours already, so that it is known from when on. `None` where it has been lost.
fn take_again(
    client: &Client,
    wish: &Wish,
    key: &Key,
    slot: Option<usize>,
) -> Result<Option<Taken>, Failure> {
    let ours = Value::new(wish.holder.as_bytes().to_vec(), MAX_VALUE_BYTES);
    let ours = ours.map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(set(client, wish, key, slot, Precondition::Value(ours))?)
}

/// Writes the holder where a condition holds. `None` where it does not.
fn set(
    client: &Client,
    wish: &Wish,
    key: &Key,
    slot: Option<usize>,
    condition: Precondition,
) -> Result<Option<Taken>, Error> {
    let options = SetOptions {
        lifetime: Lifetime::For(wish.ttl),
        condition: Some(condition),
        write_id: None,
    };
    let since = Moment::now();
    match client.set(key, wish.holder.as_bytes(), &options) {
        Ok(written) => Ok(Some(Taken {
            key: key.clone(),
            slot,
            revision: written.revision,
            since,
        })),
        Err(Error::PreconditionFailed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A number below another, for taking turns.
fn random_below(limit: usize) -> usize {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
    // Without a source of random numbers, everybody begins with the first.
    let random = getrandom::u64().unwrap_or_default();
    usize::try_from(random % limit).unwrap_or_default()
}
