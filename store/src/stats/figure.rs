//! One printed figure: median of epoch medians, its 95 % interval and its counts.

use std::fmt;

use super::bootstrap::{self, DRAWS, expanded};
use super::{epoch_medians, is_item_score, median, scatter, t_quantile_95, target};
use crate::metric::{Metric, Unit};
use crate::run::Sample;

/// Epochs from which the interval is bootstrapped.
pub(super) const BOOTSTRAP_FROM: usize = 10;

/// Share of outlying trials above which a figure is noisy.
const NOISY_ABOVE: f64 = 0.10;

/// What is printed of one metric of a cell.
///
/// Displayed as `61.2 ms ± 3 % (n=10/2†)`: the median of epoch medians; the farther
/// end of its 95 % interval as a share of it; `n` = trials / epochs. With two epochs the figure
/// is provisional, marked †; with one there is no interval, and it says `± n/a`. A wide interval
/// is marked ‡, a noisy sample *.
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
    /// Relative standard deviation of the epoch medians, `0.01` being 1 %: what more epochs
    /// average out. It holds what noise within an epoch leaves in its median. None with one epoch.
    pub between: Option<f64>,
    /// Relative standard deviation of trials about their own epoch's mean, pooled over epochs:
    /// what more trials average out. None where no epoch holds two trials.
    pub within: Option<f64>,
    /// Trials far from the median of their epoch. They stay in every number here.
    pub outliers: usize,
}

/// The figure of a sample; none without a finite value, and none for metrics that are one score
/// per item, of which [`share`](super::share) tells the share.
///
/// The interval takes the epoch as the unit. Up to nine epochs: Student's t on the logarithms of
/// the epoch medians where all are above zero (times are skewed), else on the medians themselves.
/// From ten: the hierarchical bootstrap of the median of epoch medians, which needs no
/// distribution. Epochs are drawn with replacement, and their trials without, so that an epoch
/// drawn brings its own median: drawing trials with replacement as well counts their noise twice
/// (Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8), and in our
/// simulations covered in 99.8 of 100 where that noise dominates. Coverage of what stands here:
/// `coverage.rs`.
#[must_use]
pub fn figure(sample: &Sample) -> Option<Figure> {
    if is_item_score(sample.metric) {
        return None;
    }
    let medians = epoch_medians(sample);
    Some(Figure {
        metric: sample.metric,
        median: median(&medians)?,
        interval: interval(&medians, DRAWS),
        trials: sample.values().filter(|value| value.is_finite()).count(),
        epochs: medians.len(),
        between: scatter::between(&medians),
        within: scatter::within(&sample.epochs),
        outliers: scatter::outliers(&sample.epochs),
    })
}

/// 95 % interval of the centre of epoch medians; none with fewer than two.
pub(super) fn interval(medians: &[f64], draws: usize) -> Option<(f64, f64)> {
    match medians.len() {
        0 | 1 => None,
        BOOTSTRAP_FROM.. => resampled(medians, draws),
        _ if medians.iter().all(|&value| value > 0.0) => {
            let logs: Vec<f64> = medians.iter().map(|value| value.ln()).collect();
            let (low, high) = student(&logs);
            Some((low.exp(), high.exp()))
        }
        _ => Some(student(medians)),
    }
}

/// Bootstrap interval of the median, by expanded percentiles. The values are sorted once; a draw sorts small indices.
fn resampled(values: &[f64], draws: usize) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    bootstrap::interval(sorted.len(), draws, expanded(sorted.len()), |drawn| {
        drawn.sort_unstable();
        let (low, high) = (drawn[(drawn.len() - 1) / 2], drawn[drawn.len() / 2]);
        Some(sorted[low] / 2.0 + sorted[high] / 2.0)
    })
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

    /// The half-width as a share of the median; none around zero.
    #[must_use]
    pub fn relative_half_width(&self) -> Option<f64> {
        let half = self.half_width()?;
        (self.median != 0.0).then(|| half / self.median.abs())
    }

    /// Whether the interval misses its metric's [`target`]: more epochs were due. A figure
    /// without an interval is not called wide: it says `± n/a`.
    #[must_use]
    pub fn wide(&self) -> bool {
        let missed = |target| self.relative_half_width().is_some_and(|half| half > target);
        target(self.metric).is_some_and(missed)
    }

    /// Whether more than a tenth of the trials lie far from their epoch's median.
    #[must_use]
    pub fn noisy(&self) -> bool {
        self.outliers as f64 > NOISY_ABOVE * self.trials as f64
    }

    /// Both spreads as printed: `between 1.2 %, within 3.4 %`.
    #[must_use]
    pub fn scatter(&self) -> String {
        let percent = |share: Option<f64>| {
            share.map_or_else(
                || "n/a".to_owned(),
                |share| format!("{:.1} %", 100.0 * share),
            )
        };
        let (between, within) = (percent(self.between), percent(self.within));
        format!("between {between}, within {within}")
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

    /// Counts as printed: `n=10/2†‡*`, with † where the figure is provisional, ‡ where it is wide
    /// and * where it is noisy.
    #[must_use]
    pub fn counts(&self) -> String {
        let marks = [
            (self.provisional(), "†"),
            (self.wide(), "‡"),
            (self.noisy(), "*"),
        ];
        let fired = marks.iter().filter(|(fires, _)| *fires);
        let marks: String = fired.map(|(_, mark)| *mark).collect();
        format!("n={}/{}{marks}", self.trials, self.epochs)
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
    fn ten_epochs_are_bootstrapped_within_their_range() {
        let epochs: Vec<Vec<f64>> = (1..=10).map(|epoch| vec![f64::from(epoch)]).collect();
        let ten = Sample {
            metric: Metric::Ttft,
            epochs,
        };
        let figure = figure(&ten).expect("a figure");
        assert_eq!(figure.median, 5.5);
        let (low, high) = figure.interval.expect("an interval");
        // The second smallest and largest have 97.9 %, the third 89.1 % (binomial).
        assert!((2.0..3.0).contains(&low), "{low}");
        assert!((8.0..=9.0).contains(&high), "{high}");
    }

    #[test]
    fn marks_fire_only_beyond_their_bounds() {
        let check = |metric, epochs: &[&[f64]], expected: &str| {
            let epochs = epochs.iter().map(|trials| trials.to_vec()).collect();
            let figure = figure(&Sample { metric, epochs }).expect("a figure");
            let counts = figure.counts();
            let marks =
                counts.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "=/".contains(c));
            assert_eq!(marks, expected, "{figure}");
        };
        let close: &[&[f64]] = &[&[1.0, 1.01, 1.02], &[1.0, 1.01, 1.02], &[1.0, 1.01, 1.03]];
        let apart: &[&[f64]] = &[&[1.0], &[1.01], &[1.03]];
        let far: &[&[f64]] = &[&[1.0, 1.01, 1.02, 1.03, 9.0], &[1.0, 1.01, 1.02, 1.03, 9.0]];
        check(Metric::Ttft, close, "");
        check(Metric::Ttft, apart, "");
        check(Metric::Decode, apart, "‡");
        check(Metric::LoadMemory, apart, "");
        check(Metric::Ttft, &[&[1.0], &[2.0]], "†‡");
        check(Metric::Ttft, &[&[1.0]], "†");
        check(Metric::Ttft, far, "†*");
        check(Metric::Ttft, &[far[0], &[2.0]], "†‡*");
        check(Metric::Ttft, &[&[0.0], &[0.0]], "†");
    }

    #[test]
    fn both_spreads_are_printed() {
        let two = figure(&sample(&[&[1.0, 1.0], &[1.0, 1.0]])).expect("a figure");
        assert_eq!(two.scatter(), "between 0.0 %, within 0.0 %");
        let one = figure(&sample(&[&[1.0]])).expect("a figure");
        assert_eq!(one.scatter(), "between n/a, within n/a");
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
