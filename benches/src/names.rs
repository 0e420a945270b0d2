//! Users, keys and values of prepared stores, and tokens of these users; `requests.lua` makes the same keys.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use prominence_core::Namespace;
use prominence_core::permit::Scopes;
use prominence_server::token::{NewToken, Secret, load_or_create, mint};
use prominence_server::wall_time;

/// Longer than any measurement.
const LIFETIME: Duration = Duration::from_hours(24);

/// A prime far above any number of keys, so that it shares no factor with one.
const STRIDE: u64 = 2_147_483_647;

/// The name of one user of `users`.
pub(crate) fn user(number: u64, users: u64) -> String {
    match users {
        1 => "bench".to_owned(),
        _ => format!("u{number:06}"),
    }
}

/// The key with this number out of `keys`, in one of `folders` folders, or directly below `/k/` with 0.
pub(crate) fn key(number: u64, keys: u64, folders: u64) -> String {
    match folders {
        0 => format!("/k/{number:08}"),
        _ => format!("/k/{:02}/{number:08}", number * folders / keys.max(1)),
    }
}

/// A fresh value of this many bytes, which can't be compressed.
pub(crate) fn value(random: &mut Rng, bytes: usize) -> Vec<u8> {
    let mut value = vec![0; bytes];
    random.fill(&mut value);
    value
}

/// The numbers below `count`, each once, out of order. Sorted keys would make an LSM tree look better than it is.
pub(crate) fn shuffled(place: u64, count: u64) -> u64 {
    place.wrapping_mul(STRIDE) % count.max(1)
}

/// Prints a token for each user, one to a line. `prominence token create` makes one at a time; a hundred thousand
/// processes would take longer than the measurement.
pub(crate) fn print_tokens(folder: &Path, users: u64) -> anyhow::Result<()> {
    let (secret, _) = load_or_create(folder)?;
    for number in 0..users {
        println!("{}", sign(&secret, &user(number, users))?);
    }
    Ok(())
}

/// A token of a user for the server with this data folder.
pub(crate) fn token(folder: &Path, user: &str) -> anyhow::Result<String> {
    sign(&load_or_create(folder)?.0, user)
}

/// The same, limited to these scopes.
pub(crate) fn token_for(folder: &Path, user: &str, scopes: Scopes) -> anyhow::Result<String> {
    sign_for(&load_or_create(folder)?.0, user, scopes)
}

fn sign(secret: &Secret, user: &str) -> anyhow::Result<String> {
    sign_for(secret, user, Scopes::Unrestricted)
}

fn sign_for(secret: &Secret, user: &str, scopes: Scopes) -> anyhow::Result<String> {
    let token = NewToken {
        user: Namespace::parse(user)?,
        job: None,
        groups: Vec::new(),
        scopes,
        lifetime: LIFETIME,
    };
    Ok(mint(secret, &token, wall_time())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_share_the_keys_evenly_and_in_order() {
        assert_eq!(key(9, 1_000, 100), "/k/00/00000009");
        assert_eq!(key(10, 1_000, 100), "/k/01/00000010");
        assert_eq!(key(999, 1_000, 100), "/k/99/00000999");
        assert_eq!(key(7, 1_000, 0), "/k/00000007");
    }

    #[test]
    fn a_shuffled_count_has_every_number_once_and_not_in_order() {
        for count in [1, 2, 100, 9_999, 10_000] {
            let mut all: Vec<_> = (0..count).map(|place| shuffled(place, count)).collect();
            assert!(count < 100 || !all.is_sorted());
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
