//! The conformance cases, which every engine has to pass: the contract of [`Store`], executable.
//!
//! An engine has a function that makes a [`Subject`], and calls [`conformance_suite!`](crate::conformance_suite), which
//! makes a named test of each case. The list of cases is only there, so no engine can leave one out. The cases don't
//! test details that may differ between engines, such as the numbers of revisions and the extent of the log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a case reports an error by a panic"
)]
#![allow(missing_docs, reason = "the name of a case describes what it checks")]

pub mod changes;
pub mod claims;
pub mod concurrency;
pub mod conditions;
pub mod counters;
pub mod counts;
pub mod deletes;
pub mod descending;
pub mod entries;
pub mod expiry;
pub mod isolation;
pub mod levels;
pub mod model;
pub mod quota;
pub mod readers;
pub mod scans;
mod shorthand;
pub mod signals;
mod space;
mod suite;
pub mod usage;
pub mod write_ids;

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::ManualClock;
use crate::limits::Quota;
use crate::store::Store;
use crate::time::Timestamp;

/// The time of a subject's clock at the start: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_secs(1_767_225_600);

/// The quota of the subjects of [`quota`]: so small that a case can reach it.
pub const SMALL: Quota = Quota {
    keys: 4,
    bytes: 100,
};

/// The time limit for one case, or for one sequence of the model, after which it counts as stuck. Far longer than the
/// slowest engine needs on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// An empty engine, with a clock that the cases set.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The engine.
    fn store(&self) -> &dyn Store;

    /// Its clock, which shows [`START`] at first.
    fn clock(&self) -> &ManualClock;

    /// Removes the entries that have expired, as the engine does by itself at some time.
    async fn sweep(&self);
}

/// A task that runs by itself.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One subject that many tasks use at the same time.
pub struct Crowd {
    subject: Arc<dyn Subject>,
    spawn: fn(Task) -> Task,
}

impl Crowd {
    /// A crowd with this subject. `spawn` starts a task, and returns a future that waits for its end, since core does
    /// not depend on an async runtime.
    pub fn new(subject: impl Subject + 'static, spawn: fn(Task) -> Task) -> Self {
        Self {
            subject: Arc::new(subject),
            spawn,
        }
    }

    /// The subject that the tasks use.
    fn subject(&self) -> &dyn Subject {
        &*self.subject
    }

    /// Starts a task, and returns a future that waits for its end.
    fn start<F>(&self, task: impl FnOnce(Arc<dyn Subject>) -> F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        (self.spawn)(Box::pin(task(Arc::clone(&self.subject))))
    }

    /// Starts `tasks` tasks, numbered from 0, and returns a future that waits for all of them.
    fn run<F>(&self, tasks: usize, task: impl Fn(usize, Arc<dyn Subject>) -> F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running: Vec<_> = (0..tasks)
            .map(|number| self.start(|subject| task(number, subject)))
            .collect();
        Box::pin(async move {
            for one in running {
                one.await;
            }
        })
    }
}

/// The result of a test, which fails if it was stuck or panicked.
pub fn finish<T, E: Display>(outcome: Result<T, E>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("the case did not finish: {error}"),
    }
}

#[cfg(test)]
mod tests {
    /// The files with cases.
    const FILES: [&str; 16] = [
        include_str!("conformance/changes.rs"),
        include_str!("conformance/claims.rs"),
        include_str!("conformance/concurrency.rs"),
        include_str!("conformance/conditions.rs"),
        include_str!("conformance/counters.rs"),
        include_str!("conformance/deletes.rs"),
        include_str!("conformance/entries.rs"),
        include_str!("conformance/expiry.rs"),
        include_str!("conformance/isolation.rs"),
        include_str!("conformance/levels.rs"),
        include_str!("conformance/model.rs"),
        include_str!("conformance/quota.rs"),
        include_str!("conformance/readers.rs"),
        include_str!("conformance/scans.rs"),
        include_str!("conformance/usage.rs"),
        include_str!("conformance/write_ids.rs"),
    ];

    #[test]
    fn every_case_that_is_written_is_in_the_list() {
        let suite = include_str!("conformance/suite.rs");
        let listed: Vec<_> = suite
            .lines()
            .map(|line| line.trim().trim_end_matches(','))
            .collect();
        for file in FILES {
            for line in file.lines() {
                let case = line
                    .strip_prefix("pub async fn ")
                    .or_else(|| line.strip_prefix("pub fn "));
                let Some((name, _)) = case.and_then(|rest| rest.split_once('(')) else {
                    continue;
                };
                assert!(listed.contains(&name), "{name} is not in the list");
            }
        }
    }
}
