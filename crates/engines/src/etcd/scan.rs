//! Pages of a listing, counts, and usage.
//!
//! Each is read as of one revision of the cluster's. Where only keys are wanted, values stay where
//! they are: the hints tell which keys may have expired and not yet been removed. A folder of a
//! one-level listing is passed with one seek, and so is what a listing leaves out.

mod walk;

use std::collections::HashSet;
use std::sync::Arc;

use etcd_client::TxnOp;
use prominence_core::error::Fate;
use prominence_core::limits::MAX_PAGE_BYTES;
use prominence_core::{
    Count, Depth, Entry, Item, Key, Namespace, Page, Prefix, Projection, Scan, StoreError,
    Timestamp, Usage, Visibility,
};
use tokio::time::Instant;

use super::Shared;
use super::error::{RETRY_SOON, unavailable};
use super::keys::Range;
use super::members::{Found, RowContent, Wanted, range, row};
use super::records::Head;

/// The most rows of one question.
const MAX_ROWS: usize = 10_000;

/// How often something is begun again as of a later revision, where the cluster's history was
/// compacted meanwhile.
const MAX_COMPACTED: u32 = 3;

/// What to look at after a key.
enum Step {
    /// The next one.
    Next,
    /// The first one from here on.
    Seek(Vec<u8>),
    /// Nothing.
    Stop,
}

/// A row of a listing.
enum Listed {
    /// Its name alone.
    Key(Key),
    Entry(Key, Entry),
}

/// Something that is read in several steps as of one revision.
struct Walk<'a> {
    shared: &'a Arc<Shared>,
    namespace: &'a Namespace,
    prefix: &'a Prefix,
    content: RowContent,
    /// As of when; 0 until the first answer tells.
    revision: i64,
    /// The namespace's head as of then; `None` until the first answer.
    head: Option<Head>,
    now: Timestamp,
    /// What has expired and is not yet removed, where only keys are read.
    expired: HashSet<Key>,
    /// Whether something was left out because it has expired.
    met_expired: bool,
    deadline: Instant,
}

impl Shared {
    /// One page.
    pub(super) async fn page(
        self: &Arc<Self>,
        namespace: &Namespace,
        scan: &Scan,
        deadline: Instant,
    ) -> Result<Page, StoreError> {
        let content = match scan.projection {
            Projection::Keys => RowContent::Keys,
            Projection::Details | Projection::Entries => RowContent::All,
        };
        let mut tries = Tries::default();
        loop {
            let mut walk = self.walk(namespace, &scan.prefix, content, deadline);
            let page = walk.page(scan).await;
            if !tries.again(&page) {
                walk.end().await;
                return Ok(page?);
            }
        }
    }

    /// How many keys there are.
    pub(super) async fn count_keys(
        self: &Arc<Self>,
        namespace: &Namespace,
        prefix: &Prefix,
        visibility: Visibility,
        deadline: Instant,
    ) -> Result<Count, StoreError> {
        let mut tries = Tries::default();
        loop {
            let mut walk = self.walk(namespace, prefix, RowContent::Keys, deadline);
            let count = walk.count(visibility).await;
            if !tries.again(&count) {
                walk.end().await;
                return Ok(count?);
            }
        }
    }

    /// What is stored, less what has expired and is not yet removed.
    pub(super) async fn usage(
        self: &Arc<Self>,
        namespace: &Namespace,
        deadline: Instant,
    ) -> Result<Usage, StoreError> {
        let everything = Prefix::everything();
        let mut tries = Tries::default();
        loop {
            let mut walk = self.walk(namespace, &everything, RowContent::Keys, deadline);
            let usage = walk.usage().await;
            if !tries.again(&usage) {
                walk.end().await;
                return Ok(usage?);
            }
        }
    }

    fn walk<'a>(
        self: &'a Arc<Self>,
        namespace: &'a Namespace,
        prefix: &'a Prefix,
        content: RowContent,
        deadline: Instant,
    ) -> Walk<'a> {
        Walk {
            shared: self,
            namespace,
            prefix,
            content,
            revision: 0,
            head: None,
            now: self.clock.now(),
            expired: HashSet::new(),
            met_expired: false,
            deadline,
        }
    }
}

/// Why something was not read.
enum Failure {
    /// The revision as of which it was read is no longer kept.
    Compacted,
    Store(StoreError),
}

/// How often something was begun again.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// Whether to begin again.
    fn again<T>(&mut self, found: &Result<T, Failure>) -> bool {
        self.0 += 1;
        self.0 < MAX_COMPACTED && matches!(found, Err(Failure::Compacted))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Compacted => {
                let reason = "etcd's history is compacted faster than this can be read";
                unavailable(reason, Fate::NotApplied, RETRY_SOON)
            }
        }
    }
}

impl Walk<'_> {
    /// What was left out of the answer is removed before it is given.
    async fn end(&self) {
        if self.met_expired {
            self.shared.remove_expired(self.namespace).await;
        }
    }

    /// Reads the head, and with it how many keys there are in a range, where that is asked. All
    /// else is read as of the same revision.
    async fn begin(&mut self, count: Option<&Range>) -> Result<(Head, u64), Failure> {
        let wanted = Wanted {
            content: RowContent::Count,
            ..Wanted::default()
        };
        let question = count.map(|count| range(count, wanted));
        let (head, found) = self.with_head(question).await?;
        Ok((head, found.count))
    }

    /// Reads the head, and in the same transaction what else is asked.
    async fn with_head(&mut self, question: Option<TxnOp>) -> Result<(Head, Found), Failure> {
        let key = self.shared.keys.head(self.namespace);
        let mut questions = vec![row(key.clone(), self.revision)];
        questions.extend(question);
        let read = self.ask(questions).await?;
        let mut found = read.found.into_iter();
        let head = found.next().unwrap_or_default();
        let head = match head.rows.first() {
            Some(row) => Head::decode(&key, row.value())?,
            None => Head::default(),
        };
        self.head = Some(head);
        Ok((head, found.next().unwrap_or_default()))
    }

    async fn page(&mut self, scan: &Scan) -> Result<Page, Failure> {
        if self.content == RowContent::Keys {
            self.begin(None).await?;
            self.learn_expired().await?;
        }
        let mut page = Page::default();
        let mut weight = 0;
        let mut met_expired = false;
        let now = self.now;
        let expected = scan.limit.get().saturating_add(1);
        self.visit(scan.after.as_ref(), expected, &mut |listed| {
            let key = listed.key();
            if let Some(hidden) = scan.prefix.hidden_part(key) {
                return past_folder(key, hidden);
            }
            let folder = match scan.depth {
                Depth::All => None,
                Depth::OneLevel => scan.prefix.folder_of(key),
            };
            if let (Some(folder), Some(after)) = (&folder, &scan.after)
                && folder <= after
            {
                return past_folder(key, folder.as_str().len() - 1);
            }
            if !listed.is_live(now) {
                met_expired = true;
                return Step::Next;
            }
            if page.items.len() == scan.limit.get() || weight >= MAX_PAGE_BYTES {
                page.next = page.items.last().map(Item::position);
                return Step::Stop;
            }
            let (item, step) = match folder {
                None => (listed.item(scan.projection), Step::Next),
                Some(folder) => {
                    let step = past_folder(listed.key(), folder.as_str().len() - 1);
                    (Item::Folder(folder), step)
                }
            };
            weight += item.weight();
            page.items.push(item);
            step
        })
        .await?;
        self.met_expired |= met_expired;
        page.revision = self.head.unwrap_or_default().usage.revision;
        Ok(page)
    }

    async fn usage(&mut self) -> Result<Usage, Failure> {
        let (head, _) = self.begin(None).await?;
        let mut usage = head.usage;
        for (key, metadata) in self.overdue().await? {
            usage.keys = usage.keys.saturating_sub(1);
            let bytes = (key.as_str().len() + metadata.size) as u64;
            usage.bytes = usage.bytes.saturating_sub(bytes);
        }
        Ok(usage)
    }

    async fn count(&mut self, visibility: Visibility) -> Result<Count, Failure> {
        let all = self.shared.keys.entries(self.namespace, self.prefix);
        let (head, stored) = self.begin(Some(&all)).await?;
        let revision = head.usage.revision;
        self.learn_expired().await?;
        // Where a listing leaves nothing out, the cluster's own count is right.
        if visibility == Visibility::All || head.internal_keys == 0 {
            return Ok(Count {
                keys: stored.saturating_sub(self.expired.len() as u64),
                revision,
            });
        }
        let mut keys = 0;
        let prefix = self.prefix;
        self.visit(None, MAX_ROWS, &mut |listed| {
            if let Some(hidden) = prefix.hidden_part(listed.key()) {
                return past_folder(listed.key(), hidden);
            }
            keys += 1;
            Step::Next
        })
        .await?;
        Ok(Count { keys, revision })
    }
}

impl Listed {
    fn key(&self) -> &Key {
        match self {
            Self::Key(key) | Self::Entry(key, _) => key,
        }
    }

    fn is_live(&self, now: Timestamp) -> bool {
        match self {
            // Those that have expired are not shown at all.
            Self::Key(_) => true,
            Self::Entry(_, entry) => entry.metadata.is_live(now),
        }
    }

    fn item(self, projection: Projection) -> Item {
        match self {
            Self::Key(key) => Item::Key(key),
            Self::Entry(key, entry) => Item::project(key, entry, projection),
        }
    }
}

/// Past everything below the folder that is the first `length` bytes of `key`; the `/` that ends
/// a folder's name comes after them. The key itself may be just these bytes.
fn past_folder(key: &Key, length: usize) -> Step {
    if key.as_str().len() == length {
        return Step::Next;
    }
    let mut past = key.as_str().as_bytes()[..length].to_vec();
    past.push(b'/' + 1);
    Step::Seek(past)
}
