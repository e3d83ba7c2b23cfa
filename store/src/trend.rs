//! Change points of a series: the nights on which a figure took another level. Pure.
//!
//! A series is read night by night, as it grew. Each night ends with a division of all nights so far
//! into stretches of one level, the cheapest of all divisions where every new stretch costs a
//! penalty (optimal partitioning: Jackson et al., IEEE Signal Processing Letters 12, 2005; pruned
//! as in Killick, Fearnhead and Eckley, JASA 107, 2012). Before, lone bad nights are drawn to the
//! middle of their neighbours; afterwards every cut must pass a test against the nights around it.
//! A cut that three nights support is confirmed; what the last nights hint at before is told as such.
//!
//! Reading in order is what keeps identity: what was confirmed on a night depends on nothing that
//! came later, so a point found once keeps its place to within one night however many are appended,
//! and one that later nights contradict is not dropped but listed as withdrawn. Only the first value
//! at or below zero, which ends the use of logarithms, has the past judged anew.
//!
//! The numbers below were chosen on simulated noise (Gaussian, with spikes, with heavy tails) and
//! on labelled series of real builds; `benches/trends.rs` measures what they give.

mod accepted;
mod clip;
mod level;
mod noise;
mod partition;
mod scale;
mod sieve;
mod tail;
mod tracker;

pub use accepted::{Accepted, trend_accepted};
use level::Level;
use scale::Scale;
use tracker::Tracker;

/// Nights that a level must last to be confirmed.
pub const CONFIRMED_AFTER: usize = 3;

/// How sure a change point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// One night lies far off: perhaps a bad night. Never a regression yet.
    Suspect,
    /// Two nights in a row lie far off, and agree; or five lie off on one side of a level too restless
    /// for a cut.
    Probable,
    /// Three nights or more.
    Confirmed,
}

impl State {
    /// The state as text and JSON name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Probable => "probable",
            Self::Confirmed => "confirmed",
        }
    }
}

/// A night on which the level changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangePoint {
    /// Position of the first night at the new level.
    pub index: usize,
    /// That position when the point was first confirmed. It never changes by appending, and
    /// `index` is at most one night away from it.
    pub found: usize,
    /// First and last night on which the new level may have begun, judged by a twentieth of the
    /// likelihood of the best.
    pub range: (usize, usize),
    /// Level before, in the unit of the series: back to the change point before, or the start.
    pub before: f64,
    /// Level after, up to the next change point, or the end.
    pub after: f64,
    /// Relative change, `0.1` being ten percent more; none where the level before was zero.
    pub size: Option<f64>,
    /// 95 % interval of `size`; none for a suspect, whose single night says nothing of its spread.
    pub interval: Option<(f64, f64)>,
    /// Nights at the new level.
    pub nights: usize,
    /// How sure it is.
    pub state: State,
}

/// A point that was confirmed once and that later nights contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Where it was found.
    pub found: usize,
    /// The night that confirmed it.
    pub confirmed: usize,
    /// The first night that contradicts it.
    pub withdrawn: usize,
}

/// What a series shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// Change points, by index.
    pub changes: Vec<ChangePoint>,
    /// What was confirmed once and did not last, by where it was found.
    pub withdrawn: Vec<Withdrawn>,
    /// Relative standard deviation from night to night within one level; none without two nights.
    pub noise: Option<f64>,
}

/// The change points of a series in order of time.
///
/// `values`: one a night, any unit; what is not finite is a gap, which counts as no night.
/// `breaks`: positions before which the past is not comparable (other weights, an accepted
/// change); no level reaches across one, and none is a change point itself.
#[must_use]
pub fn trend(values: &[f64], breaks: &[usize]) -> Trend {
    let bounds = bounds(values.len(), breaks);
    let mut whole = Trend::default();
    for pair in bounds.windows(2) {
        let part = epoch(values, (pair[0], pair[1]), pair[1] == values.len());
        whole.changes.extend(part.changes);
        whole.withdrawn.extend(part.withdrawn);
        whole.noise = part.noise.or(whole.noise);
    }
    whole
}

/// The ends of a series of so many nights, and all breaks within, in order.
fn bounds(nights: usize, breaks: &[usize]) -> Vec<usize> {
    let within = breaks.iter().copied().filter(|&at| at > 0 && at < nights);
    let mut bounds: Vec<usize> = within.chain([0, nights]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds
}

/// The part of a series between two breaks. Only at the end of the series can a night be suspect.
fn epoch(values: &[f64], (from, to): (usize, usize), last: bool) -> Trend {
    let Part {
        nights,
        scale,
        scaled,
        tracker,
    } = Part::read(values, from, to);
    let mut changes = tracker.changes();
    if last {
        changes.extend(tail::change(&tracker, &scaled));
    }
    let at = |night: usize| nights[night];
    let point = |level: &Level| point(level, scale, at);
    let mut withdrawn = tracker.withdrawn().to_vec();
    for gone in &mut withdrawn {
        *gone = Withdrawn {
            found: at(gone.found),
            confirmed: at(gone.confirmed),
            withdrawn: at(gone.withdrawn),
        };
    }
    Trend {
        changes: changes.iter().map(point).collect(),
        withdrawn,
        noise: (nights.len() > 1).then(|| tracker.noise()),
    }
}

/// Nights that were read one after the other.
struct Part {
    /// Their positions in the series.
    nights: Vec<usize>,
    scale: Scale,
    scaled: Vec<f64>,
    tracker: Tracker,
}

impl Part {
    /// Those between two positions that have a value.
    fn read(values: &[f64], from: usize, to: usize) -> Self {
        let nights: Vec<usize> = (from..to).filter(|&at| values[at].is_finite()).collect();
        let raw: Vec<f64> = nights.iter().map(|&at| values[at]).collect();
        let scale = Scale::of(&raw);
        let scaled: Vec<f64> = raw.iter().map(|&value| scale.to(value)).collect();
        let mut tracker = Tracker::default();
        for &value in &scaled {
            tracker.night(value);
        }
        Self {
            nights,
            scale,
            scaled,
            tracker,
        }
    }
}

/// A change in the unit and positions of the series.
fn point(level: &Level, scale: Scale, at: impl Fn(usize) -> usize) -> ChangePoint {
    let (before, after) = (scale.back(level.before), scale.back(level.after));
    let relative = |difference: f64| scale.relative(level.before, difference);
    let difference = level.after - level.before;
    let interval = level.half_width.and_then(|half| {
        let (low, high) = (relative(difference - half)?, relative(difference + half)?);
        Some((low, high))
    });
    ChangePoint {
        index: at(level.index),
        found: at(level.found),
        range: (at(level.range.0), at(level.range.1)),
        before,
        after,
        size: relative(difference),
        interval,
        nights: level.nights,
        state: level.state,
    }
}

#[cfg(test)]
mod tests;
