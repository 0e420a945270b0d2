//! Deleting more keys than are read at once: the namespace is reserved meanwhile.

use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use prominence_core::error::Fate;
use prominence_core::{Committed, Key, Prefix, Timestamp};
use tokio::time::Instant;

use super::{Doomed, logged, removed};
use crate::etcd::keys;
use crate::etcd::records::{self, Content, Head, Reservation};
use crate::etcd::turns;
use crate::etcd::writer::group::revision_of;
use crate::etcd::writer::queue::CommitRequest;
use crate::etcd::writer::upkeep::remove;
use crate::etcd::writer::{Refusal, Writer};

/// How long a namespace is reserved at a time. Where the process dies, others wait that long.
const RESERVED: Duration = Duration::from_secs(10);

impl Writer {
    /// Deletes any number of keys, with the namespace reserved meanwhile.
    pub(super) async fn remove_many(
        &mut self,
        request: &CommitRequest,
        prefix: &Prefix,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Committed>, (Refusal, Fate)> {
        let before = |refusal| (refusal, Fate::NotApplied);
        // Others that delete much in this process wait here and hold nothing.
        let _turn = self.shared.removals.clone().acquire_owned().await;
        if !self.reserve(deadline).await? {
            return Ok(None);
        }
        // Others may have written between the check and the reservation.
        let checked = self.check(&request.commit, now, deadline).await;
        let outcome = match checked {
            Ok(()) => self.remove_reserved(request, prefix, now, deadline).await,
            Err(refusal) => Err(before(refusal)),
        };
        if !matches!(outcome, Ok(Some(_))) {
            self.release(deadline).await;
        }
        outcome
    }

    async fn remove_reserved(
        &mut self,
        request: &CommitRequest,
        prefix: &Prefix,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Committed>, (Refusal, Fate)> {
        let before = |refusal| (refusal, Fate::NotApplied);
        let mut doomed = Doomed::default();
        let mut from = prefix.as_str().as_bytes().to_vec();
        let mut reserved = Instant::now();
        loop {
            let (written, _) = self.head(deadline).await.map_err(before)?;
            let page = self.doomed(prefix, &from, now, deadline).await;
            let Some(page) = page.map_err(before)? else {
                return Ok(None);
            };
            if self.known.head().map(|(written, _)| written) != Some(written) {
                return Ok(None);
            }
            doomed.bytes += page.bytes;
            doomed.internal += page.internal;
            doomed.keys.extend(page.keys);
            let Some(last) = doomed.keys.last().filter(|_| page.is_cut) else {
                break;
            };
            from = keys::next(last.as_str().as_bytes().to_vec());
            if reserved.elapsed() > RESERVED / 2 {
                if !self.reserve(deadline).await? {
                    return Ok(None);
                }
                reserved = Instant::now();
            }
        }
        let (_, head) = self.head(deadline).await.map_err(before)?;
        let after = self.after(head, &doomed, now);
        let parts = self.write_parts(after, &doomed.keys, deadline).await;
        let done = match parts {
            Err(refused) => Err(refused),
            Ok(parts) => {
                let content = Content::InParts {
                    commit: logged(request, after),
                    deleted: doomed.keys.len() as u64,
                    parts,
                };
                let (written, _) = self.head(deadline).await.map_err(before)?;
                self.finish(written, prefix, after, content, deadline).await
            }
        };
        if matches!(done, Ok(false) | Err((_, Fate::NotApplied))) {
            let range = self.shared.keys.parts(&self.namespace, after.ticket);
            let txn = Txn::new().and_then(vec![remove(&range)]);
            // What stays is taken up by nothing, and takes room until somebody removes it.
            let _ = self.transact(&txn, deadline).await;
        }
        Ok(done?.then(|| removed(after, doomed.keys.len() as u64)))
    }

    /// Reserves the namespace for a while; says whether nobody came first.
    async fn reserve(&mut self, deadline: Instant) -> Result<bool, (Refusal, Fate)> {
        let until = self.shared.clock.now().after(RESERVED);
        let process = self.shared.process;
        let reserved = Some(Reservation { process, until });
        self.set_reserved(reserved, deadline).await
    }

    /// Gives the namespace back. Where that fails, it lapses.
    async fn release(&mut self, deadline: Instant) {
        let process = self.shared.process;
        let head = self.known.head().map(|(_, head)| head);
        let is_ours = head
            .and_then(|head| head.reserved)
            .is_some_and(|reserved| reserved.process == process);
        if is_ours {
            let _ = self.set_reserved(None, deadline).await;
        }
    }

    async fn set_reserved(
        &mut self,
        reserved: Option<Reservation>,
        deadline: Instant,
    ) -> Result<bool, (Refusal, Fate)> {
        let before = |refusal| (refusal, Fate::NotApplied);
        let (written, head) = self.head(deadline).await.map_err(before)?;
        let head = Head {
            reserved,
            ticket: self.shared.ticket(),
            ..head
        };
        let key = self.shared.keys.head(&self.namespace);
        let unchanged = Compare::mod_revision(key.clone(), CompareOp::Equal, written);
        let row = head.encode(&key);
        let txn = Txn::new()
            .when(vec![unchanged])
            .and_then(vec![
                TxnOp::put(key, row, None),
                turns::take_mark(&self.shared.keys, &self.namespace),
            ])
            .or_else(self.mark());
        let done = self.transact(&txn, deadline).await;
        // A reservation is no write of the caller's.
        let done = done.map_err(|(refusal, _)| before(refusal))?;
        if done.response.succeeded() {
            self.known.wrote(revision_of(&done.response), head, []);
            return Ok(true);
        }
        Ok(false)
    }

    /// Writes the keys that a record tells of beside it; says in how many parts.
    async fn write_parts(
        &mut self,
        after: Head,
        deleted: &[Key],
        deadline: Instant,
    ) -> Result<u32, (Refusal, Fate)> {
        let mut parts = 0;
        let mut rest = deleted;
        while !rest.is_empty() {
            let (part, others) = rest.split_at(records::part_of(rest));
            let key = self.shared.keys.part(&self.namespace, after.ticket, parts);
            let row = records::encode_part(&key, part);
            // Where it is written twice it is the same.
            let txn = Txn::new().and_then(vec![TxnOp::put(key, row, None)]);
            let done = self.transact(&txn, deadline).await;
            done.map_err(|(refusal, _)| (refusal, Fate::NotApplied))?;
            parts += 1;
            rest = others;
        }
        Ok(parts)
    }
}
