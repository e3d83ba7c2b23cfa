//! A simulated hosted runner, noisy as the published figures of macOS runners are: what the same
//! commit measured twice differs by.
//!
//! Its speed stays at a level for about twelve measurements and then jumps to another, drawn with
//! heavy tails; each measurement varies by 3 %; three in a hundred are disturbed by 5 to 40 %. Medians of
//! ten and then ten measurements of identical code then differ by 3 % in the middle and by 22 % at the
//! 95th percentile, where 4.4 and 20 were published for `macos-latest`.

use super::{Pair, Rng};

/// Mean number of measurements at one level.
const STAY: f64 = 12.0;

/// Spread of the levels, Student's t of three degrees of freedom, in logarithms.
const LEVELS: f64 = 0.065;

/// Spread of one measurement at its level.
const WITHIN: f64 = 0.03;

/// Share of disturbed measurements, and the least and most that they lose.
const DISTURBED: f64 = 0.03;
const LOSS: (f64, f64) = (0.05, 0.40);

/// One runner, from its start.
pub(crate) struct Machine {
    random: Rng,
    level: f64,
}

impl Machine {
    /// A runner whose every measurement follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut machine = Self {
            random: Rng::new(seed.wrapping_mul(0x9e37_79b9)),
            level: 0.0,
        };
        machine.jump();
        machine
    }

    fn jump(&mut self) {
        self.level = LEVELS * self.random.student(3);
    }

    /// Seconds of something that takes `true_s` on an undisturbed machine.
    pub(crate) fn measure(&mut self, true_s: f64) -> f64 {
        if self.random.uniform() < 1.0 / STAY {
            self.jump();
        }
        let mut log = self.level + WITHIN * self.random.normal();
        if self.random.uniform() < DISTURBED {
            let (least, most) = LOSS;
            log += (least + (most - least) * self.random.uniform()).ln_1p();
        }
        true_s * log.exp()
    }

    /// Base and head in turn, base first and head first alternately; the head is slower by `slowdown`.
    pub(crate) fn pairs(&mut self, n: usize, slowdown: f64) -> Vec<Pair> {
        let mut pair = |at: usize| {
            let (first, second) = match at % 2 {
                0 => (1.0, 1.0 + slowdown),
                _ => (1.0 + slowdown, 1.0),
            };
            let (first, second) = (self.measure(first), self.measure(second));
            match at % 2 {
                0 => Pair {
                    base: first,
                    head: second,
                },
                _ => Pair {
                    base: second,
                    head: first,
                },
            }
        };
        (0..n).map(&mut pair).collect()
    }
}
