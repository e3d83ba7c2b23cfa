//! What all pages are made of: every series with what changed in it, and the newest sessions of a machine in full.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use store::series::SeriesSet;
use store::stats::{figure, is_item_score, share};
use store::summary::{Kind, home};
use store::watch::{Finding, Watch, watch};
use store::{Metric, Outcome, Run, Session, Uuid};

use super::files::slug;
use crate::archive::{Archive, Place};
use crate::error::Result;
use crate::text::one_line;

/// All series of a database, and what was found in them.
pub(super) struct Site<'a> {
    pub archive: &'a Archive,
    pub places: Vec<Place>,
    pub set: SeriesSet,
    pub watch: Watch,
    /// Newest sessions of a machine that have a page.
    sessions: usize,
    /// Positions in the set's series, by machine and model.
    by_model: HashMap<(String, String), Vec<usize>>,
    /// Positions in the watch's findings, by series.
    by_series: HashMap<usize, Vec<usize>>,
}

/// What the raw values of one figure tell beyond it.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    /// 95 % interval, where there is one.
    pub interval: Option<(f64, f64)>,
    /// Samples, in words.
    pub counts: String,
}

/// The newest sessions of a machine.
#[derive(Default)]
pub(super) struct Recent {
    /// By run and metric.
    pub details: HashMap<(Uuid, Metric), Detail>,
    /// Runs with refused values or without any.
    pub bad: Vec<Bad>,
    /// The newest session of a model that has a page.
    pub newest: HashMap<String, Session>,
    /// Models on the page that compares the newest session with the one before.
    pub compared: BTreeSet<String>,
}

/// What one run did not give.
pub(super) struct Bad {
    pub session: Session,
    pub run: Run,
}

impl<'a> Site<'a> {
    /// Reads and judges every series.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store) where the database cannot be read.
    pub(super) fn read(archive: &'a Archive, sessions: usize) -> Result<Self> {
        let set = archive.db.series()?;
        let watch = watch(&set, &archive.db.acknowledgements()?);
        let mut by_model: HashMap<(String, String), Vec<usize>> = HashMap::new();
        for (at, series) in set.series.iter().enumerate() {
            let group = &set.groups[series.group];
            let key = (group.machine.clone(), group.cell.model.clone());
            by_model.entry(key).or_default().push(at);
        }
        let mut by_series: HashMap<usize, Vec<usize>> = HashMap::new();
        for (at, finding) in watch.findings.iter().enumerate() {
            by_series.entry(finding.series).or_default().push(at);
        }
        Ok(Self {
            archive,
            places: archive.places(None)?,
            set,
            watch,
            sessions,
            by_model,
            by_series,
        })
    }

    /// The series of a model on a machine.
    pub(super) fn series_of(&self, machine: &str, model: &str) -> &[usize] {
        let key = (machine.to_owned(), model.to_owned());
        self.by_model.get(&key).map_or(&[], Vec::as_slice)
    }

    /// What was found in a series, by time.
    pub(super) fn findings_of(&self, series: usize) -> impl Iterator<Item = &Finding> {
        let found = self.by_series.get(&series).map_or(&[][..], Vec::as_slice);
        found.iter().map(|&at| &self.watch.findings[at])
    }

    /// The sessions of a machine that have a page, the newest first.
    pub(super) fn shown<'b>(&self, place: &'b Place) -> impl Iterator<Item = &'b Session> {
        place.sessions.iter().rev().take(self.sessions)
    }
}

impl Recent {
    /// Takes in a session that is older than those before.
    pub(super) fn add(&mut self, session: &Session, runs: &[Run]) {
        for run in runs {
            let newest = self.newest.entry(run.cell.model.clone());
            newest.or_insert_with(|| session.clone());
            self.add_run(session, run);
        }
    }

    fn add_run(&mut self, session: &Session, run: &Run) {
        for sample in run.samples() {
            if !fits(&run.cell.scenario, sample.metric) {
                continue;
            }
            let detail = if is_item_score(sample.metric) {
                share(sample).map(|share| Detail {
                    interval: Some((share.low, share.high)),
                    counts: format!("{} of {} items", share.right, share.of),
                })
            } else {
                figure(sample).map(|figure| Detail {
                    interval: figure.interval,
                    counts: figure.counts(),
                })
            };
            self.details
                .extend(detail.map(|detail| ((run.id, sample.metric), detail)));
        }
        let refused = run.voids().iter().any(|void| !void.is_by_design());
        if refused || matches!(run.outcome, Outcome::Failed { .. }) {
            let (session, run) = (session.clone(), run.clone());
            self.bad.push(Bad { session, run });
        }
    }
}

impl Bad {
    /// Why there is no figure, or not all of its values; none where a figure of `metric` is whole.
    pub(super) fn reason(&self, metric: Metric) -> Option<String> {
        match &self.run.outcome {
            Outcome::Failed { message, .. } => Some(one_line(&format!(
                "{} failed: {message}",
                self.run.cell.scenario
            ))),
            Outcome::Measured { voids, .. } => {
                let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
                let of = |metric_of: Option<Metric>| metric_of.is_none_or(|of| of == metric);
                for void in voids
                    .iter()
                    .filter(|void| of(void.metric) && !void.is_by_design())
                {
                    *reasons.entry(one_line(&void.reason)).or_default() += void.count;
                }
                let words = reasons
                    .iter()
                    .map(|(reason, count)| format!("{count} refused: {reason}"));
                let words: Vec<String> = words.collect();
                (!words.is_empty()).then(|| words.join("; "))
            }
        }
    }
}

/// Whether a scenario is the one that a metric's figure belongs to. The same metric is taken in others too, otherwise.
pub(super) fn fits(scenario: &str, metric: Metric) -> bool {
    match Kind::of(scenario) {
        Some(kind) => home(metric) == kind && metric != Metric::BenchTime,
        None => metric == Metric::BenchTime,
    }
}

/// The file of a model's page, in the folder of such pages.
pub(super) fn model_file(machine: &str, model: &str) -> String {
    format!("{}-{machine}.html", slug(model))
}
