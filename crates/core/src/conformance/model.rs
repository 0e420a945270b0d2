//! Random sequences of steps, done on an engine and on a plain model, with every answer compared.
//!
//! `PROMINENCE_MODEL_CASES` sets how many sequences are run. A failure prints the shortest
//! sequence that was found to fail, and the seed with which `PROPTEST_RNG_SEED` plays the same
//! sequences again.

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

/// Sequences in one run: thousands of operations, in a moment on the reference engine. An engine on
/// disk makes a new store for each, synced with all its folders, and takes minutes.
pub const SEQUENCES: u32 = 1_024;

/// Attempts at making a failing sequence shorter: enough to drop nearly every step that does not
/// matter, and an end for an engine that fails at everything.
const MAX_SHRINK_STEPS: u32 = 4_096;

/// Prefixes whose logs are compared at the end: what is shown, and what is hidden otherwise.
const LOGS: [&str; 3] = ["/", "/_internal_/", "/b/_internal_/"];

/// One sequence being done.
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

/// The settings of a run and its seed, which is a new one unless the environment gives one.
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

/// Does all steps on a new subject and a new model, and compares what is left at the end.
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
    TestCaseError::fail(format!("the engine answered {error:?}"))
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
    // The model is told the number of the revision, which an engine is free to choose.
    let revision = answer.as_ref().map_or(latest, |done| done.revision);
    let wanted = state.commit(number, author, &commit, revision);
    match (answer, wanted) {
        (Ok(done), Ok((outcomes, changed))) => {
            prop_assert_eq!(done.outcomes, outcomes);
            if changed {
                prop_assert!(revision > latest, "{revision} does not follow {latest}");
            } else {
                prop_assert!(revision >= latest, "{revision} lies before {latest}");
                prop_assert!(!exact || revision == latest, "{revision} for no change");
            }
        }
        (Err(error), Err(refusal)) => {
            let told = Refusal::of(&error).ok_or_else(|| broken(error))?;
            prop_assert_eq!(told, refusal);
        }
        (answer, wanted) => prop_assert!(false, "{answer:?} where {wanted:?} was due"),
    }
    Ok(())
}

fn compare_usage(state: &State, number: usize, usage: Usage) -> TestCaseResult {
    prop_assert_eq!((usage.keys, usage.bytes), state.usage(number));
    compare_revision(state, number, usage.revision)
}

fn compare_revision(state: &State, number: usize, revision: Revision) -> TestCaseResult {
    let (latest, exact) = state.latest(number);
    prop_assert!(revision >= latest, "{revision} lies before {latest}");
    prop_assert!(!exact || revision == latest, "{revision} is not {latest}");
    Ok(())
}

/// Compares the log with what the model did, and, replayed, with the keys that are left.
///
/// When an engine removes what expired is its own affair, so expiries are checked by themselves:
/// each is of a key that was there and was due.
async fn compare_logs(subject: &dyn Subject, state: &State, number: usize) -> TestCaseResult {
    for text in LOGS {
        let history = space(subject, NAMESPACES[number])
            .history(text, Cursor::START)
            .await;
        let mut replay = state.replay(number, text);
        for change in by_key_within_commits(history) {
            let told = replay.follow(&change);
            prop_assert!(told.is_ok(), "{change:?} but {told:?}");
        }
        let ended = replay.end();
        prop_assert!(ended.is_ok(), "the log of {text} ends, but {ended:?}");
    }
    Ok(())
}

/// The order of changes within one commit is the engine's own.
fn by_key_within_commits(mut history: Vec<Change>) -> Vec<Change> {
    let order = |change: &Change| (change.at.revision, change.key.clone());
    history.sort_by_key(order);
    history
}

fn namespace(number: usize) -> Namespace {
    Namespace::parse(NAMESPACES[number]).unwrap()
}
