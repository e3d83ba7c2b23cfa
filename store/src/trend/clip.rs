//! Draws lone bad nights to the middle of their neighbours, and leaves changes of level as they are.

/// Nights on each side that a night is compared with.
pub(super) const REACH: usize = 8;

/// Deviations by which a night may differ from the middle of its neighbours. Normal noise passes in
/// 997 of 1,000 nights; more lets the spikes of the last nights hide a step for longer.
const ALLOWED: f64 = 3.0;

/// Newest nights whose middle is the level that the series has now.
const NOW: usize = 5;

/// Night `at` of `values`, no farther from the median of the nights around it than `noise` allows.
///
/// Half of the neighbours of a step lie on its own side, so the step stays; a spike has none. The
/// newest nights have no neighbours on one side yet: the median of the last five stands for them,
/// so that a step is seen whole from its third night on.
pub(super) fn clipped(values: &[f64], at: usize, noise: f64) -> f64 {
    let count = values.len();
    let around = middle(&values[at.saturating_sub(REACH)..count.min(at + REACH + 1)]);
    let now = if at + REACH < count {
        around
    } else {
        middle(&values[count.saturating_sub(NOW)..])
    };
    let reach = ALLOWED * noise;
    // Not `clamp`, which panics where an overflow made the bounds no numbers.
    values[at]
        .max(around.min(now) - reach)
        .min(around.max(now) + reach)
}

/// The median of a few values.
fn middle(values: &[f64]) -> f64 {
    let mut sorted = [0.0; 2 * REACH + 1];
    let sorted = &mut sorted[..values.len()];
    sorted.copy_from_slice(values);
    sorted.sort_unstable_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}
