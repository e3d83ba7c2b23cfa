//! What all pages are made of: the series that are shown, with what changed in them, and the details of their newest year.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use store::db::{Refused, Wanted};
use store::gate::Side;
use store::series::SeriesSet;
use store::stats::{figure, is_item_score, share};
use store::summary::{Kind, home};
use store::watch::{Finding, Watch, watch};
use store::{Metric, Outcome, Run, Sample, Session, Uuid};

use super::files::slug;
use super::trend::is_shown;
use crate::archive::{Archive, Entry, Place};
use crate::error::Result;
use crate::text::one_line;

/// How far back intervals, counts and refusals are shown: they need every raw value.
const IN_FULL: TimeDelta = TimeDelta::days(366);

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
    /// By night of the set, the position of its session among those of its machine.
    stamps: Vec<usize>,
    /// The newest figures, by machine.
    entries: HashMap<String, Vec<Entry>>,
    details: Details,
    /// Nights before have no details.
    pub since: DateTime<Utc>,
    /// What was refused before, by machine and model.
    older: HashMap<(String, String), Vec<Refused>>,
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
        let since = newest - IN_FULL;
        let (set, details) = series(archive, since)?;
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
        let mut older: HashMap<(String, String), Vec<Refused>> = HashMap::new();
        for refused in archive.db.refused_before(since)? {
            let key = (refused.machine.clone(), refused.model.clone());
            older.entry(key).or_default().push(refused);
        }
        let entries = places
            .iter()
            .map(|place| (place.key.clone(), place.entries()));
        Ok(Self {
            entries: entries.collect(),
            stamps: stamps(&places, &set),
            bad: bad(&places, archive.db.refused_runs(since)?),
            since,
            older,
            places,
            floors,
            set,
            watch,
            sessions,
            by_model,
            by_series,
            details,
        })
    }

    /// What the raw values of a night's figure tell; none of an old one.
    pub(super) fn detail(&self, night: usize, metric: Metric) -> Option<&Detail> {
        // Most nights are old: nothing need be looked up for them.
        let is_new = self.set.nights[night].at >= self.since;
        is_new.then(|| self.details.get(&(night, metric)))?
    }

    /// The position of a night's session among those of its machine.
    pub(super) fn stamp(&self, night: usize) -> usize {
        self.stamps[night]
    }

    /// The newest figures of a machine.
    pub(super) fn entries(&self, place: &Place) -> &[Entry] {
        self.entries.get(&place.key).map_or(&[], Vec::as_slice)
    }

    /// What was refused of a model on a machine before [`since`](Self::since).
    pub(super) fn older(&self, machine: &str, model: &str) -> &[Refused] {
        let key = (machine.to_owned(), model.to_owned());
        self.older.get(&key).map_or(&[], Vec::as_slice)
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

/// Every series that is shown, with the details of its nights since a time.
fn series(archive: &Archive, since: DateTime<Utc>) -> Result<(SeriesSet, Details)> {
    let details = Mutex::new(Details::new());
    let set = archive.db.wanted_series(&Wanted {
        series: &|scenario, metric| fits(scenario, metric) && is_shown(metric),
        since,
        raw: &|night, sample| {
            if let Some(found) = detail(&sample) {
                let mut details = details.lock().unwrap_or_else(PoisonError::into_inner);
                details.insert((night, sample.metric), found);
            }
        },
    })?;
    let details = details.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((set, details))
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

/// By night, the position of its session among those of its machine.
fn stamps(places: &[Place], set: &SeriesSet) -> Vec<usize> {
    let sessions = places
        .iter()
        .flat_map(|place| place.sessions.iter().zip(0..));
    let at: HashMap<Uuid, usize> = sessions.map(|(session, at)| (session.id, at)).collect();
    let nights = set.nights.iter();
    nights
        .map(|night| at.get(&night.session).copied().unwrap_or_default())
        .collect()
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
