//! How far two sessions of the same thing differ on one machine, from its own past.

use crate::stats::median;

/// Fewest steps from session to session that say anything.
const LEAST_STEPS: usize = 5;

/// The median size of a normal variable, in standard deviations, and its inverse.
const NORMAL: f64 = 1.4826;

/// The spread of a session's figure around its level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// Standard deviation, of logarithms.
    pub sigma: f64,
    /// Degrees of freedom behind it.
    pub freedom: f64,
}

/// The spread of sessions in order of time, from the steps between neighbours: a lasting change
/// is one step of many and leaves their median where it is, so that it does not pass for noise.
/// `centres`: logarithms of the sessions' figures. None with fewer than six sessions.
pub(super) fn spread(centres: &[f64]) -> Option<Spread> {
    let steps: Vec<f64> = centres
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .collect();
    if steps.len() < LEAST_STEPS {
        return None;
    }
    Some(Spread {
        sigma: NORMAL * median(&steps)? / std::f64::consts::SQRT_2,
        // A median of sizes is worth about a third of the values behind it.
        freedom: (steps.len() as f64 / 3.0).max(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    #[test]
    fn the_spread_is_that_of_the_noise_and_not_of_a_change() {
        let mut random = Rng::new(4);
        let mut nights: Vec<f64> = (0..200).map(|_| 0.03 * random.normal()).collect();
        let before = spread(&nights).unwrap().sigma;
        assert!((before - 0.03).abs() < 0.004, "{before}");
        nights[100..].iter_mut().for_each(|night| *night += 1.0);
        let after = spread(&nights).unwrap().sigma;
        assert!((after - before).abs() < 0.001, "{after}");
    }

    #[test]
    fn few_sessions_have_no_history() {
        assert_eq!(spread(&[0.0; 5]), None);
        assert_eq!(spread(&[0.0; 6]).unwrap().sigma, 0.0);
    }
}
