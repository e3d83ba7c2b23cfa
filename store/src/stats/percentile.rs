//! Percentiles by order statistics, shown only where the sample is large enough for them.

use crate::run::Sample;

/// Epochs from which a percentile other than the median is shown: one process's tail is its own.
const MIN_EPOCHS: usize = 3;

/// How sure a sample must be to reach beyond the percentile it shows.
const SURE: f64 = 0.95;

/// The `p`-th percentile of all trials of a sample, `p` above 0 and below 1: the smallest value
/// that at least `p` of them do not exceed (Hyndman and Fan's type 1, The American Statistician
/// 50, 1996).
///
/// Up to the median it is always there; above, only from three epochs and where `1 - p^n` is at
/// least 0.95: then the largest of `n` trials lies beyond the true percentile with that
/// probability, and the sample reaches what it speaks of. p95 needs 59 trials, p99 299 (Wilks,
/// Annals of Mathematical Statistics 12, 1941). None otherwise; values that are not finite do not
/// count.
#[must_use]
pub fn percentile(sample: &Sample, p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let holds = |trials: &&Vec<f64>| trials.iter().any(|value| value.is_finite());
    let epochs = sample.epochs.iter().filter(holds).count();
    let mut values: Vec<f64> = sample.values().filter(|value| value.is_finite()).collect();
    let reached = 1.0 - p.powf(values.len() as f64) >= SURE;
    if p > 0.5 && (epochs < MIN_EPOCHS || !reached) {
        return None;
    }
    nearest_rank(&mut values, p)
}

/// The smallest value that at least `p` of the values do not exceed; none without values.
pub(super) fn nearest_rank(values: &mut [f64], p: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let rank = (p * values.len() as f64).ceil() as usize;
    let at = rank.saturating_sub(1).min(last);
    Some(*values.select_nth_unstable_by(at, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;

    #[test]
    fn a_tail_is_shown_only_where_the_sample_reaches_it() {
        // Trials 1, 2, … dealt to the epochs in turn.
        let check = |trials: usize, epochs: usize, p, expected: Option<usize>| {
            let deal = |epoch| (1..=trials).filter(move |trial| trial % epochs == epoch);
            let dealt = |epoch| deal(epoch).map(|trial| trial as f64).collect();
            let sample = Sample {
                metric: Metric::InterToken,
                epochs: (0..epochs).map(dealt).collect(),
            };
            let expected = expected.map(|value| value as f64);
            assert_eq!(percentile(&sample, p), expected, "{trials} {epochs} {p}");
        };
        check(58, 3, 0.95, None);
        check(59, 3, 0.95, Some(57));
        check(59, 2, 0.95, None);
        check(298, 3, 0.99, None);
        check(299, 3, 0.99, Some(297));
        check(1, 1, 0.5, Some(1));
        check(10, 2, 0.5, Some(5));
        check(10, 1, 0.25, Some(3));
        check(0, 1, 0.5, None);
        for p in [0.0, 1.0, -1.0, f64::NAN] {
            check(100, 5, p, None);
        }
    }
}
