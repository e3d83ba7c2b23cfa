//! Percentile intervals of bootstrap draws, wide enough for few units.

use super::random::Rng;
use super::t_quantile_95;

/// Draws of every bootstrap that is printed.
pub(super) const DRAWS: usize = 10_000;

/// 95 % interval of a statistic of `units` resampled things: `statistic` gets the indices of one
/// resample, and draws for which it has no value are left out. None with fewer than two units,
/// one of which cannot vary, and where no draw has a value.
///
/// `tail`: the share of draws cut off at each end, [`PLAIN`] or by [`expanded`].
pub(super) fn interval(
    units: usize,
    draws: usize,
    tail: f64,
    mut statistic: impl FnMut(&mut [usize]) -> Option<f64>,
) -> Option<(f64, f64)> {
    if units < 2 {
        return None;
    }
    let mut random = Rng::default();
    let mut resample = vec![0_usize; units];
    let mut values = Vec::with_capacity(draws);
    for _ in 0..draws {
        resample.fill_with(|| random.below(units));
        values.extend(statistic(&mut resample));
    }
    let last = values.len().checked_sub(1)?;
    let cut = (tail * last as f64).round() as usize;
    let (_, &mut low, rest) = values.select_nth_unstable_by(cut, f64::total_cmp);
    let high = match last - 2 * cut {
        0 => low,
        above => *rest.select_nth_unstable_by(above - 1, f64::total_cmp).1,
    };
    Some((low, high))
}

/// The plain percentiles of a 95 % interval.
pub(super) const PLAIN: f64 = 0.025;

/// The share of draws to cut off at each end for 95 % of coverage with `n` units.
///
/// [`PLAIN`] percentiles are too narrow for few units: a resample varies by `(n - 1) / n` of what it
/// should, and has the normal distribution's tails where Student's are due. The remedy is to
/// widen the level until a mean of normal values gets its t interval:
/// `Phi(-sqrt(n / (n - 1)) t(n - 1))`, 0.9 % for ten units, 2.1 % for fifty.
///
/// Source: Hesterberg, "What teachers should know about the bootstrap", The American
/// Statistician 69, 2015 (the expanded percentile interval).
pub(super) fn expanded(n: usize) -> f64 {
    let n = n.max(2);
    let inflation = (n as f64 / (n as f64 - 1.0)).sqrt();
    normal_tail(inflation * t_quantile_95(n - 1))
}

/// The probability of a standard normal value above `x`, which is not negative; to 7.5e-8.
///
/// Source: Abramowitz and Stegun, "Handbook of mathematical functions", 26.2.17.
fn normal_tail(x: f64) -> f64 {
    const B: [f64; 5] = [
        1.330_274_429,
        -1.821_255_978,
        1.781_477_937,
        -0.356_563_782,
        0.319_381_530,
    ];
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let series = B.iter().fold(0.0, |sum, b| (sum + b) * t);
    (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_tail_equals_published_values() {
        let check = |x, expected: f64| assert!((normal_tail(x) - expected).abs() < 1e-7, "{x}");
        check(0.0, 0.5);
        check(1.0, 0.158_655_25);
        check(1.959_963_985, 0.025);
        check(3.0, 0.001_349_90);
    }

    #[test]
    fn few_units_widen_the_percentiles() {
        assert!((expanded(10) - 0.0086).abs() < 1e-4, "{}", expanded(10));
        assert!((expanded(50) - 0.0212).abs() < 1e-4, "{}", expanded(50));
        assert!((expanded(100_000) - 0.025).abs() < 1e-4);
        assert!(expanded(2) < 1e-9, "two units: the whole range");
    }

    #[test]
    fn the_interval_cuts_the_same_share_off_both_ends() {
        // The first index of a resample of 1000 is uniform over them.
        let (low, high) =
            interval(1000, DRAWS, PLAIN, |drawn| Some(drawn[0] as f64)).expect("draws");
        assert!(
            (low - 25.0).abs() < 6.0 && (high - 975.0).abs() < 6.0,
            "{low} {high}"
        );
        assert_eq!(interval(1, DRAWS, PLAIN, |_| Some(0.0)), None);
        assert_eq!(interval(9, DRAWS, PLAIN, |_| None), None);
        assert_eq!(interval(9, 1, PLAIN, |_| Some(4.0)), Some((4.0, 4.0)));
    }
}
