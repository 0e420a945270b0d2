//! Much work of one kind, some of it under way at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use crate::failure::Failure;

/// Items that wait for a worker, for each worker: one, so that none waits for the next item, and
/// no more, because each may be a value.
const WAITING_PER_WORKER: usize = 1;

/// Does `work` for each item with that many workers at a time, and ends early, without taking
/// further items, at the first failure, which it returns.
pub(super) fn each<T: Send>(
    jobs: u16,
    items: impl IntoIterator<Item = Result<T, Failure>>,
    work: impl Fn(T) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let workers = usize::from(jobs);
    let (sender, receiver) = mpsc::sync_channel(workers * WAITING_PER_WORKER);
    let receiver = Mutex::new(receiver);
    let first = Mutex::new(None);
    let failed = || lock(&first).is_some();
    let note = |failure: Failure| {
        lock(&first).get_or_insert(failure);
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = lock(&receiver).recv();
                    match next {
                        Err(_) => return,
                        // What waits after a failure is taken out, so that the sender goes on.
                        Ok(_) if failed() => {}
                        Ok(item) => {
                            if let Err(failure) = work(item) {
                                note(failure);
                            }
                        }
                    }
                }
            });
        }
        for item in items {
            match item {
                Ok(item) if !failed() => {
                    // The receiver outlives this loop.
                    let _ = sender.send(item);
                }
                Ok(_) => break,
                Err(failure) => {
                    note(failure);
                    break;
                }
            }
        }
        drop(sender);
    });
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// How many there are of what is counted while the work is under way.
#[derive(Default)]
pub(super) struct Tally(AtomicU64);

impl Tally {
    /// One more.
    pub(super) fn add(&self) {
        self.add_many(1);
    }

    /// So many more.
    pub(super) fn add_many(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many by now.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Nothing that is done under these locks can leave a half-changed state behind.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once() {
        let sum = AtomicU64::new(0);
        let items = (1..=1_000_u64).map(Ok);
        each(7, items, |number| {
            sum.fetch_add(number, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 500_500);
    }

    #[test]
    fn the_first_failure_ends_it_and_no_further_items_are_taken() {
        let taken = Tally::default();
        let items = (0..1_000_000_u64).map(|number| {
            taken.add();
            Ok(number)
        });
        let outcome = each(3, items, |number| match number {
            5 => Err(Failure::No("five".to_owned())),
            _ => Ok(()),
        });
        assert_eq!(outcome.unwrap_err().to_string(), "five");
        assert!(taken.get() < 1_000_000);
    }

    #[test]
    fn items_that_cannot_be_had_end_it_after_those_before() {
        let done = Tally::default();
        let items = [Ok(1), Ok(2), Err(Failure::No("gone".to_owned())), Ok(3)];
        let outcome = each(2, items, |_| {
            done.add();
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().to_string(), "gone");
        assert!(done.get() <= 2);
    }
}
