//! Pairs of measurements, base and head in turn on one machine: the sharpest comparison there is.
//!
//! Each pair gives one logarithm of a ratio, in which whatever lasts longer than a pair cancels
//! (Bulej and others, ICPE 2020). A verdict needs three things: the pairs agree on a direction
//! ([`signed`](super::signed)), in every session; the centre of all moved by the smallest change worth
//! a verdict; and the row is certain among all rows. Sessions count separately because what one
//! session shows tightly may be its own: an unlucky memory layout, say.

use super::decide::{Finding, Shown, Way, decide};
use super::row::{Extent, Judgement, Row, Verdict};
use super::signed::{centre, chance_above, interval};
use crate::metric::{Direction, Metric};
use crate::stats::median;

/// The highest two-sided chance at which pairs claim a change. One session of pairs without a change
/// is then called worse at most twice in a thousand times, whatever the noise.
const LIMIT: f64 = 0.004;

/// How often the first of several sessions may have been looked at while it grew; its chance counts
/// so many times.
pub const LOOKS: usize = 3;

/// Pairs after which the first session is looked at, and the most it may have.
pub const STEP: usize = 10;

/// No metric is trusted to tell a smaller change.
const LEAST_CHANGE: f64 = 0.01;

/// Pairs beyond which nobody will go to settle a row.
const MOST: usize = 1000;

/// Standard normal quantiles: of [`LIMIT`], of 95 %, and of four cases in five.
const Z_LIMIT: f64 = 2.878;
const Z_POWER: f64 = 0.842;

/// One measurement of each side, next to each other in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Of the base, in the metric's unit.
    pub base: f64,
    /// Of the head.
    pub head: f64,
}

/// The pairs of one metric of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What was measured, in words. Hostile text.
    pub cell: String,
    /// The metric: its direction and smallest change.
    pub metric: Metric,
    /// Sessions in order, each with its pairs in order; none may be empty.
    pub sessions: Vec<Vec<Pair>>,
}

/// What a series needs next, where more can still be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// [`STEP`] more pairs in its first session.
    More,
    /// Looks worse: a second session of as many pairs as the first, before that is said.
    Confirm,
    /// Nothing.
    Enough,
}

/// Judges all series together.
#[must_use]
pub fn judge(all: &[Series]) -> Judgement {
    Judgement {
        rows: decide(all.iter().map(finding).collect()),
        ..Judgement::default()
    }
}

/// What would bring a series nearer to a verdict: never more than [`LOOKS`] times [`STEP`] pairs in
/// the first session, however open it is, and never a third session.
#[must_use]
pub fn next(series: &Series) -> Next {
    let [first] = series.sessions.as_slice() else {
        return Next::Enough;
    };
    let Some(view) = View::of(series) else {
        return Next::Enough;
    };
    let chance = LOOKS as f64 * chance_above(&view.sessions[0], 0.0);
    // Both sessions must be this certain for the two to reach the limit.
    let suspect = chance <= (LIMIT / 2.0).sqrt() && view.moved() == Some(Way::Worse);
    match (suspect, view.settled()) {
        (true, _) => Next::Confirm,
        (false, true) => Next::Enough,
        (false, false) if first.len() + STEP <= LOOKS * STEP => Next::More,
        (false, false) => Next::Enough,
    }
}

/// The smallest relative change of a metric that a verdict is given on.
pub(super) fn smallest(metric: Metric) -> f64 {
    metric.spec().min_change.max(LEAST_CHANGE)
}

fn finding(series: &Series) -> Finding {
    let missing = |reason: String| {
        let metric = Some(series.metric);
        Finding::Decided(Row::bare(&series.cell, metric, Verdict::Missing, reason))
    };
    if series.sessions.iter().all(Vec::is_empty) {
        return missing("no pairs".to_owned());
    }
    let Some(view) = View::of(series) else {
        return missing("a value is not above zero: no ratio can be formed".to_owned());
    };
    let side = |of: fn(&Pair) -> f64| {
        let values: Vec<f64> = series.sessions.iter().flatten().map(of).collect();
        median(&values)
    };
    let p = (2.0 * view.chance(1.0).min(view.chance(-1.0))).min(1.0);
    let extent = view.extent(p);
    let row = Row {
        base: side(|pair| pair.base),
        head: side(|pair| pair.head),
        extent: Some(extent),
        ..Row::bare(
            &series.cell,
            Some(series.metric),
            Verdict::Inconclusive,
            String::new(),
        )
    };
    let alone = view.sessions.len() == 1 && view.moved().is_some();
    Finding::Open(Box::new(Shown {
        row,
        p,
        limit: LIMIT,
        moved: view.moved(),
        settled: view.settled(),
        smallest: (smallest(series.metric), series.metric.name()),
        unit: "pairs",
        beside: match alone {
            true => "seen in one session: a second one would confirm it".to_owned(),
            false => String::new(),
        },
        advice: "",
    }))
}

/// A series as logarithms of ratios, positive where the head is worse.
struct View {
    sessions: Vec<Vec<f64>>,
    all: Vec<f64>,
    centre: f64,
    /// 95 %.
    ends: (f64, f64),
    /// The smallest change, as a logarithm.
    least: f64,
    /// -1 where more is better.
    sign: f64,
}

impl View {
    /// None without a pair, and where a value has no logarithm.
    fn of(series: &Series) -> Option<Self> {
        let sign = match series.metric.spec().direction {
            Direction::HigherIsBetter => -1.0,
            _ => 1.0,
        };
        let log = |pair: &Pair| {
            let ratio = sign * (pair.head.ln() - pair.base.ln());
            ratio.is_finite().then_some(ratio)
        };
        let filled = series.sessions.iter().filter(|session| !session.is_empty());
        let sessions = filled.map(|session| session.iter().map(log).collect());
        let sessions: Vec<Vec<f64>> = sessions.collect::<Option<_>>()?;
        let all = sessions.concat();
        Some(Self {
            centre: centre(&all)?,
            ends: interval(&all, 0.025)?,
            least: smallest(series.metric).ln_1p(),
            sessions,
            all,
            sign,
        })
    }

    /// The chance of sessions that all agree so much on `way`, 1 for worse, if nothing changed: `k`
    /// independent chances are all at most `x` with a chance of `x` to the `k`.
    fn chance(&self, way: f64) -> f64 {
        let turned = |session: &Vec<f64>| session.iter().map(|d| way * d).collect::<Vec<_>>();
        let chances = self
            .sessions
            .iter()
            .map(|session| chance_above(&turned(session), 0.0));
        let mut chances: Vec<f64> = chances.collect();
        if chances.len() > 1 {
            chances[0] = (LOOKS as f64 * chances[0]).min(1.0);
        }
        let largest = chances.iter().copied().fold(0.0, f64::max);
        largest.powi(chances.len() as i32)
    }

    fn moved(&self) -> Option<Way> {
        match self.centre {
            centre if centre >= self.least => Some(Way::Worse),
            centre if centre <= -self.least => Some(Way::Better),
            _ => None,
        }
    }

    /// Whether it is certainly not worse by the smallest change. Sessions that contradict each other
    /// settle nothing.
    fn settled(&self) -> bool {
        let alarming = |session: &Vec<f64>| {
            let worse = centre(session).is_some_and(|centre| centre >= self.least);
            worse && chance_above(session, 0.0) <= LIMIT / 2.0
        };
        self.ends.1 < self.least && !self.sessions.iter().any(alarming)
    }

    fn extent(&self, p: f64) -> Extent {
        let (low, high) = match self.sign > 0.0 {
            true => self.ends,
            false => (-self.ends.1, -self.ends.0),
        };
        let end = |log: f64| log.is_finite().then(|| log.exp());
        let half = (self.ends.1 - self.ends.0) / 2.0;
        let error = half / crate::stats::Z_95;
        let detectable = (self.least + Z_POWER * error).max((Z_LIMIT + Z_POWER) * error);
        Extent {
            ratio: (self.sign * self.centre).exp(),
            low: end(low),
            high: end(high),
            detectable: half.is_finite().then(|| detectable.exp_m1()),
            more: self.more(half),
            n: self.all.len(),
            p,
        }
    }

    /// About how many more pairs settle the row, if they are like these; intervals narrow by the root
    /// of their number.
    fn more(&self, half: f64) -> Option<usize> {
        let n = self.all.len();
        if !half.is_finite() {
            return Some(STEP.saturating_sub(n).max(1));
        }
        // Either it must stay clear of the smallest change, or be sure that there is one.
        let wanted = match self.moved() {
            Some(_) => self.centre.abs() * crate::stats::Z_95 / Z_LIMIT,
            None => self.least - self.centre,
        };
        let more = (n as f64 * ((half / wanted).powi(2) - 1.0)).ceil().max(1.0);
        (more <= MOST as f64).then_some(more as usize)
    }
}

#[cfg(test)]
mod tests;
