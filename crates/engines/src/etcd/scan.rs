//! Pages of a listing, counts, and usage.
//!
//! Each is read as of one revision of the cluster's. Where only keys are wanted, values stay where
//! they are: the hints tell which keys may have expired and not yet been removed. A folder of a
//! one-level listing is passed with one seek, and so is what a listing leaves out.

use std::collections::HashSet;

use prominence_core::entry::Metadata;
use prominence_core::limits::MAX_PAGE_BYTES;
use prominence_core::{
    Depth, Entry, Item, Key, Namespace, Page, Prefix, Projection, Scan, StoreError, Timestamp,
    Usage, Visibility,
};
use tokio::time::Instant;

use super::Shared;
use super::error::{RETRY_SOON, unavailable};
use super::keys::{self, Range};
use super::known::decode_entry;
use super::members::{Found, Read, RowContent, Wanted, range, row};
use super::records::{self, Head};
use prominence_core::error::Fate;

/// Bytes of rows that one question should bring, so that a page is read in a few.
const QUESTION_BYTES: usize = 2 << 20;

/// Rows of the first question, when it is not known how large they are.
const FIRST_ROWS: usize = 64;

/// The most rows of one question.
const MAX_ROWS: usize = 10_000;

/// Hints that are read at once.
const MAX_HINTS: usize = 64;

/// Keys that are looked up in one transaction. etcd takes 128 operations.
const MAX_LOOKED_UP: usize = 120;

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
    shared: &'a Shared,
    namespace: &'a Namespace,
    prefix: &'a Prefix,
    content: RowContent,
    /// As of when; 0 until the first answer tells.
    revision: i64,
    now: Timestamp,
    /// What has expired and is not yet removed, where only keys are read.
    expired: HashSet<Key>,
    deadline: Instant,
}

impl Shared {
    /// One page.
    pub(super) async fn page(
        &self,
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
                return Ok(page?);
            }
        }
    }

    /// How many keys there are.
    pub(super) async fn count_keys(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        visibility: Visibility,
        deadline: Instant,
    ) -> Result<u64, StoreError> {
        let mut tries = Tries::default();
        loop {
            let mut walk = self.walk(namespace, prefix, RowContent::Keys, deadline);
            let count = walk.count(visibility).await;
            if !tries.again(&count) {
                return Ok(count?);
            }
        }
    }

    /// What is stored, less what has expired and is not yet removed.
    pub(super) async fn usage(
        &self,
        namespace: &Namespace,
        deadline: Instant,
    ) -> Result<Usage, StoreError> {
        let everything = Prefix::everything();
        let mut tries = Tries::default();
        loop {
            let mut walk = self.walk(namespace, &everything, RowContent::Keys, deadline);
            let usage = walk.usage().await;
            if !tries.again(&usage) {
                return Ok(usage?);
            }
        }
    }

    fn walk<'a>(
        &'a self,
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
            now: self.clock.now(),
            expired: HashSet::new(),
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
    /// Reads the head, and with it how many keys there are in a range, where that is asked. All
    /// else is read as of the same revision.
    async fn begin(&mut self, count: Option<&Range>) -> Result<(Head, u64), Failure> {
        let key = self.shared.keys.head(self.namespace);
        let mut questions = vec![row(key.clone(), 0)];
        let wanted = Wanted {
            content: RowContent::Count,
            ..Wanted::default()
        };
        questions.extend(count.map(|count| range(count, wanted)));
        let read = self.ask(questions).await?;
        let mut found = read.found.into_iter();
        let head = found.next().unwrap_or_default();
        let head = match head.rows.first() {
            Some(row) => Head::decode(&key, row.value())?,
            None => Head::default(),
        };
        Ok((head, found.next().map_or(0, |found| found.count)))
    }

    async fn page(&mut self, scan: &Scan) -> Result<Page, Failure> {
        if self.content == RowContent::Keys {
            self.begin(None).await?;
            self.learn_expired().await?;
        }
        let mut page = Page::default();
        let mut weight = 0;
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

    async fn count(&mut self, visibility: Visibility) -> Result<u64, Failure> {
        let all = self.shared.keys.entries(self.namespace, self.prefix);
        let (head, stored) = self.begin(Some(&all)).await?;
        self.learn_expired().await?;
        // Where a listing leaves nothing out, the cluster's own count is right.
        if visibility == Visibility::All || head.internal_keys == 0 {
            return Ok(stored.saturating_sub(self.expired.len() as u64));
        }
        let mut count = 0;
        let prefix = self.prefix;
        self.visit(None, MAX_ROWS, &mut |listed| {
            if let Some(hidden) = prefix.hidden_part(listed.key()) {
                return past_folder(listed.key(), hidden);
            }
            count += 1;
            Step::Next
        })
        .await?;
        Ok(count)
    }

    /// Shows the keys that sort after `after` to `visit`, and goes on where it says.
    async fn visit(
        &mut self,
        after: Option<&Prefix>,
        expected: usize,
        visit: &mut (dyn FnMut(Listed) -> Step + Send),
    ) -> Result<(), Failure> {
        let all = self.shared.keys.entries(self.namespace, self.prefix);
        let mut start = match after {
            Some(after) if after >= self.prefix => {
                let after = after.as_str().as_bytes();
                keys::next(self.shared.keys.entries_from(self.namespace, after))
            }
            _ => all.start,
        };
        let mut rows = expected.clamp(1, FIRST_ROWS);
        loop {
            let found = self.rows(start, &all.end, rows).await?;
            let Some(last) = found.rows.last() else {
                return Ok(());
            };
            start = keys::next(last.key().to_vec());
            let bytes: usize = found
                .rows
                .iter()
                .map(|row| row.key().len() + row.value().len())
                .sum();
            let each = bytes / found.rows.len() + 1;
            let mut is_sought = false;
            for row in found.rows {
                let row_key = row.key().to_vec();
                let Some(listed) = self.listed(row)? else {
                    continue;
                };
                match visit(listed) {
                    Step::Next => {}
                    Step::Stop => return Ok(()),
                    Step::Seek(to) => {
                        let to = self.shared.keys.entries_from(self.namespace, &to);
                        // Rows that are there already need no question.
                        if to > row_key {
                            start = to;
                            is_sought = true;
                            break;
                        }
                    }
                }
            }
            if !is_sought && !found.is_cut {
                return Ok(());
            }
            if !is_sought {
                let most = (QUESTION_BYTES / each).clamp(1, MAX_ROWS);
                rows = (rows * 4).clamp(1, most);
            }
        }
    }

    async fn rows(&mut self, start: Vec<u8>, end: &[u8], limit: usize) -> Result<Found, Failure> {
        let rows = Range {
            start,
            end: end.to_vec(),
        };
        let wanted = Wanted {
            limit,
            content: self.content,
            revision: self.revision,
        };
        let read = self.ask(vec![range(&rows, wanted)]).await?;
        Ok(read.found.into_iter().next().unwrap_or_default())
    }

    /// What a row shows; `None` where it has expired.
    fn listed(&self, row: etcd_client::KeyValue) -> Result<Option<Listed>, Failure> {
        let row_key = row.key().to_vec();
        let key = self.shared.keys.read_entry(self.namespace, &row_key);
        let key = key.ok_or_else(|| {
            crate::row::damaged(crate::row::Kind::Entry, &row_key, "has no legal key")
        })?;
        if self.content == RowContent::Keys {
            let is_live = !self.expired.contains(&key);
            return Ok(is_live.then_some(Listed::Key(key)));
        }
        let entry = decode_entry(&row_key, row)?;
        Ok(Some(Listed::Entry(key, entry)))
    }

    /// Learns which keys under the prefix have expired and are not yet removed.
    async fn learn_expired(&mut self) -> Result<(), Failure> {
        let overdue = self.overdue().await?;
        self.expired = overdue.into_iter().map(|(key, _)| key).collect();
        Ok(())
    }

    /// What under the prefix has expired and is not yet removed, as far as hints tell: they name
    /// all that may have.
    async fn overdue(&mut self) -> Result<Vec<(Key, Metadata)>, Failure> {
        let mut hints = self.shared.keys.due_by(self.namespace, self.now);
        let mut suspects = HashSet::new();
        loop {
            let wanted = Wanted {
                limit: MAX_HINTS,
                revision: self.revision,
                ..Wanted::default()
            };
            let read = self.ask(vec![range(&hints, wanted)]).await?;
            let found = read.found.into_iter().next().unwrap_or_default();
            for row in &found.rows {
                let due = records::decode_due(row.key(), row.value())?;
                let due = due.into_iter().filter(|(_, at)| *at <= self.now);
                let due = due.filter(|(key, _)| self.prefix.matches(key));
                suspects.extend(due.map(|(key, _)| key));
            }
            match found.rows.last() {
                Some(last) if found.is_cut => hints.start = keys::next(last.key().to_vec()),
                _ => break,
            }
        }
        let suspects: Vec<_> = suspects.into_iter().collect();
        let mut overdue = Vec::new();
        for some in suspects.chunks(MAX_LOOKED_UP) {
            let row_keys = some
                .iter()
                .map(|key| self.shared.keys.entry(self.namespace, key));
            let row_keys: Vec<_> = row_keys.collect();
            let questions = row_keys.iter().map(|key| row(key.clone(), self.revision));
            let read = self.ask(questions.collect()).await?;
            for ((key, row_key), found) in some.iter().zip(&row_keys).zip(read.found) {
                if let Some(row) = found.rows.into_iter().next() {
                    let metadata = decode_entry(row_key, row)?.metadata;
                    if !metadata.is_live(self.now) {
                        overdue.push((key.clone(), metadata));
                    }
                }
            }
        }
        Ok(overdue)
    }

    async fn ask(&mut self, questions: Vec<etcd_client::TxnOp>) -> Result<Read, Failure> {
        match self.shared.members.read(questions, self.deadline).await {
            Ok(read) => {
                if self.revision == 0 {
                    self.revision = read.revision;
                }
                Ok(read)
            }
            Err(trouble) if trouble.is_compacted() => Err(Failure::Compacted),
            Err(trouble) => Err(Failure::Store(trouble.read())),
        }
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
