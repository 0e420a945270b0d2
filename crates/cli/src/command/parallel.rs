//! Work on many items, several at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use crate::failure::Failure;

/// Items in the queue for each worker: one, so that no worker waits for the next item, and no more, because each
/// item may hold a value.
const WAITING_PER_WORKER: usize = 1;

/// Does `work` for each item, with this many workers. After the first failure, which it returns, it takes no
/// further items.
pub(super) fn for_each<T: Send>(
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
                        // After a failure the queue is emptied, so that the sender does not block.
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

/// A counter that several workers share.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub(super) fn add(&self) {
        self.add_many(1);
    }

    /// Adds several.
    pub(super) fn add_many(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// No step under these locks can fail halfway.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once() {
        let sum = AtomicU64::new(0);
        let items = (1..=1_000_u64).map(Ok);
        for_each(7, items, |number| {
            sum.fetch_add(number, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 500_500);
    }

    #[test]
    fn the_first_failure_ends_it_and_no_further_items_are_taken() {
        let taken = Counter::default();
        let items = (0..1_000_000_u64).map(|number| {
            taken.add();
            Ok(number)
        });
        let outcome = for_each(3, items, |number| match number {
            5 => Err(Failure::No("five".to_owned())),
            _ => Ok(()),
        });
        assert_eq!(outcome.unwrap_err().to_string(), "five");
        assert!(taken.get() < 1_000_000);
    }

    #[test]
    fn an_error_of_the_items_ends_it_after_the_items_before() {
        let done = Counter::default();
        let items = [Ok(1), Ok(2), Err(Failure::No("gone".to_owned())), Ok(3)];
        let outcome = for_each(2, items, |_| {
            done.add();
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().to_string(), "gone");
        assert!(done.get() <= 2);
    }
}
