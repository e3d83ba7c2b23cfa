//! Nights without a change, in three kinds of noise.

use store::stats::Rng;

/// What disturbs a night.
#[derive(Clone, Copy)]
pub(crate) enum Noise {
    /// 2 %.
    Gauss,
    /// 2 %, and in 3 of 100 nights 5 to 40 % more.
    Spiky,
    /// Student's t with three degrees of freedom and a standard deviation of 5 %: from night to
    /// night 3.9 % in the median, 14.9 % in the 95th percentile.
    Heavy,
}

impl Noise {
    pub(crate) const ALL: [Self; 3] = [Self::Gauss, Self::Spiky, Self::Heavy];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gauss => "Gauss 2 %",
            Self::Spiky => "2 % + 3 % spikes",
            Self::Heavy => "heavy tails",
        }
    }

    fn factor(self, random: &mut Rng) -> f64 {
        match self {
            Self::Gauss => 1.0 + 0.02 * random.normal(),
            Self::Spiky if random.uniform() < 0.03 => {
                (1.0 + 0.02 * random.normal()) * (1.05 + 0.35 * random.uniform())
            }
            Self::Spiky => 1.0 + 0.02 * random.normal(),
            Self::Heavy => (1.0 + 0.05 / 3.0_f64.sqrt() * random.student(3)).max(0.05),
        }
    }
}

pub(crate) fn nights(noise: Noise, count: usize, random: &mut Rng) -> Vec<f64> {
    (0..count).map(|_| 100.0 * noise.factor(random)).collect()
}
