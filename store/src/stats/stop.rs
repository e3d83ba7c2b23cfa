//! When enough was measured. Pure: the caller brings the values and the clock.

use super::figure::Figure;
use super::median;
use crate::metric::{Metric, Unit};

/// Warm-up requests after which timing starts, settled or not.
pub const MAX_WARM_UP: usize = 8;
/// Timed trials an epoch holds at least.
pub const MIN_TRIALS: usize = 10;
/// Timed trials after which an epoch ends, precise or not.
pub const MAX_TRIALS: usize = 60;
/// Seconds an epoch is timed at least.
pub const MIN_SECONDS: f64 = 30.0;
/// Seconds after which an epoch ends, precise or not.
pub const MAX_SECONDS: f64 = 300.0;
/// Epochs after which a figure that is still wide stays so.
pub const MAX_EPOCHS: usize = 10;

/// Relative difference of two successive warm-up requests that counts as settled.
const SETTLED_WITHIN: f64 = 0.05;

/// The half-width of a 95 % interval, as a share of the median, that a metric's figure is to
/// reach: 2 % for decode, 5 % for every other time and rate; none for metrics that are not timed.
#[must_use]
pub const fn target(metric: Metric) -> Option<f64> {
    match (metric, metric.spec().unit) {
        (Metric::Decode, _) => Some(0.02),
        (_, Unit::Second | Unit::TokenPerSecond) => Some(0.05),
        _ => None,
    }
}

/// Whether warm-up requests have settled: the last two totals are within 5 % of the smaller.
#[must_use]
pub fn settled(totals: &[f64]) -> bool {
    let [.., earlier, later] = totals else {
        return false;
    };
    (later - earlier).abs() <= SETTLED_WITHIN * earlier.min(*later)
}

/// The 95 % interval of the median of trials, from order statistics: no distribution assumed.
///
/// The true median lies above `x(r)` and below `x(n + 1 - r)` unless fewer than `r` of `n` fair
/// coins fall on one side; `r` is the largest for which that is at most 2.5 % likely on each.
/// None below six values, whose full range holds it in less than 95 of 100. Values that are not
/// finite do not count.
///
/// Source: David and Nagaraja, "Order statistics", 3rd ed. 2003, section 7.1.
#[must_use]
pub fn median_interval(trials: &[f64]) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = trials.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = tail_rank(sorted.len()).checked_sub(1)?;
    Some((sorted[rank], sorted[sorted.len() - 1 - rank]))
}

/// The largest `r` for which fewer than `r` heads of `n` fair coins are at most 2.5 % likely.
fn tail_rank(n: usize) -> usize {
    // In logarithms: 2^-n is below the smallest number from n = 1075 on.
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0;
    for heads in 0..n {
        below += log.exp();
        if below > 0.025 {
            return heads;
        }
        log += ((n - heads) as f64 / (heads + 1) as f64).ln();
    }
    0
}

/// The farther end of [`median_interval`] from the median, as a share of it; none without an
/// interval and around zero.
#[must_use]
pub fn median_half_width(trials: &[f64]) -> Option<f64> {
    let (low, high) = median_interval(trials)?;
    let centre = median(trials)?;
    let share = (centre - low).max(high - centre) / centre.abs();
    share.is_finite().then_some(share)
}

/// Whether an epoch may end that has timed `trials` for `seconds`: precise to `target` after the
/// least of both, or at the most of either.
#[must_use]
pub fn epoch_done(trials: &[f64], seconds: f64, target: f64) -> bool {
    let precise = || median_half_width(trials).is_some_and(|half| half <= target);
    let least = trials.len() >= MIN_TRIALS && seconds >= MIN_SECONDS;
    let most = trials.len() >= MAX_TRIALS || seconds >= MAX_SECONDS;
    most || (least && precise())
}

/// About how many trials an epoch still needs, for a progress line: an interval narrows with the
/// root of the number of trials, and the cap holds. 0 where `target` is met.
#[must_use]
pub fn trials_to_go(trials: &[f64], target: f64) -> usize {
    let least = MIN_TRIALS.saturating_sub(trials.len());
    let left = MAX_TRIALS.saturating_sub(trials.len());
    let Some(half) = median_half_width(trials) else {
        return least.max(1).min(left);
    };
    if half <= target {
        return least;
    }
    // Saturates where the target is 0.
    let all = (trials.len() as f64 * (half / target).powi(2)).ceil() as usize;
    all.saturating_sub(trials.len())
        .clamp(least, left.max(least))
}

/// Whether a figure needs no more epochs: its interval meets its metric's [`target`], or the
/// metric has none. A figure without an interval needs more.
#[must_use]
pub fn enough_epochs(figure: &Figure) -> bool {
    target(figure.metric).is_none() || (figure.interval.is_some() && !figure.wide())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Sample;
    use crate::stats::{Rng, Z_95, figure};

    #[test]
    fn warm_up_settles_when_two_in_a_row_agree() {
        let check = |totals: &[f64], expected| assert_eq!(settled(totals), expected, "{totals:?}");
        check(&[], false);
        check(&[1.0], false);
        check(&[1.0, 1.049], true);
        check(&[1.049, 1.0], true);
        check(&[1.051, 1.0], false);
        check(&[1.0, 1.0, 2.0], false);
        check(&[9.0, 1.0, 1.01], true);
        check(&[f64::NAN, 1.0], false);
        check(&[0.0, 0.0], true);
    }

    #[test]
    fn ranks_of_the_median_interval_equal_published_tables() {
        // Conover, "Practical nonparametric statistics", table A3 for p = 0.5.
        let check = |n, expected| assert_eq!(tail_rank(n), expected, "{n}");
        for (n, rank) in [
            (0, 0),
            (1, 0),
            (5, 0),
            (6, 1),
            (8, 1),
            (9, 2),
            (10, 2),
            (12, 3),
        ] {
            check(n, rank);
        }
        for (n, rank) in [(15, 4), (20, 6), (30, 10), (50, 18), (60, 22), (100, 40)] {
            check(n, rank);
        }
        let normal = |n: f64| ((n - Z_95 * n.sqrt()) / 2.0).round() as i64;
        assert!((tail_rank(10_000) as i64 - normal(10_000.0)).abs() <= 1);
    }

    #[test]
    fn the_median_interval_covers() {
        let mut random = Rng::new(1);
        let holds = |_: &usize| {
            let trials: Vec<f64> = (0..20).map(|_| random.normal().exp()).collect();
            let (low, high) = median_interval(&trials).expect("twenty trials");
            low <= 1.0 && 1.0 <= high
        };
        // By the binomial distribution 95.9 % for twenty.
        let covered = (0..2000).filter(holds).count();
        assert!((1890..=1945).contains(&covered), "{covered} of 2000");
    }

    #[test]
    fn an_epoch_ends_when_precise_or_capped() {
        let check = |trials: &[f64], seconds, expected| {
            assert_eq!(
                epoch_done(trials, seconds, 0.05),
                expected,
                "{trials:?} {seconds}"
            );
        };
        let rough: Vec<f64> = (0..60).map(|trial| 1.0 + f64::from(trial % 2)).collect();
        check(&[1.0; 10], 30.0, true);
        check(&[1.0; 9], 30.0, false);
        check(&[1.0; 10], 29.0, false);
        check(&rough[..59], 299.0, false);
        check(&rough, 1.0, true);
        check(&[], 300.0, true);
    }

    #[test]
    fn trials_to_go_grow_with_the_square_and_stay_below_the_cap() {
        let check = |trials: &[f64], target, expected| {
            assert_eq!(trials_to_go(trials, target), expected, "{target}");
        };
        // Ranks 2 and 9 of ten: 1.01 and 1.08 around 1.045.
        let ten: Vec<f64> = (0..10).map(|trial| 1.0 + 0.01 * f64::from(trial)).collect();
        let half = median_half_width(&ten).expect("an interval");
        assert!((half - 0.035 / 1.045).abs() < 1e-9, "{half}");
        check(&ten, 0.05, 0);
        check(&ten, half / 2.0, 30);
        check(&ten, half / 100.0, 50);
        check(&ten, 0.0, 50);
        check(&[], 0.05, 10);
        check(&[1.0; 4], 0.05, 6);
        check(&[1.0; 100], 0.05, 0);
    }

    #[test]
    fn epochs_suffice_when_the_figure_meets_its_target() {
        let check = |metric, epochs: &[f64], expected| {
            let epochs = epochs.iter().map(|&value| vec![value]).collect();
            let figure = figure(&Sample { metric, epochs }).expect("a figure");
            assert_eq!(enough_epochs(&figure), expected, "{figure}");
        };
        check(Metric::Ttft, &[1.0], false);
        check(Metric::Ttft, &[1.0, 1.01, 1.03], true);
        check(Metric::Decode, &[1.0, 1.01, 1.03], false);
        check(Metric::LoadMemory, &[1.0], true);
    }
}
