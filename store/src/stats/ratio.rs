//! What a condition does to a metric, process by process.

use std::fmt;

use super::bootstrap::DRAWS;
use super::figure::interval;
use super::{epoch_medians, median};
use crate::run::Sample;

/// A metric under a condition over the same without it. Displayed as `1.02 [0.98, 1.06]`; without
/// an interval as `1.02`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedRatio {
    /// Median of the ratios.
    pub ratio: f64,
    /// 95 % interval across epochs; none with fewer than two.
    pub interval: Option<(f64, f64)>,
    /// Epochs that held both.
    pub epochs: usize,
}

/// The ratio of the medians of `after` and `before` in each epoch, where both were taken in the same
/// epochs in turn: what differs between processes divides out. The interval is that of a
/// [`figure`](super::figure) of these ratios.
///
/// None where the two have not as many epochs, none at all, or a median that is not above zero.
#[must_use]
pub fn paired_ratio(before: &Sample, after: &Sample) -> Option<PairedRatio> {
    let (before, after) = (epoch_medians(before), epoch_medians(after));
    let all = || before.iter().chain(&after);
    if before.len() != after.len() || !all().all(|&value| value > 0.0) {
        return None;
    }
    let ratios: Vec<f64> = after.iter().zip(&before).map(|(a, b)| a / b).collect();
    Some(PairedRatio {
        ratio: median(&ratios)?,
        interval: interval(&ratios, DRAWS),
        epochs: ratios.len(),
    })
}

impl fmt::Display for PairedRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ratio;
        match self.interval {
            Some((low, high)) => f.pad(&format!("{ratio:.2} [{low:.2}, {high:.2}]")),
            None => f.pad(&format!("{ratio:.2}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;

    fn sample(epochs: &[&[f64]]) -> Sample {
        Sample {
            metric: Metric::Inference,
            epochs: epochs.iter().map(|trials| trials.to_vec()).collect(),
        }
    }

    #[test]
    fn what_differs_between_processes_divides_out() {
        let before = sample(&[&[1.0, 1.0], &[10.0, 10.0, 99.0], &[100.0]]);
        let check = |after: &[&[f64]], expected: &str| {
            let found = paired_ratio(&before, &sample(after));
            let found = found.map_or_else(|| "none".to_owned(), |ratio| ratio.to_string());
            assert_eq!(found, expected);
        };
        check(&[&[1.1], &[11.0], &[110.0]], "1.10 [1.10, 1.10]");
        check(&[&[1.1], &[11.0]], "none");
        check(&[&[1.1], &[11.0], &[0.0]], "none");
        check(&[], "none");
        let one = paired_ratio(&sample(&[&[2.0]]), &sample(&[&[3.0]])).expect("one epoch");
        assert_eq!((one.to_string().as_str(), one.interval), ("1.50", None));
    }
}
