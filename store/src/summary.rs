//! One row per model: figures, verdicts and a status, derived from runs when they are read. Pure.
//!
//! Used by both the closing table of `harness run` and the `report`. The rules of the verdicts
//! stand in `verdict.rs` beside their code, those of the status in `status.rs`.

mod again;
mod axes;
mod context;
mod drift;
mod lifecycle;
mod notes;
mod recommend;
mod status;
mod table;
mod timing;
mod verdict;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::metric::Metric;
use crate::outliers::{Outliers, outliers_of};
use crate::run::{Outcome, Remark, RemarkKind, Run, Sample, Stage, Void};
use crate::stats::{Figure, figure};

pub use again::{AVOID, again, command};
pub use axes::{Axes, EXPONENTS};
pub use notes::{Note, NoteKind, lines, notes, one_line, run_notes, verdict_line};
pub use recommend::{Recommendation, recommend};
pub use table::{MARKS, display_width, summary_table, text_table};
pub use timing::Timing;
pub use verdict::ONE_ANSWER;

/// What one scenario is about, told from its whole name: `warm-small` is not `warm-inference`, and
/// its figures stand in no table beside those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Cold and warm loading.
    Load,
    /// Warm inference: the speed figures.
    Warm,
    /// Repeated inference: state drift.
    Drift,
    /// Questions without a picture.
    Text,
    /// Questions about pictures, with blank and shuffled controls.
    Vision,
    /// Facts remembered over turns.
    Context,
    /// Loading and dropping repeatedly, and a second model beside the first.
    Lifecycle,
    /// Asking without a pause.
    Endurance,
}

impl Kind {
    /// The kind of a scenario; none for one that has no verdict here.
    #[must_use]
    pub fn of(scenario: &str) -> Option<Self> {
        const NAMES: [(&str, Kind); 8] = [
            ("cold-load", Kind::Load),
            ("warm-inference", Kind::Warm),
            ("state-drift", Kind::Drift),
            ("text-only", Kind::Text),
            ("vision", Kind::Vision),
            ("context", Kind::Context),
            ("lifecycle", Kind::Lifecycle),
            ("endurance", Kind::Endurance),
        ];
        NAMES
            .iter()
            .find(|(name, _)| *name == scenario)
            .map(|(_, kind)| *kind)
    }

    /// The name to print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Warm => "warm inference",
            Self::Drift => "drift",
            Self::Text => "text",
            Self::Vision => "vision",
            Self::Context => "context",
            Self::Lifecycle => "lifecycle",
            Self::Endurance => "endurance",
        }
    }
}

/// A verdict as one sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// ✅
    Yes,
    /// ❌
    No,
    /// ⚠️
    Partial,
    /// –
    Unknown,
}

impl Mark {
    /// The sign.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Yes => "✅",
            Self::No => "❌",
            Self::Partial => "⚠️",
            Self::Unknown => "–",
        }
    }
}

/// What a scenario says about a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// As one sign.
    pub mark: Mark,
    /// As one word: `SEES`, `STABLE`, `STATE-DRIFT@3`, `n/a`, …
    pub label: String,
    /// The numbers it rests on.
    pub detail: String,
}

/// The status of a model and the rule that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// E.g. `Reliable`.
    pub label: String,
    /// E.g. `R8`.
    pub rule: String,
    /// The numbers that fired it.
    pub detail: String,
}

/// One model on one backend and device.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Model name.
    pub model: String,
    /// As its newest run was asked for it; none where not known.
    pub argument: Option<String>,
    /// Identity of the weights.
    pub revision: String,
    /// Backend.
    pub backend: String,
    /// Device.
    pub device: String,
    /// Arithmetic and stored weights.
    pub precision: String,
    /// `embedded`, `published`, `local`, `dummy` or `served`.
    pub weights: String,
    /// Start of its newest run.
    pub at: DateTime<Utc>,
    /// Does it see?
    pub vision: Verdict,
    /// Does it answer without a picture?
    pub text: Verdict,
    /// Does it answer the same again?
    pub drift: Verdict,
    /// Does it remember?
    pub context: Verdict,
    /// What do loading and dropping leave behind?
    pub lifecycle: Verdict,
    /// The figures, each from the scenario that it belongs to. Scores per item are in verdicts.
    pub figures: BTreeMap<Metric, Figure>,
    /// Times that are no single figure.
    pub timing: Timing,
    /// Values of the figures that lie far from the median of their process, run by run.
    pub outliers: Outliers,
    /// Everything refused.
    pub voids: Vec<Void>,
    /// What is to be read beside the figures, with the scenario; circumstances of several scenarios are
    /// counted together, under `all scenarios`.
    pub remarks: Vec<(String, Remark)>,
    /// Scenarios that failed: name, where, why.
    pub failures: Vec<(String, Stage, String)>,
    /// The status.
    pub status: Status,
    /// What it is compared with others by.
    pub axes: Axes,
}

/// Summarises runs of ONE machine (filter before): the newest run of each scenario per model,
/// backend, device and weights, with the labels of R7 among them; models in the order of their first appearance. Runs of an older
/// revision or precision than a model's newest run are left out: one row never mixes two.
#[must_use]
pub fn rows(runs: &[Run]) -> Vec<Row> {
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|group| key(group[0]) == key(run)) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    // Rows of one model stay together, wherever its other backends first appeared.
    let first = |group: &Vec<&Run>| {
        runs.iter()
            .position(|r| r.cell.model == group[0].cell.model)
    };
    groups.sort_by_key(first);
    let mut rows: Vec<Row> = groups
        .into_iter()
        .filter_map(|group| row(&Newest::of(&group)?))
        .collect();
    recommend::name(&mut rows);
    rows
}

/// What makes a row.
fn key(run: &Run) -> [&str; 4] {
    [
        &run.cell.model,
        &run.cell.backend,
        &run.cell.device,
        &run.cell.weights,
    ]
}

/// The newest run of each scenario of one group.
struct Newest<'a> {
    /// Newest of all first.
    runs: Vec<&'a Run>,
}

impl<'a> Newest<'a> {
    fn of(group: &[&'a Run]) -> Option<Self> {
        let mut ordered = group.to_vec();
        ordered.sort_by_key(|run| std::cmp::Reverse((run.at, run.id)));
        let newest = *ordered.first()?;
        // A worker that failed before loading knows neither: empty fits anything.
        let known = |field: fn(&Run) -> &str| {
            ordered
                .iter()
                .map(|run| field(run))
                .find(|text| !text.is_empty())
                .unwrap_or("")
        };
        let revision = known(|run| &run.cell.revision);
        let precision = known(|run| &run.cell.precision);
        let fits = |text: &str, wanted: &str| text.is_empty() || text == wanted;
        let mut runs: Vec<&Run> = Vec::new();
        for run in ordered {
            let same = fits(&run.cell.revision, revision) && fits(&run.cell.precision, precision);
            let seen = runs
                .iter()
                .any(|other| other.cell.scenario == run.cell.scenario);
            if same && !seen {
                runs.push(run);
            }
        }
        (!runs.is_empty() && key(newest) == key(runs[0])).then_some(Self { runs })
    }

    /// The run of a kind of scenario.
    fn run(&self, kind: Kind) -> Option<&'a Run> {
        self.runs
            .iter()
            .copied()
            .find(|run| Kind::of(&run.cell.scenario) == Some(kind))
    }

    /// The sample of a metric in a kind of scenario.
    fn sample(&self, kind: Kind, metric: Metric) -> Option<&'a Sample> {
        self.run(kind)?.sample(metric)
    }

    /// Where and why a kind of scenario failed.
    fn failure(&self, kind: Kind) -> Option<(Stage, &'a str)> {
        match &self.run(kind)?.outcome {
            Outcome::Failed { stage, message } => Some((*stage, message)),
            Outcome::Measured { .. } => None,
        }
    }

    /// Whether a server holds the model: then its loading is not ours to measure.
    fn served(&self) -> bool {
        self.runs.iter().any(|run| run.cell.weights == "served")
    }

    /// Whether the weights are random: then nothing that is said means anything.
    fn dummy(&self) -> bool {
        self.runs.iter().any(|run| run.cell.weights == "dummy")
    }
}

fn row(newest: &Newest<'_>) -> Option<Row> {
    let cell = &newest.runs.first()?.cell;
    let precision = newest
        .runs
        .iter()
        .map(|run| &run.cell.precision)
        .find(|text| !text.is_empty());
    let verdicts = verdict::Verdicts::of(newest);
    let figures = figures(newest);
    let status = status::status(newest, &verdicts, &figures);
    let verdict::Verdicts {
        vision,
        text,
        drift,
        context,
    } = verdicts;
    Some(Row {
        model: cell.model.clone(),
        argument: newest.runs.first()?.argument.clone(),
        revision: cell.revision.clone(),
        backend: cell.backend.clone(),
        device: cell.device.clone(),
        precision: precision.cloned().unwrap_or_default(),
        weights: cell.weights.clone(),
        at: newest.runs.first()?.at,
        vision,
        text,
        drift,
        context,
        lifecycle: lifecycle::lifecycle(newest),
        figures,
        timing: Timing::of(newest),
        outliers: far_values(newest),
        voids: newest
            .runs
            .iter()
            .flat_map(|run| run.voids().iter().cloned())
            .collect(),
        remarks: remarks(newest),
        failures: failures(newest),
        status,
        axes: Axes::of(newest),
    })
}

fn remarks(newest: &Newest<'_>) -> Vec<(String, Remark)> {
    let mut all: Vec<(String, Remark)> = Vec::new();
    for run in &newest.runs {
        for remark in &run.remarks {
            let same = |(_, old): &&mut (String, Remark)| {
                old.kind == RemarkKind::Advisory && old.text == remark.text
            };
            match all.iter_mut().find(same) {
                Some((scenario, old)) => {
                    old.count = old.count.saturating_add(remark.count);
                    "all scenarios".clone_into(scenario);
                }
                None => all.push((run.cell.scenario.clone(), remark.clone())),
            }
        }
    }
    all
}

fn failures(newest: &Newest<'_>) -> Vec<(String, Stage, String)> {
    let failed = |run: &&Run| match &run.outcome {
        Outcome::Failed { stage, message } => {
            Some((run.cell.scenario.clone(), *stage, message.clone()))
        }
        Outcome::Measured { .. } => None,
    };
    newest.runs.iter().filter_map(failed).collect()
}

/// The figure of every metric, from the one scenario that defines it: the same metric name in
/// another one was taken otherwise (state drift forces 16 ids), and must not stand in its place.
fn figures(newest: &Newest<'_>) -> BTreeMap<Metric, Figure> {
    let from = |metric: Metric| newest.sample(home(metric), metric).and_then(figure);
    Metric::ALL
        .iter()
        .filter(|metric| !metric.is_around_trials())
        .filter_map(|&metric| Some((metric, from(metric)?)))
        .collect()
}

/// The outliers of these figures.
fn far_values(newest: &Newest<'_>) -> Outliers {
    let mut all = Outliers::default();
    for run in &newest.runs {
        let kind = Kind::of(&run.cell.scenario);
        let found = outliers_of(run, |metric| kind == Some(home(metric)));
        all.listed.extend(found.listed);
        all.more += found.more;
    }
    all
}

/// The scenario that a metric's figure belongs to.
#[must_use]
pub const fn home(metric: Metric) -> Kind {
    use Metric as M;
    match metric {
        M::Startup
        | M::LoadCold
        | M::LoadWarm
        | M::LoadUnknown
        | M::LoadRate
        | M::LoadRead
        | M::LoadPeak
        | M::FirstInference
        | M::BaseMemory
        | M::LoadMemory
        | M::MemoryLimit
        | M::PeakMemory => Kind::Load,
        M::CallMemory
        | M::CallActive
        | M::CallCache
        | M::RestedInference
        | M::FreshInference
        | M::SecondInference
        | M::ExactMatch
        | M::SameText
        | M::DivergedAt
        | M::DivergedCall
        | M::LogitDelta
        | M::FreshExactMatch
        | M::FreshLogitDelta
        | M::MarginAtDivergence => Kind::Drift,
        M::VisionRight | M::VisionBlank | M::VisionShuffled | M::VisionDistinct => Kind::Vision,
        M::TextRight | M::TextDegenerate => Kind::Text,
        M::ContextDirect
        | M::ContextRetained
        | M::ContextAtTwo
        | M::ContextAtEight
        | M::ContextTextOnly
        | M::ContextChance => Kind::Context,
        M::AfterUnload | M::BesideInference | M::AfterInference | M::NeighbourResidue => {
            Kind::Lifecycle
        }
        M::SustainedDecode | M::ThrottledAfter => Kind::Endurance,
        _ => Kind::Warm,
    }
}

#[cfg(test)]
pub(crate) mod tests;
