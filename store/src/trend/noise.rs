//! How much a series varies from night to night within one level.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::f64::consts::SQRT_2;

/// Makes the median distance of two normal values a standard deviation: `1.4826 / sqrt(2)`.
const FROM_MEDIAN: f64 = 1.048_36;

/// The same for the mean distance: `sqrt(pi) / 2`.
const FROM_MEAN: f64 = 0.886_23;

/// Least share of the mean distance: where most nights are equal, their median says zero.
const SHARE_OF_MEAN: f64 = 0.25;

/// No series counts as calmer than this; see [`SMALLEST`](super::sieve::SMALLEST), of which it is
/// a small part. It keeps rounding in sums of squares from looking like changes.
const FLOOR: f64 = super::sieve::SMALLEST / 20.0;

/// Medians' deviations beyond which a distance counts no more: a change of level or a spike is cut to
/// this, while normal noise keeps nearly all of its squares.
const CUT: f64 = 3.0;

/// Distances before the first whose square is counted, and squares before their mean is believed.
const ENOUGH: usize = 10;

/// The distances between neighbouring nights so far. A change of level is one distance among many,
/// so it hardly moves their median.
#[derive(Debug, Default)]
pub(super) struct Noise {
    last: Option<f64>,
    distances: Halves,
    sum: f64,
    /// Sum and number of squares, each cut by the median of the nights before it.
    squares: f64,
    counted: usize,
}

impl Noise {
    /// Takes the value of the next night.
    pub(super) fn night(&mut self, value: f64) {
        if let Some(last) = self.last.replace(value) {
            let distance = (value - last).abs();
            if self.distances.len() >= ENOUGH {
                let longest = CUT * SQRT_2 * self.middle();
                self.squares += distance.min(longest).powi(2);
                self.counted += 1;
            }
            self.sum += distance;
            self.distances.push(distance);
        }
    }

    /// Standard deviation of one night, from squares once there are enough: they waver less from
    /// series to series than a median does, and tell heavy tails from normal noise, so that one price
    /// of a stretch suits both.
    pub(super) fn deviation(&self) -> f64 {
        if self.counted < ENOUGH {
            return self.middle();
        }
        (self.squares / (2 * self.counted) as f64).sqrt().max(FLOOR)
    }

    /// The same from the median, which no spike reaches: what spikes are told by.
    pub(super) fn middle(&self) -> f64 {
        let Some(middle) = self.distances.median() else {
            return FLOOR;
        };
        let mean = self.sum / self.distances.len() as f64;
        (FROM_MEDIAN * middle)
            .max(SHARE_OF_MEAN * FROM_MEAN * mean)
            .max(FLOOR)
    }
}

/// Distances in two halves of which only the inner ends are known: their median follows a long series
/// without moving it. Bits of numbers that are not negative stand in the order of the numbers.
#[derive(Debug, Default)]
struct Halves {
    /// The smaller ones: as many as the others, or one more.
    small: BinaryHeap<u64>,
    large: BinaryHeap<Reverse<u64>>,
}

impl Halves {
    fn len(&self) -> usize {
        self.small.len() + self.large.len()
    }

    fn push(&mut self, distance: f64) {
        self.small.push(distance.to_bits());
        if let Some(largest) = self.small.pop() {
            self.large.push(Reverse(largest));
        }
        if self.large.len() > self.small.len()
            && let Some(Reverse(smallest)) = self.large.pop()
        {
            self.small.push(smallest);
        }
    }

    fn median(&self) -> Option<f64> {
        let below = f64::from_bits(*self.small.peek()?);
        let above = self
            .large
            .peek()
            .filter(|_| self.large.len() == self.small.len());
        Some(above.map_or(below, |above| f64::midpoint(below, f64::from_bits(above.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    fn of(nights: impl Iterator<Item = f64>) -> Noise {
        let mut noise = Noise::default();
        nights.for_each(|value| noise.night(value));
        noise
    }

    #[test]
    fn normal_noise_is_met_whatever_the_steps_and_spikes() {
        let check = |name: &str, jump: fn(usize) -> f64| {
            let mut random = Rng::new(1);
            let noise = of((0..400).map(|night| random.normal() + jump(night)));
            let deviation = noise.deviation();
            assert!((0.9..1.15).contains(&deviation), "{name}: {deviation}");
        };
        check("none", |_| 0.0);
        check("steps", |night| (night / 100) as f64 * 50.0);
        check("spikes", |night| if night % 50 == 7 { 30.0 } else { 0.0 });
    }

    #[test]
    fn the_median_follows_every_distance() {
        let (mut random, mut halves, mut all) = (Rng::new(3), Halves::default(), Vec::new());
        assert_eq!(halves.median(), None);
        for _ in 0..101 {
            let distance = random.normal().abs();
            halves.push(distance);
            all.push(distance);
            assert_eq!(halves.median(), crate::stats::median(&all));
        }
    }

    #[test]
    fn heavy_tails_count_for_more_than_their_median() {
        let mut random = Rng::new(2);
        let noise = of((0..400).map(|_| random.student(3)));
        assert!(noise.deviation() > 1.1 * noise.middle(), "{noise:?}");
    }
}
