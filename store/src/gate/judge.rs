//! Stored sessions against stored sessions: which rows there are, and how each is compared.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::blocked::{self, Epochs, Noise};
use super::decide::{Finding, decide};
use super::exact::Bases;
use super::history::spread;
use super::level::{self, Change};
use super::row::{Row, Verdict};
use super::untold::{is_counted, untold};
use super::{exact, score};
use crate::db::Noise as Floor;
use crate::metric::Metric;
use crate::run::{Cell, Outcome, Run, Sample, Session, Void};
use crate::series::{Group, figure_of};
use crate::stats::epoch_medians;

/// A session with its runs.
#[derive(Clone, Debug)]
pub struct Side {
    /// The session.
    pub session: Session,
    /// Its runs.
    pub runs: Vec<Run>,
}

/// What becomes of clocks and memory where the sides are of different machines or conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// The same machine and conditions: everything is compared.
    Here,
    /// Compared all the same, for a reader who was told.
    Shown,
    /// Not compared, which is a missing row; counters and answers still are.
    Refused,
    /// Not compared, for counters and answers are all that is asked.
    LeftOut,
}

/// A change of level that somebody accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// [`Group::key`] of the series.
    pub series: String,
    /// When the first session at the new level began.
    pub at: DateTime<Utc>,
}

/// Both sides of a comparison, and what is known of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// Sessions of the base, oldest first.
    pub base: &'a [Side],
    /// Sessions of the head.
    pub head: &'a [Side],
    /// Earlier sessions of the same machine, oldest first, the base among them: how it varies.
    pub history: &'a [Side],
    /// Its measured noise floors.
    pub floors: &'a [Floor],
    /// Changes of the base's series that were accepted: what was before is no baseline.
    pub accepted: &'a [Accepted],
    /// Whether both are of one machine.
    pub elsewhere: Elsewhere,
}

/// How a metric is compared; none for circumstances and for what follows from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Clock,
    Counter,
    /// A counter of floating-point bits, which differ between processors.
    Bits,
    Peak,
    Score,
}

const fn kind(metric: Metric) -> Option<Kind> {
    use Metric as M;
    Some(match metric {
        M::Startup | M::LoadCold | M::LoadWarm | M::FirstInference | M::Inference => Kind::Clock,
        M::ImagePrep | M::VisionEncode | M::Prefill | M::Ttft | M::InterToken => Kind::Clock,
        M::Decode | M::LoadMemory | M::LoadPeak | M::InferPeak | M::PeakMemory => Kind::Clock,
        M::AfterUnload | M::DeviceMemory | M::EnergyPerImage | M::EnergyPerToken => Kind::Clock,
        M::ServerPrefill | M::ServerDecode | M::SustainedDecode | M::BenchTime => Kind::Clock,
        M::PromptTokens | M::ImageTokens | M::OutputTokens => Kind::Counter,
        M::OutputHash | M::TextHash => Kind::Counter,
        M::LogitHash => Kind::Bits,
        M::DevicePeak => Kind::Peak,
        M::VisionRight | M::TextRight | M::ContextRetained | M::ExactMatch => Kind::Score,
        _ => return None,
    })
}

/// Whether a metric is a clock or a footprint: it varies, and is compared by statistics.
#[must_use]
pub const fn is_clock(metric: Metric) -> bool {
    matches!(kind(metric), Some(Kind::Clock))
}

/// Compares what two builds counted on one machine: tokens, hashes, allocation peaks. A counter that
/// one of them does not know yet gives no row.
#[must_use]
pub fn counters(cell: &str, base: &[Sample], head: &[Sample]) -> Vec<Row> {
    let of = |side: &'_ [Sample], metric| side.iter().position(|sample| sample.metric == metric);
    let row = |&metric: &Metric| {
        let (base, head) = (&base[of(base, metric)?], &head[of(head, metric)?]);
        match kind(metric)? {
            Kind::Counter | Kind::Bits => {
                Some(exact::compare(cell, metric, Bases::one(&[base]), head))
            }
            Kind::Peak => exact::compare_peak(cell, metric, &[base], head),
            Kind::Clock | Kind::Score => None,
        }
    };
    Metric::ALL.iter().filter_map(row).collect()
}

/// Every row: each gated metric of each cell of either side, decided together.
#[must_use]
pub fn judge(sides: Sides<'_>) -> Vec<Row> {
    let of = |side: &Side| {
        side.runs
            .iter()
            .map(|run| name(&run.cell))
            .collect::<Vec<_>>()
    };
    let both = sides.base.iter().chain(sides.head);
    let cells: BTreeSet<String> = both.flat_map(of).collect();
    decide(
        cells
            .iter()
            .flat_map(|cell| findings(sides, cell))
            .collect(),
    )
}

/// `model/scenario/backend/device`: what waivers name.
#[must_use]
pub fn name(cell: &Cell) -> String {
    format!(
        "{}/{}/{}/{}",
        cell.model, cell.scenario, cell.backend, cell.device
    )
}

fn findings(sides: Sides<'_>, cell: &str) -> Vec<Finding> {
    let (base, head) = (runs(sides.base, cell), runs(sides.head, cell));
    if let Some(reason) = missing(&base, &head) {
        let row = Row::bare(cell, None, Verdict::Missing, reason);
        return vec![Finding::Decided(row)];
    }
    let head = measured(&head);
    let like = |run: &&Run| {
        head.iter()
            .all(|head| other(&head.cell, &run.cell).is_none())
    };
    let base: Vec<&Run> = measured(&base).into_iter().filter(like).collect();
    let history: Vec<&Run> = measured(&runs(sides.history, cell))
        .into_iter()
        .filter(like)
        .collect();
    let case = Case {
        sides,
        cell,
        base,
        head,
        history,
    };
    let refused = sides.elsewhere == Elsewhere::Refused;
    let clocks = refused.then(|| {
        let reason =
            "clocks and memory of another machine, or under other conditions, are not compared"
                .to_owned();
        Finding::Decided(Row::bare(cell, None, Verdict::Missing, reason))
    });
    let rows = Metric::ALL.iter().filter_map(|&metric| case.metric(metric));
    clocks.into_iter().chain(rows).collect()
}

/// The newest run of a cell in each session.
fn runs<'a>(sides: &'a [Side], cell: &str) -> Vec<&'a Run> {
    let newest = |side: &'a Side| {
        let of = side.runs.iter().filter(|run| name(&run.cell) == cell);
        of.max_by_key(|run| (run.at, run.id))
    };
    sides.iter().filter_map(newest).collect()
}

fn measured<'a>(runs: &[&'a Run]) -> Vec<&'a Run> {
    let measured = |run: &&&Run| matches!(run.outcome, Outcome::Measured { .. });
    runs.iter().filter(measured).copied().collect()
}

/// Why a cell has nothing to compare.
fn missing(base: &[&Run], head: &[&Run]) -> Option<String> {
    let failed = |run: &&&Run| matches!(run.outcome, Outcome::Failed { .. });
    if let Some(run) = head.iter().find(failed) {
        return Some(failure("failed", run));
    }
    let Some(newest) = head.last() else {
        return Some("vanished: the base has this cell, the head does not".to_owned());
    };
    if base.is_empty() {
        return Some("no baseline: the base does not have this cell".to_owned());
    }
    let usable = measured(base);
    match usable
        .iter()
        .rev()
        .find_map(|run| other(&newest.cell, &run.cell))
    {
        Some(reason)
            if usable
                .iter()
                .all(|run| other(&newest.cell, &run.cell).is_some()) =>
        {
            Some(reason)
        }
        None if usable.is_empty() => Some(failure("no baseline: the base failed", base[0])),
        _ => None,
    }
}

fn failure(what: &str, run: &Run) -> String {
    match &run.outcome {
        Outcome::Failed { stage, message } => format!("{what} ({}): {message}", stage.name()),
        Outcome::Measured { .. } => what.to_owned(),
    }
}

/// Why figures of two cells of one name must not be compared.
fn other(head: &Cell, base: &Cell) -> Option<String> {
    let texts = |cell: &Cell| {
        let version = cell
            .version
            .map_or_else(|| "not known".to_owned(), |v| v.to_string());
        [
            version,
            format!("{:?}", cell.weights),
            format!("{:?}", cell.revision),
            format!("{:?}", cell.precision),
        ]
    };
    let names = [
        "version of the scenario",
        "kind of weights",
        "weights",
        "precision",
    ];
    let pairs = texts(base).into_iter().zip(texts(head));
    let mut pairs = names.iter().zip(pairs);
    let (what, (base, head)) = pairs.find(|(_, (base, head))| base != head)?;
    Some(format!("other {what}: {base} before, {head} now"))
}

/// One cell, with its comparable runs.
struct Case<'a> {
    sides: Sides<'a>,
    cell: &'a str,
    base: Vec<&'a Run>,
    head: Vec<&'a Run>,
    history: Vec<&'a Run>,
}

impl Case<'_> {
    fn metric(&self, metric: Metric) -> Option<Finding> {
        let kind = kind(metric)?;
        let (base_runs, which) = self.at_level(metric);
        let base = samples(&base_runs, metric);
        let head = samples(&self.head, metric);
        let away = self.sides.elsewhere != Elsewhere::Here;
        match kind {
            Kind::Clock if away && self.sides.elsewhere != Elsewhere::Shown => return None,
            Kind::Bits if away => return None,
            _ => (),
        }
        let (Some(before), Some(last)) = (base.last(), head.last()) else {
            let row = match (base.is_empty(), head.is_empty()) {
                (true, true) => None,
                (true, false) => self.no_baseline(metric),
                (false, _) => Some(self.vanished(metric)),
            };
            return row.map(Finding::Decided);
        };
        Some(match kind {
            Kind::Clock => {
                let sides = (&epochs(&base), &epochs(&head));
                blocked::compare(self.cell, metric, sides, (self.noise(metric), which))
            }
            Kind::Counter | Kind::Bits => {
                let newest = samples(&self.of_newest_commit(&base_runs), metric);
                let bases = Bases {
                    newest: &newest,
                    all: &base,
                };
                Finding::Decided(exact::compare(self.cell, metric, bases, last))
            }
            Kind::Peak => Finding::Decided(exact::compare_peak(self.cell, metric, &base, last)?),
            Kind::Score => score::compare(self.cell, metric, before, last),
        })
    }

    /// The session of a run of the base.
    fn session(&self, run: &Run) -> Option<&Session> {
        let mut sides = self.sides.base.iter();
        let side = sides.find(|side| side.session.id == run.session)?;
        Some(&side.session)
    }

    /// Runs of the base with a metric that are of the level which its branch has now, and in words which they are
    /// where others were left out. What changed after all of them is not theirs.
    fn at_level(&self, metric: Metric) -> (Vec<&Run>, String) {
        let runs = self.base.iter().copied();
        let runs: Vec<&Run> = runs.filter(|run| has_value(run, metric)).collect();
        let newest = runs.last().and_then(|run| Some((self.session(run)?, *run)));
        let changes =
            newest.map(|newest| [self.accepted(newest, metric), self.gained(newest, metric)]);
        let Some(change) = changes
            .into_iter()
            .flatten()
            .flatten()
            .max_by_key(|change| change.at)
        else {
            return (runs, String::new());
        };
        let began = |run: &&Run| self.session(run).map(|session| session.at);
        let (all, since) = (runs.len(), Some(change.at));
        let runs: Vec<&Run> = runs.into_iter().filter(|run| began(run) >= since).collect();
        let why = match runs.len() {
            count if count == all => String::new(),
            count => format!("base: the last {count} of {all} sessions, {change}"),
        };
        (runs, why)
    }

    /// The newest accepted change of a metric, up to the newest run of the base.
    fn accepted(&self, (newest, run): (&Session, &Run), metric: Metric) -> Option<Change> {
        if self.sides.accepted.is_empty() {
            return None;
        }
        let series = Group::of(newest, &run.cell).key(metric);
        let own = self.sides.accepted.iter();
        let own = own.filter(|known| known.series == series && known.at <= newest.at);
        own.map(|known| Change::accepted(known.at))
            .max_by_key(|change| change.at)
    }

    /// The newest improvement of a clock, up to the newest run of the base, by all that is known of the branch.
    fn gained(&self, (newest, _): (&Session, &Run), metric: Metric) -> Option<Change> {
        if !is_clock(metric) {
            return None;
        }
        let night = |run: &&Run| {
            let mut sides = self.sides.history.iter();
            let side = sides.find(|side| side.session.id == run.session)?;
            Some((side.session.at, figure_of(run.sample(metric)?)?))
        };
        let nights = self.history.iter().filter_map(night);
        let nights: Vec<_> = nights.filter(|(at, _)| *at <= newest.at).collect();
        level::gained(metric, &nights)
    }

    /// Those of the newest one's commit; the newest alone where that is not known.
    fn of_newest_commit<'r>(&self, runs: &[&'r Run]) -> Vec<&'r Run> {
        let commit = |run: &Run| self.session(run)?.environment.commit.as_deref();
        let Some(newest) = runs.last() else {
            return Vec::new();
        };
        let alike = |run: &&&Run| {
            run.id == newest.id || (commit(run).is_some() && commit(run) == commit(newest))
        };
        runs.iter().filter(alike).copied().collect()
    }

    /// Where the head has a figure that the base should have had; none where the base did not know it yet.
    fn no_baseline(&self, metric: Metric) -> Option<Row> {
        if let Some(why) = untold(&self.base, metric) {
            let reason = format!("no baseline for {metric}: {why}");
            let open = Verdict::Inconclusive;
            return Some(Row::bare(self.cell, Some(metric), open, reason));
        }
        let voids = self.base.iter().flat_map(|run| run.voids());
        let void = voids
            .filter(|void| void.metric.is_none_or(|void| void == metric))
            .rfind(|void| !void.is_by_design());
        let known = self.base.iter().any(|run| run.sample(metric).is_some());
        let why = match void {
            Some(void) => format!("void: {}", void.reason),
            None if known => "the base has no value".to_owned(),
            None => return None,
        };
        let reason = format!("no baseline for {metric}: {why}");
        Some(Row::bare(self.cell, Some(metric), Verdict::Missing, reason))
    }

    fn vanished(&self, metric: Metric) -> Row {
        let counted = is_counted(metric);
        let is_of = |void: &&Void| match void.metric {
            None => !counted,
            Some(of) => of == metric,
        };
        let void = self.head.iter().flat_map(|run| run.voids()).rfind(is_of);
        let (verdict, reason) = match (untold(&self.head, metric), void) {
            (Some(why), _) => (Verdict::Inconclusive, why),
            (None, Some(void)) => (Verdict::Missing, format!("void: {}", void.reason)),
            (None, None) if counted => (
                Verdict::Inconclusive,
                "the machine has no counter of energy that can be read now".to_owned(),
            ),
            (None, None) => (
                Verdict::Missing,
                "vanished: the base has this figure, the head does not".to_owned(),
            ),
        };
        Row::bare(self.cell, Some(metric), verdict, reason)
    }

    fn noise(&self, metric: Metric) -> Noise {
        if self.sides.elsewhere != Elsewhere::Here {
            return Noise::default();
        }
        let mean = |epochs: &Vec<f64>| {
            epochs.iter().map(|value| value.ln()).sum::<f64>() / epochs.len() as f64
        };
        let past: Vec<f64> = epochs(&samples(&self.history, metric))
            .iter()
            .map(mean)
            .collect();
        let floor = self
            .sides
            .floors
            .iter()
            .find(|floor| floor.metric == metric);
        Noise {
            spread: spread(&past).filter(|spread| spread.sigma.is_finite()),
            floor: floor.map(|floor| floor.floor),
        }
    }
}

/// Runs' samples of a metric that hold a value.
pub(super) fn samples<'a>(runs: &[&'a Run], metric: Metric) -> Vec<&'a Sample> {
    let with_value = runs.iter().filter(|run| has_value(run, metric));
    with_value.filter_map(|run| run.sample(metric)).collect()
}

fn has_value(run: &Run, metric: Metric) -> bool {
    let sample = run.sample(metric);
    sample.is_some_and(|sample| sample.values().any(f64::is_finite))
}

fn epochs(samples: &[&Sample]) -> Epochs {
    let medians = samples.iter().map(|sample| epoch_medians(sample));
    medians.filter(|epochs| !epochs.is_empty()).collect()
}
