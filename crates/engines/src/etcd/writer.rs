//! Writing: one task for each namespace that is written to, so that its commits go out together
//! and those of others don't wait for them.

mod group;
mod queue;
mod removal;
mod turn;
mod upkeep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use prominence_core::error::Fate;
use prominence_core::{Interest, Namespace, Operation, Prefix, StoreError, Timestamp};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

pub(super) use queue::{Request, Writers, gone};

use queue::CommitRequest;
use turn::Turn;
use upkeep::Upkeep;

use super::Shared;
use super::error::{RETRY_SOON, Trouble, busy, unavailable};
use super::known::{Known, Need};
use super::members::Read;
use super::records::{Head, Record};

/// How long a writer keeps values when nobody writes.
const QUIET: Duration = Duration::from_secs(10);

/// How long it stays after that: what it knows of keys saves the next writes of them a round trip.
const LINGER: Duration = Duration::from_secs(300);

/// Operations and conditions that go out in one transaction, with which come at most five more
/// of the engine's own. etcd takes 128.
const MAX_GROUP_STEPS: usize = 120;

/// Bytes of the commits of a group, unless one alone has more. etcd takes requests of 1.5 MiB.
const MAX_GROUP_BYTES: usize = 768 << 10;

/// How far ahead of this process's clock another's may have been, for its instants to be heeded.
/// One that is further off would move everybody's lifetimes.
const MAX_SKEW: Duration = Duration::from_secs(10);

/// Writes to one namespace.
struct Writer {
    shared: Arc<Shared>,
    namespace: Namespace,
    known: Known,
    turn: Turn,
    waiting: VecDeque<Request>,
}

/// Serves the requests of one namespace until none has come for a while.
async fn run(shared: Arc<Shared>, namespace: Namespace, mut requests: Receiver<Request>) {
    // Others may have written since this process did so last.
    shared.claim_index.forget(&namespace);
    let mut writer = Writer {
        known: Known::new(Arc::clone(&shared.room)),
        shared,
        namespace,
        turn: Turn::default(),
        waiting: VecDeque::new(),
    };
    let mut patience = QUIET;
    loop {
        if writer.waiting.is_empty() {
            match tokio::time::timeout(patience, requests.recv()).await {
                Ok(Some(request)) => writer.waiting.push_back(request),
                Ok(None) => return,
                Err(_) if patience == QUIET => {
                    writer.known.rest();
                    patience = LINGER;
                    continue;
                }
                Err(_) if writer.shared.writers.retire(&writer.namespace, &requests) => return,
                Err(_) => continue,
            }
        }
        patience = QUIET;
        writer.let_others_go().await;
        while let Ok(request) = requests.try_recv() {
            writer.waiting.push_back(request);
        }
        writer.serve().await;
    }
}

impl Writer {
    /// Serves what waits first, together with what can be done in the same transaction.
    async fn serve(&mut self) {
        let Some(first) = self.waiting.pop_front() else {
            return;
        };
        let deadline = Instant::now() + self.shared.options.request_timeout;
        match first {
            Request::Sweep(answer) => {
                // Whoever asked may be gone.
                let _ = answer.send(self.upkeep(Upkeep::Expired, deadline).await);
            }
            Request::Trim(answer) => {
                let _ = answer.send(self.upkeep(Upkeep::Log, deadline).await);
            }
            Request::Commit(first) => {
                let group = self.group(first);
                match &*group {
                    [] => {}
                    [one] if removes_prefix(one) => self.remove(group, deadline).await,
                    _ => self.write(group, deadline).await,
                }
                if self.is_log_long() {
                    // Whoever writes next tries again.
                    let _ = self.upkeep(Upkeep::Log, deadline).await;
                }
            }
        }
    }

    /// A commit and those after it that go out with it.
    fn group(&mut self, first: Box<CommitRequest>) -> Vec<CommitRequest> {
        let mut group = Vec::new();
        let (mut steps, mut bytes) = (0, 0);
        let mut next = Some(first);
        while let Some(request) = next.take() {
            if request.is_late(self.shared.options.request_timeout) {
                request.answer(Err(busy("too many writes are waiting")));
            } else {
                steps += request.steps();
                bytes += request.bytes();
                let is_alone = removes_prefix(&request);
                group.push(*request);
                if is_alone {
                    break;
                }
            }
            let fits = |request: &CommitRequest| {
                let is_alone = removes_prefix(request) && !group.is_empty();
                let steps = steps + request.steps();
                !is_alone
                    && (group.is_empty() || steps <= MAX_GROUP_STEPS)
                    && (group.is_empty() || bytes + request.bytes() <= MAX_GROUP_BYTES)
            };
            next = match self.waiting.pop_front() {
                Some(Request::Commit(request)) if fits(&request) => Some(request),
                Some(other) => {
                    self.waiting.push_front(other);
                    None
                }
                None => None,
            };
        }
        group
    }

    /// The head, read where it is not known.
    async fn head(&mut self, deadline: Instant) -> Result<(i64, Head), Refusal> {
        if self.known.head().is_none() {
            self.read(&Need::default(), deadline).await?;
        }
        self.known
            .head()
            .ok_or_else(|| Refusal::Store(busy("the head is not known")))
    }

    /// The head, once no other process has the namespace to itself.
    async fn free_head(&mut self, deadline: Instant) -> Result<(i64, Head), Refusal> {
        loop {
            let (written, head) = self.head(deadline).await?;
            if self.reserved_for(head).is_none() {
                return Ok((written, head));
            }
            // Listening before looking again, so that the end of it is not slept through.
            let everything = Interest::Prefix(Prefix::everything());
            let listener = self.shared.hub.listen(&self.namespace, &everything);
            self.read(&Need::default(), deadline).await?;
            let (written, head) = self.head(deadline).await?;
            let Some(left) = self.reserved_for(head) else {
                return Ok((written, head));
            };
            if Instant::now() >= deadline {
                let reason = "another server is deleting many of this user's keys";
                return Err(Refusal::Store(busy(reason)));
            }
            let over = async {
                match listener {
                    Ok(listener) => drop(listener.woken().await),
                    Err(_) => tokio::time::sleep(RETRY_SOON).await,
                }
            };
            // Either way the head tells.
            let lapse = Instant::now() + left;
            let _ = tokio::time::timeout_at(lapse.min(deadline), over).await;
            self.read(&Need::default(), deadline).await?;
        }
    }

    /// For how long another process has the namespace to itself, if one does.
    fn reserved_for(&self, head: Head) -> Option<Duration> {
        let reserved = head.reserved?;
        let now = self.shared.clock.now();
        let is_others = reserved.process != self.shared.process;
        let left = reserved.until.as_millis().saturating_sub(now.as_millis());
        (is_others && left > 0).then(|| Duration::from_millis(left))
    }

    /// Reads the head and what else is needed. Gives what others wrote meanwhile.
    async fn read(&mut self, need: &Need, deadline: Instant) -> Result<Vec<Record>, Refusal> {
        let shared = Arc::clone(&self.shared);
        let mut records = Vec::new();
        for part in need.parts() {
            let questions = self.known.questions(&shared.keys, &self.namespace, &part);
            shared.counters.read();
            let read = shared.members.read(questions, deadline).await?;
            records.extend(self.learn(&part, read)?);
        }
        Ok(records)
    }

    fn learn(&mut self, need: &Need, read: Read) -> Result<Vec<Record>, Refusal> {
        let shared = &self.shared;
        let learned = self.known.learn(
            &shared.keys,
            &self.namespace,
            need,
            read,
            &shared.claim_index,
        );
        learned.map_err(Refusal::Store)
    }

    /// The instant of the next commit. It is not before that of the last one, whoever wrote it, as
    /// far as clocks agree at all.
    fn now(&self, head: Head) -> Timestamp {
        let own = self.shared.clock.now();
        if head.time > own.after(MAX_SKEW) {
            self.shared.counters.skewed();
        }
        own.max(head.time.min(own.after(MAX_SKEW)))
    }

    fn is_log_long(&self) -> bool {
        let kept = self.shared.options.retention.changes;
        let limit = kept.saturating_add(kept / 16);
        self.known
            .head()
            .is_some_and(|(_, head)| head.logged > limit)
    }
}

/// Why a request of this process's own, or a group, was not done.
#[derive(Debug)]
enum Refusal {
    Trouble(Trouble),
    /// What the store itself answers.
    Store(StoreError),
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Refusal {
    /// The answer to one caller of several.
    fn answer(&self, fate: Fate) -> StoreError {
        match self {
            Self::Trouble(trouble) => trouble.answer(fate),
            Self::Store(StoreError::Corrupt { what }) => StoreError::Corrupt { what: what.clone() },
            Self::Store(other) => unavailable(&other.to_string(), fate, RETRY_SOON),
        }
    }

    /// The answer to the only caller.
    fn into_answer(self, fate: Fate) -> StoreError {
        match self {
            Self::Trouble(trouble) => trouble.answer(fate),
            Self::Store(error) => error,
        }
    }
}

fn removes_prefix(request: &CommitRequest) -> bool {
    let operations = request.commit.operations();
    matches!(operations, [Operation::DeletePrefix { .. }])
}
