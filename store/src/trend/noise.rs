//! How much a series varies from night to night within one level.

/// Makes the median distance of two normal values a standard deviation: `1.4826 / sqrt(2)`.
const FROM_MEDIAN: f64 = 1.048_36;

/// The same for the mean distance: `sqrt(pi) / 2`.
const FROM_MEAN: f64 = 0.886_23;

/// Least share of the mean distance: where most nights are equal, their median says zero.
const SHARE_OF_MEAN: f64 = 0.25;

/// No series counts as calmer than this; see [`SMALLEST`](super::sieve::SMALLEST), of which it is
/// a small part. It keeps rounding in sums of squares from looking like changes.
const FLOOR: f64 = super::sieve::SMALLEST / 20.0;

/// The distances between neighbouring nights so far. A change of level is one distance among many,
/// so it hardly moves their median.
#[derive(Debug, Default)]
pub(super) struct Noise {
    last: Option<f64>,
    /// Sorted.
    distances: Vec<f64>,
    sum: f64,
}

impl Noise {
    /// Takes the value of the next night.
    pub(super) fn night(&mut self, value: f64) {
        if let Some(last) = self.last.replace(value) {
            let distance = (value - last).abs();
            self.sum += distance;
            let at = self.distances.partition_point(|&other| other < distance);
            self.distances.insert(at, distance);
        }
    }

    /// Standard deviation of one night.
    pub(super) fn deviation(&self) -> f64 {
        let count = self.distances.len();
        if count == 0 {
            return FLOOR;
        }
        let middle = f64::midpoint(self.distances[(count - 1) / 2], self.distances[count / 2]);
        let mean = self.sum / count as f64;
        (FROM_MEDIAN * middle)
            .max(SHARE_OF_MEAN * FROM_MEAN * mean)
            .max(FLOOR)
    }
}
