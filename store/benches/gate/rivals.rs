//! What other tools do: all of the base first, then all of the head.

use crate::machine::Machine;

/// One side after the other on the same machine.
fn blocked(seed: u64, n: usize, slowdown: f64) -> (Vec<f64>, Vec<f64>) {
    let mut machine = Machine::new(seed + 1);
    let mut side = |true_s: f64| (0..n).map(|_| machine.measure(true_s)).collect();
    (side(1.0), side(1.0 + slowdown))
}

/// A threshold on the ratio of means, as github-action-benchmark has it.
pub(crate) fn mean_ratio(seed: u64, n: usize, slowdown: f64) -> bool {
    let (base, head) = blocked(seed, n, slowdown);
    let mean = |side: &[f64]| side.iter().sum::<f64>() / side.len() as f64;
    mean(&head) / mean(&base) > 1.10
}

/// The two-sided test of Mann and Whitney at 5 %, as benchstat has it; only worse counts. By the normal
/// approximation with its correction, which is close from five measurements a side.
pub(crate) fn mann_whitney(seed: u64, n: usize, slowdown: f64) -> bool {
    let (base, head) = blocked(seed, n, slowdown);
    let above = |head: &f64| base.iter().filter(|base| head > base).count();
    let won: usize = head.iter().map(above).sum();
    let n = n as f64;
    let error = (n * n * (2.0 * n + 1.0) / 12.0).sqrt();
    (won as f64 - n * n / 2.0 - 0.5) / error > 1.96
}
