//! One printed figure: median of epoch medians, its 95 % interval and its counts.

use std::fmt;

use super::{epoch_medians, is_item_score, median, t_quantile_95};
use crate::metric::{Metric, Unit};
use crate::run::Sample;

/// What is printed of one metric of a cell.
///
/// Displayed as `61.2 ms ± 3 % (n=10/2†)`: the median of epoch medians; the farther
/// end of its 95 % interval as a share of it; `n` = trials / epochs. With two epochs the figure
/// is provisional, marked by a dagger; with one there is no interval, and it says `± n/a`.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub metric: Metric,
    /// Median of epoch medians, in the metric's unit.
    pub median: f64,
    /// 95 % interval across epochs, in the metric's unit; none with fewer than two epochs.
    pub interval: Option<(f64, f64)>,
    /// Number of finite values.
    pub trials: usize,
    /// Number of epochs that hold one.
    pub epochs: usize,
}

/// The figure of a sample; none without a finite value, and none for metrics that are one score
/// per item, of which [`share`](super::share) tells the share.
///
/// The interval takes the epoch as the unit: Student's t on the logarithms of the epoch medians
/// where all are above zero (times are skewed), else on the medians themselves.
#[must_use]
pub fn figure(sample: &Sample) -> Option<Figure> {
    if is_item_score(sample.metric) {
        return None;
    }
    let medians = epoch_medians(sample);
    Some(Figure {
        metric: sample.metric,
        median: median(&medians)?,
        interval: interval(&medians),
        trials: sample.values().filter(|value| value.is_finite()).count(),
        epochs: medians.len(),
    })
}

/// 95 % interval of the centre of epoch medians; none with fewer than two.
fn interval(medians: &[f64]) -> Option<(f64, f64)> {
    if medians.len() < 2 {
        return None;
    }
    if medians.iter().all(|&value| value > 0.0) {
        let logs: Vec<f64> = medians.iter().map(|value| value.ln()).collect();
        let (low, high) = student(&logs);
        return Some((low.exp(), high.exp()));
    }
    Some(student(medians))
}

/// Mean plus and minus t times its standard error; at least two values.
fn student(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>();
    let error = (square / (n - 1.0) / n).sqrt();
    let half = t_quantile_95(values.len() - 1) * error;
    (mean - half, mean + half)
}

impl Figure {
    /// Whether the figure rests on fewer than three epochs.
    #[must_use]
    pub const fn provisional(&self) -> bool {
        self.epochs < 3
    }

    /// The farther end of the interval, as a distance from the median in the metric's unit.
    #[must_use]
    pub fn half_width(&self) -> Option<f64> {
        let (low, high) = self.interval?;
        Some((self.median - low).abs().max((high - self.median).abs()))
    }

    /// Spread as printed: `± 3 %`, `± >999 %`, `± 2 MiB` around zero, `± n/a` with one epoch.
    #[must_use]
    pub fn spread(&self) -> String {
        let Some(half) = self.half_width() else {
            return "± n/a".to_owned();
        };
        if self.median == 0.0 || self.metric.spec().unit == Unit::Count {
            return format!("± {}", self.metric.format(half));
        }
        let percent = 100.0 * half / self.median.abs();
        match percent {
            p if !p.is_finite() || p > 999.0 => "± >999 %".to_owned(),
            p if p < 9.95 => format!("± {p:.1} %"),
            p => format!("± {p:.0} %"),
        }
    }

    /// Counts as printed: `n=10/2†`.
    #[must_use]
    pub fn counts(&self) -> String {
        let mark = if self.provisional() { "†" } else { "" };
        format!("n={}/{}{mark}", self.trials, self.epochs)
    }

    /// The figure with its value printed by the caller, e.g. in a fixed unit of a column.
    #[must_use]
    pub fn with_value(&self, value: &str) -> String {
        format!("{value} {} ({})", self.spread(), self.counts())
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_value(&self.metric.format(self.median)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(epochs: &[&[f64]]) -> Sample {
        let epochs = epochs.iter().map(|trials| trials.to_vec()).collect();
        Sample {
            metric: Metric::Ttft,
            epochs,
        }
    }

    fn printed(epochs: &[&[f64]]) -> String {
        figure(&sample(epochs)).map_or_else(|| "none".to_owned(), |figure| figure.to_string())
    }

    #[test]
    fn one_epoch_has_no_interval_however_many_trials() {
        let figure = figure(&sample(&[&[0.1; 50]])).expect("a figure");
        assert_eq!(
            (figure.interval, figure.trials, figure.epochs),
            (None, 50, 1)
        );
        assert_eq!(figure.to_string(), "100 ms ± n/a (n=50/1†)");
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        assert_eq!(printed(&[]), "none");
        assert_eq!(printed(&[&[], &[f64::NAN]]), "none");
    }

    #[test]
    fn two_epochs_are_provisional_and_three_are_not() {
        assert_eq!(
            printed(&[&[0.1, 0.1], &[0.1, 0.1]]),
            "100 ms ± 0.0 % (n=4/2†)"
        );
        assert_eq!(printed(&[&[0.1], &[0.1], &[0.1]]), "100 ms ± 0.0 % (n=3/3)");
    }

    #[test]
    fn an_empty_epoch_does_not_count() {
        assert_eq!(printed(&[&[0.1], &[]]), "100 ms ± n/a (n=1/1†)");
    }

    #[test]
    fn interval_is_students_on_logarithms() {
        let figure = figure(&sample(&[&[1.0], &[std::f64::consts::E]])).expect("a figure");
        let (low, high) = figure.interval.expect("an interval");
        // logs 0 and 1: mean 0.5, standard error 0.5, t(1) = 12.7062.
        assert!((low.ln() - (0.5 - 6.3531)).abs() < 1e-9, "{low}");
        assert!((high.ln() - (0.5 + 6.3531)).abs() < 1e-9, "{high}");
        assert_eq!(figure.spread(), "± >999 %");
    }

    #[test]
    fn values_at_or_below_zero_use_the_plain_scale() {
        let raw = Sample {
            metric: Metric::LoadMemory,
            epochs: vec![vec![0.0], vec![2_097_152.0]],
        };
        let figure = figure(&raw).expect("a figure");
        let (low, high) = figure.interval.expect("an interval");
        assert!(
            (low + high - 2_097_152.0).abs() < 1e-3,
            "symmetric: {low} {high}"
        );
    }

    #[test]
    fn the_interval_of_a_true_centre_covers_in_nineteen_of_twenty() {
        // Epoch medians drawn log-normally around 1; the interval must hold 1 in about 95 %.
        let mut state = 7_u64;
        let mut uniform = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut normal = move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let covered = (0..4000)
            .filter(|_| {
                let medians: Vec<f64> = (0..5).map(|_| (0.1 * normal()).exp()).collect();
                interval(&medians).is_some_and(|(low, high)| low <= 1.0 && 1.0 <= high)
            })
            .count();
        assert!(
            (3740..=3860).contains(&covered),
            "covered {covered} of 4000"
        );
    }

    #[test]
    fn scores_per_item_have_no_median() {
        let scores = Sample {
            metric: Metric::VisionRight,
            epochs: vec![vec![1.0, 0.0]],
        };
        assert_eq!(figure(&scores), None);
    }
}
