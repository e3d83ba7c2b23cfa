//! What all pages are made of: the series that are shown, with what changed in them, and the details of their newest year.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use chrono::{DateTime, TimeDelta, Utc};
use store::db::Wanted;
use store::gate::Side;
use store::series::SeriesSet;
use store::stats::{figure, is_item_score, share};
use store::summary::{Kind, home};
use store::watch::{Finding, Watch, watch};
use store::{Metric, Outcome, Run, Sample, Session, Uuid};

use super::files::slug;
use super::trend::is_shown;
use crate::archive::{Archive, Place};
use crate::error::Result;
use crate::text::one_line;

/// How far back intervals, counts and refusals are shown: they need every raw value.
const IN_FULL: TimeDelta = TimeDelta::days(366);

/// Samples that may wait for their intervals.
const WAITING: usize = 1024;

/// By night of the set and metric.
type Details = HashMap<(usize, Metric), Detail>;

/// All series of a database, and what was found in them.
pub(super) struct Site {
    pub places: Vec<Place>,
    pub set: SeriesSet,
    pub watch: Watch,
    /// Noise by machine and metric, where an A/A run found it.
    pub floors: HashMap<(String, Metric), f64>,
    /// Newest sessions of a machine that have a page.
    sessions: usize,
    /// Positions in the set's series, by machine and model.
    by_model: HashMap<(String, String), Vec<usize>>,
    /// Positions in the watch's findings, by series.
    by_series: HashMap<usize, Vec<usize>>,
    details: Details,
    /// Runs with refused values or without any, by machine and model.
    bad: HashMap<(String, String), Vec<Bad>>,
}

/// What the raw values of one figure tell beyond it.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    /// 95 % interval, where there is one.
    pub interval: Option<(f64, f64)>,
    /// Samples, in words.
    pub counts: String,
}

/// The pages of a machine's newest sessions.
#[derive(Default)]
pub(super) struct Recent {
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

impl Site {
    /// Reads and judges every series.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store) where the database cannot be read.
    pub(super) fn read(archive: &Archive, sessions: usize) -> Result<Self> {
        let places = archive.places(None)?;
        let newest = places
            .iter()
            .filter_map(Place::newest)
            .max()
            .unwrap_or_default();
        let (set, details) = series(archive, newest - IN_FULL)?;
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
        let mut floors = HashMap::new();
        for place in &places {
            let known = archive.db.noise(&place.key)?.into_iter();
            floors.extend(known.map(|noise| ((place.key.clone(), noise.metric), noise.floor)));
        }
        let bad = bad(&places, archive.db.refused_runs(newest - IN_FULL)?);
        Ok(Self {
            places,
            floors,
            set,
            watch,
            sessions,
            by_model,
            by_series,
            details,
            bad,
        })
    }

    /// What the raw values of a night's figure tell; none of an old one.
    pub(super) fn detail(&self, night: usize, metric: Metric) -> Option<&Detail> {
        self.details.get(&(night, metric))
    }

    /// What runs of a model on a machine did not give, oldest first.
    pub(super) fn bad_of(&self, machine: &str, model: &str) -> &[Bad] {
        let key = (machine.to_owned(), model.to_owned());
        self.bad.get(&key).map_or(&[], Vec::as_slice)
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
    pub(super) fn add(&mut self, side: &Side) {
        for run in &side.runs {
            let newest = self.newest.entry(run.cell.model.clone());
            newest.or_insert_with(|| side.session.clone());
        }
    }
}

/// Every series that is shown, with the details of its nights since a time. One core reads while
/// another one computes intervals.
fn series(archive: &Archive, since: DateTime<Utc>) -> Result<(SeriesSet, Details)> {
    let (sender, samples) = sync_channel::<(usize, Sample)>(WAITING);
    let own = |(night, sample): (usize, Sample)| {
        detail(&sample).map(|found| ((night, sample.metric), found))
    };
    thread::scope(|scope| {
        let details = scope.spawn(move || samples.into_iter().filter_map(own).collect());
        let set = archive.db.wanted_series(&mut Wanted {
            series: &|scenario, metric| fits(scenario, metric) && is_shown(metric),
            since,
            // It is refused only where the other one panicked, which is passed on below.
            raw: &mut |night, sample| drop(sender.send((night, sample))),
        });
        drop(sender);
        let details = details.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((set?, details))
    })
}

fn detail(sample: &Sample) -> Option<Detail> {
    if is_item_score(sample.metric) {
        return share(sample).map(|share| Detail {
            interval: Some((share.low, share.high)),
            counts: format!("{} of {} items", share.right, share.of),
        });
    }
    figure(sample).map(|figure| Detail {
        interval: figure.interval,
        counts: figure.counts(),
    })
}

/// Runs by machine and model, with their sessions; what no model offers is no refusal.
fn bad(places: &[Place], runs: Vec<Run>) -> HashMap<(String, String), Vec<Bad>> {
    let sessions = places.iter().flat_map(|place| {
        place
            .sessions
            .iter()
            .map(move |session| (session.id, (place, session)))
    });
    let sessions: HashMap<Uuid, (&Place, &Session)> = sessions.collect();
    let mut bad: HashMap<(String, String), Vec<Bad>> = HashMap::new();
    for run in runs {
        let Some((place, session)) = sessions.get(&run.session) else {
            continue;
        };
        let key = (place.key.clone(), run.cell.model.clone());
        let session = (*session).clone();
        bad.entry(key).or_default().push(Bad { session, run });
    }
    bad
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
