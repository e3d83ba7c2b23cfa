//! An exact test of whether paired differences lie above a centre, with the interval and the
//! centre that belong to it.
//!
//! Where both sides of a pair are alike and their order is balanced, a difference is as likely
//! positive as negative, whatever the noise. So the chance of a sum of weighted signs follows from
//! counting sign patterns, as in Wilcoxon's test, with no assumption about the tails. The weights
//! are Tukey's: they grow with a difference and fall to zero for outliers, so that one disturbed pair
//! of ten does not hide what nine agree on.

/// Differences beyond so many medians of all sizes weigh nothing.
const CUT: f64 = 3.0;

/// Weights are whole numbers up to about 29, so that sums can be counted.
const STEPS: f64 = 100.0;

/// Steps of the search for an end of an interval: to some millionths of its span.
const BISECTIONS: usize = 24;

/// The chance of such a sum of weighted signs, or a higher one, if `differences` lay evenly around
/// `centre`: small where they lie above it.
#[must_use]
pub fn chance_above(differences: &[f64], centre: f64) -> f64 {
    let shifted: Vec<f64> = differences.iter().map(|d| d - centre).collect();
    let weights = weights(&shifted);
    let reached = shifted.iter().zip(&weights).filter(|(d, _)| **d > 0.0);
    let reached: usize = reached.map(|(_, weight)| weight).sum();
    // How likely each sum of positive weights is, built up one difference at a time.
    let mut chances = vec![0.0; weights.iter().sum::<usize>() + 1];
    chances[0] = 1.0;
    let mut top = 0;
    for weight in weights.into_iter().filter(|&weight| weight > 0) {
        for sum in (0..=top).rev() {
            chances[sum] /= 2.0;
            chances[sum + weight] += chances[sum];
        }
        top += weight;
    }
    chances[reached..].iter().sum::<f64>().min(1.0)
}

/// Tukey's biweight of each difference's size, in units of their median.
fn weights(differences: &[f64]) -> Vec<usize> {
    let mut sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let middle = sizes.get(sizes.len() / 2).copied().unwrap_or(0.0);
    // Where most differences are exactly zero the others are all there is to weigh.
    let scale = match middle > 0.0 {
        true => middle,
        false => sizes.iter().sum::<f64>() / sizes.len().max(1) as f64,
    };
    let weight = |d: &f64| {
        let share = d.abs() / (CUT * scale);
        let falling = (1.0 - share * share).max(0.0);
        (STEPS * share * falling * falling).round()
    };
    let whole = |weight: f64| if weight > 0.0 { weight as usize } else { 0 };
    differences.iter().map(weight).map(whole).collect()
}

/// The median of the means of all pairs of values, each with itself too (Hodges and Lehmann, Annals
/// of Mathematical Statistics 34, 1963): steadier than the median, and a quarter of wild values do
/// not move it far. None without a value.
#[must_use]
pub fn centre(values: &[f64]) -> Option<f64> {
    let from = |at: usize| values[at..].iter().map(move |v| (values[at] + v) / 2.0);
    let means: Vec<f64> = (0..values.len()).flat_map(from).collect();
    crate::stats::median(&means)
}

/// The centres that the test does not refuse: all of them but `tail` at each end. An end is infinite
/// where so few differences can refuse nothing.
#[must_use]
pub fn interval(differences: &[f64], tail: f64) -> Option<(f64, f64)> {
    let low = lower_end(differences, tail)?;
    let mirrored: Vec<f64> = differences.iter().map(|d| -d).collect();
    Some((low, -lower_end(&mirrored, tail)?))
}

fn lower_end(differences: &[f64], tail: f64) -> Option<f64> {
    let mut inside = centre(differences)?;
    let far = differences.iter().map(|d| (d - inside).abs());
    let span = far.fold(0.0, f64::max);
    if span == 0.0 {
        // All alike: the end is there, if the test could refuse any other centre.
        let enough = 0.5_f64.powi(differences.len() as i32) <= tail;
        return Some(if enough { inside } else { f64::NEG_INFINITY });
    }
    let mut outside = inside - 30.0 * span;
    if chance_above(differences, outside) > tail {
        return Some(f64::NEG_INFINITY);
    }
    for _ in 0..BISECTIONS {
        let between = f64::midpoint(inside, outside);
        match chance_above(differences, between) > tail {
            true => inside = between,
            false => outside = between,
        }
    }
    Some(outside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    #[test]
    fn chances_are_counted() {
        let check = |differences: &[f64], expected: f64| {
            let found = chance_above(differences, 0.0);
            assert!((found - expected).abs() < 1e-12, "{differences:?}: {found}");
        };
        check(&[1.0; 5], 1.0 / 32.0);
        check(&[-1.0; 5], 1.0);
        check(&[1.0, 1.0, 1.0, 1.0, -1.0], 6.0 / 32.0);
        check(&[0.0; 5], 1.0);
        check(&[], 1.0);
        // The outlier weighs nothing: its two signs are both as high.
        check(&[1.0, 1.0, 1.0, 1.0, 1.0, -100.0], 2.0 / 64.0);
    }

    #[test]
    fn the_chance_of_alike_sides_is_never_understated() {
        let mut random = Rng::new(5);
        for pairs in [5, 8, 13, 30] {
            let mut low = 0;
            for _ in 0..2000 {
                // Student's t of one degree: no tails are heavier.
                let drawn: Vec<f64> = (0..pairs).map(|_| random.student(1)).collect();
                low += usize::from(chance_above(&drawn, 0.0) <= 0.05);
            }
            assert!(low <= 130, "{pairs} pairs: {low} of 2000 below 0.05");
        }
    }

    #[test]
    fn the_interval_holds_the_centre_as_often_as_it_says() {
        let mut random = Rng::new(6);
        let mut covered = 0;
        for _ in 0..400 {
            let drawn: Vec<f64> = (0..12).map(|_| 3.0 + random.student(3)).collect();
            let (low, high) = interval(&drawn, 0.025).unwrap();
            covered += usize::from(low <= 3.0 && 3.0 <= high);
        }
        assert!((368..=398).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn few_differences_refuse_nothing() {
        let open = (f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.025), Some(open));
        assert_eq!(interval(&[2.0; 5], 0.025), Some(open));
        assert_eq!(interval(&[2.0; 6], 0.025), Some((2.0, 2.0)));
        assert_eq!(interval(&[], 0.025), None);
    }

    #[test]
    fn the_centre_is_that_of_pairwise_means() {
        assert_eq!(centre(&[1.0, 2.0, 6.0]), Some(2.75));
        assert_eq!(centre(&[]), None);
    }
}
