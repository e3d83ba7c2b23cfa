//! Stored runs against stored runs, one side measured after the other.
//!
//! Whatever the machine did in between is in the difference, and more epochs do not take it out. So
//! the error is the larger of two: what the epochs show (Welch's t on logarithms of epoch medians), and
//! how far sessions of the same thing differed before on this machine. Where there is no such past, the
//! machine's measured noise floor is what a change must exceed, or a cautious guess.

use super::decide::{Finding, Shown, Way};
use super::history::Spread;
use super::pairs::smallest;
use super::row::{Extent, Row, Verdict};
use crate::metric::{Direction, Metric};
use crate::stats::student::{quantile, tail};
use crate::stats::{median, t_quantile_95};

/// What a machine of unknown noise is trusted to tell.
const UNKNOWN: f64 = 0.05;

/// The highest two-sided chance at which a change is claimed.
const LIMIT: f64 = 0.05;

/// Epochs a side beyond which nobody will go.
const MOST: usize = 1000;

/// Epoch medians of one side, session by session; none of them empty.
pub(super) type Epochs = Vec<Vec<f64>>;

/// How noisy the machine is known to be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noise {
    /// How far its sessions differed.
    pub spread: Option<Spread>,
    /// Its measured floor, a relative change.
    pub floor: Option<f64>,
}

/// What two sides show of a metric. `which`: what should be read of the base; empty for nothing.
pub(super) fn compare(
    cell: &str,
    metric: Metric,
    (base, head): (&Epochs, &Epochs),
    (noise, which): (Noise, String),
) -> Finding {
    let middle = |side: &Epochs| median(&side.concat());
    let row = Row {
        base: middle(base),
        head: middle(head),
        ..Row::bare(cell, Some(metric), Verdict::Inconclusive, String::new())
    };
    let Some((view, smallest)) = View::of(metric, (base, head), noise) else {
        return Finding::Decided(without_ratio(row));
    };
    let p = view.p();
    let alone = view.error.is_some_and(|error| error.between_sessions);
    let advice = match (head.len(), alone) {
        (1, true) => "another session, or pairs by `harness ab`, tells more than more epochs",
        _ => "",
    };
    Finding::Open(Box::new(Shown {
        row: Row {
            extent: Some(view.extent(p)),
            ..row
        },
        p,
        limit: LIMIT,
        moved: view.moved(),
        settled: view.ends().is_some_and(|(_, high)| high < view.worse),
        smallest,
        unit: "epochs a side",
        beside: which,
        advice,
    }))
}

/// Figures of zero or less have no ratio: they are equal or they are not.
fn without_ratio(mut row: Row) -> Row {
    let equal = row.base.is_some() && row.base == row.head;
    (row.verdict, row.reason) = match equal {
        true => (Verdict::Pass, "equal".to_owned()),
        false => (
            Verdict::Inconclusive,
            "a figure is not above zero: no ratio can be formed".to_owned(),
        ),
    };
    row
}

/// Two sides as logarithms, positive where the head is worse.
struct View {
    /// How much worse.
    centre: f64,
    /// Each head session's own.
    sessions: Vec<f64>,
    error: Option<Standard>,
    /// Where worse and better begin.
    worse: f64,
    better: f64,
    /// Epochs of the smaller side.
    n: usize,
    /// -1 where more is better.
    sign: f64,
}

/// The error of a difference.
#[derive(Clone, Copy, Debug)]
struct Standard {
    error: f64,
    freedom: f64,
    between_sessions: bool,
}

impl View {
    fn of(
        metric: Metric,
        (base, head): (&Epochs, &Epochs),
        noise: Noise,
    ) -> Option<(Self, (f64, &'static str))> {
        let sign = match metric.spec().direction {
            Direction::HigherIsBetter => -1.0,
            _ => 1.0,
        };
        let (base, head) = (logs(base)?, logs(head)?);
        let level = median(&centres(&base))?;
        let sessions: Vec<f64> = centres(&head).iter().map(|c| sign * (c - level)).collect();
        let smallest = match (noise.spread, noise.floor) {
            (None, None) => (UNKNOWN, "noise of this machine unknown"),
            (None, Some(floor)) if floor > smallest(metric) => {
                (floor, "noise floor of this machine")
            }
            _ => (smallest(metric), metric.name()),
        };
        let smallest = match smallest.0 < self::smallest(metric) {
            true => (self::smallest(metric), metric.name()),
            false => smallest,
        };
        let count = |side: &Epochs| side.iter().map(Vec::len).sum::<usize>();
        let view = Self {
            centre: median(&sessions)?,
            error: error(&base, &head, noise.spread),
            sessions,
            worse: smallest.0.ln_1p(),
            better: (-smallest.0.min(0.99)).ln_1p(),
            n: count(&base).min(count(&head)),
            sign,
        };
        Some((view, smallest))
    }

    /// Which way every session of the head moved.
    fn moved(&self) -> Option<Way> {
        let all = |beyond: &dyn Fn(f64) -> bool| {
            beyond(self.centre) && self.sessions.iter().all(|&session| beyond(session))
        };
        if all(&|log| log > self.worse) {
            return Some(Way::Worse);
        }
        all(&|log| log < self.better).then_some(Way::Better)
    }

    /// The chance of such a move beyond the smallest change.
    fn p(&self) -> f64 {
        let Some(Standard { error, freedom, .. }) = self.error else {
            return 1.0;
        };
        let beyond = (self.centre - self.worse).max(self.better - self.centre);
        let t = match (error > 0.0, beyond > 0.0) {
            (true, _) => beyond / error,
            (false, true) => return 0.0,
            (false, false) => return 1.0,
        };
        (2.0 * tail(t, freedom)).min(1.0)
    }

    /// 95 %.
    fn ends(&self) -> Option<(f64, f64)> {
        let Standard { error, freedom, .. } = self.error?;
        let half = quantile(0.025, freedom) * error;
        Some((self.centre - half, self.centre + half))
    }

    fn extent(&self, p: f64) -> Extent {
        let ends = self.ends().map(|(low, high)| match self.sign > 0.0 {
            true => (low, high),
            false => (-high, -low),
        });
        let detectable = self.error.map(|Standard { error, freedom, .. }| {
            let t = quantile(0.025, freedom) + quantile(0.2, freedom);
            (self.worse + t * error).exp_m1()
        });
        Extent {
            ratio: (self.sign * self.centre).exp(),
            low: ends.map(|(low, _)| low.exp()),
            high: ends.map(|(_, high)| high.exp()),
            detectable: detectable.filter(|change| change.is_finite()),
            more: self.more(),
            n: self.n,
            p,
        }
    }

    /// About how many more epochs a side settle the row; none where it is not epochs that lack.
    fn more(&self) -> Option<usize> {
        let Some(Standard {
            error,
            between_sessions,
            ..
        }) = self.error
        else {
            return Some(5_usize.saturating_sub(self.n).max(1));
        };
        if between_sessions {
            return None;
        }
        let distance = (self.centre - self.worse)
            .abs()
            .min((self.centre - self.better).abs());
        let settles = |more: usize| {
            let n = self.n + more;
            let narrowed = error * (self.n as f64 / n as f64).sqrt();
            t_quantile_95(2 * (n - 1)) * narrowed < distance
        };
        // More epochs never make an interval wider, so that the fewest are found by halving.
        let step = if self.n > 20 { 5 } else { 1 };
        let (mut few, mut enough) = (0, MOST / step);
        while few < enough {
            let tried = (few + enough) / 2;
            match settles(1 + tried * step) {
                true => enough = tried,
                false => few = tried + 1,
            }
        }
        let more = 1 + few * step;
        (more <= MOST).then_some(more)
    }
}

fn logs(side: &Epochs) -> Option<Epochs> {
    let log = |value: &f64| (*value > 0.0 && value.is_finite()).then(|| value.ln());
    let session = |session: &Vec<f64>| session.iter().map(log).collect::<Option<Vec<_>>>();
    side.iter().map(session).collect()
}

fn centres(side: &Epochs) -> Vec<f64> {
    let mean = |session: &Vec<f64>| session.iter().sum::<f64>() / session.len() as f64;
    side.iter().map(mean).collect()
}

/// The larger of what epochs and what sessions say; none where neither says anything.
fn error(base: &Epochs, head: &Epochs, spread: Option<Spread>) -> Option<Standard> {
    let sessions = spread.map(|Spread { sigma, freedom }| Standard {
        error: sigma * (1.0 / base.len() as f64 + 1.0 / head.len() as f64).sqrt(),
        freedom,
        between_sessions: true,
    });
    let epochs = welch(Within::of(base), Within::of(head));
    [sessions, epochs]
        .into_iter()
        .flatten()
        .max_by(|a, b| a.error.total_cmp(&b.error))
}

/// How one side's epochs vary around their sessions' centres.
#[derive(Clone, Copy)]
struct Within {
    variance: f64,
    freedom: f64,
    epochs: f64,
}

impl Within {
    fn of(side: &Epochs) -> Self {
        let centres = centres(side);
        let square = |(session, centre): (&Vec<f64>, &f64)| {
            session
                .iter()
                .map(|epoch| (epoch - centre).powi(2))
                .sum::<f64>()
        };
        let squares: f64 = side.iter().zip(&centres).map(square).sum();
        let epochs = side.iter().map(Vec::len).sum::<usize>();
        let freedom = (epochs - side.len()) as f64;
        Self {
            variance: squares / freedom.max(1.0),
            freedom,
            epochs: epochs as f64,
        }
    }

    /// A side of single epochs varies as the other does, for all that is known.
    fn or(self, other: Self) -> Self {
        match self.freedom > 0.0 {
            true => self,
            false => Self {
                epochs: self.epochs,
                ..other
            },
        }
    }
}

fn welch(base: Within, head: Within) -> Option<Standard> {
    if base.freedom + head.freedom == 0.0 {
        return None;
    }
    let (mut square, mut spread) = (0.0, 0.0);
    for side in [base.or(head), head.or(base)] {
        let part = side.variance / side.epochs;
        square += part;
        spread += part * part / side.freedom;
    }
    Some(Standard {
        error: square.sqrt(),
        freedom: if spread > 0.0 {
            (square * square / spread).max(1.0)
        } else {
            1.0
        },
        between_sessions: false,
    })
}

#[cfg(test)]
mod tests;
