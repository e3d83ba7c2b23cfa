//! Series in which somebody accepted a change: each side of it is judged on its own.
//!
//! What the detector knew on the day of the acceptance keeps its identity: the side after the change is read anew from
//! there, and a change that it finds where one was known is that one.

use super::level::{Place, measured};
use super::{CONFIRMED_AFTER, ChangePoint, Part, State, Trend, Withdrawn, bounds, point, trend};

/// How far from a known change one may be found again and still be the same.
const SAME: usize = 5;

/// How far from the accepted night the change lies at most: a night either way.
const NEAR: usize = 1;

/// A change that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accepted {
    /// Nights that were known then.
    pub known: usize,
    /// Position of the first one at the new level.
    pub at: usize,
}

/// [`trend`] of a series with accepted changes, which are in it as changes, too. One that was not confirmed when it was
/// accepted, nor after [`CONFIRMED_AFTER`] nights, divides nothing.
#[must_use]
pub fn trend_accepted(values: &[f64], breaks: &[usize], accepted: &[Accepted]) -> Trend {
    let mut accepted = accepted.to_vec();
    accepted.sort_unstable();
    let (mut splits, mut fixed) = (breaks.to_vec(), Vec::new());
    let mut known = Known::default();
    for Accepted { known: nights, at } in accepted {
        let nights = nights.max(at + CONFIRMED_AFTER).min(values.len());
        let then = known.name(trend(&values[..nights], &splits), &splits);
        let is_it = |point: &&ChangePoint| {
            point.state == State::Confirmed && point.found.abs_diff(at) <= NEAR
        };
        let Some(point) = then.changes.iter().find(is_it) else {
            continue;
        };
        known = Known::of(&then, nights, point.found);
        splits.push(point.index);
        fixed.push((point.index, point.found));
    }
    let mut whole = known.name(trend(values, &splits), &splits);
    whole.changes.retain(|point| !splits.contains(&point.index));
    let all: Vec<usize> = whole.changes.iter().map(|point| point.index).collect();
    let ends = bounds(values.len(), &[&splits[..], &all].concat());
    let taken = fixed
        .into_iter()
        .filter_map(|split| between(values, &ends, split));
    whole.changes.extend(taken);
    whole.changes.sort_by_key(|point| point.index);
    whole
}

/// The confirmed changes of an earlier day.
#[derive(Default)]
struct Known {
    found: Vec<usize>,
    /// Nights of that day.
    nights: usize,
}

impl Known {
    /// All but the one that was accepted.
    fn of(trend: &Trend, nights: usize, accepted: usize) -> Self {
        let sure = trend.changes.iter();
        let sure = sure.filter(|point| point.state == State::Confirmed && point.found != accepted);
        Self {
            found: sure.map(|point| point.found).collect(),
            nights,
        }
    }

    /// Gives changes that were known before, on the same side of every split, their identity; what is not found again is withdrawn.
    fn name(&self, mut trend: Trend, splits: &[usize]) -> Trend {
        for &found in &self.found {
            let beside = |at: usize| {
                splits
                    .iter()
                    .all(|&split| (split <= found) == (split <= at))
            };
            let near = trend.changes.iter_mut();
            let near =
                near.filter(|point| point.found.abs_diff(found) <= SAME && beside(point.index));
            if let Some(same) = near.min_by_key(|point| point.found.abs_diff(found)) {
                same.found = found;
                same.index = same.index.clamp(found.saturating_sub(1), found + 1);
            } else if trend.withdrawn.iter().all(|gone| gone.found != found) {
                let night = self.nights - 1;
                trend.withdrawn.push(Withdrawn {
                    found,
                    confirmed: night,
                    withdrawn: night,
                });
            }
        }
        trend
    }
}

/// The change at a split, measured between its neighbours among `ends`; none where all nights of a side are gaps.
fn between(values: &[f64], ends: &[usize], (index, found): (usize, usize)) -> Option<ChangePoint> {
    let at = ends.binary_search(&index).ok()?;
    let (from, to) = (*ends.get(at.checked_sub(1)?)?, *ends.get(at + 1)?);
    let part = Part::read(values, from, to);
    let first = part.nights.partition_point(|&night| night < index);
    if first == 0 || first == part.nights.len() {
        return None;
    }
    let place = Place {
        from: 0,
        index: first,
        to: part.nights.len(),
        found: first,
    };
    let level = measured(place, part.tracker.sums(), part.tracker.noise());
    let measured = point(&level, part.scale, |night| part.nights[night]);
    Some(ChangePoint {
        index,
        found,
        ..measured
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    /// Nights of one percent of noise at these levels.
    fn nights(levels: &[(usize, f64)]) -> Vec<f64> {
        let mut random = Rng::new(5);
        let levels = levels.iter().flat_map(|&(count, level)| vec![level; count]);
        levels
            .map(|level| level * (1.0 + 0.01 * random.normal()))
            .collect()
    }

    fn found(trend: &Trend) -> Vec<usize> {
        trend.changes.iter().map(|point| point.found).collect()
    }

    #[test]
    fn each_side_is_judged_on_its_own() {
        let values = nights(&[(30, 1.0), (30, 1.2), (30, 1.1)]);
        let accepted = [Accepted { at: 30, known: 40 }];
        let (plain, split) = (trend(&values, &[]), trend_accepted(&values, &[], &accepted));
        assert_eq!(found(&split), [30, 60]);
        let right = trend(&values[30..], &[]);
        assert_eq!(split.changes[1].before, right.changes[0].before);
        assert_eq!(split.noise, right.noise);
        let (one, other) = (&plain.changes[0], &split.changes[0]);
        assert!(
            (one.size.unwrap() - other.size.unwrap()).abs() < 0.005,
            "{other:?}"
        );
        assert_eq!((other.state, other.nights), (State::Confirmed, 30));
        assert!(split.withdrawn.is_empty());
    }

    #[test]
    fn identities_stay_by_accepting_and_by_appending() {
        let values = nights(&[(20, 1.0), (20, 1.3), (12, 1.5), (30, 1.35), (20, 1.0)]);
        let accepted = [
            Accepted { at: 40, known: 70 },
            Accepted { at: 20, known: 75 },
        ];
        let mut before = Vec::new();
        for count in 30..=values.len() {
            let given = accepted.iter().filter(|accepted| accepted.known <= count);
            let given: Vec<Accepted> = given.copied().collect();
            let now = trend_accepted(&values[..count], &[], &given);
            let gone = |was: &usize| now.withdrawn.iter().any(|gone| gone.found == *was);
            let now_found = found(&now);
            for was in &before {
                assert!(
                    now_found.contains(was) || gone(was),
                    "{was} at {count}: {now:?}"
                );
            }
            let sure = now
                .changes
                .iter()
                .filter(|point| point.state == State::Confirmed);
            before = sure.map(|point| point.found).collect();
        }
        assert_eq!(before.len(), 4, "{before:?}");
    }

    #[test]
    fn what_was_never_confirmed_divides_nothing() {
        let mut values = nights(&[(60, 1.0)]);
        values[40] = 1.5;
        let accepted = [Accepted { at: 40, known: 41 }];
        assert_eq!(trend_accepted(&values, &[], &accepted), trend(&values, &[]));
        let lacking = [Accepted { at: 59, known: 60 }];
        assert_eq!(trend_accepted(&values, &[], &lacking), trend(&values, &[]));
    }
}
