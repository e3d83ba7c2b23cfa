//! Every stored series: one figure a night of one cell and metric on one machine. Pure.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::metric::Metric;
use crate::run::{Cell, Sample, Session};
use crate::stats::{epoch_medians, is_item_score, median};

/// When and of what a night's figure was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Night {
    /// The run.
    pub run: Uuid,
    /// Its session.
    pub session: Uuid,
    /// When it started.
    pub at: DateTime<Utc>,
    /// Commit of the measured source, if known.
    pub commit: Option<String>,
    /// What makes the past no measure for it: the version of the scenario, the revision of the weights,
    /// threads, power source and kind of build.
    pub conditions: String,
}

/// What a series is about. What differs in any of this is never compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group {
    /// [`Machine::key`](crate::Machine::key).
    pub machine: String,
    /// Name of the suite.
    pub suite: String,
    /// `quick`, `standard` or `full`.
    pub profile: String,
    /// Branch of the measured source, empty where unknown: what a pull request tries out is no night of
    /// the branch that it is for.
    pub branch: String,
    /// The cell, as [`Cell::in_series`] has it.
    pub cell: Cell,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Position in [`SeriesSet::groups`].
    pub group: usize,
    /// What was measured.
    pub metric: Metric,
    /// Positions in [`SeriesSet::nights`] and figures in the metric's unit, in order of time.
    pub figures: Vec<(usize, f64)>,
}

/// All series of a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesSet {
    /// Measured runs in order of time.
    pub nights: Vec<Night>,
    /// Sorted.
    pub groups: Vec<Group>,
    /// By group, then metric.
    pub series: Vec<Series>,
}

impl Group {
    /// What a session's run of a cell belongs to.
    #[must_use]
    pub fn of(session: &Session, cell: &Cell) -> Self {
        Self {
            machine: session.machine.key(),
            suite: session.suite.clone(),
            profile: session.profile.clone(),
            branch: session.environment.branch.clone().unwrap_or_default(),
            cell: cell.in_series(),
        }
    }

    /// Twelve hex digits that stand for this group and a metric: equal series, equal keys.
    #[must_use]
    pub fn key(&self, metric: Metric) -> String {
        let cell = &self.cell;
        let parts = [
            &self.machine,
            &self.suite,
            &self.profile,
            &self.branch,
            &cell.model,
            &cell.scenario,
            &cell.backend,
            &cell.device,
            &cell.precision,
            &cell.weights,
            metric.name(),
        ];
        digest(&parts)
    }
}

/// Twelve hex digits of the SHA-256 over texts, each ended by a zero byte.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let bytes = hash.finalize();
    bytes
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A night's figure of a sample: the median of epoch medians, or the share of a score per item.
#[must_use]
pub fn figure_of(sample: &Sample) -> Option<f64> {
    if !is_item_score(sample.metric) {
        return median(&epoch_medians(sample));
    }
    let count = sample.values().count();
    (count > 0).then(|| sample.values().sum::<f64>() / count as f64)
}
