//! What the last nights hint at before there are enough to confirm it.

use super::State;
use super::level::{Level, half_width};
use super::partition::{SHORTEST, Stretch};
use super::sieve::{AROUND, SMALLEST, variance};
use super::tracker::Tracker;

/// Nights of one level that must stand before anything is suspected.
const KNOWN: usize = 6;

/// Deviations by which each of two nights in a row must lie off.
const FAR: f64 = 4.5;

/// The same for a lone night.
const LONE: f64 = 5.0;

/// Share of their distance to the level by which two nights may differ from each other.
const AGREE: f64 = 0.5;

/// The same in deviations of one night, three times the square root of two: nights of one level
/// differ by noise alone, two spikes in a row by more.
const ALIKE: f64 = 4.2;

/// The change that the last two nights, or the last one, may be the beginning of.
pub(super) fn change(tracker: &Tracker, values: &[f64]) -> Option<Level> {
    off(tracker, values, State::Probable).or_else(|| off(tracker, values, State::Suspect))
}

fn off(tracker: &Tracker, values: &[f64], state: State) -> Option<Level> {
    let (nights, far) = match state {
        State::Suspect => (1, LONE),
        _ => (2, FAR),
    };
    let index = values.len().checked_sub(nights)?;
    let start = tracker.last_cut().max(index.saturating_sub(AROUND));
    // A level that is itself only just confirmed is no ground to suspect another.
    if index < start + KNOWN.max(SHORTEST) {
        return None;
    }
    let before = tracker.sums().stretch(start, index);
    let noise = tracker.noise();
    let error = (variance(before, noise) * (1.0 + 1.0 / before.count)).sqrt();
    let distances: Vec<f64> = values[index..]
        .iter()
        .map(|value| value - before.mean)
        .collect();
    let mean = distances.iter().sum::<f64>() / nights as f64;
    let far_off = |distance: &f64| distance * mean.signum() >= (far * error).max(SMALLEST);
    let spread = distances[0] - distances[nights - 1];
    if !distances.iter().all(far_off) || spread.abs() > (AGREE * mean.abs()).min(ALIKE * noise) {
        return None;
    }
    let after = Stretch {
        count: nights as f64,
        mean: before.mean + mean,
        square: spread * spread / 2.0,
    };
    Some(Level {
        index,
        found: index,
        range: (index, index),
        before: before.mean,
        after: after.mean,
        half_width: (nights > 1).then(|| half_width(before, after, noise)),
        nights,
        state,
    })
}
