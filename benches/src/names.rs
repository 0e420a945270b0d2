//! How the users and keys of prepared stores are named; `requests.lua` spells the same.

/// The one user of a store with one user.
pub const ONE_USER: &str = "bench";

/// The name of one user of `users`.
#[must_use]
pub fn user(number: u64, users: u64) -> String {
    if users == 1 {
        ONE_USER.to_owned()
    } else {
        format!("u{number:06}")
    }
}

/// The key with this number out of `keys`, in one of `folders` folders or in none of its own.
#[must_use]
pub fn key(number: u64, keys: u64, folders: u64) -> String {
    if folders == 0 {
        format!("/k/{number:08}")
    } else {
        let folder = number * folders / keys.max(1);
        format!("/k/{folder:02}/{number:08}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_share_the_keys_evenly_and_in_order() {
        assert_eq!(key(0, 1_000, 100), "/k/00/00000000");
        assert_eq!(key(9, 1_000, 100), "/k/00/00000009");
        assert_eq!(key(10, 1_000, 100), "/k/01/00000010");
        assert_eq!(key(999, 1_000, 100), "/k/99/00000999");
        assert_eq!(key(7, 1_000, 0), "/k/00000007");
    }
}
