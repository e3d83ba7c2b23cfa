//! Draws lone bad nights to the middle of their neighbours, and leaves changes of level as they are.

/// Nights on each side that a night is compared with.
const REACH: usize = 8;

/// Deviations by which a night may differ from the middle of its neighbours.
const ALLOWED: f64 = 3.5;

/// Newest nights whose middle is the level that the series has now.
const NOW: usize = 5;

/// The newest nights in order of size: what those of them that are not settled are compared with.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// At most a night with all its neighbours.
    sorted: Vec<f64>,
}

/// Nights as they count, no farther from the median of the nights around them than their noise allows.
#[derive(Debug)]
pub(super) struct Clipped {
    /// The night that has now got its last neighbour, if there is one.
    pub(super) settled: Option<f64>,
    /// Those after it, which may still move.
    pub(super) tail: Vec<f64>,
}

impl Around {
    /// Takes the next night, the last of `values`, and compares it and those before it.
    ///
    /// Half of the neighbours of a step lie on its own side, so the step stays; a spike has none. The
    /// newest nights have no neighbours on one side yet: the median of the last five stands for them,
    /// so that a step is seen whole from its third night on.
    pub(super) fn night(&mut self, values: &[f64], noise: f64) -> Clipped {
        let count = values.len();
        let newest = values[count - 1];
        self.sorted.insert(place(&self.sorted, newest), newest);
        if let Some(gone) = count.checked_sub(2 * REACH + 2) {
            remove(&mut self.sorted, values[gone]);
        }
        let reach = ALLOWED * noise;
        let settled = count.checked_sub(REACH + 1).map(|at| {
            let around = middle(&self.sorted);
            drawn(values[at], (around, around), reach)
        });
        let mut now = [0.0; NOW];
        let now = &mut now[..NOW.min(count)];
        now.copy_from_slice(&values[count - now.len()..]);
        now.sort_unstable_by(f64::total_cmp);
        let now = middle(now);
        let mut sorted = self.sorted.clone();
        let tail = (count.saturating_sub(REACH)..count).map(|at| {
            // The neighbours of the night before began one night earlier.
            if let Some(gone) = at.checked_sub(REACH + 1) {
                remove(&mut sorted, values[gone]);
            }
            drawn(values[at], (middle(&sorted), now), reach)
        });
        Clipped {
            settled,
            tail: tail.collect(),
        }
    }
}

/// A value, at most `reach` beyond two others.
fn drawn(value: f64, (one, other): (f64, f64), reach: f64) -> f64 {
    // Not `clamp`, which panics where an overflow made the bounds no numbers.
    value
        .max(one.min(other) - reach)
        .min(one.max(other) + reach)
}

fn remove(sorted: &mut Vec<f64>, value: f64) {
    sorted.remove(place(sorted, value));
}

/// Where a value stands, or would stand.
fn place(sorted: &[f64], value: f64) -> usize {
    sorted.partition_point(|other| other.total_cmp(&value).is_lt())
}

/// The median of a few sorted values.
fn middle(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}
