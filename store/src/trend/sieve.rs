//! Which cuts are changes: each must stand out from the nights around it.

use super::partition::{Stretch, Sums};

/// Smallest relative change that is reported.
pub(super) const SMALLEST: f64 = 0.01;

/// Nights on each side that a cut is judged by: what is farther away may have drifted.
pub(super) const AROUND: usize = 15;

/// Least difference of levels in deviations of one night: less is hidden by the noise.
const VISIBLE: f64 = 1.5;

/// Least difference of levels in standard errors.
const SIGNIFICANT: f64 = 4.5;

/// Nights at the noise of the whole series that are counted to both sides together where a change
/// must be visible: a stretch of few nights says little of its spread.
const BOTH: f64 = 12.0;

/// The same for one side where it must be significant. A low number: wild nights after a cut are
/// a burst more often than a level.
const ONE: f64 = 1.0;

/// Removes the least convincing cut until all convince.
pub(super) fn sift(mut cuts: Vec<usize>, sums: &Sums, noise: f64) -> Vec<usize> {
    loop {
        let weakest = (0..cuts.len())
            .map(|at| (strength(&cuts, at, sums, noise), at))
            .min_by(|one, other| one.0.total_cmp(&other.0));
        match weakest {
            Some((strength, at)) if strength < 1.0 => cuts.remove(at),
            _ => return cuts,
        };
    }
}

/// How far a cut passes its hardest test: 1 is just enough.
fn strength(cuts: &[usize], at: usize, sums: &Sums, noise: f64) -> f64 {
    let cut = cuts[at];
    let from = if at == 0 { 0 } else { cuts[at - 1] };
    let to = cuts.get(at + 1).copied().unwrap_or(sums.len());
    let before = sums.stretch(from.max(cut.saturating_sub(AROUND)), cut);
    let after = sums.stretch(cut, to.min(cut + AROUND));
    let difference = (after.mean - before.mean).abs();
    let error =
        (variance(before, noise) / before.count + variance(after, noise) / after.count).sqrt();
    let freedom = before.count + after.count - 2.0 + BOTH;
    let pooled = (before.square + after.square + BOTH * noise * noise) / freedom;
    (difference / error / SIGNIFICANT)
        .min(difference / pooled.sqrt() / VISIBLE)
        .min(difference / SMALLEST)
}

/// Variance of one night of a stretch, never below that of the series.
pub(super) fn variance(stretch: Stretch, noise: f64) -> f64 {
    let own = (stretch.square + ONE * noise * noise) / (stretch.count - 1.0 + ONE);
    own.max(noise * noise)
}
