//! The storage libraries panic on some kinds of damage; to its caller that is one more way to say so.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use prominence_core::StoreError;

use super::error::{StorageError, read_failed};

/// The result of a call of the storage engine, or the message of its panic.
pub(super) fn no_panic<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| text(panic.as_ref()))
}

/// The result of a read of the storage engine.
pub(super) fn answer<T>(read: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StoreError> {
    match no_panic(read) {
        Ok(found) => found.map_err(read_failed),
        Err(words) => Err(StoreError::Corrupt {
            what: format!("the storage engine panicked while it read: {words}"),
        }),
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_storage_engine_is_damage_with_its_words() {
        let words = "found a block that is none";
        let answered: Result<(), _> = answer(|| panic!("{words}"));
        assert!(matches!(answered, Err(StoreError::Corrupt { what }) if what.contains(words)));
    }
}
