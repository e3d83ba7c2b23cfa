//! The level that a branch has now.
//!
//! A change is judged by what its branch is, not by what it was: after an improvement the nights before it would let
//! half of it be lost again unseen. A regression is no such new level unless somebody accepted it: of its own it must
//! not become what later changes are judged by.

use std::fmt;

use chrono::{DateTime, Utc};

use super::decide::percent;
use crate::metric::Metric;
use crate::trend::{State, trend};
use crate::watch::Meaning;

/// The beginning of the level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    /// When the first session at the level began.
    pub at: DateTime<Utc>,
    /// How much better it got, as a share; none where somebody accepted the change.
    size: Option<f64>,
}

impl Change {
    pub(super) const fn accepted(at: DateTime<Utc>) -> Self {
        Self { at, size: None }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.at.format("%Y-%m-%d");
        match self.size {
            Some(size) => write!(f, "since it got better by {} on {day}", percent(size)),
            None => write!(f, "since the change of {day} that was accepted"),
        }
    }
}

/// The newest improvement that one bad night cannot be, and that is large enough for a verdict. `nights`: figures in
/// order of time.
pub(super) fn gained(metric: Metric, nights: &[(DateTime<Utc>, f64)]) -> Option<Change> {
    let spec = metric.spec();
    let figures: Vec<f64> = nights.iter().map(|&(_, figure)| figure).collect();
    let found = trend(&figures, &[]).changes;
    let mut better = found.iter().rev().filter(|point| {
        point.state > State::Suspect && Meaning::of(spec.direction, point) == Meaning::Improvement
    });
    let (point, size) = better.find_map(|point| {
        let size = point.size?.abs();
        (size >= spec.min_change).then_some((point, size))
    })?;
    Some(Change {
        at: nights[point.index].0,
        size: Some(size),
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::stats::Rng;

    /// Nights of two percent of noise at these levels.
    fn nights(random: &mut Rng, levels: &[(usize, f64)]) -> Vec<(DateTime<Utc>, f64)> {
        let levels = levels.iter().flat_map(|&(count, level)| vec![level; count]);
        let day = |(day, level): (i64, f64)| {
            let at = DateTime::UNIX_EPOCH + TimeDelta::days(day);
            (at, level * (1.0 + 0.02 * random.normal()))
        };
        (0..).zip(levels).map(day).collect()
    }

    /// In how many of a thousand histories a level begins on one of the last so many nights.
    fn begun(metric: Metric, levels: &[(usize, f64)], last: usize) -> usize {
        let mut random = Rng::new(11);
        let begins = |_: &usize| {
            let nights = nights(&mut random, levels);
            gained(metric, &nights).is_some_and(|change| change.at >= nights[nights.len() - last].0)
        };
        (0..1000).filter(begins).count()
    }

    #[test]
    fn an_improvement_begins_a_level_and_nothing_else_does() {
        use Metric::{Decode, Inference};
        assert!(begun(Inference, &[(25, 1.0), (3, 0.8)], 3) >= 990);
        assert!(begun(Decode, &[(25, 1.0), (3, 1.25)], 3) >= 990);
        assert!(begun(Inference, &[(25, 1.0), (2, 0.8)], 2) >= 950);
        assert_eq!(begun(Inference, &[(27, 1.0), (1, 0.8)], 28), 0);
        assert_eq!(begun(Inference, &[(25, 1.0), (3, 1.25)], 3), 0);
        assert!(begun(Inference, &[(30, 1.0)], 30) <= 10);
    }

    #[test]
    fn a_regression_after_it_does_not_hide_it() {
        let levels = [(20, 1.0), (5, 0.8), (5, 0.9)];
        assert!(begun(Metric::Inference, &levels, 12) >= 990);
        assert!(begun(Metric::Inference, &levels, 5) <= 5);
    }
}
