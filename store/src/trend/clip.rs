//! Draws lone bad nights to the middle of their neighbours, and leaves changes of level as they are.

/// Nights on each side that a night is compared with.
pub(super) const REACH: usize = 8;

/// Deviations by which a night may differ from the median of its neighbours.
const ALLOWED: f64 = 3.5;

/// Night `at` of `values`, no farther from the median of the nights around it than its noise allows.
///
/// Half of the neighbours of a step lie on its own side, so the step stays; a spike has none.
pub(super) fn clipped(values: &[f64], at: usize, noise: f64) -> f64 {
    let around = &values[at.saturating_sub(REACH)..values.len().min(at + REACH + 1)];
    let mut sorted = [0.0; 2 * REACH + 1];
    let sorted = &mut sorted[..around.len()];
    sorted.copy_from_slice(around);
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    values[at].clamp(middle - ALLOWED * noise, middle + ALLOWED * noise)
}
