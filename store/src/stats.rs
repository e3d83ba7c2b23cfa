//! Statistics of raw samples: medians, intervals, shares and paired gains. Pure.
//!
//! The unit is the epoch (a fresh process), never the trial: trials of one process share its
//! memory layout, caches and heat, and an interval over them would be far too narrow.

use crate::metric::{Direction, Metric, Unit};
use crate::run::Sample;

mod bootstrap;
#[cfg(test)]
mod coverage;
mod figure;
mod floor;
mod growth;
mod joint;
mod percentile;
mod random;
mod ratio;
mod retention;
mod scatter;
mod share;
mod slope;
pub mod stop;
pub mod student;

pub use figure::{Figure, figure};
pub use floor::noise_floor;
pub use growth::{BURN_IN, Cause, Memory, Pace, cause, memory, pace};
pub use joint::{best_probability, draw_epochs, draw_share};
pub use percentile::percentile;
pub use random::Rng;
pub use ratio::{PairedRatio, paired_ratio};
pub use retention::{Retention, scene_retention};
pub use scatter::far;
pub use share::{Gain, Proportion, item_values, paired_gain, proportion, share};
pub use slope::{Slope, slope};
pub use stop::target;

/// The middle of the finite values; the mean of the two middle ones where their number is even.
/// None without a finite value.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    // Halved before adding: the sum of two huge values would overflow.
    Some(sorted[sorted.len() / 2 - 1] / 2.0 + upper / 2.0)
}

/// Whether two answers that differ may do so by chance: the fresh process's top-two margin, where they
/// part, is within twice the largest logit difference among fresh processes.
#[must_use]
pub fn near_tie(margin: f64, noise: f64) -> bool {
    margin <= 2.0 * noise
}

/// The two-sided 95 % quantile of Student's t distribution; `dof` from 1.
///
/// Exact to four digits up to 30 degrees of freedom (a table), then by the Cornish-Fisher
/// expansion around the normal quantile, which is as exact there.
#[must_use]
pub fn t_quantile_95(dof: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010,
        2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739,
        2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
    ];
    match dof {
        0 => f64::INFINITY,
        1..=30 => TABLE[dof - 1],
        _ => {
            let (z, n) = (Z_95, dof as f64);
            let cubic = (z.powi(3) + z) / (4.0 * n);
            let quintic = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n);
            z + cubic + quintic
        }
    }
}

/// The two-sided 95 % quantile of the normal distribution.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;

/// Metrics whose values are one score per item; their share is printed, not their median.
#[must_use]
pub const fn is_item_score(metric: Metric) -> bool {
    use Metric as M;
    matches!(
        metric,
        M::ExactMatch
            | M::FreshExactMatch
            | M::VisionRight
            | M::VisionBlank
            | M::VisionShuffled
            | M::TextRight
            | M::TextDegenerate
            | M::ContextDirect
            | M::ContextAtTwo
            | M::ContextRetained
            | M::ContextAtEight
            | M::ContextTextOnly
            | M::ContextChance
    )
}

/// Whether a metric is read by the medians of its epochs, so that a single trial is one of many alike.
///
/// Scores and counters are read item by item; what is taken after each call tells a leak by its
/// order; circumstances explain single trials.
#[must_use]
pub fn is_repeated(metric: Metric) -> bool {
    use Metric as M;
    let spec = metric.spec();
    let continuous = match spec.unit {
        Unit::Second | Unit::Byte | Unit::TokenPerSecond | Unit::BytePerSecond => true,
        Unit::Joule | Unit::Watt => true,
        Unit::Ratio => !is_item_score(metric) && spec.min_change > 0.0,
        Unit::Count | Unit::Logit => false,
    };
    let ordered = [
        M::CallMemory,
        M::CallActive,
        M::CallCache,
        M::AfterUnload,
        M::WarmUp,
    ];
    continuous && spec.direction != Direction::Neutral && !ordered.contains(&metric)
}

/// The medians of the epochs that hold a value, in order.
#[must_use]
pub fn epoch_medians(sample: &Sample) -> Vec<f64> {
    sample
        .epochs
        .iter()
        .filter_map(|trials| median(trials))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_none_and_broken_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[f64::NAN, 1.0, f64::INFINITY]), Some(1.0));
        assert_eq!(median(&[f64::MAX, f64::MAX]), Some(f64::MAX));
    }

    #[test]
    fn t_quantiles_equal_published_tables() {
        let known = [
            (1, 12.706),
            (2, 4.303),
            (4, 2.776),
            (9, 2.262),
            (29, 2.045),
            (30, 2.042),
        ];
        let far = [(40, 2.0211), (60, 2.0003), (120, 1.9799), (1000, 1.9623)];
        for (dof, expected) in known {
            assert!((t_quantile_95(dof) - expected).abs() < 6e-4, "dof {dof}");
        }
        for (dof, expected) in far {
            assert!((t_quantile_95(dof) - expected).abs() < 1e-4, "dof {dof}");
        }
        assert!(t_quantile_95(0).is_infinite());
        assert!(
            t_quantile_95(30) > t_quantile_95(31),
            "the two parts meet without a jump"
        );
    }
}
