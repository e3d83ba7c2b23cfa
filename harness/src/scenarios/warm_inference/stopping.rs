//! When an epoch has enough trials, and a cell enough epochs. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use store::stats::stop::{enough_epochs, median_half_width};
use store::stats::{figure, target};
use store::{Metric, Sample};

use crate::message::Epoch;
use crate::scenarios::SoFar;

/// The figures that have to be narrow.
const JUDGED: [Metric; 3] = [Metric::Inference, Metric::Ttft, Metric::Decode];

/// Whether an epoch ends that has `values` of so many trials, after so much timed work.
pub(super) fn over(
    epoch: &Epoch,
    (trials, spent): (usize, Duration),
    values: &BTreeMap<Metric, Vec<f64>>,
) -> bool {
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let most = trials >= epoch.trials as usize || spent >= seconds(epoch.most_s);
    let least = trials >= epoch.least as usize && spent >= seconds(epoch.least_s);
    most || (least && JUDGED.iter().all(|metric| narrow(values, *metric)))
}

fn narrow(values: &BTreeMap<Metric, Vec<f64>>, metric: Metric) -> bool {
    let half = values.get(&metric).and_then(|all| median_half_width(all));
    half.zip(target(metric))
        .is_some_and(|(half, target)| half <= target)
}

/// Whether a figure of the epochs so far misses its target. One that no epoch has a value of does
/// not: another epoch would have none either.
pub(super) fn wide(so_far: &SoFar<'_>) -> bool {
    JUDGED.into_iter().any(|metric| {
        let epochs = so_far.values.iter();
        let epochs = epochs.filter_map(|values| values.get(&metric).cloned());
        let epochs = epochs.collect();
        figure(&Sample { metric, epochs }).is_some_and(|figure| !enough_epochs(&figure))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(spread: f64) -> BTreeMap<Metric, Vec<f64>> {
        let trials: Vec<_> = (0..10)
            .map(|n| 1.0 + spread * f64::from(n - 5) / 5.0)
            .collect();
        JUDGED.map(|metric| (metric, trials.clone())).into()
    }

    #[test]
    fn an_epoch_ends_when_narrow_or_at_its_most() {
        let epoch = Epoch {
            least: 10,
            least_s: 30,
            most_s: 300,
            ..Epoch::new("", 60)
        };
        let check = |trials, seconds, spread, expected| {
            let done = (trials, Duration::from_secs(seconds));
            let found = over(&epoch, done, &values(spread));
            assert_eq!(found, expected, "{trials} {seconds} {spread}");
        };
        check(10, 30, 0.01, true);
        check(9, 30, 0.01, false);
        check(10, 29, 0.01, false);
        check(10, 30, 0.1, false);
        check(10, 30, 0.03, false); // 2.4 %: narrow enough for times, not for the decode rate
        check(59, 299, 0.1, false);
        check(60, 1, 0.1, true);
        check(1, 300, 0.1, true);
        assert!(!over(
            &epoch,
            (10, Duration::from_secs(30)),
            &BTreeMap::new()
        ));
    }

    #[test]
    fn a_cell_wants_another_epoch_while_one_figure_is_wide() {
        let check = |medians: &[f64], expected| {
            let of = |&median: &f64| -> BTreeMap<_, _> {
                let steady = [Metric::Inference, Metric::Ttft].map(|metric| (metric, vec![1.0]));
                steady
                    .into_iter()
                    .chain([(Metric::Decode, vec![median])])
                    .collect()
            };
            let values: Vec<_> = medians.iter().map(of).collect();
            let so_far = SoFar {
                epochs: &[],
                values: &values,
                voids: &[],
                replays: &[],
            };
            assert_eq!(wide(&so_far), expected, "{medians:?}");
        };
        check(&[100.0; 5], false);
        check(&[100.0, 100.5, 101.0, 100.2, 100.7], false);
        check(&[100.0, 104.0, 97.0, 102.0, 99.0], true);
        check(&[100.0], true);
        check(&[], false);
    }
}
