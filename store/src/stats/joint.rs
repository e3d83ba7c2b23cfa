//! How sure it is which model is best: joint draws of what each model's measurements allow.

use super::bootstrap::DRAWS;
use super::figure::BOOTSTRAP_FROM;
use super::median;
use super::random::Rng;

/// One draw of a share: the mean of as many items, drawn with replacement (Efron's bootstrap,
/// Annals of Statistics 7, 1979). None without items.
#[must_use]
pub fn draw_share(items: &[f64], random: &mut Rng) -> Option<f64> {
    let one = |_: &f64| items[random.below(items.len())];
    let total: f64 = items.iter().map(one).sum();
    (!items.is_empty()).then(|| total / items.len() as f64)
}

/// One draw of the true centre of a figure from its epoch medians, by the model of its interval:
/// up to nine epochs the mean of their logarithms plus Student's t times its standard error (of
/// the medians themselves where one is not above zero), which is the posterior under a flat prior
/// on mean and log variance (Gelman and others, "Bayesian data analysis", 3rd ed. 2013, section
/// 3.2); from ten the median of as many medians drawn with replacement. None with fewer than two
/// epochs: how much one varies is not known.
#[must_use]
pub fn draw_epochs(medians: &[f64], random: &mut Rng) -> Option<f64> {
    match medians.len() {
        0 | 1 => None,
        BOOTSTRAP_FROM.. => {
            let one = |_: &f64| medians[random.below(medians.len())];
            median(&medians.iter().map(one).collect::<Vec<_>>())
        }
        _ if medians.iter().all(|&median| median > 0.0) => {
            let logs: Vec<f64> = medians.iter().map(|median| median.ln()).collect();
            Some(draw_mean(&logs, random).exp())
        }
        _ => Some(draw_mean(medians, random)),
    }
}

/// Mean plus t times its standard error; at least two values.
fn draw_mean(values: &[f64], random: &mut Rng) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    mean + random.student(values.len() - 1) * (square / (n - 1.0) / n).sqrt()
}

/// The share of 10 000 joint draws in which each model is best, with a fixed seed.
///
/// `draw` gives one draw of a model's utility, more being better; none, or what is not a number,
/// takes the model out of that draw. Models that tie share the draw. The shares add up to 1, or
/// to less by the draws in which no model took part.
#[must_use]
pub fn best_probability(
    models: usize,
    mut draw: impl FnMut(usize, &mut Rng) -> Option<f64>,
) -> Vec<f64> {
    let mut random = Rng::default();
    let mut shares = vec![0.0; models];
    for _ in 0..DRAWS {
        let drawn: Vec<Option<f64>> = (0..models)
            .map(|model| draw(model, &mut random).filter(|utility| !utility.is_nan()))
            .collect();
        let best = drawn.iter().flatten().copied().max_by(f64::total_cmp);
        let is_best = |utility: &Option<f64>| best.is_some() && *utility == best;
        let ties = drawn.iter().filter(|utility| is_best(utility)).count();
        for (share, utility) in shares.iter_mut().zip(&drawn) {
            if is_best(utility) {
                *share += 1.0 / ties as f64 / DRAWS as f64;
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and standard deviation of 4000 draws.
    fn moments(mut draw: impl FnMut(&mut Rng) -> Option<f64>) -> (f64, f64) {
        let mut random = Rng::default();
        let values: Vec<f64> = (0..4000).filter_map(|_| draw(&mut random)).collect();
        let mean = values.iter().sum::<f64>() / 4000.0;
        let square = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        (mean, (square / 4000.0).sqrt())
    }

    #[test]
    fn draws_vary_as_their_sample_says() {
        let check = |name, got: (f64, f64), expected: (f64, f64)| {
            let near = |got: f64, want: f64| (got - want).abs() < 0.05 * want;
            assert!(
                near(got.0, expected.0) && near(got.1, expected.1),
                "{name}: {got:?}"
            );
        };
        let items = [1.0, 1.0, 1.0, 0.0];
        check(
            "share",
            moments(|random| draw_share(&items, random)),
            (0.75, 0.2165),
        );
        // Eight values of mean 10: t(7) has variance 7/5, the squared error is 0.8 / 7 / 8.
        let close = [9.6, 9.7, 9.8, 9.9, 10.1, 10.2, 10.3, 10.4];
        check(
            "t",
            moments(|random| draw_epochs(&close, random)),
            (10.0, 0.1233),
        );
        // The median of a resample is at most j if six of eleven are: binomial in j / 11.
        let eleven: Vec<f64> = (1..=11).map(f64::from).collect();
        check(
            "median",
            moments(|random| draw_epochs(&eleven, random)),
            (6.0, 1.552),
        );
    }

    #[test]
    fn nothing_measured_is_nothing_drawn() {
        let mut random = Rng::default();
        assert_eq!(draw_share(&[], &mut random), None);
        assert_eq!(draw_epochs(&[1.0], &mut random), None);
        assert_eq!(draw_epochs(&[0.0, 0.0], &mut random), Some(0.0));
    }

    #[test]
    fn the_best_is_as_probable_as_its_draws() {
        let check = |name, utilities: &[Option<f64>], expected: &[f64]| {
            let shares = best_probability(utilities.len(), |model, _| utilities[model]);
            let near = |(got, want): (&f64, &f64)| (got - want).abs() < 1e-9;
            assert!(shares.iter().zip(expected).all(near), "{name}: {shares:?}");
        };
        check("clear", &[Some(1.0), Some(2.0), None], &[0.0, 1.0, 0.0]);
        check("tie", &[Some(2.0), Some(2.0), Some(1.0)], &[0.5, 0.5, 0.0]);
        check("none", &[None, Some(f64::NAN)], &[0.0, 0.0]);
        check("no models", &[], &[]);
    }

    #[test]
    fn overlapping_models_share_the_draws_always_alike() {
        let fast = [1.00, 1.02, 1.01];
        let slow = [1.02, 1.04, 1.03];
        let draw = |model, random: &mut Rng| {
            let seconds = draw_epochs(if model == 0 { &fast } else { &slow }, random)?;
            Some(1.0 / seconds)
        };
        let shares = best_probability(2, draw);
        // Two t(2) variables of scale 0.0058, 0.02 apart.
        assert!((0.90..0.97).contains(&shares[0]), "{shares:?}");
        assert_eq!(shares, best_probability(2, draw));
    }
}
