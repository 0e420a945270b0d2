//! The store that the fixtures hold: made by `examples/fixture.rs`, expected by `formats.rs`.
//!
//! **Fixtures never change.** They stand for the folders and backups that people have. A new format
//! gets fixtures of its own, with the content of the former and what the new format adds to it.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::{
    Change, ChangeKind, Commit, Condition, Cursor, Depth, Item, Job, Key, Lifetime, Namespace,
    Operation, Order, PageLimit, Precondition, Prefix, Projection, PutState, Scan, Store,
    StoreError, Timestamp, Value, WriteId,
};
use prominence_engines::EmbeddedStore;
use prominence_engines::Retention;
use prominence_engines::embedded::{OpenError, Options, restore};

/// When the first commit was.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// When the store was closed and its backup was made.
pub(crate) const END: Timestamp = Timestamp::from_secs(1_700_000_100);

/// The namespaces, among them names that are easily mixed up.
pub(crate) const NAMESPACES: [&str; 3] = ["alice", "alice/é", "gone"];

/// Changes kept for each; fewer than `alice` has made.
pub(crate) const KEPT_CHANGES: u64 = 40;

/// Opens the store at an instant.
pub(crate) fn open(folder: &Path, now: Timestamp) -> Result<EmbeddedStore, OpenError> {
    let options = Options {
        min_free_disk: 0,
        upkeep_every: Duration::from_hours(1),
        retention: Retention {
            changes: KEPT_CHANGES,
            age: Duration::from_hours(24),
        },
        ..Options::new(folder)
    };
    EmbeddedStore::open(options, Arc::new(ManualClock::new(now)))
}

/// Fills a folder with the store, writes its backup, and restores that into another folder.
/// What was written last is in the journal of the one; the other has none.
pub(crate) async fn make(place: &Path) -> Result<(), Box<dyn Error>> {
    let written = place.join("written");
    let store = open(&written, START)?;
    fill(&store).await?;
    store.sweep().await?;
    store.close();
    let store = open(&written, END)?;
    let backup = place.join("backup");
    store.backup(File::create(&backup)?).await?;
    std::fs::write(place.join("content.txt"), describe(&store).await?)?;
    store.close();
    let restored = place.join("restored");
    restore(&restored, File::open(&backup)?)?;
    // Opening it cuts off what its journal has reserved.
    open(&restored, END)?.close();
    Ok(())
}

/// Everything that can be read of the store, one fact a line.
pub(crate) async fn describe(store: &EmbeddedStore) -> Result<String, Box<dyn Error>> {
    let mut lines = Vec::new();
    let everything = Prefix::everything();
    for name in NAMESPACES {
        let space = Namespace::parse(name)?;
        lines.push(format!("{name} usage {:?}", store.usage(&space).await?));
        let page = store.scan(&space, &all_keys()).await?;
        for item in page.items {
            let Item::Entry(key, entry) = item else {
                return Err("the listing has no entries".into());
            };
            let value = show(entry.value.as_bytes());
            let metadata = tell_metadata(&entry.metadata);
            lines.push(format!("{name} entry {key} {value} {metadata}"));
        }
        // The log does not reach back to the beginning, and says where it does.
        let Err(StoreError::Compacted { oldest }) =
            store.changes(&space, &everything, Cursor::START).await
        else {
            return Err("the log has not been trimmed".into());
        };
        lines.push(format!("{name} oldest {oldest}"));
        let changes = store.changes(&space, &everything, Cursor::after(oldest));
        for change in changes.await?.changes {
            lines.push(format!("{name} change {}", tell_change(&change)));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// Metadata as the program of format 1 had it, and then what format 2 added, where it is there.
fn tell_metadata(metadata: &prominence_core::Metadata) -> String {
    #[derive(Debug)]
    #[allow(dead_code, reason = "the fields are there to be shown")]
    struct Metadata<'a> {
        revision: prominence_core::Revision,
        created: Timestamp,
        modified: Timestamp,
        expires: Option<Timestamp>,
        job: &'a Option<Job>,
        claimed_until: Option<Timestamp>,
        size: usize,
    }
    let old = Metadata {
        revision: metadata.revision,
        created: metadata.created,
        modified: metadata.modified,
        expires: metadata.expires,
        job: &metadata.job,
        claimed_until: metadata.claimed_until,
        size: metadata.size,
    };
    let mut told = format!("{old:?}");
    if metadata.claims > 0 {
        told += &format!(" claims {}", metadata.claims);
    }
    if let Some(job) = &metadata.claimed_by {
        told += &format!(" claimed by {job}");
    }
    if let Some(id) = &metadata.write_id {
        told += &format!(" write id {id}");
    }
    told
}

/// A change as the program of format 1 had it, and then what format 2 added, where it is there.
fn tell_change(change: &Change) -> String {
    let (kind, state) = match &change.kind {
        ChangeKind::Put(put) => (format!("Put {{ size: {} }}", put.size), put.state.as_ref()),
        ChangeKind::Delete => ("Delete".to_owned(), None),
        ChangeKind::Expire => ("Expire".to_owned(), None),
    };
    let Change {
        at, key, job, time, ..
    } = change;
    let told = format!(
        "Change {{ at: {at:?}, key: {key:?}, kind: {kind}, job: {job:?}, time: {time:?} }}"
    );
    let Some(PutState {
        cause,
        created,
        expires,
        claimed_until,
        claimed_by,
        claims,
    }) = state
    else {
        return told;
    };
    format!(
        "{told} {cause:?} created {created:?} expires {expires:?} claimed until \
         {claimed_until:?} by {claimed_by:?} claims {claims}"
    )
}

fn all_keys() -> Scan {
    Scan {
        prefix: Prefix::everything(),
        after: None,
        limit: PageLimit::MAX,
        order: Order::Ascending,
        depth: Depth::All,
        projection: Projection::Entries,
    }
}

/// A value, in short where it is one byte again and again.
fn show(value: &[u8]) -> String {
    match value {
        [first, rest @ ..] if rest.len() > 3 && rest.iter().all(|byte| byte == first) => {
            format!("{}*{:?}", value.len(), char::from(*first))
        }
        _ => format!("\"{}\"", value.escape_ascii()),
    }
}

async fn fill(store: &EmbeddedStore) -> Result<(), Box<dyn Error>> {
    let job = Job::parse("job-17")?;
    for name in NAMESPACES {
        let space = Namespace::parse(name)?;
        let write = async |author: Option<&Job>, operation| -> Result<(), StoreError> {
            let commit = Commit::single(None, operation);
            store.commit(&space, author, commit).await.map(|_| ())
        };
        for n in 0..34_u8 {
            let author = (n % 2 == 0).then_some(&job);
            write(author, set(&format!("/many/{n:02}"), vec![n; 20], None)?).await?;
        }
        write(None, set("/empty", Vec::new(), None)?).await?;
        write(
            None,
            set("/odd \u{1f980}?#%/k", b"\0\xff\r\n".to_vec(), None)?,
        )
        .await?;
        if name == "alice" {
            write(None, set("/large", vec![b'x'; 16_384], None)?).await?;
        }
        write(None, set("/later", b"soon".to_vec(), Some(86_400))?).await?;
        // Nobody has removed it when the store is closed.
        write(None, set("/expired", b"past".to_vec(), Some(50))?).await?;
        let by = 42;
        let key = Key::parse("/sum")?;
        write(Some(&job), Operation::Add { key, by }).await?;
        let prefix = Prefix::parse("/many/1")?;
        let hold = Duration::from_mins(10);
        write(Some(&job), Operation::Claim { prefix, hold }).await?;
        let prefix = Prefix::parse("/many/3")?;
        write(None, Operation::delete_prefix(prefix)).await?;
        fill_with_claims(store, &space).await?;
        if name == "gone" {
            // In two steps, so that the log begins between them.
            for prefix in [Prefix::parse("/many/")?, Prefix::everything()] {
                write(None, Operation::delete_prefix(prefix)).await?;
            }
        }
    }
    Ok(())
}

/// What format 2 added: claims that are counted and say who holds them, and write ids.
async fn fill_with_claims(store: &EmbeddedStore, space: &Namespace) -> Result<(), Box<dyn Error>> {
    let (first, second) = (Job::parse("worker-1")?, Job::parse("worker-2")?);
    let write = async |author: &Job, operation| -> Result<(), StoreError> {
        let commit = Commit::single(None, operation);
        store.commit(space, Some(author), commit).await.map(|_| ())
    };
    let hold = Duration::from_mins(10);
    let prefix = Prefix::parse("/many/2")?;
    let claim = || Operation::Claim {
        prefix: prefix.clone(),
        hold,
    };
    let key = || Key::parse("/many/20");
    write(&first, claim()).await?;
    write(&first, Operation::Release { key: key()? }).await?;
    write(&first, claim()).await?;
    write(&second, Operation::Renew { key: key()?, hold }).await?;
    write(&second, claim()).await?;
    let key = Key::parse("/once")?;
    let absent = Condition {
        key,
        expect: Precondition::Absent,
    };
    let set = set("/once", b"1".to_vec(), None)?;
    let id = WriteId::parse(b"0123456789abcdef0123456789abcdef")?;
    let commit = Commit::single(Some(absent), set).identified_by(id)?;
    store.commit(space, None, commit).await?;
    Ok(())
}

fn set(key: &str, value: Vec<u8>, seconds: Option<u64>) -> Result<Operation, Box<dyn Error>> {
    Ok(Operation::Set {
        key: Key::parse(key)?,
        value: Value::stored(value.into()),
        lifetime: seconds.map_or(Lifetime::Permanent, |seconds| {
            Lifetime::For(Duration::from_secs(seconds))
        }),
    })
}
