//! Whether a figure moved between two builds, models or machines.

use std::fmt;

use super::percentile::nearest_rank;
use super::t_quantile_95;
use crate::metric::Direction;

/// The least noise floor: no machine is trusted to tell a change below 1 %.
const LEAST_FLOOR: f64 = 0.01;

/// Epochs a side beyond which nobody will go to settle a comparison.
const MOST_EPOCHS: usize = 1_000;

/// What became of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// All of the interval is worse by more than the floor.
    Regressed,
    /// All of the interval is better by more than the floor.
    Improved,
    /// All of the interval lies within the floor.
    Same,
    /// The interval reaches across the floor. Holds about how many more epochs each side needs
    /// if the ratio stays what it is; none where a thousand would not do.
    Inconclusive(Option<usize>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Regressed => f.pad("REGRESSED"),
            Self::Improved => f.pad("improved"),
            Self::Same => f.pad("same"),
            Self::Inconclusive(None) => f.pad("inconclusive"),
            Self::Inconclusive(Some(more)) => {
                f.pad(&format!("inconclusive, needs ≈{more} more epochs"))
            }
        }
    }
}

/// A metric after, over before. Displayed as `1.052 [1.037, 1.068]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Ratio of the geometric means of epoch medians: the centre of the interval.
    pub ratio: f64,
    /// Lower end, 95 %.
    pub low: f64,
    /// Upper end, 95 %.
    pub high: f64,
    /// The verdict.
    pub change: Change,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ratio, low, high, ..
        } = self;
        f.pad(&format!("{ratio:.3} [{low:.3}, {high:.3}]"))
    }
}

/// Compares the epoch medians of two figures by Welch's t on their logarithms: the two sides may
/// vary differently (Welch, Biometrika 34, 1947). `floor`: the smallest relative change that
/// counts, such as [`noise_floor`]. For a metric whose [`Direction`] is `Exact`, any change
/// beyond the floor is a regression.
///
/// None where a side has fewer than two epochs or a median that is not above zero.
#[must_use]
pub fn compare(
    before: &[f64],
    after: &[f64],
    direction: Direction,
    floor: f64,
) -> Option<Comparison> {
    let welch = Welch {
        before: Side::of(before)?,
        after: Side::of(after)?,
    };
    let centre = welch.after.mean - welch.before.mean;
    let half = welch.half_width(0);
    let bounds = Bounds::of(floor);
    let (low, high) = (centre - half, centre + half);
    let change = if low > bounds.above || high < bounds.below {
        match (direction, low > 0.0) {
            (Direction::LowerIsBetter, false) | (Direction::HigherIsBetter, true) => {
                Change::Improved
            }
            _ => Change::Regressed,
        }
    } else if bounds.below <= low && high <= bounds.above {
        Change::Same
    } else {
        let settles = |more: &usize| welch.half_width(*more) < bounds.distance(centre);
        Change::Inconclusive((1..=MOST_EPOCHS).find(settles))
    };
    Some(Comparison {
        ratio: centre.exp(),
        low: low.exp(),
        high: high.exp(),
        change,
    })
}

/// The logarithms of the ratios from which a change counts.
struct Bounds {
    below: f64,
    above: f64,
}

impl Bounds {
    fn of(floor: f64) -> Self {
        let floor = floor.clamp(0.0, 0.99);
        Self {
            below: (-floor).ln_1p(),
            above: floor.ln_1p(),
        }
    }

    /// How far a centre is from the nearer bound: an interval narrower than that is conclusive.
    fn distance(&self, centre: f64) -> f64 {
        (centre - self.below).abs().min((centre - self.above).abs())
    }
}

/// The epoch medians of one side, as logarithms.
struct Side {
    mean: f64,
    variance: f64,
    epochs: usize,
}

impl Side {
    fn of(medians: &[f64]) -> Option<Self> {
        if medians.len() < 2 || !medians.iter().all(|&m| m > 0.0 && m.is_finite()) {
            return None;
        }
        let n = medians.len() as f64;
        let mean = medians.iter().map(|m| m.ln()).sum::<f64>() / n;
        let square: f64 = medians.iter().map(|m| (m.ln() - mean).powi(2)).sum();
        Some(Self {
            mean,
            variance: square / (n - 1.0),
            epochs: medians.len(),
        })
    }
}

struct Welch {
    before: Side,
    after: Side,
}

impl Welch {
    /// Half the width of the interval if each side had `more` epochs that vary as these do.
    ///
    /// Degrees of freedom by Welch and Satterthwaite (Satterthwaite, Biometrics Bulletin 2,
    /// 1946), rounded down: the wider interval.
    fn half_width(&self, more: usize) -> f64 {
        let (mut error, mut spread) = (0.0, 0.0);
        for side in [&self.before, &self.after] {
            let n = (side.epochs + more) as f64;
            let part = side.variance / n;
            error += part;
            spread += part * part / (n - 1.0);
        }
        if error == 0.0 {
            return 0.0;
        }
        // At least one by definition; rounding must not take it away.
        let freedom = (error * error / spread + 1e-9).max(1.0);
        t_quantile_95(freedom as usize) * error.sqrt()
    }
}

/// The relative change that a machine shows between runs of the same build: the 95th percentile
/// of `|ratio - 1|` over comparisons of it with itself, at least 1 %. Ratios that are not finite
/// do not count.
#[must_use]
pub fn noise_floor(ratios: &[f64]) -> f64 {
    let finite = ratios.iter().filter(|ratio| ratio.is_finite());
    let mut changes: Vec<f64> = finite.map(|ratio| (ratio - 1.0).abs()).collect();
    nearest_rank(&mut changes, 0.95).map_or(LEAST_FLOOR, |floor| floor.max(LEAST_FLOOR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    #[test]
    fn verdicts_need_the_whole_interval() {
        use Change as C;
        use Direction as D;
        let check = |after: &[f64], direction, floor, expected| {
            let found = compare(&[1.0, 1.001, 0.999], after, direction, floor);
            assert_eq!(
                found.map(|c| c.change),
                Some(expected),
                "{after:?} {found:?}"
            );
        };
        let times = |factor: f64| [factor, 1.001 * factor, 0.999 * factor];
        check(&times(1.05), D::LowerIsBetter, 0.01, C::Regressed);
        check(&times(1.05), D::HigherIsBetter, 0.01, C::Improved);
        check(&times(1.05), D::Exact, 0.01, C::Regressed);
        check(&times(0.95), D::LowerIsBetter, 0.01, C::Improved);
        check(&times(0.95), D::HigherIsBetter, 0.01, C::Regressed);
        check(&times(0.95), D::Exact, 0.01, C::Regressed);
        check(&times(1.001), D::LowerIsBetter, 0.01, C::Same);
        check(&times(1.05), D::LowerIsBetter, 0.10, C::Same);
        check(&times(1.01), D::LowerIsBetter, 0.01, C::Inconclusive(None));
        // 1.1 % against 1.0: logarithms 0.099 % apart, standard deviation 0.1 %; with ten epochs
        // a side t(18) sqrt(2 / 10) 0.1 % is 0.094 %.
        check(
            &times(1.011),
            D::LowerIsBetter,
            0.01,
            C::Inconclusive(Some(7)),
        );
    }

    #[test]
    fn counters_are_compared_exactly() {
        let check = |after: &[f64], expected| {
            let found = compare(&[576.0, 576.0], after, Direction::Exact, 0.0).expect("counts");
            assert_eq!(found.change, expected);
        };
        check(&[576.0, 576.0], Change::Same);
        check(&[577.0, 577.0], Change::Regressed);
        check(&[575.0, 575.0], Change::Regressed);
        check(&[575.0, 577.0], Change::Inconclusive(None));
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        let check = |before: &[f64], after: &[f64]| {
            assert_eq!(compare(before, after, Direction::LowerIsBetter, 0.01), None);
        };
        check(&[1.0], &[1.0, 1.0]);
        check(&[1.0, 1.0], &[]);
        check(&[1.0, 0.0], &[1.0, 1.0]);
        check(&[1.0, 1.0], &[1.0, f64::INFINITY]);
        check(&[1.0, f64::NAN], &[1.0, 1.0]);
    }

    #[test]
    fn the_interval_is_welchs() {
        // Logarithms 0, 2 and 1, 1.5, 2: means 1 and 1.5, squared errors 1 and 1/12, together
        // 13/12 with (13/12)^2 / (1 + 1/288) = 1.17 degrees of freedom, taken as 1.
        let exp = |logs: &[f64]| logs.iter().map(|log| log.exp()).collect::<Vec<_>>();
        let (before, after) = (exp(&[0.0, 2.0]), exp(&[1.0, 1.5, 2.0]));
        let found = compare(&before, &after, Direction::LowerIsBetter, 0.01).expect("epochs");
        assert!((found.ratio.ln() - 0.5).abs() < 1e-9);
        let half = 12.7062 * (13.0_f64 / 12.0).sqrt();
        assert!((found.high.ln() - 0.5 - half).abs() < 1e-9, "{found:?}");
        assert!((0.5 - found.low.ln() - half).abs() < 1e-9, "{found:?}");
    }

    /// Of 1000 simulated comparisons those with a verdict: five epochs a side, standard deviation
    /// of an epoch 1 %, floor 1 %.
    fn simulated(slowdown: f64, wanted: Change) -> usize {
        let mut random = Rng::new(11);
        let mut side = |factor: f64| -> Vec<f64> {
            let mut epoch = || factor * (0.01 * random.normal()).exp();
            (0..5).map(|_| epoch()).collect()
        };
        let mut comparison =
            || compare(&side(1.0), &side(slowdown), Direction::LowerIsBetter, 0.01);
        let found = (0..1000).filter_map(|_| comparison());
        found.filter(|found| found.change == wanted).count()
    }

    #[test]
    fn the_same_build_does_not_regress_and_a_slower_one_does() {
        let (same, slower) = (
            simulated(1.0, Change::Regressed),
            simulated(1.05, Change::Regressed),
        );
        assert!(same <= 50, "{same} of 1000 A/A comparisons regressed");
        assert!(slower >= 800, "{slower} of 1000 found a slowdown of 5 %");
    }

    #[test]
    fn the_floor_is_what_the_machine_shows_but_at_least_one_percent() {
        let check = |ratios: &[f64], expected: f64| {
            assert!((noise_floor(ratios) - expected).abs() < 1e-12, "{ratios:?}");
        };
        check(&[], 0.01);
        check(&[1.001, 0.999, f64::NAN], 0.01);
        check(&[1.0, 0.96, 1.02], 0.04);
        let twenty: Vec<f64> = (1..=20).map(|i| 1.0 - 0.01 * f64::from(i)).collect();
        check(&twenty, 0.19);
    }

    #[test]
    fn verdicts_are_printed_with_what_they_need() {
        let check = |change: Change, expected: &str| assert_eq!(change.to_string(), expected);
        check(
            Change::Inconclusive(Some(6)),
            "inconclusive, needs ≈6 more epochs",
        );
        check(Change::Inconclusive(None), "inconclusive");
        check(Change::Regressed, "REGRESSED");
        let found = compare(&[1.0, 1.0], &[1.05, 1.05], Direction::Exact, 0.01);
        assert_eq!(
            found.map(|c| c.to_string()).as_deref(),
            Some("1.050 [1.050, 1.050]")
        );
    }
}
