//! The random numbers of every bootstrap: seeded, equal on every machine.

/// `SplitMix64`: a counter, mixed. Enough for resampling, and it has no state to spoil.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct Rng(u64);

/// Fixed, so that the same samples always print the same intervals.
const SEED: u64 = 0x76_6c_6d_2d_62_65_6e_63;

impl Default for Rng {
    /// The sequence behind every printed interval.
    fn default() -> Self {
        Self(SEED)
    }
}

impl Rng {
    /// A sequence of its own.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        // The high half of a wide product: no modulo bias worth mentioning at these bounds.
        ((self.bits() as u128 * bound as u128) >> 64) as usize
    }

    /// Uniform, above 0 and below 1: its logarithm is finite.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal, by the polar method (Marsaglia and Bray, SIAM Review 6, 1964).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// Student's t with `dof` degrees of freedom, from 1: a normal over the root of the mean
    /// square of `dof` others, which is its definition and cheap for the few epochs of a run.
    pub fn student(&mut self, dof: usize) -> f64 {
        let square: f64 = (0..dof).map(|_| self.normal().powi(2)).sum();
        self.normal() / (square / dof as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_its_published_sequence() {
        let mut random = Rng::new(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn draws_have_the_mean_and_variance_of_their_distribution() {
        let check = |name: &str, expected: (f64, f64), draw: fn(&mut Rng) -> f64| {
            let mut random = Rng::default();
            let values: Vec<f64> = (0..20_000).map(|_| draw(&mut random)).collect();
            let mean = values.iter().sum::<f64>() / 20_000.0;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.0;
            let near = |got: f64, want: f64| (got - want).abs() < 0.05 * want.max(0.5);
            let both = near(mean, expected.0) && near(variance, expected.1);
            assert!(both, "{name}: mean {mean}, variance {variance}");
        };
        check("uniform", (0.5, 1.0 / 12.0), Rng::uniform);
        check("normal", (0.0, 1.0), Rng::normal);
        check("t, 10", (0.0, 1.25), |random| random.student(10));
    }
}
