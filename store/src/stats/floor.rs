//! How small a change a machine can be trusted to tell.

use super::percentile::nearest_rank;

/// The least noise floor: no machine is trusted to tell a change below 1 %.
const LEAST_FLOOR: f64 = 0.01;

/// The relative change that a machine shows between runs of the same build: the 95th percentile
/// of `|ratio - 1|` over comparisons of it with itself, at least 1 %. Ratios that are not finite
/// do not count.
#[must_use]
pub fn noise_floor(ratios: &[f64]) -> f64 {
    let finite = ratios.iter().filter(|ratio| ratio.is_finite());
    let mut changes: Vec<f64> = finite.map(|ratio| (ratio - 1.0).abs()).collect();
    nearest_rank(&mut changes, 0.95).map_or(LEAST_FLOOR, |floor| floor.max(LEAST_FLOOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_what_the_machine_shows_but_at_least_one_percent() {
        let check = |ratios: &[f64], expected: f64| {
            assert!((noise_floor(ratios) - expected).abs() < 1e-12, "{ratios:?}");
        };
        check(&[], 0.01);
        check(&[1.001, 0.999, f64::NAN], 0.01);
        check(&[1.0, 0.96, 1.02], 0.04);
        let twenty: Vec<f64> = (1..=20).map(|i| 1.0 - 0.01 * f64::from(i)).collect();
        check(&twenty, 0.19);
    }
}
