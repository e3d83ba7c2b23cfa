//! What tells when to stop. Stands in for the functions of these names in `store::stats`, which
//! replace it.

use store::Metric;
use store::stats::{Figure, median};

/// How near two successive warm-up totals must be.
const SETTLED: f64 = 0.05;

/// Probability with which the median may lie beyond either end of its interval.
const TAIL: f64 = 0.025;

/// The half-width of its 95 % interval that a metric is measured to, as a share of its median.
pub(super) const fn target(metric: Metric) -> Option<f64> {
    match metric {
        Metric::Decode => Some(0.02),
        Metric::Inference | Metric::Ttft => Some(0.05),
        _ => None,
    }
}

/// Whether a figure needs no more epochs.
pub(super) fn enough_epochs(figure: &Figure) -> bool {
    let half = figure.half_width().map(|half| half / figure.median);
    target(figure.metric).is_none_or(|target| half.is_some_and(|half| half <= target))
}

/// Whether the last two totals are alike: kernels, caches and clocks settle first.
pub(super) fn settled(totals: &[f64]) -> bool {
    let [.., earlier, later] = totals else {
        return false;
    };
    (later - earlier).abs() <= SETTLED * earlier.min(*later)
}

/// The farther end of the 95 % interval of the median, as a share of it; none below six values.
///
/// By order statistics (David and Nagaraja, "Order statistics", 3rd ed. 2003, section 7.1): the
/// median lies between the `r`-th value from below and from above but where fewer than `r` of `n`
/// fair coins fall on one side.
pub(super) fn median_half_width(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = tail_rank(sorted.len()).checked_sub(1)?;
    let (low, high) = (sorted[rank], sorted[sorted.len() - 1 - rank]);
    Some((centre - low).max(high - centre) / centre.abs())
}

/// The largest `r` for which fewer than `r` heads of `n` fair coins are unlikely enough.
fn tail_rank(n: usize) -> usize {
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0;
    for heads in 0..n {
        below += log.exp();
        if below > TAIL {
            return heads;
        }
        log += ((n - heads) as f64 / (heads + 1) as f64).ln();
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_equal_published_tables() {
        // Conover, "Practical nonparametric statistics", table A3 for p = 0.5.
        let known = [(5, 0), (6, 1), (8, 1), (9, 2), (12, 3), (30, 10), (60, 22)];
        for (n, rank) in known {
            assert_eq!(tail_rank(n), rank, "{n}");
        }
    }

    #[test]
    fn two_alike_in_a_row_are_settled() {
        let check = |totals: &[f64], expected| assert_eq!(settled(totals), expected, "{totals:?}");
        check(&[1.0], false);
        check(&[1.0, 1.04], true);
        check(&[1.06, 1.0], false);
        check(&[1.0, 1.0, 2.0], false);
    }
}
