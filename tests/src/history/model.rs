//! The specification of one key, request by request, with which histories are compared.

use todc_utils::specifications::Specification;

use super::operation::{Expect, Moment, Text};

/// The state of a key after some requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// Every later write has a greater revision.
    pub floor: u64,
    /// Its entry; `None` where it does not exist.
    pub content: Option<Content>,
}

/// The entry of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// The value.
    pub value: Text,
    /// The revision, once an answer has told it.
    pub revision: Option<u64>,
    /// The time of its expiry, if it expires.
    pub expires: Option<Expiry>,
}

/// The expiry of a key, as far as clients can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expiry {
    /// The earliest time at which it may have expired.
    pub first: Moment,
    /// The time from which it must have expired.
    pub last: Moment,
    /// True if it may exist again in between, since another server's clock may be behind.
    pub wavers: bool,
}

/// The lifetime of a key.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Its length in nanoseconds.
    pub lasts: u64,
    /// The largest difference between the servers' clocks, in nanoseconds.
    pub disagreement: Moment,
}

impl Lifetime {
    /// The expiry of a key that was set between these moments.
    #[must_use]
    pub fn ends(self, start: Moment, end: Moment) -> Expiry {
        let last = end.saturating_add(self.lasts);
        Expiry {
            first: (start + self.lasts).saturating_sub(self.disagreement),
            last: last.saturating_add(self.disagreement),
            wavers: self.disagreement > 0,
        }
    }
}

/// The effect of a request on one key, with its answer.
#[derive(Clone, Debug)]
pub struct Step {
    /// It happened after this moment.
    pub start: Moment,
    /// It happened before this one.
    pub end: Moment,
    /// The kind of effect.
    pub action: Action,
}

/// See [`Step`].
#[derive(Clone, Debug)]
pub enum Action {
    /// The key begins in this state.
    Begin(State),
    /// The value and revision were seen.
    See(Text, u64),
    /// The key was seen not to exist.
    Miss,
    /// The condition was found to hold.
    Hold(Expect),
    /// The condition was found not to hold.
    Fail(Expect),
    /// The value was set.
    Put {
        /// The precondition.
        expect: Expect,
        /// The value.
        value: Text,
        /// The commit's revision; `None` where no answer came.
        revision: Option<u64>,
        /// Its lifetime.
        ttl: Option<Lifetime>,
    },
    /// A number was added.
    Add {
        /// The number.
        by: i64,
        /// Sum and revision; `None` where no answer came.
        told: Option<(i64, u64)>,
    },
    /// The key was deleted.
    Remove {
        /// The precondition.
        expect: Expect,
        /// The commit's revision, where the answer tells it.
        revision: Option<u64>,
        /// The answer.
        told: Removal,
    },
}

/// The answer to a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The key existed.
    WasThere,
    /// It did not exist.
    WasNot,
    /// It was done, with others, and the answer does not say which existed.
    Done,
    /// There was no answer.
    Lost,
}

/// The specification of one key.
pub struct Key;

impl Specification for Key {
    type State = State;
    type Operation = Step;

    fn init() -> State {
        State::default()
    }

    fn apply(step: &Step, state: &State) -> (bool, State) {
        match step.take(state) {
            Some(next) => (true, next),
            None => (false, state.clone()),
        }
    }
}

impl Step {
    /// The state after this step, or `None` where its answer is wrong in this state.
    fn take(&self, state: &State) -> Option<State> {
        match &self.action {
            Action::Begin(state) => Some(state.clone()),
            Action::See(value, revision) => {
                self.require(state, &Expect::Value(value.clone()))?;
                self.require(state, &Expect::Revision(*revision))
            }
            Action::Miss => self.require(state, &Expect::Absent),
            Action::Hold(expect) => self.require(state, expect),
            Action::Fail(expect) => self.refuse(state, expect),
            Action::Put {
                expect,
                value,
                revision,
                ttl,
            } => {
                let Some(before) = self.require(state, expect) else {
                    return revision.is_none().then(|| state.clone());
                };
                let expires = ttl.map(|ttl| ttl.ends(self.start, self.end));
                before.write(value.clone(), *revision, expires)
            }
            Action::Add { by, told } => self.add(state, *by, *told),
            Action::Remove {
                expect,
                revision,
                told,
            } => {
                let found = match told {
                    Removal::WasThere => self.present(state).then(|| state.clone()),
                    Removal::WasNot => self.require(state, &Expect::Absent),
                    Removal::Done | Removal::Lost => Some(state.clone()),
                };
                let lost = *told == Removal::Lost;
                let Some(found) = found.and_then(|found| self.require(&found, expect)) else {
                    return lost.then(|| state.clone());
                };
                let floor = revision.unwrap_or(found.floor).max(found.floor);
                Some(State {
                    floor,
                    content: None,
                })
            }
        }
    }

    fn add(&self, state: &State, by: i64, told: Option<(i64, u64)>) -> Option<State> {
        let number = |state: &State| match &state.content {
            None => Some(0),
            Some(content) => content.value.parse::<i64>().ok(),
        };
        // A counter that has expired begins at 0 again.
        let gone = self.absent(state).then_some(State {
            floor: state.floor,
            content: None,
        });
        let alive = self.present(state).then(|| state.clone());
        for before in alive.into_iter().chain(gone) {
            let Some(sum) = number(&before).and_then(|number| number.checked_add(by)) else {
                continue;
            };
            if told.is_some_and(|(told, _)| told != sum) {
                continue;
            }
            let expires = before.content.as_ref().and_then(|content| content.expires);
            let value = Text::from(sum.to_string());
            return before.write(value, told.map(|(_, revision)| revision), expires);
        }
        told.is_none().then(|| state.clone())
    }

    /// True if the key may exist.
    fn present(&self, state: &State) -> bool {
        let content = state.content.as_ref();
        content.is_some_and(|content| content.expires.is_none_or(|ends| self.start <= ends.last))
    }

    /// True if the key may not exist.
    fn absent(&self, state: &State) -> bool {
        match &state.content {
            None => true,
            Some(content) => content.expires.is_some_and(|ends| self.end >= ends.first),
        }
    }

    /// The state if the condition is met.
    fn require(&self, state: &State, expect: &Expect) -> Option<State> {
        match expect {
            Expect::Anything => Some(state.clone()),
            Expect::Absent => self.absent(state).then(|| State {
                floor: state.floor,
                content: state.content.clone().filter(|content| {
                    let wavers = content.expires.is_some_and(|ends| ends.wavers);
                    wavers && self.present(state)
                }),
            }),
            Expect::Value(value) => {
                let content = state.content.as_ref().filter(|_| self.present(state))?;
                (content.value == *value).then(|| state.clone())
            }
            Expect::Revision(revision) => {
                let content = state.content.as_ref().filter(|_| self.present(state))?;
                match content.revision {
                    Some(known) => (known == *revision).then(|| state.clone()),
                    // This tells the revision of a write whose answer was lost.
                    None => (*revision > state.floor).then(|| State {
                        floor: *revision,
                        content: Some(Content {
                            revision: Some(*revision),
                            ..content.clone()
                        }),
                    }),
                }
            }
        }
    }

    /// The state if the condition is not met.
    fn refuse(&self, state: &State, expect: &Expect) -> Option<State> {
        let fails = match expect {
            Expect::Anything => false,
            Expect::Absent => self.present(state),
            Expect::Value(value) => {
                let content = state.content.as_ref();
                self.absent(state) || content.is_some_and(|content| content.value != *value)
            }
            Expect::Revision(revision) => {
                let content = state.content.as_ref();
                self.absent(state)
                    || content.is_some_and(|content| content.revision != Some(*revision))
            }
        };
        fails.then(|| state.clone())
    }
}

impl State {
    /// The state after a write, whose revision is greater than every earlier one.
    fn write(self, value: Text, revision: Option<u64>, expires: Option<Expiry>) -> Option<Self> {
        if revision.is_some_and(|revision| revision <= self.floor) {
            return None;
        }
        Some(Self {
            floor: revision.unwrap_or(self.floor),
            content: Some(Content {
                value,
                revision,
                expires,
            }),
        })
    }
}
