//! The t-test of neighbouring windows that Mozilla's Perfherder alerts by, from its published rule:
//! 12 to 24 runs back, 12 forward, linearly falling weights, t above 7 and largest nearby, 2 %.

const BACK: (usize, usize) = (12, 24);
const FORWARD: usize = 12;
const THRESHOLD: f64 = 7.0;
const SMALLEST: f64 = 0.02;

/// Change indices.
pub(crate) fn changes(values: &[f64]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let last = (values.len() + 1).saturating_sub(FORWARD);
    let t: Vec<f64> = (0..last).map(|at| t_at(values, at, 0).0).collect();
    for at in BACK.0..last {
        let from = found.last().copied().unwrap_or(0);
        let (own, change) = t_at(values, at, from);
        let near = at.saturating_sub(FORWARD)..last.min(at + FORWARD + 1);
        let largest = near.clone().all(|other| t[other] <= t[at]);
        if own > THRESHOLD && largest && change >= SMALLEST {
            found.push(at);
        }
    }
    found
}

/// t and relative change between the runs before `at`, not before `from`, and those from it on.
fn t_at(values: &[f64], at: usize, from: usize) -> (f64, f64) {
    let back = &values[from.max(at.saturating_sub(BACK.1))..at];
    let forward = &values[at..values.len().min(at + FORWARD)];
    if back.len() < BACK.0 || forward.len() < FORWARD {
        return (0.0, 0.0);
    }
    let newest_first: Vec<f64> = back.iter().rev().copied().collect();
    let (before, after) = (weighted(&newest_first), weighted(forward));
    let error =
        (variance(back) / back.len() as f64 + variance(forward) / forward.len() as f64).sqrt();
    let difference = (after - before).abs();
    let t = if error > 0.0 { difference / error } else { 0.0 };
    (t, difference / before.abs())
}

/// Mean with weights that fall linearly with the distance from the change.
fn weighted(nearest_first: &[f64]) -> f64 {
    let count = nearest_first.len();
    let weight = |at: usize| (count - at) as f64;
    let sum: f64 = nearest_first
        .iter()
        .enumerate()
        .map(|(at, value)| weight(at) * value)
        .sum();
    sum / (0..count).map(weight).sum::<f64>()
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (values.len() as f64 - 1.0)
}
