//! E-divisive means with a t-test, as Otava (Hunter) runs it. Sources: Matteson and James, JASA
//! 2014 (the statistic); Fleming et al., "Hunter", ICPE 2023 (windows, two passes, t-test).

use store::stats::student::tail;

/// Values a window.
const WINDOW: usize = 50;

/// Change indices with p below `p`.
pub(crate) fn changes(values: &[f64], p: f64) -> Vec<usize> {
    let weak = if p < 0.05 { 10.0 * p } else { 2.0 * p };
    let mut points: Vec<usize> = Vec::new();
    for from in (0..values.len()).step_by(WINDOW / 2) {
        let to = values.len().min(from + WINDOW);
        split(values, (from, to), weak, &mut points);
    }
    points.sort_unstable();
    points.dedup();
    loop {
        let p_of = |at: usize| {
            let from = if at == 0 { 0 } else { points[at - 1] };
            let to = points.get(at + 1).copied().unwrap_or(values.len());
            t_test(&values[from..points[at]], &values[points[at]..to])
        };
        let weakest = (0..points.len())
            .map(|at| (p_of(at), at))
            .max_by(|one, other| one.0.total_cmp(&other.0));
        match weakest {
            Some((worst, at)) if worst >= p => points.remove(at),
            _ => return points,
        };
    }
}

/// Divides a stretch where its two parts differ most, and its parts again, while that is weak proof.
fn split(values: &[f64], (from, to): (usize, usize), weak: f64, points: &mut Vec<usize>) {
    let Some(at) = furthest(&values[from..to]) else {
        return;
    };
    let at = from + at;
    if t_test(&values[from..at], &values[at..to]) < weak {
        points.push(at);
        split(values, (from, at), weak, points);
        split(values, (at, to), weak, points);
    }
}

/// The division of largest energy statistic Q.
fn furthest(values: &[f64]) -> Option<usize> {
    let count = values.len();
    let distances =
        |from: &[f64], value: f64| from.iter().map(|other| (other - value).abs()).sum::<f64>();
    let (mut left, mut across) = (0.0, 0.0);
    let mut right: f64 = (0..count)
        .map(|at| distances(&values[at + 1..], values[at]))
        .sum();
    let mut best = (f64::NEG_INFINITY, None);
    for at in 1..count {
        // Value `at - 1` moves from the right part to the left one.
        let (to_left, to_right) = (
            distances(&values[..at - 1], values[at - 1]),
            distances(&values[at..], values[at - 1]),
        );
        left += to_left;
        right -= to_right;
        across += to_right - to_left;
        let (n, m) = (at as f64, (count - at) as f64);
        let pairs = |k: f64| (k * (k - 1.0) / 2.0).max(1.0);
        let q = n * m / (n + m) * (2.0 * across / (n * m) - left / pairs(n) - right / pairs(m));
        if q > best.0 {
            best = (q, Some(at));
        }
    }
    best.1
}

/// p of the pooled t-test, with the population's standard deviation as that program takes it.
fn t_test(one: &[f64], other: &[f64]) -> f64 {
    let (n, m) = (one.len() as f64, other.len() as f64);
    if n + m < 3.0 {
        return 1.0;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (a, b) = (mean(one), mean(other));
    let variance = |values: &[f64], mean: f64| {
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
    };
    let pooled = ((n - 1.0) * variance(one, a) + (m - 1.0) * variance(other, b)) / (n + m - 2.0);
    if pooled <= 0.0 {
        return if (a - b).abs() > 0.0 { 0.0 } else { 1.0 };
    }
    let t = (a - b) / (pooled * (1.0 / n + 1.0 / m)).sqrt();
    2.0 * tail(t.abs(), n + m - 2.0)
}
