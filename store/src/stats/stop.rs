//! When enough was measured. Pure: the caller brings the values and the clock.

use super::figure::Figure;
use super::median;
use crate::metric::{Metric, Unit};

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
    fn the_half_width_is_the_farther_end() {
        // Ranks 2 and 9 of ten: 1.01 and 1.08 around 1.045.
        let ten: Vec<f64> = (0..10).map(|trial| 1.0 + 0.01 * f64::from(trial)).collect();
        let half = median_half_width(&ten).expect("an interval");
        assert!((half - 0.035 / 1.045).abs() < 1e-9, "{half}");
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
