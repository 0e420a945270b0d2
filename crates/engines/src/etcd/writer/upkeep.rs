//! What the store writes for itself: removing what has expired, and forgetting old changes.

use etcd_client::{Compare, CompareOp, DeleteOptions, Txn, TxnOp};
use prominence_core::error::Fate;
use prominence_core::rules::{self, Effect};
use prominence_core::{Key, Revision, StoreError, Timestamp};
use tokio::time::Instant;

use super::group::revision_of;
use super::{Refusal, Writer};
use crate::etcd::keys::Range;
use crate::etcd::known::Need;
use crate::etcd::members::{self, Wanted};
use crate::etcd::plan;
use crate::etcd::records::{self, Content, Head, Record};
use crate::etcd::turns;

/// Records of the log that are looked at together when it is trimmed: few round trips, and some
/// MiB where each tells of many long keys. The parts of large deletions that go with them fit into
/// one transaction: what each deleted was written in five records or more.
const MAX_TRIMMED_RECORDS: usize = 256;

/// A hint about what expires.
struct Hint {
    key: Vec<u8>,
    /// The commit that wrote it.
    revision: Revision,
    /// The same by the cluster's counting.
    written: i64,
    due: Vec<(Key, Timestamp)>,
}

impl Writer {
    /// Removes what has expired and logs it, or forgets what of the log is too old or more than is
    /// kept, until nothing of it is left.
    pub(super) async fn upkeep(&mut self, of: Upkeep, deadline: Instant) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            self.known.age();
            let done = match of {
                Upkeep::Expired => self.sweep_one(deadline).await,
                Upkeep::Log => self.trim_some(deadline).await,
            };
            match done {
                Ok(Swept::Nothing) => return Ok(()),
                Ok(Swept::One) => tries = 0,
                Ok(Swept::Again) => {
                    tries += 1;
                    let waited = self.give_way(tries, deadline).await;
                    waited.map_err(|refusal| refusal.into_answer(Fate::NotApplied))?;
                }
                Err((refusal, fate)) => {
                    self.known.forget();
                    return Err(refusal.into_answer(fate));
                }
            }
        }
    }

    /// Removes what the first hint that is due tells of.
    async fn sweep_one(&mut self, deadline: Instant) -> Result<Swept, (Refusal, Fate)> {
        let before = |refusal| (refusal, Fate::NotApplied);
        let now = self.shared.clock.now();
        let Some(hint) = self.first_hint(now, deadline).await.map_err(before)? else {
            return Ok(Swept::Nothing);
        };
        let keys: Vec<_> = hint.due.iter().map(|(key, _)| key.clone()).collect();
        self.read(&Need { keys, work: None }, deadline)
            .await
            .map_err(before)?;
        let (written, head) = self.free_head(deadline).await.map_err(before)?;
        let (due, later): (Vec<_>, Vec<_>) =
            hint.due.iter().cloned().partition(|(_, at)| *at <= now);
        let mut stored = Vec::new();
        for (key, _) in due {
            match self.known.metadata(&key) {
                Some(Some(metadata)) => stored.push((key, metadata.clone())),
                Some(None) => {}
                // Somebody wrote while it was read.
                None => return Ok(Swept::Again),
            }
        }
        let plan = rules::expire(head.usage, stored, now);
        let setting = self.setting(head, self.shared.ticket());
        let after = Head {
            usage: plan.usage,
            ..plan::head_after(head, &plan.effects, &setting)
        };
        let txn = self.expiry(&hint, &later, written, &plan.effects, after, now);
        let done = self.transact(&txn, deadline).await?;
        if !done.response.succeeded() {
            return Ok(Swept::Again);
        }
        if !plan.effects.is_empty() {
            self.shared.claim_index.note(&self.namespace, &plan.effects);
            let gone = plan.effects.into_iter().map(|effect| (effect.key, None));
            self.known.wrote(revision_of(&done.response), after, gone);
        }
        Ok(Swept::One)
    }

    async fn first_hint(&self, now: Timestamp, deadline: Instant) -> Result<Option<Hint>, Refusal> {
        let wanted = Wanted {
            limit: 1,
            ..Wanted::default()
        };
        let range = self.shared.keys.due_by(&self.namespace, now);
        let question = members::range(&range, wanted);
        let read = self.shared.members.read(vec![question], deadline).await?;
        let rows = read.found.into_iter().next().unwrap_or_default().rows;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let due = records::decode_due(row.key(), row.value()).map_err(Refusal::Store)?;
        let revision = self.shared.keys.read_due(row.key());
        Ok(Some(Hint {
            revision: revision.unwrap_or(Revision::ZERO),
            key: row.key().to_vec(),
            written: row.mod_revision(),
            due,
        }))
    }

    /// The transaction that removes what has expired, and the hint with it.
    fn expiry(
        &self,
        hint: &Hint,
        later: &[(Key, Timestamp)],
        written: i64,
        effects: &[Effect],
        head: Head,
        now: Timestamp,
    ) -> Txn {
        let (keys, namespace) = (&self.shared.keys, &self.namespace);
        let head_key = keys.head(namespace);
        let compares = vec![
            Compare::mod_revision(head_key.clone(), CompareOp::Equal, written),
            Compare::mod_revision(hint.key.clone(), CompareOp::Equal, hint.written),
        ];
        let mut writes: Vec<_> = effects
            .iter()
            .map(|effect| TxnOp::delete(keys.entry(namespace, &effect.key), None))
            .collect();
        if !effects.is_empty() {
            writes.push(TxnOp::put(head_key.clone(), head.encode(&head_key), None));
            let revision = head.usage.revision;
            let record = Record {
                ticket: head.ticket,
                content: Content::Here(vec![plan::logged(revision, now, None, effects)]),
            };
            let key = keys.log(namespace, revision);
            let row = record.encode(&key);
            writes.push(TxnOp::put(key, row, None));
        }
        writes.push(TxnOp::delete(hint.key.clone(), None));
        // The rest expires later, so it gets another key; and one that no other commit has.
        writes.extend(plan::hint(keys, namespace, later, hint.revision));
        writes.push(turns::take_mark(keys, namespace));
        Txn::new()
            .when(compares)
            .and_then(writes)
            .or_else(self.mark())
    }

    async fn trim_some(&mut self, deadline: Instant) -> Result<Swept, (Refusal, Fate)> {
        let before = |refusal| (refusal, Fate::NotApplied);
        self.read(&Need::default(), deadline)
            .await
            .map_err(before)?;
        let (written, head) = self.free_head(deadline).await.map_err(before)?;
        let oldest = self.oldest_records(head, deadline).await.map_err(before)?;
        let retention = self.shared.options.retention;
        let age = u64::try_from(retention.age.as_millis()).unwrap_or(u64::MAX);
        let since = self.now(head).as_millis().saturating_sub(age);
        let mut after = head;
        let mut parts = Vec::new();
        for (revision, record) in oldest {
            let left = after.logged.saturating_sub(record.changes());
            if left < retention.changes && record.time().as_millis() >= since {
                break;
            }
            after.logged = left;
            after.forgotten = revision;
            if let Content::InParts { .. } = record.content {
                parts.push(self.shared.keys.parts(&self.namespace, record.ticket));
            }
        }
        if after.forgotten == head.forgotten {
            return Ok(Swept::Nothing);
        }
        after.ticket = self.shared.ticket();
        let txn = self.trimming(written, after, &parts);
        let done = self.transact(&txn, deadline).await?;
        if !done.response.succeeded() {
            return Ok(Swept::Again);
        }
        self.known.wrote(revision_of(&done.response), after, []);
        Ok(Swept::One)
    }

    async fn oldest_records(
        &self,
        head: Head,
        deadline: Instant,
    ) -> Result<Vec<(Revision, Record)>, Refusal> {
        let (keys, namespace) = (&self.shared.keys, &self.namespace);
        let wanted = Wanted {
            limit: MAX_TRIMMED_RECORDS,
            ..Wanted::default()
        };
        let range = keys.log_from(namespace, head.forgotten);
        let question = members::range(&range, wanted);
        let read = self.shared.members.read(vec![question], deadline).await?;
        let rows = read.found.into_iter().next().unwrap_or_default().rows;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let Some((_, revision)) = keys.read_log(row.key()) else {
                continue;
            };
            // What others wrote since the head was read is none of the oldest, or stays.
            if revision > head.usage.revision {
                break;
            }
            let record = Record::decode(row.key(), row.value()).map_err(Refusal::Store)?;
            records.push((revision, record));
        }
        Ok(records)
    }

    fn trimming(&self, written: i64, after: Head, parts: &[Range]) -> Txn {
        let (keys, namespace) = (&self.shared.keys, &self.namespace);
        let head_key = keys.head(namespace);
        let unchanged = Compare::mod_revision(head_key.clone(), CompareOp::Equal, written);
        let mut writes = vec![
            remove(&keys.log_through(namespace, after.forgotten)),
            TxnOp::put(head_key.clone(), after.encode(&head_key), None),
        ];
        writes.extend(parts.iter().map(remove));
        writes.push(turns::take_mark(keys, namespace));
        Txn::new()
            .when(vec![unchanged])
            .and_then(writes)
            .or_else(self.mark())
    }
}

/// What is kept up.
#[derive(Clone, Copy)]
pub(super) enum Upkeep {
    /// Entries that have expired.
    Expired,
    /// The log.
    Log,
}

/// What came of one step of upkeep.
enum Swept {
    /// There is nothing left to do.
    Nothing,
    One,
    /// Somebody else wrote meanwhile.
    Again,
}

/// Removes a range.
pub(super) fn remove(range: &Range) -> TxnOp {
    let options = DeleteOptions::new().with_range(range.end.clone());
    TxnOp::delete(range.start.clone(), Some(options))
}
