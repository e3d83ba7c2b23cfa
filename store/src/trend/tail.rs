//! What the last nights hint at before there are enough to confirm it.

use super::State;
use super::level::{Level, Place, half_width, measured};
use super::partition::{SHORTEST, Stretch};
use super::sieve::{AROUND, SMALLEST, variance};
use super::tracker::Tracker;
use crate::stats::median;

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

/// Nights of a run. The fifth night is the last on which a step of ten percent is still found soon.
const RUN: usize = 5;

/// Nights before a run, at most, that tell where the level lies and how far nights stray from it. Many,
/// for a level that wavers for a week looks like a step beside the week before.
const LEVEL: usize = 95;

/// The least of them: a spread of fewer says little.
const LEVEL_KNOWN: usize = 30;

/// Deviations by which each night of a run must lie off. Of normal nights one in a hundred thousand
/// ends such a run; spikes in between end it, however far they reach.
const ASIDE: f64 = 1.35;

/// Makes the median distance from the median a standard deviation.
const FROM_MEDIAN: f64 = 1.4826;

/// The change that the last nights may be the beginning of: a run of them, two, or a lone one.
pub(super) fn change(tracker: &Tracker, values: &[f64]) -> Option<Level> {
    run(tracker, values)
        .map(|found| from_its_first(found, tracker, values))
        .or_else(|| off(tracker, values, State::Probable))
        .or_else(|| off(tracker, values, State::Suspect))
}

/// A run of nights on one side of a level, which wavers too much for a cut to be confirmed yet.
fn run(tracker: &Tracker, values: &[f64]) -> Option<Level> {
    let index = values.len().checked_sub(RUN)?;
    let start = tracker.last_cut().max(index.saturating_sub(LEVEL));
    if index < start + LEVEL_KNOWN {
        return None;
    }
    // The distances from the middle, not from night to night: they hold the wavering as well.
    let level = &values[start..index];
    let middle = median(level)?;
    let distances: Vec<f64> = level.iter().map(|value| (value - middle).abs()).collect();
    let spread = FROM_MEDIAN * median(&distances)?;
    // More than half of the nights may be equal.
    let spread = if spread > 0.0 {
        spread
    } else {
        tracker.middle()
    };
    let side = (values[index] - middle).signum();
    let nights = values[index..].iter();
    let weakest = nights
        .map(|value| side * (value - middle))
        .fold(f64::INFINITY, f64::min);
    let place = Place {
        from: start,
        index,
        to: values.len(),
        found: index,
    };
    let found = measured(place, tracker.sums(), tracker.noise());
    let difference = side * (found.after - found.before);
    (weakest >= ASIDE * spread && difference >= SMALLEST).then_some(Level {
        state: State::Probable,
        ..found
    })
}

/// A run with all its nights: as long as there is one every night, it is the same and began where it was first
/// found. The series is read again for that, which only restless ones need.
fn from_its_first(found: Level, tracker: &Tracker, values: &[f64]) -> Level {
    let mut then = Tracker::default();
    let mut first = None;
    for (at, &value) in values.iter().enumerate() {
        then.night(value);
        let found = run(&then, &values[..=at]);
        let way = |level: &Level| level.after > level.before;
        first = found.map(|found| match first {
            Some((index, same)) if same == way(&found) => (index, same),
            _ => (found.index, way(&found)),
        });
    }
    let Some((index, _)) = first.filter(|&(index, _)| index > tracker.last_cut()) else {
        return found;
    };
    let place = Place {
        from: tracker.last_cut().max(index.saturating_sub(LEVEL)),
        index,
        to: values.len(),
        found: index,
    };
    Level {
        state: found.state,
        ..measured(place, tracker.sums(), tracker.noise())
    }
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
