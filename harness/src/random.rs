//! Numbers that repeat on every machine: SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", 2014).

/// What the counter moves by: 2^64 over the golden ratio, made odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The `i`-th number of the sequence that starts from 0.
pub(crate) const fn mixed(i: u64) -> u64 {
    finished(i.wrapping_mul(STEP))
}

const fn finished(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A counter, mixed.
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        finished(self.0)
    }

    /// A number below `bound`; 0 where the bound is 0.
    pub(crate) const fn below(&mut self, bound: u32) -> u32 {
        // The high part of a wide product: no modulo bias worth mentioning at these bounds.
        (((self.next() >> 32) * bound as u64) >> 32) as u32
    }

    /// A number from `-most` to `most`.
    pub(crate) fn around_zero(&mut self, most: u32) -> i64 {
        i64::from(self.below(2 * most + 1)) - i64::from(most)
    }

    /// All items in random order (Fisher and Yates).
    pub(crate) fn shuffled<T: Copy, const N: usize>(&mut self, mut items: [T; N]) -> [T; N] {
        for last in (1..N).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        assert_eq!(mixed(1), SplitMix64(0).next());
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut random = SplitMix64(1);
        let drawn: std::collections::BTreeSet<_> =
            (0..200).map(|_| random.around_zero(2)).collect();
        assert_eq!(drawn, [-2, -1, 0, 1, 2].into());
        assert_eq!(random.below(0), 0);
        let mut order = random.shuffled([1, 2, 3, 4]);
        order.sort_unstable();
        assert_eq!(order, [1, 2, 3, 4]);
    }
}
