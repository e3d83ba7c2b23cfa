//! Shares of items answered right, and what a picture or a history gains over a control.

use std::fmt;

use super::bootstrap::{self, DRAWS, PLAIN};
use super::{Z_95, is_item_score};
use crate::run::Sample;

/// A share of items with its 95 % Wilson interval. Displayed as `14/16, 88 % [64, 97]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportion {
    /// Items scored 1.
    pub right: usize,
    /// Items scored at all.
    pub of: usize,
    /// Lower end, 0 to 1; 0 without items.
    pub low: f64,
    /// Upper end, 0 to 1; 1 without items.
    pub high: f64,
}

/// The Wilson 95 % interval of a share: holds at 0 % and 100 %, where the usual one has no width.
#[must_use]
pub fn proportion(right: usize, of: usize) -> Proportion {
    let right = right.min(of);
    if of == 0 {
        return Proportion {
            right,
            of,
            low: 0.0,
            high: 1.0,
        };
    }
    let (n, z2) = (of as f64, Z_95 * Z_95);
    let p = right as f64 / n;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // At 0 % and 100 % the ends are exact; rounding must not put them beyond.
    let low = if right == 0 {
        0.0
    } else {
        (centre - half).max(0.0)
    };
    let high = if right == of {
        1.0
    } else {
        (centre + half).min(1.0)
    };
    Proportion {
        right,
        of,
        low,
        high,
    }
}

impl Proportion {
    /// The share, 0 to 1; none without items.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.right as f64 / self.of as f64)
    }
}

impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.share() {
            None => f.pad("n/a (0 items)"),
            Some(share) => {
                let (low, high) = (100.0 * self.low, 100.0 * self.high);
                let (right, of, share) = (self.right, self.of, 100.0 * share);
                f.pad(&format!("{right}/{of}, {share:.0} % [{low:.0}, {high:.0}]"))
            }
        }
    }
}

/// The scores of a sample, one per item in order, epochs averaged: asking the same item again
/// in another process adds no item. Epochs of unequal length cannot be matched; the first counts.
#[must_use]
pub fn item_values(sample: &Sample) -> Vec<f64> {
    let Some(first) = sample.epochs.iter().find(|epoch| !epoch.is_empty()) else {
        return Vec::new();
    };
    let alike: Vec<_> = sample
        .epochs
        .iter()
        .filter(|epoch| !epoch.is_empty())
        .collect();
    if alike.iter().any(|epoch| epoch.len() != first.len()) {
        return first.clone();
    }
    let mean =
        |item: usize| alike.iter().map(|epoch| epoch[item]).sum::<f64>() / alike.len() as f64;
    (0..first.len()).map(mean).collect()
}

/// The share of items of a sample that score more than half; none for metrics that are no scores
/// per item, and none without items.
#[must_use]
pub fn share(sample: &Sample) -> Option<Proportion> {
    if !is_item_score(sample.metric) {
        return None;
    }
    let items = item_values(sample);
    let right = items.iter().filter(|&&score| score > 0.5).count();
    (!items.is_empty()).then(|| proportion(right, items.len()))
}

/// A mean over items with a 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Mean difference, -1 to 1.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Items compared.
    pub items: usize,
}

/// What `right` gains over `control`, item by item: mean difference and its 95 % interval by a
/// paired bootstrap over items; a single item proves nothing, its interval is all of -1 to 1.
/// None where the two differ in length or hold no item: unpaired arms must not look compared.
#[must_use]
pub fn paired_gain(right: &[f64], control: &[f64]) -> Option<Gain> {
    if right.len() != control.len() || right.is_empty() {
        return None;
    }
    let gains: Vec<f64> = right.iter().zip(control).map(|(r, c)| r - c).collect();
    let items = gains.len();
    let mean = |drawn: &mut [usize]| {
        Some(drawn.iter().map(|&item| gains[item]).sum::<f64>() / items as f64)
    };
    let (low, high) = bootstrap::interval(items, DRAWS, PLAIN, mean).unwrap_or((-1.0, 1.0));
    Some(Gain {
        mean: gains.iter().sum::<f64>() / items as f64,
        low,
        high,
        items,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;

    #[test]
    fn wilson_equals_published_values() {
        let check = |right, of, low: f64, high: f64| {
            let p = proportion(right, of);
            assert!(
                (p.low - low).abs() < 5e-4 && (p.high - high).abs() < 5e-4,
                "{p:?}"
            );
        };
        check(0, 10, 0.0, 0.2775);
        check(10, 10, 0.7225, 1.0);
        check(5, 10, 0.2366, 0.7634);
        check(81, 263, 0.2553, 0.3662);
        check(0, 0, 0.0, 1.0);
        assert_eq!(proportion(14, 16).to_string(), "14/16, 88 % [64, 97]");
        assert_eq!(proportion(0, 0).to_string(), "n/a (0 items)");
    }

    #[test]
    fn the_same_answers_give_the_same_interval() {
        let right = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
        let control = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let gain = paired_gain(&right, &control).expect("paired");
        assert_eq!(Some(gain), paired_gain(&right, &control));
        assert_eq!((gain.mean, gain.items), (0.5, 6));
        assert!(gain.low <= gain.mean && gain.mean <= gain.high);
    }

    #[test]
    fn constant_answers_gain_nothing() {
        let gain = paired_gain(&[1.0, 0.0, 0.0, 1.0], &[1.0, 0.0, 0.0, 1.0]).expect("paired");
        assert_eq!((gain.mean, gain.low, gain.high), (0.0, 0.0, 0.0));
    }

    #[test]
    fn arms_of_unequal_length_are_not_compared() {
        assert_eq!(paired_gain(&[1.0, 1.0], &[0.0]), None);
        assert_eq!(paired_gain(&[], &[]), None);
    }

    #[test]
    fn an_item_asked_in_two_processes_is_one_item() {
        let scores = Sample {
            metric: Metric::TextRight,
            epochs: vec![vec![1.0, 0.0]; 2],
        };
        assert_eq!(share(&scores), Some(proportion(1, 2)));
        let uneven = Sample {
            metric: Metric::TextRight,
            epochs: vec![vec![1.0, 0.0], vec![1.0]],
        };
        assert_eq!(item_values(&uneven), [1.0, 0.0]);
        assert_eq!(
            share(&Sample {
                metric: Metric::Ttft,
                epochs: vec![vec![1.0]]
            }),
            None
        );
    }
}
