//! Reads a series night by night and remembers what it said.

use super::Withdrawn;
use super::clip::Around;
use super::level::{Level, Place, measured};
use super::noise::Noise;
use super::partition::{Partition, SHORTEST, Sums};
use super::sieve::sift;

/// Price of a new stretch, in variances of one night per logarithm of the number of nights.
const PRICE: f64 = 5.0;

/// Nights that a series counts as at least: the price of the first ones is not lower.
const NIGHTS: usize = 20;

/// How far a cut may lie from a confirmed one and still be the same.
const SAME: usize = 5;

/// What each point that was withdrawn of late adds to the strength that convinces.
const DOUBT: f64 = 0.1;

/// Nights for which a withdrawn point is held against its series.
const REMEMBERED: usize = 60;

/// A confirmed point.
#[derive(Clone, Copy, Debug)]
struct Point {
    index: usize,
    found: usize,
    confirmed: usize,
}

/// A series so far, with the points confirmed on the way.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    values: Vec<f64>,
    noise: Noise,
    around: Around,
    partition: Partition,
    /// By index.
    points: Vec<Point>,
    withdrawn: Vec<Withdrawn>,
}

impl Tracker {
    /// Takes the value of the next night.
    pub(super) fn night(&mut self, value: f64) {
        self.values.push(value);
        self.noise.night(value);
        let (count, noise) = (self.values.len(), self.noise());
        let middle = self.noise.middle();
        let penalty = PRICE * (count.max(NIGHTS) as f64).ln() * noise * noise;
        self.partition.reopen();
        let clipped = self.around.night(&self.values, middle);
        if let Some(value) = clipped.settled {
            self.partition.settle(value, penalty);
        }
        if count >= 2 * SHORTEST {
            let cuts = self.partition.cuts(&clipped.tail, penalty);
            let cuts = sift(cuts, self.partition.sums(), noise, self.bar());
            self.keep(&cuts);
        }
    }

    /// Strength that convinces: more after points that did not last, for such a series has bursts.
    fn bar(&self) -> f64 {
        let since = self.values.len().saturating_sub(REMEMBERED);
        let recent = self.withdrawn.iter().rev();
        let recent = recent.take_while(|gone| gone.withdrawn >= since);
        1.0 + DOUBT * recent.count() as f64
    }

    /// Follows what is known, withdraws what has no cut any more, confirms what is new.
    fn keep(&mut self, cuts: &[usize]) {
        let night = self.values.len() - 1;
        let mut new = cuts.to_vec();
        let mut points = Vec::with_capacity(cuts.len());
        for mut point in std::mem::take(&mut self.points) {
            let distance = |cut: usize| cut.abs_diff(point.found);
            let near = (0..new.len()).filter(|&at| distance(new[at]) <= SAME);
            match near.min_by_key(|&at| distance(new[at])) {
                Some(at) => {
                    let cut = new.remove(at);
                    point.index = cut.clamp(point.found.saturating_sub(1), point.found + 1);
                    points.push(point);
                }
                None => self.withdrawn.push(Withdrawn {
                    found: point.found,
                    confirmed: point.confirmed,
                    withdrawn: night,
                }),
            }
        }
        points.extend(new.iter().map(|&cut| Point {
            index: cut,
            found: cut,
            confirmed: night,
        }));
        points.sort_by_key(|point| point.index);
        self.points = points;
    }

    /// The confirmed changes with their levels.
    pub(super) fn changes(&self) -> Vec<Level> {
        let noise = self.noise();
        let place = |(at, point): (usize, &Point)| Place {
            from: at.checked_sub(1).map_or(0, |left| self.points[left].index),
            index: point.index,
            to: self
                .points
                .get(at + 1)
                .map_or(self.values.len(), |next| next.index),
            found: point.found,
        };
        let places = self.points.iter().enumerate().map(place);
        places
            .map(|place| measured(place, self.sums(), noise))
            .collect()
    }

    /// What was confirmed and is no longer there, in order of withdrawal.
    pub(super) fn withdrawn(&self) -> &[Withdrawn] {
        &self.withdrawn
    }

    /// Where the last level begins.
    pub(super) fn last_cut(&self) -> usize {
        self.points.last().map_or(0, |point| point.index)
    }

    /// Standard deviation of one night.
    pub(super) fn noise(&self) -> f64 {
        self.noise.deviation()
    }

    /// The same, which no spike reaches.
    pub(super) fn middle(&self) -> f64 {
        self.noise.middle()
    }

    /// Sums of the values, lone bad nights drawn in.
    pub(super) const fn sums(&self) -> &Sums {
        self.partition.sums()
    }
}
