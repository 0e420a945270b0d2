//! From the stored rows to the stream of a backup.

use std::io::Write;

use bytes::Bytes;
use prominence_core::{Namespace, Prefix, Revision, StoreError, Timestamp, Usage};

use super::{BlockingCluster, Rows};
use crate::backup::{BackupError, BackupSummary, Record, Space, Writer};
use crate::etcd::keys::Range;
use crate::etcd::query::RangeQuery;
use crate::etcd::records::{self, Content, Head, LoggedChange, LoggedCommit};
use crate::row::{Kind, damaged, decode_entry};

impl BlockingCluster {
    /// Writes a backup of what is stored under the root, all of it as of one revision of the
    /// cluster.
    ///
    /// # Errors
    /// See [`BackupError`]. What doesn't fit together is damage.
    pub(crate) fn export(
        &self,
        made: Timestamp,
        to: impl Write,
    ) -> Result<BackupSummary, BackupError> {
        let revision = self.revision()?;
        let mut export = Export {
            cluster: self,
            revision,
            writer: Writer::new(to, made).map_err(BackupError::Write)?,
        };
        let mut heads = export.rows(self.keys.heads(None));
        let mut entries = 0;
        while let Some((key, row)) = heads.next()? {
            let namespace = self.keys.read_head(&key);
            let namespace =
                namespace.ok_or_else(|| damaged(Kind::Head, &key, "has no legal name"))?;
            let head = Head::decode(&key, &row)?;
            export.put(&Record::Namespace(Space {
                namespace: namespace.clone(),
                revision: head.usage.revision,
                log_floor: head.oldest(),
            }))?;
            export.entries(&namespace, head.usage)?;
            export.changes(&namespace)?;
            entries += head.usage.keys;
        }
        export.demand_no_others(entries)?;
        export.writer.finish().map_err(BackupError::Write)
    }
}

/// An export of a cluster.
struct Export<'a, W> {
    cluster: &'a BlockingCluster,
    revision: i64,
    writer: Writer<W>,
}

impl<'a, W: Write> Export<'a, W> {
    fn put(&mut self, record: &Record) -> Result<(), BackupError> {
        self.writer.put(record)
    }

    fn rows(&self, range: Range) -> Rows<'a> {
        self.cluster.rows(range.start, range.end, self.revision)
    }

    /// Writes the entries of a namespace, which have to be those that its head counts.
    fn entries(&mut self, namespace: &Namespace, counted: Usage) -> Result<(), BackupError> {
        let keys = self.cluster.keys.of(namespace);
        let mut rows = self.rows(keys.entries(&Prefix::everything()));
        let mut found = Usage {
            revision: counted.revision,
            ..Usage::default()
        };
        while let Some((row_key, row)) = rows.next()? {
            let key = keys.read_entry(&row_key)?;
            let entry = decode_entry(&row_key, &Bytes::from(row))?;
            found.keys += 1;
            found.bytes += (key.as_str().len() + entry.value.len()) as u64;
            self.put(&Record::Entry(key, entry))?;
        }
        if found != counted {
            let how = "counts other entries than there are";
            return Err(damaged(Kind::Head, &keys.head(), how).into());
        }
        Ok(())
    }

    fn changes(&mut self, namespace: &Namespace) -> Result<(), BackupError> {
        let log = self.cluster.keys.of(namespace).log_from(Revision::ZERO);
        let mut rows = self.rows(log);
        while let Some((key, row)) = rows.next()? {
            let record = records::Record::decode(&key, &row)?;
            for commit in self.commits(namespace, record)? {
                for change in commit.changes() {
                    self.put(&Record::Change(change))?;
                }
            }
        }
        Ok(())
    }

    /// The commits of a record, with their changes also where those are in parts.
    fn commits(
        &self,
        namespace: &Namespace,
        record: records::Record,
    ) -> Result<Vec<LoggedCommit>, StoreError> {
        let (mut commit, deleted) = match record.content {
            Content::Inline(commits) => return Ok(commits),
            Content::InParts {
                commit, deleted, ..
            } => (commit, deleted),
        };
        let mut parts = self.rows(self.cluster.keys.of(namespace).parts(record.ticket));
        while let Some((key, row)) = parts.next()? {
            let part = records::decode_part(&key, &row)?;
            let part = part.into_iter().map(LoggedChange::deletion);
            commit.changes.extend(part);
        }
        if commit.changes.len() as u64 != deleted {
            let key = self.cluster.keys.of(namespace).log(commit.revision);
            let how = "counts other deletions than there are";
            return Err(damaged(Kind::Commits, &key, how));
        }
        Ok(vec![commit])
    }

    /// Demands that there are no entries but those that were written.
    fn demand_no_others(&self, written: u64) -> Result<(), StoreError> {
        let all = self.cluster.keys.all_entries();
        let entries = RangeQuery::range(&all).count_only().at(self.revision);
        if self.cluster.read(vec![entries])?.next().count != written {
            return Err(damaged(
                Kind::Entry,
                &all.start,
                "is beside some that belong to no namespace",
            ));
        }
        Ok(())
    }
}
