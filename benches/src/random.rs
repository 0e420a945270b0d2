//! Bytes that can't be compressed, and an order that isn't sorted; both the same in every run.

/// A stream of numbers: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream that begins with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A fresh value of this many bytes.
    pub fn value(&mut self, bytes: usize) -> Vec<u8> {
        let mut value = vec![0; bytes];
        for chunk in value.chunks_mut(8) {
            let number = self.next_number().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        value
    }
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
        let mut random = Random::new(1);
        let (first, second) = (random.value(13), random.value(13));
        assert_eq!((first.len(), second.len()), (13, 13));
        assert_ne!(first, second);
    }
}
