//! Random sequences of steps, executed on an engine and on a simple model, and every answer is compared.
//!
//! `PROMINENCE_MODEL_CASES` sets the number of sequences. A failure prints the shortest failing sequence that was
//! found, and the seed with which `PROPTEST_RNG_SEED` repeats the run.

mod draft;
mod replay;
mod state;
mod steps;

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;

use proptest::prelude::{prop_assert, prop_assert_eq};
use proptest::test_runner::{
    Config, RngSeed, TestCaseError, TestCaseResult, TestError, TestRunner,
};

use self::state::{Refusal, State};
use self::steps::{NAMESPACES, Step};
use super::space::space;
use super::{START, Subject};
use crate::change::{Change, Cursor};
use crate::commit::Commit;
use crate::error::StoreError;
use crate::namespace::{Job, Namespace};
use crate::revision::Revision;
use crate::store::Usage;

/// The number of sequences in one run: thousands of operations, which take a moment on the reference engine. An engine
/// on disk makes a new store for each, synced with all its folders, and takes minutes.
pub const SEQUENCES: u32 = 1_024;

/// The number of attempts to make a failing sequence shorter: enough to drop nearly every step that does not matter,
/// and a limit if an engine fails in every sequence.
const MAX_SHRINK_STEPS: u32 = 4_096;

/// Prefixes whose logs are compared at the end: keys that listings show, and keys that they hide otherwise.
const LOGS: [&str; 3] = ["/", "/_internal_/", "/b/_internal_/"];

/// A sequence in execution.
pub type Sequence<'a> = Pin<Box<dyn Future<Output = TestCaseResult> + Send + 'a>>;

pub fn every_answer_is_the_models(
    sequences: u32,
    make: fn() -> Box<dyn Subject>,
    run: fn(Sequence<'_>) -> TestCaseResult,
) {
    let (config, seed) = config(sequences);
    let outcome = TestRunner::new(config).run(&steps::sequences(), |steps| {
        let subject = make();
        run(Box::pin(play(&*subject, steps)))
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("the model stopped: {reason}"),
        Err(TestError::Fail(reason, steps)) => {
            let lines: Vec<_> = steps.iter().map(|step| format!("  {step:?}")).collect();
            let steps = lines.join("\n");
            panic!("{reason}\nafter\n{steps}\nagain with PROPTEST_RNG_SEED={seed}");
        }
    }
}

/// The settings of a run and its seed, which is random unless the environment has one.
fn config(sequences: u32) -> (Config, u64) {
    let cases = match std::env::var("PROMINENCE_MODEL_CASES") {
        Ok(number) => number
            .parse()
            .expect("PROMINENCE_MODEL_CASES is the number of sequences"),
        Err(_) => sequences,
    };
    let given = Config::default();
    let seed = match given.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().build_hasher().finish(),
    };
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: MAX_SHRINK_STEPS,
        ..given
    };
    (config, seed)
}

/// Executes all steps on a new subject and a new model, and compares their states at the end.
async fn play(subject: &dyn Subject, steps: Vec<Step>) -> TestCaseResult {
    let mut state = State::new(START, NAMESPACES.len());
    let listings = (0..NAMESPACES.len())
        .flat_map(|number| steps::listings().map(move |scan| Step::Scan(number, scan)));
    let last = [Step::Sweep].into_iter().chain(listings);
    for step in steps.into_iter().chain(last) {
        let done = do_step(subject, &mut state, &step).await;
        done.map_err(|error| in_step(error, &step))?;
    }
    for number in 0..NAMESPACES.len() {
        compare_logs(subject, &state, number).await?;
    }
    Ok(())
}

fn in_step(error: TestCaseError, step: &Step) -> TestCaseError {
    match error {
        TestCaseError::Fail(reason) => TestCaseError::fail(format!("{step:?}: {reason}")),
        other @ TestCaseError::Reject(_) => other,
    }
}

fn broken(error: StoreError) -> TestCaseError {
    TestCaseError::fail(format!("the engine returned {error:?}"))
}

async fn do_step(subject: &dyn Subject, state: &mut State, step: &Step) -> TestCaseResult {
    let store = subject.store();
    match step {
        Step::Advance(by) => {
            subject.clock().advance(*by);
            state.advance(*by);
        }
        Step::Sweep => {
            subject.sweep().await;
            for number in 0..NAMESPACES.len() {
                let usage = store.usage(&namespace(number)).await.map_err(broken)?;
                compare_usage(state, number, usage)?;
                state.swept(number, usage.revision);
            }
        }
        Step::Get(number, key) => {
            let found = store.get(&namespace(*number), key).await.map_err(broken)?;
            prop_assert_eq!(&found, &state.get(*number, key));
            if let Some(cached) = store.get_at_once(&namespace(*number), key) {
                prop_assert_eq!(Some(cached), found);
            }
        }
        Step::Scan(number, scan) => {
            let page = store.scan(&namespace(*number), scan).await;
            let mut page = page.map_err(broken)?;
            compare_revision(state, *number, std::mem::take(&mut page.revision))?;
            prop_assert_eq!(page, state.page(*number, scan));
        }
        Step::Count(number, scan) => {
            let counted = store.count(&namespace(*number), scan).await;
            let counted = counted.map_err(broken)?;
            compare_revision(state, *number, counted.revision)?;
            prop_assert_eq!((counted.keys, counted.more), state.count(*number, scan));
        }
        Step::Usage(number) => {
            let usage = store.usage(&namespace(*number)).await.map_err(broken)?;
            compare_usage(state, *number, usage)?;
        }
        Step::Commit {
            space,
            job,
            conditions,
            operations,
            write_id,
        } => {
            let conditions = state.resolve(*space, conditions);
            let commit =
                Commit::new(conditions, operations.clone()).and_then(|commit| match write_id {
                    Some(id) => commit.identified_by(id.clone()),
                    None => Ok(commit),
                });
            let commit = commit.map_err(|error| TestCaseError::reject(error.to_string()))?;
            return do_commit(subject, state, (*space, job.as_ref()), commit).await;
        }
    }
    Ok(())
}

async fn do_commit(
    subject: &dyn Subject,
    state: &mut State,
    (number, author): (usize, Option<&Job>),
    commit: Commit,
) -> TestCaseResult {
    let answer = subject
        .store()
        .commit(&namespace(number), author, commit.clone())
        .await;
    let (latest, exact) = state.latest(number);
    // The model gets the revision from the engine, which may choose the number.
    let revision = answer.as_ref().map_or(latest, |done| done.revision);
    let wanted = state.commit(number, author, &commit, revision);
    match (answer, wanted) {
        (Ok(done), Ok((outcomes, changed))) => {
            prop_assert_eq!(done.outcomes, outcomes);
            if changed {
                prop_assert!(revision > latest, "{revision} does not follow {latest}");
            } else {
                prop_assert!(revision >= latest, "{revision} is before {latest}");
                prop_assert!(!exact || revision == latest, "{revision} for no change");
            }
        }
        (Err(error), Err(refusal)) => {
            let told = Refusal::of(&error).ok_or_else(|| broken(error))?;
            prop_assert_eq!(told, refusal);
        }
        (answer, wanted) => prop_assert!(false, "{answer:?} instead of {wanted:?}"),
    }
    Ok(())
}

fn compare_usage(state: &State, number: usize, usage: Usage) -> TestCaseResult {
    prop_assert_eq!((usage.keys, usage.bytes), state.usage(number));
    compare_revision(state, number, usage.revision)
}

fn compare_revision(state: &State, number: usize, revision: Revision) -> TestCaseResult {
    let (latest, exact) = state.latest(number);
    prop_assert!(revision >= latest, "{revision} is before {latest}");
    prop_assert!(!exact || revision == latest, "{revision} is not {latest}");
    Ok(())
}

/// Compares the log with the model's changes, and the state after them with the remaining keys.
///
/// An engine may remove expired entries at any time, so expiries are checked separately: the key of each must exist and
/// must have expired.
async fn compare_logs(subject: &dyn Subject, state: &State, number: usize) -> TestCaseResult {
    for text in LOGS {
        let history = space(subject, NAMESPACES[number])
            .history(text, Cursor::START)
            .await;
        let mut replay = state.replay(number, text);
        for change in by_key_within_commits(history) {
            let told = replay.follow(&change);
            prop_assert!(told.is_ok(), "{change:?} and {told:?}");
        }
        let ended = replay.end();
        prop_assert!(ended.is_ok(), "at the end of the log of {text}: {ended:?}");
    }
    Ok(())
}

/// An engine may choose the order of changes within one commit.
fn by_key_within_commits(mut history: Vec<Change>) -> Vec<Change> {
    let order = |change: &Change| (change.at.revision, change.key.clone());
    history.sort_by_key(order);
    history
}

fn namespace(number: usize) -> Namespace {
    Namespace::parse(NAMESPACES[number]).unwrap()
}
