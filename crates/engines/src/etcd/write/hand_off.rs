//! The wait of the contention hand-off.

use prominence_core::{Interest, Prefix, Revision};

use super::namespace_cache::MissingReads;
use super::writer::Writer;
use crate::hub::Wake;

impl Writer {
    /// Lets a marked process write first.
    pub(super) async fn yield_to_marked(&mut self) {
        let Some((process, until)) = self.contention.take_first() else {
            return;
        };
        let everything = Interest::Prefix(Prefix::everything());
        loop {
            let Ok(listener) = self.cluster.hub.listen(&self.namespace, &everything) else {
                return;
            };
            let head = self.cache.head();
            let known = head.map_or(Revision::ZERO, |(_, head)| head.usage.revision);
            match tokio::time::timeout_at(until, listener.woken()).await {
                // This writer's own commits wake it as well.
                Ok(Wake::Changed(revision)) if revision <= known => continue,
                Ok(_) => {}
                Err(_) => return,
            }
            self.deadline = self.cluster.deadline();
            match self.read(&MissingReads::default()).await {
                Ok(records) if records.iter().all(|one| one.ticket.process != process) => {}
                // It has written. After a failed read the next request reports the failure.
                Ok(_) | Err(_) => return,
            }
        }
    }
}
