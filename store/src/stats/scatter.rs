//! How trials and epochs vary, and which trials lie far out.

use super::median;

/// The factor that makes a MAD comparable to a standard deviation: the normal's upper quartile.
const MAD_SCALE: f64 = 0.6745;

/// The modified z-score from which a value is an outlier.
///
/// Source: Iglewicz and Hoaglin, "How to detect and handle outliers", ASQC 1993.
const OUTLIER_ABOVE: f64 = 3.5;

/// Relative standard deviation of epoch medians; see [`Figure::between`](super::Figure::between).
pub(super) fn between(medians: &[f64]) -> Option<f64> {
    deviation(&[medians.to_vec()])
}

/// Relative standard deviation of trials about their epoch; see
/// [`Figure::within`](super::Figure::within).
pub(super) fn within(epochs: &[Vec<f64>]) -> Option<f64> {
    deviation(epochs)
}

/// Pooled standard deviation about each group's own mean: the root of a one-way analysis of
/// variance's mean square within (Searle, Casella and McCulloch, "Variance components", 1992).
/// Of logarithms where every value is above zero, which is relative to first order;
/// else of the values, as a share of their median. None without a group of two, and around zero.
fn deviation(groups: &[Vec<f64>]) -> Option<f64> {
    let all = || groups.iter().flatten().filter(|value| value.is_finite());
    let logs = all().all(|&value| value > 0.0);
    let scale = if logs {
        1.0
    } else {
        median(&all().copied().collect::<Vec<_>>())?.abs()
    };
    let (mut square, mut freedom) = (0.0, 0_usize);
    for group in groups {
        let finite = group.iter().copied().filter(|value| value.is_finite());
        let values: Vec<f64> = finite.map(|v| if logs { v.ln() } else { v }).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        square += values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        freedom += values.len().saturating_sub(1);
    }
    let deviation = (square / freedom as f64).sqrt() / scale;
    deviation.is_finite().then_some(deviation)
}

/// How many trials lie far from the median of their epoch.
pub(super) fn outliers(epochs: &[Vec<f64>]) -> usize {
    epochs.iter().map(|trials| far(trials).len()).sum()
}

/// Trials of one epoch far from its median, `|0.6745 (x - median) / MAD| > 3.5`: their places, and how far
/// each is on that scale.
///
/// An epoch more than half of whose values are equal has no MAD to judge by, and flags none: a
/// counter, or memory that moves by pages, is not noisy for being steady.
#[must_use]
pub fn far(trials: &[f64]) -> Vec<(usize, f64)> {
    let Some(centre) = median(trials) else {
        return Vec::new();
    };
    let finite = trials
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_finite());
    let distances: Vec<(usize, f64)> = finite
        .map(|(at, value)| (at, (value - centre).abs()))
        .collect();
    let sizes: Vec<f64> = distances.iter().map(|&(_, distance)| distance).collect();
    let mad = median(&sizes).unwrap_or_default();
    if mad <= 0.0 {
        return Vec::new();
    }
    let score = |(at, distance): (usize, f64)| (at, MAD_SCALE * distance / mad);
    let scores = distances.into_iter().map(score);
    scores.filter(|(_, score)| *score > OUTLIER_ABOVE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_relative_and_pooled() {
        let check = |groups: &[&[f64]], expected: Option<f64>| {
            let groups: Vec<Vec<f64>> = groups.iter().map(|group| group.to_vec()).collect();
            let got = deviation(&groups);
            let near = match (got, expected) {
                (Some(got), Some(expected)) => (got - expected).abs() < 1e-9,
                (got, expected) => got == expected,
            };
            assert!(near, "{groups:?}: {got:?}");
        };
        let e = std::f64::consts::E;
        check(&[&[1.0, e]], Some(0.5_f64.sqrt()));
        // Two groups far apart: only what happens inside them counts.
        check(&[&[1.0, e], &[1e3, 1e3, f64::NAN]], Some(0.5));
        check(
            &[&[-1.0, 0.0, 1.0, 5.0], &[2.0]],
            Some((20.75_f64 / 3.0).sqrt()),
        );
        check(&[&[1.0], &[2.0]], None);
        check(&[&[], &[f64::NAN]], None);
        check(&[], None);
        check(&[&[0.0, 0.0, 0.0]], None);
    }

    #[test]
    fn outliers_are_far_from_their_own_epoch() {
        let check = |epochs: &[&[f64]], expected| {
            let epochs: Vec<Vec<f64>> = epochs.iter().map(|trials| trials.to_vec()).collect();
            assert_eq!(outliers(&epochs), expected, "{epochs:?}");
        };
        let calm: &[f64] = &[1.0, 1.1, 1.2, 1.3, 1.4];
        check(&[calm, &[9.0, 9.1, 9.2]], 0);
        check(&[&[1.0, 1.1, 1.2, 1.3, 9.0]], 1);
        // Distances 2, 1, 0, 1 and 5.1 or 5.3: the bound is 3.5 / 0.6745 = 5.19 MAD.
        check(&[&[1.0, 2.0, 3.0, 4.0, 8.1]], 0);
        check(&[&[1.0, 2.0, 3.0, 4.0, 8.3]], 1);
        check(&[&[5.0, 5.0, 5.0, 6.0, f64::NAN]], 0);
        check(&[&[], &[1.0]], 0);
        assert_eq!(far(&[f64::NAN, 1.0, 1.1, 1.2, 1.3, 9.0])[0].0, 5);
    }
}
