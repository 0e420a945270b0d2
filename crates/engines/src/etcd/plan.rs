//! From a group of commits to one transaction.

use std::collections::HashSet;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use prominence_core::commit::{Condition, Precondition};
use prominence_core::rules::{self, Circumstances, Effect};
use prominence_core::{
    Commit, Committed, Job, Key, Namespace, Operation, Prefix, Quota, Revision, StoreError,
    Timestamp,
};

use super::keys::Keys;
use super::known::{Chunk, Known, Need};
use super::records::{self, Content, Head, Logged, LoggedCommit, Record, Ticket};
use super::turns;
use super::view::{Seen, SpaceView, Touched, Unplanned};
use crate::claim_index::{ClaimIndex, ClaimState};
use crate::row;

/// Bytes of values and keys in a transaction beyond which it does not also ask what stands where
/// it would have written: etcd takes requests of 1.5 MiB.
const MAX_BYTES_BESIDE_QUESTIONS: usize = 512 << 10;

/// Keys that a transaction which fails asks for. etcd takes 128 operations.
const MAX_ASKED: usize = 120;

/// What a group does.
pub(super) struct Plan {
    pub(super) head: Head,
    /// One for each commit, to be given once the transaction is done.
    pub(super) answers: Vec<Result<Committed, StoreError>>,
    /// In the order of the commits.
    pub(super) effects: Vec<Effect>,
    pub(super) touched: Touched,
    guessed: HashSet<Key>,
    /// The keys that commits name, also where nothing is done to them.
    named: HashSet<Key>,
    /// Whether a commit looks for work.
    has_looked: bool,
    commits: Vec<LoggedCommit>,
}

/// One commit of a group.
pub(super) struct Wish<'a> {
    pub(super) author: Option<&'a Job>,
    pub(super) commit: &'a Commit,
}

/// Under what a group is planned.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) known: &'a Known,
    pub(super) head: Head,
    pub(super) claim_index: &'a ClaimIndex,
    pub(super) now: Timestamp,
    pub(super) quota: Quota,
    pub(super) ticket: Ticket,
}

/// The keys that have to be read before a group can be planned, and those that may be taken for
/// absent where nothing is known of them.
pub(super) fn needed<'a>(
    wishes: impl Iterator<Item = &'a Commit>,
    known: &Known,
) -> (Vec<Key>, HashSet<Key>) {
    let mut guessable = HashSet::new();
    let mut needed = Vec::new();
    let mut seen = HashSet::new();
    for commit in wishes {
        let operations = commit.operations().iter();
        let operations = operations.filter_map(|each| Some((each.key()?, part_of_stored(each))));
        let conditions = commit.conditions().iter();
        let conditions = conditions.map(|each| (&each.key, part_compared(each)));
        for (key, (part, is_guess)) in operations.chain(conditions) {
            let is_new = known.metadata(key).is_none();
            let is_lacking = match part {
                Part::Metadata => is_new,
                Part::Entry => known.entry(key).is_none(),
            };
            if is_guess {
                guessable.insert(key.clone());
            }
            if is_lacking && !(is_guess && is_new) && seen.insert(key) {
                needed.push(key.clone());
            }
        }
    }
    guessable.retain(|key| !seen.contains(key));
    (needed, guessable)
}

/// The keys that a commit names.
fn named(commit: &Commit) -> impl Iterator<Item = &Key> {
    let operations = commit.operations().iter().filter_map(Operation::key);
    let conditions = commit.conditions().iter();
    operations.chain(conditions.map(|condition| &condition.key))
}

/// What has to be known of a stored entry.
#[derive(Clone, Copy)]
enum Part {
    Metadata,
    Entry,
}

/// What an operation has to know of what is stored, and whether it is likely that nothing is.
fn part_of_stored(operation: &Operation) -> (Part, bool) {
    match operation {
        Operation::Set { .. } => (Part::Metadata, true),
        Operation::Add { .. } => (Part::Entry, true),
        Operation::Delete { .. } => (Part::Metadata, false),
        _ => (Part::Entry, false),
    }
}

/// What a condition has to know of what is stored, and whether it is likely that nothing is.
fn part_compared(condition: &Condition) -> (Part, bool) {
    match condition.expect {
        Precondition::Absent => (Part::Metadata, true),
        Precondition::Present | Precondition::Revision(_) => (Part::Metadata, false),
        Precondition::Value(_) => (Part::Entry, false),
    }
}

/// Plans commits one after another; says what has to be read where that is not enough.
pub(super) fn plan(
    setting: &Setting<'_>,
    wishes: &[Wish<'_>],
    guessable: &HashSet<Key>,
) -> Result<Plan, Need> {
    let Setting {
        namespace,
        known,
        head,
        claim_index,
        now,
        ..
    } = *setting;
    let mut view = SpaceView::new(namespace, known, head.usage, claim_index, guessable);
    let mut answers = Vec::with_capacity(wishes.len());
    let mut effects = Vec::new();
    let mut commits = Vec::new();
    for wish in wishes {
        let circumstances = Circumstances {
            now,
            author: wish.author,
            quota: setting.quota,
        };
        let planned = match rules::plan_without_visit(&view, wish.commit, circumstances) {
            Ok(planned) => Ok(planned),
            Err(Unplanned::Refused(error)) => Err(error),
            Err(Unplanned::Missing(need)) => {
                claim_index.revert(namespace, &effects);
                return Err(need);
            }
        };
        answers.push(planned.map(|plan| {
            view.apply(&plan.effects, plan.usage);
            if !plan.effects.is_empty() {
                let revision = plan.usage.revision;
                commits.push(logged(revision, now, wish.author, &plan.effects));
            }
            effects.extend(plan.effects);
            Committed {
                revision: plan.usage.revision,
                outcomes: plan.outcomes,
            }
        }));
    }
    let usage = view.usage;
    let Seen {
        touched,
        guessed,
        has_looked,
    } = view.finish();
    let mut head = head_after(head, &effects, setting);
    head.usage = usage;
    Ok(Plan {
        head,
        answers,
        effects,
        touched,
        guessed,
        named: wishes
            .iter()
            .flat_map(|wish| named(wish.commit))
            .cloned()
            .collect(),
        has_looked,
        commits,
    })
}

/// The head after some effects, but for the usage.
pub(super) fn head_after(before: Head, effects: &[Effect], setting: &Setting<'_>) -> Head {
    let mut head = Head {
        logged: before.logged + effects.len() as u64,
        time: before.time.max(setting.now),
        ticket: setting.ticket,
        ..before
    };
    for effect in effects.iter().filter(|effect| is_internal(&effect.key)) {
        if effect.before.is_some() {
            head.internal_keys = head.internal_keys.saturating_sub(1);
        }
        if effect.after.is_some() {
            head.internal_keys += 1;
        }
    }
    head
}

/// Whether some listing leaves the key out.
pub(super) fn is_internal(key: &Key) -> bool {
    Prefix::everything().hidden_part(key).is_some()
}

/// What the log keeps of a commit.
pub(super) fn logged(
    revision: Revision,
    time: Timestamp,
    author: Option<&Job>,
    effects: &[Effect],
) -> LoggedCommit {
    let changes = effects.iter().map(|effect| Logged {
        key: effect.key.clone(),
        kind: effect.kind.clone(),
        claim_state: effect
            .after
            .as_ref()
            .map(|entry| ClaimState::of(&entry.metadata)),
    });
    LoggedCommit {
        revision,
        time,
        author: author.cloned(),
        changes: changes.collect(),
    }
}

impl Plan {
    /// Whether nothing was taken for granted that a write would have to check.
    pub(super) fn is_certain(&self) -> bool {
        self.guessed.is_empty()
    }

    /// The transaction that does it where everything is as it was when it was planned; otherwise
    /// it tells how things are, and leaves a mark where others came first before. Says also which
    /// keys it tells of.
    pub(super) fn transaction(
        &self,
        keys: &Keys,
        namespace: &Namespace,
        head_written: i64,
        known: &Known,
        is_late: bool,
    ) -> (Txn, Need) {
        let head_key = keys.head(namespace);
        let mut compares = vec![Compare::mod_revision(
            head_key.clone(),
            CompareOp::Equal,
            head_written,
        )];
        for key in &self.guessed {
            let key = keys.entry(namespace, key);
            compares.push(Compare::create_revision(key, CompareOp::Equal, 0));
        }
        let mut bytes = 0;
        let mut writes = Vec::with_capacity(self.touched.len() + 4);
        for (key, entry) in &self.touched {
            let row_key = keys.entry(namespace, key);
            bytes += row_key.len();
            writes.push(match entry {
                Some(entry) => {
                    let row = row::encode_entry(&row_key, entry);
                    bytes += row.len();
                    TxnOp::put(row_key, row, None)
                }
                None => TxnOp::delete(row_key, None),
            });
        }
        if !self.effects.is_empty() {
            writes.push(TxnOp::put(
                head_key.clone(),
                self.head.encode(&head_key),
                None,
            ));
            writes.push(self.log(keys, namespace));
            writes.extend(due(keys, namespace, &self.effects, self.head));
            writes.push(turns::take_mark(keys, namespace));
        }
        let mut asked = Need::default();
        if bytes <= MAX_BYTES_BESIDE_QUESTIONS {
            let all = self.touched.keys().chain(&self.named);
            let all: HashSet<_> = all.collect();
            asked.keys = all.into_iter().take(MAX_ASKED).cloned().collect();
            let chunk = known.chunk().filter(|_| self.has_looked);
            asked.work = chunk.map(Chunk::need);
        }
        let mut questions = known.questions(keys, namespace, &asked);
        if is_late && !self.effects.is_empty() {
            questions.push(turns::leave_mark(keys, namespace, self.head.ticket.process));
        }
        let txn = Txn::new()
            .when(compares)
            .and_then(writes)
            .or_else(questions);
        (txn, asked)
    }

    fn log(&self, keys: &Keys, namespace: &Namespace) -> TxnOp {
        let record = Record {
            ticket: self.head.ticket,
            content: Content::Here(self.commits.clone()),
        };
        let key = keys.log(namespace, self.head.usage.revision);
        let row = record.encode(&key);
        TxnOp::put(key, row, None)
    }
}

/// The hint that these keys expire, where some do: at the earliest of their instants, as one is
/// enough for all of them.
pub(super) fn due(
    keys: &Keys,
    namespace: &Namespace,
    effects: &[Effect],
    head: Head,
) -> Vec<TxnOp> {
    let expiring = effects.iter().filter_map(|effect| {
        let expires = effect.after.as_ref()?.metadata.expires?;
        Some((effect.key.clone(), expires))
    });
    let revision = head.usage.revision;
    hint(keys, namespace, &expiring.collect::<Vec<_>>(), revision)
}

/// Writes a hint of the commit with this revision, and where it is found by its instant.
pub(super) fn hint(
    keys: &Keys,
    namespace: &Namespace,
    due: &[(Key, Timestamp)],
    revision: Revision,
) -> Vec<TxnOp> {
    let Some(earliest) = due.iter().map(|(_, instant)| *instant).min() else {
        return Vec::new();
    };
    let key = keys.due(namespace, earliest, revision);
    let row = records::encode_due(&key, due);
    vec![
        TxnOp::put(key, row, None),
        TxnOp::put(keys.wake(earliest, namespace), [], None),
    ]
}
