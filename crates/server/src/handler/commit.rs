//! One operation on one key, under the conditions in the headers of its request.

use prominence_core::permit::CommitError;
use prominence_core::rules::{self, FirstFree, View};
use prominence_core::{
    Commit, Committed, Condition, Entry, Key, Operation, Precondition, Prefix, Principal,
    StoreError, Timestamp, Usage, WriteId,
};

use crate::app::App;
use crate::failure::Failure;
use crate::request::conditional::WriteCondition;

/// The conditions on the key.
#[derive(Default)]
pub(super) struct Expected {
    /// By `If-Match` or `If-None-Match`.
    pub(super) headers: Option<WriteCondition>,
    /// By the parameter `prev`.
    pub(super) previous: Option<Precondition>,
    /// A set whose conditions fail is answered as done if the key was set with this id.
    pub(super) write_id: Option<WriteId>,
}

/// Does an operation on the key if all conditions hold.
pub(super) async fn apply(
    app: &App,
    who: &Principal,
    key: &Key,
    expected: Expected,
    operation: Operation,
) -> Result<Committed, Failure> {
    let mut first = expected.headers.as_ref().map(WriteCondition::first);
    let has_others = expected
        .headers
        .as_ref()
        .is_some_and(WriteCondition::has_others);
    if !has_others {
        let commit = expected.commit(key, first, operation)?;
        return Ok(app.gate.commit(who, commit)?.apply().await?);
    }
    loop {
        let commit = expected.commit(key, first, operation.clone())?;
        let error = match app.gate.commit(who, commit)?.apply().await {
            Ok(committed) => return Ok(committed),
            Err(CommitError::Store(error)) => error,
            Err(forbidden) => return Err(forbidden.into()),
        };
        // Nothing was changed, so trying again can't do the operation twice.
        match expected
            .headers
            .as_ref()
            .and_then(|headers| headers.next(&error))
        {
            Some(next) => first = Some(next),
            None => return Err(error.into()),
        }
    }
}

/// Refuses an operation that its caller may not do, or whose conditions do not hold now, before the client is told
/// to send the value.
pub(super) async fn check_first(
    app: &App,
    who: &Principal,
    key: &Key,
    expected: &Expected,
    operation: Operation,
) -> Result<(), Failure> {
    let first = expected.headers.as_ref().map(WriteCondition::first);
    let commit = expected.commit(key, first, operation.clone())?;
    app.gate.commit(who, commit.clone())?;
    // A condition that fails now may have held when the same set was sent before.
    if commit.conditions().is_empty() || expected.write_id.is_some() {
        return Ok(());
    }
    // A token without the right to read may still set conditions; they are checked with the value.
    let Ok(permit) = app.gate.read(who, key.clone()) else {
        return Ok(());
    };
    let view = OneKey(permit.get().await?);
    let now = app.clock.now();
    let Err(error) = rules::check(&view, &commit, now) else {
        return Ok(());
    };
    let next = expected
        .headers
        .as_ref()
        .and_then(|headers| headers.next(&error));
    let Some(next) = next else {
        return Err(error.into());
    };
    let commit = expected.commit(key, Some(next), operation)?;
    Ok(rules::check(&view, &commit, now)?)
}

impl Expected {
    /// True if there is any condition.
    pub(super) fn is_conditional(&self) -> bool {
        self.headers.is_some() || self.previous.is_some()
    }

    /// The commit that does the operation if this precondition of the headers holds, and `prev`.
    fn commit(
        &self,
        key: &Key,
        headers: Option<Precondition>,
        operation: Operation,
    ) -> Result<Commit, Failure> {
        let preconditions = headers.into_iter().chain(self.previous.clone());
        let conditions = preconditions.map(|expect| Condition {
            key: key.clone(),
            expect,
        });
        let commit = Commit::new(conditions.collect(), vec![operation]);
        let commit = commit.and_then(|commit| match &self.write_id {
            Some(id) => commit.identified_by(id.clone()),
            None => Ok(commit),
        });
        commit.map_err(|error| Failure::bad_request(error.to_string()))
    }
}

/// The state of the one key that conditions of headers are about.
struct OneKey(Option<Entry>);

impl View for OneKey {
    type Error = StoreError;

    fn get(&self, _: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.0.clone())
    }

    fn first_free(&self, _: &Prefix, _: Timestamp) -> Result<FirstFree, StoreError> {
        Ok(FirstFree::None { until: None })
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}
