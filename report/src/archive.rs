//! A database read whole, and its runs sorted by the machine they were measured on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use store::db::RunFilter;
use store::legacy::{Guide, HistoricRow};
use store::summary::{self, Row};
use store::{Db, Run, Session};

use crate::error::{Error, Result};
use crate::text::one_line;

/// Everything a report may show.
#[derive(Debug)]
pub struct Archive {
    places: Vec<Place>,
    /// Imported guides of the Python tool, oldest first.
    pub(crate) guides: Vec<Guide>,
    /// Its other figures: shown, never compared.
    pub(crate) history: Vec<HistoricRow>,
}

/// What was measured on one machine.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The machine's key.
    pub key: String,
    /// Its sessions that stored at least one run, oldest first.
    pub sessions: Vec<Session>,
    /// Their runs, oldest first.
    pub runs: Vec<Run>,
}

/// The newest figures of one model in one variant, with the sessions they come from.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Figures, verdicts and status.
    pub row: Row,
    /// The sessions it was read from, oldest first, never empty.
    pub sessions: Vec<Session>,
    /// Identity of the weights.
    pub revision: String,
}

impl Archive {
    /// Reads a database. Never creates or changes one.
    ///
    /// # Errors
    /// [`Error::Store`] when there is none, it is not ours, or it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let db = Db::open_existing(path)?;
        let runs = db.runs(&RunFilter::default())?;
        let places = places(db.sessions()?, &runs);
        Ok(Self {
            places,
            guides: db.guides()?,
            history: db.history()?,
        })
    }

    /// The machines that `hardware` names, the one measured last first; all of them without a name.
    ///
    /// A name is the start of a machine's key or part of its description, in any case.
    ///
    /// # Errors
    /// [`Error::Hardware`] when it names none of them.
    pub(crate) fn places(&self, hardware: Option<&str>) -> Result<Vec<Place>> {
        let Some(wanted) = hardware else {
            return Ok(self.places.clone());
        };
        let named: Vec<Place> = self
            .places
            .iter()
            .filter(|place| place.is(wanted))
            .cloned()
            .collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let known = self
            .places
            .iter()
            .map(|place| format!("{} ({})", place.key, place.name()));
        let known = known.collect::<Vec<_>>().join("; ");
        let known = if known.is_empty() {
            "there is none yet".to_owned()
        } else {
            known
        };
        Err(Error::Hardware {
            wanted: wanted.to_owned(),
            known,
        })
    }
}

fn places(sessions: Vec<Session>, runs: &[Run]) -> Vec<Place> {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for session in sessions {
        let own: Vec<Run> = runs
            .iter()
            .filter(|run| run.session == session.id)
            .cloned()
            .collect();
        if own.is_empty() {
            continue;
        }
        let key = session.machine.key();
        let empty = Place {
            key: key.clone(),
            sessions: Vec::new(),
            runs: Vec::new(),
        };
        let place = places.entry(key).or_insert(empty);
        place.sessions.push(session);
        place.runs.extend(own);
    }
    let mut places: Vec<Place> = places.into_values().collect();
    for place in &mut places {
        place.runs.sort_by_key(|run| (run.at, run.id));
    }
    places.sort_by_key(|place| std::cmp::Reverse(place.newest()));
    places
}

impl Place {
    /// The machine in words.
    pub(crate) fn name(&self) -> String {
        self.sessions
            .last()
            .map_or_else(String::new, |session| one_line(&session.machine.describe()))
    }

    fn is(&self, wanted: &str) -> bool {
        let wanted = wanted.to_lowercase();
        self.key.starts_with(&wanted) || self.name().to_lowercase().contains(&wanted)
    }

    /// When the newest run started.
    pub(crate) fn newest(&self) -> Option<DateTime<Utc>> {
        self.runs.iter().map(|run| run.at).max()
    }

    /// The days (UTC) on which sessions started.
    pub(crate) fn days(&self) -> BTreeSet<NaiveDate> {
        self.sessions
            .iter()
            .map(|session| session.at.date_naive())
            .collect()
    }

    /// The sessions that started on `day` (UTC), with their runs; none where there are none.
    pub(crate) fn on(&self, day: NaiveDate) -> Option<Self> {
        self.only(|session| session.at.date_naive() == day)
    }

    /// One session alone.
    pub(crate) fn alone(&self, session: &Session) -> Option<Self> {
        self.only(|other| other.id == session.id)
    }

    fn only(&self, keep: impl Fn(&Session) -> bool) -> Option<Self> {
        let sessions: Vec<Session> = self.sessions.iter().filter(|s| keep(s)).cloned().collect();
        let ids: BTreeSet<_> = sessions.iter().map(|session| session.id).collect();
        let runs = self
            .runs
            .iter()
            .filter(|run| ids.contains(&run.session))
            .cloned()
            .collect();
        let key = self.key.clone();
        (!sessions.is_empty()).then_some(Self {
            key,
            sessions,
            runs,
        })
    }

    /// The newest figures of every model and variant, models in the order they first appeared.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        summary::rows(&self.runs)
            .into_iter()
            .map(|row| self.entry(row))
            .collect()
    }

    fn entry(&self, row: Row) -> Entry {
        let mut newest: BTreeMap<&str, &Run> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| is_of(run, &row)) {
            newest.insert(&run.cell.scenario, run);
        }
        let ids: BTreeSet<_> = newest.values().map(|run| run.session).collect();
        let sessions = self
            .sessions
            .iter()
            .filter(|s| ids.contains(&s.id))
            .cloned()
            .collect();
        let last = newest.values().max_by_key(|run| run.at);
        let revision = last.map_or_else(String::new, |run| run.cell.revision.clone());
        Entry {
            row,
            sessions,
            revision,
        }
    }
}

/// Whether a run belongs to the series of a row. Precision is left out: a failed run has none.
pub(crate) fn is_of(run: &Run, row: &Row) -> bool {
    let cell = &run.cell;
    cell.model == row.model
        && cell.backend == row.backend
        && cell.device == row.device
        && cell.weights == row.weights
}

impl Entry {
    /// `candle`, `cpu`, `f32`, `embedded weights`: the parts that are known.
    pub(crate) fn variant(&self) -> Vec<String> {
        let row = &self.row;
        let weights = format!("{} weights", row.weights);
        let parts = [&row.backend, &row.device, &row.precision, &weights];
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| one_line(part))
            .collect()
    }

    /// Whether another entry continues this one's series. One that failed before loading knows no
    /// precision and fits any.
    pub(crate) fn continues(&self, other: &Self) -> bool {
        let key =
            |row: &Row| [&row.model, &row.backend, &row.device, &row.weights].map(String::clone);
        let precisions = [&self.row.precision, &other.row.precision];
        key(&self.row) == key(&other.row)
            && (precisions[0] == precisions[1] || precisions.iter().any(|text| text.is_empty()))
    }
}

/// Commit and branch of a session, in words: `1a2b3c4d on main, uncommitted changes`.
pub(crate) fn commit(session: &Session) -> String {
    let environment = &session.environment;
    let Some(commit) = &environment.commit else {
        return "commit unknown".to_owned();
    };
    let mut words: String = commit.chars().take(10).collect();
    if let Some(branch) = &environment.branch {
        words.push_str(&format!(" on {branch}"));
    }
    if environment.dirty == Some(true) {
        words.push_str(", uncommitted changes");
    }
    one_line(&words)
}
