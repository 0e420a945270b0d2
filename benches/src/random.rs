//! Bytes that can't be compressed, and an order that isn't sorted; both the same in every run.

use fastrand::Rng;

/// A fresh value of this many bytes.
pub fn value(random: &mut Rng, bytes: usize) -> Vec<u8> {
    let mut value = vec![0; bytes];
    random.fill(&mut value);
    value
}

/// A prime far above any number of keys, so that it shares no factor with one.
const STRIDE: u64 = 2_147_483_647;

/// The numbers below `count`, each once, in an order that jumps about. Keys that arrive sorted
/// would make an LSM tree look better than it is.
#[must_use]
pub fn shuffled(place: u64, count: u64) -> u64 {
    place.wrapping_mul(STRIDE) % count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffled_count_has_every_number_once_and_not_in_order() {
        for count in [1, 2, 100, 9_999, 10_000] {
            let mut all: Vec<_> = (0..count).map(|place| shuffled(place, count)).collect();
            assert!(count < 100 || !all.is_sorted());
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn values_are_fresh_and_as_long_as_asked() {
        let mut random = Rng::with_seed(1);
        let (first, second) = (value(&mut random, 13), value(&mut random, 13));
        assert_eq!((first.len(), second.len()), (13, 13));
        assert_ne!(first, second);
    }
}
