//! What one key does, one request after another: the specification that histories are held against.

use todc_utils::specifications::Specification;

use super::operation::{Expect, Moment, Text};

/// A key, as the requests so far have left it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// Every later write has a greater revision.
    pub floor: u64,
    /// What it holds.
    pub content: Option<Content>,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// The value.
    pub value: Text,
    /// The revision, once somebody was told it.
    pub revision: Option<u64>,
    /// When its time is over, if it ever is.
    pub expires: Option<Expiry>,
}

/// When a key's time is over, as far as anybody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expiry {
    /// From when on it may be gone.
    pub first: Moment,
    /// From when on it must be.
    pub last: Moment,
    /// Whether it may be there again in between: another server's clock may be behind.
    pub wavers: bool,
}

/// How long a key lives.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// In nanoseconds.
    pub lasts: u64,
    /// By how much the servers' clocks differ, at most, in nanoseconds.
    pub disagreement: Moment,
}

impl Lifetime {
    /// When the time of a key is over that was set between these moments.
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

/// What a request did to one key, with what it was told.
#[derive(Clone, Debug)]
pub struct Step {
    /// It happened after this moment.
    pub start: Moment,
    /// It happened before this one.
    pub end: Moment,
    /// What it was.
    pub action: Action,
}

/// See [`Step`].
#[derive(Clone, Debug)]
pub enum Action {
    /// The key begins in this state.
    Begin(State),
    /// The value and revision were seen.
    See(Text, u64),
    /// The key was seen not to be there.
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
        /// How long it lives.
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
        /// The commit's revision, where it was told.
        revision: Option<u64>,
        /// What was said of it.
        told: Removal,
    },
}

/// What was said of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The key was there.
    WasThere,
    /// It was not.
    WasNot,
    /// That it was done, among others.
    Done,
    /// Nothing.
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
    /// The state after this step, or `None` where it can't have been told so in this state.
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
        // A counter whose time is over begins at 0 again.
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

    /// Whether the key can be there.
    fn present(&self, state: &State) -> bool {
        let content = state.content.as_ref();
        content.is_some_and(|content| content.expires.is_none_or(|ends| self.start <= ends.last))
    }

    /// Whether the key can be gone.
    fn absent(&self, state: &State) -> bool {
        match &state.content {
            None => true,
            Some(content) => content.expires.is_some_and(|ends| self.end >= ends.first),
        }
    }

    /// The state in which the condition holds.
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
                    // The write whose answer was lost shows its revision now.
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

    /// The state in which the condition doesn't hold.
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
