//! When a writer lets those of other servers go first.

use std::time::Duration;

use etcd_client::{TxnOp, TxnResponse};
use prominence_core::{Interest, Prefix, Revision};
use tokio::time::Instant;

use super::Writer;
use crate::etcd::known::Need;
use crate::etcd::turns;
use crate::hub::Wake;

/// The shortest time that others are given to write, and the longest. It is mostly over before: as
/// soon as one of them has.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(100);

/// What a writer knows of others that write to the same namespace.
#[derive(Default)]
pub(super) struct Turn {
    /// Transactions that were not done since the last one that was.
    late: u32,
    /// The process that goes first, and until when.
    first: Option<(u64, Instant)>,
}

impl Writer {
    /// Whether others have come first, so that the next to do so should let this writer go.
    pub(super) fn is_late(&self) -> bool {
        self.turn.late > 0
    }

    /// The mark that a transaction leaves where it is not done.
    pub(super) fn mark(&self) -> Vec<TxnOp> {
        let shared = &self.shared;
        let mark = || turns::leave_mark(&shared.keys, &self.namespace, shared.process);
        self.is_late().then(mark).into_iter().collect()
    }

    /// Takes in what a transaction tells of others.
    pub(super) fn note_turn(&mut self, response: &TxnResponse, took: Duration) {
        if !response.succeeded() {
            self.turn.late = self.turn.late.saturating_add(1);
            return;
        }
        self.turn.late = 0;
        let marked = turns::taken_mark(response).filter(|process| *process != self.shared.process);
        // The other has been told at the same time, and needs as long again.
        let limit = (took * 3).clamp(SHORTEST, LONGEST);
        if let Some(process) = marked {
            self.turn.first = Some((process, Instant::now() + limit));
        }
    }

    /// Lets another server write first, where one has come too late.
    pub(super) async fn let_others_go(&mut self) {
        let Some((process, until)) = self.turn.first.take() else {
            return;
        };
        let everything = Interest::Prefix(Prefix::everything());
        loop {
            let Ok(listener) = self.shared.hub.listen(&self.namespace, &everything) else {
                return;
            };
            match tokio::time::timeout_at(until, listener.woken()).await {
                // What this writer wrote itself is heard of as well.
                Ok(Wake::Changed(revision)) if revision <= self.known_revision() => continue,
                Ok(_) => {}
                Err(_) => return,
            }
            let deadline = Instant::now() + self.shared.options.request_timeout;
            match self.read(&Need::default(), deadline).await {
                Ok(records) if records.iter().all(|one| one.ticket.process != process) => {}
                // Where it can't be read, whatever comes next finds out.
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn known_revision(&self) -> Revision {
        let head = self.known.head();
        head.map_or(Revision::ZERO, |(_, head)| head.usage.revision)
    }
}
