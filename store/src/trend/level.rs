//! A change with the levels on its sides, on the scale of comparison.

use super::State;
use super::partition::{Stretch, Sums};
use super::sieve::{AROUND, variance};
use crate::stats::t_quantile_95;

/// Twice the logarithm of the likelihood ratio, twenty, that bounds where a change may have been.
const UNLIKELY: f64 = 5.99;

/// A [`ChangePoint`](super::ChangePoint) before its values are brought back to the series' unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub index: usize,
    pub found: usize,
    pub range: (usize, usize),
    pub before: f64,
    pub after: f64,
    pub half_width: Option<f64>,
    pub nights: usize,
    pub state: State,
}

/// A change between two neighbouring ones: stretches `from..index` and `index..to`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub from: usize,
    pub index: usize,
    pub to: usize,
    pub found: usize,
}

/// A confirmed change with its levels and intervals.
pub(super) fn measured(place: Place, sums: &Sums, noise: f64) -> Level {
    let before = sums.stretch(place.from, place.index);
    let after = sums.stretch(place.index, place.to);
    Level {
        index: place.index,
        found: place.found,
        range: range(place, sums, noise),
        before: before.mean,
        after: after.mean,
        half_width: Some(half_width(before, after, noise)),
        nights: place.to - place.index,
        state: State::Confirmed,
    }
}

/// Half of the 95 % interval of the difference of two levels.
pub(super) fn half_width(before: Stretch, after: Stretch, noise: f64) -> f64 {
    let error = variance(before, noise) / before.count + variance(after, noise) / after.count;
    t_quantile_95((before.count + after.count) as usize - 2) * error.sqrt()
}

/// First and last night on which the change may have been.
fn range(place: Place, sums: &Sums, noise: f64) -> (usize, usize) {
    let first = (place.from + 1).max(place.index.saturating_sub(AROUND));
    let last = (place.to - 1).min(place.index + AROUND);
    let cost = |at: usize| sums.cost(place.from, at) + sums.cost(at, place.to);
    let least = (first..=last).map(cost).fold(f64::INFINITY, f64::min);
    let likely = |at: &usize| cost(*at) <= least + UNLIKELY * noise * noise;
    let low = (first..=last).find(likely).unwrap_or(place.index);
    let high = (first..=last).rev().find(likely).unwrap_or(place.index);
    (low.min(place.index), high.max(place.index))
}
