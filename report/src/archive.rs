//! A database, its sessions sorted by the machine they were measured on, and of its runs the newest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use store::db::RunFilter;
use store::legacy::{Guide, HistoricRow};
use store::summary::{self, Row};
use store::{Db, Run, Session, Uuid};

use crate::error::{Error, Result};
use crate::text::one_line;

/// Everything a report may show. Only what is newest is held in memory: three years of runs are not.
#[derive(Debug)]
pub struct Archive {
    /// What else is read, when it is asked for.
    pub(crate) db: Db,
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
    /// How many runs those are.
    pub count: usize,
    /// Of these runs the newest of every cell, oldest first.
    pub runs: Vec<Run>,
}

/// The newest figures of one model in one variant, with the sessions they come from.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Figures, verdicts and status.
    pub row: Row,
    /// The sessions it was read from, oldest first, never empty.
    pub sessions: Vec<Session>,
}

impl Archive {
    /// Reads a database. Never creates or changes one.
    ///
    /// # Errors
    /// [`Error::Store`] when there is none, it is not ours, or it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let db = Db::open_existing(path)?;
        let places = places(db.sessions()?, &db.run_counts()?, db.newest_runs()?);
        Ok(Self {
            places,
            guides: db.guides()?,
            history: db.history()?,
            db,
        })
    }

    /// The sessions of a machine that started on `day` (UTC), with all their runs; none where there are none.
    ///
    /// # Errors
    /// [`Error::Store`] for a broken row.
    pub(crate) fn on(&self, place: &Place, day: NaiveDate) -> Result<Option<Place>> {
        let sessions = place.sessions.iter();
        let sessions: Vec<Session> = sessions
            .filter(|session| session.at.date_naive() == day)
            .cloned()
            .collect();
        let mut runs = Vec::new();
        for session in &sessions {
            runs.extend(runs_of(&self.db, session)?);
        }
        runs.sort_by_key(|run| (run.at, run.id));
        let key = place.key.clone();
        let count = runs.len();
        Ok((count > 0).then_some(Place {
            key,
            sessions,
            count,
            runs,
        }))
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

/// Every run of a session, oldest first.
///
/// # Errors
/// [`Error::Store`] for a broken row.
pub(crate) fn runs_of(db: &Db, session: &Session) -> Result<Vec<Run>> {
    let of = RunFilter {
        session: Some(session.id),
        ..RunFilter::default()
    };
    Ok(db.runs(&of)?)
}

/// `counts`: runs by session; `runs`: the newest of every cell of every machine.
fn places(sessions: Vec<Session>, counts: &HashMap<Uuid, usize>, runs: Vec<Run>) -> Vec<Place> {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    let mut keys: HashMap<Uuid, String> = HashMap::new();
    for session in sessions {
        let Some(&count) = counts.get(&session.id) else {
            continue;
        };
        let key = session.machine.key();
        keys.insert(session.id, key.clone());
        let empty = Place {
            key: key.clone(),
            sessions: Vec::new(),
            count: 0,
            runs: Vec::new(),
        };
        let place = places.entry(key).or_insert(empty);
        place.sessions.push(session);
        place.count += count;
    }
    for run in runs {
        let key = keys.get(&run.session);
        if let Some(place) = key.and_then(|key| places.get_mut(key)) {
            place.runs.push(run);
        }
    }
    let mut places: Vec<Place> = places.into_values().collect();
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

    /// The newest figures of every model and variant, models in the order they first appeared.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        entries(&self.sessions, &self.runs)
    }
}

/// The newest figures of every model and variant among runs of these sessions, oldest first.
pub(crate) fn entries(sessions: &[Session], runs: &[Run]) -> Vec<Entry> {
    summary::rows(runs)
        .into_iter()
        .map(|row| entry(sessions, runs, row))
        .collect()
}

fn entry(sessions: &[Session], runs: &[Run], row: Row) -> Entry {
    let mut newest: BTreeMap<&str, &Run> = BTreeMap::new();
    for run in runs.iter().filter(|run| is_of(run, &row)) {
        newest.insert(&run.cell.scenario, run);
    }
    let ids: BTreeSet<_> = newest.values().map(|run| run.session).collect();
    let sessions = sessions.iter().filter(|s| ids.contains(&s.id));
    let sessions = sessions.cloned().collect();
    Entry { row, sessions }
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

/// What was true of software and power in a session, in words: `quick profile, 4 threads, ac power, …`.
pub(crate) fn environment(session: &Session) -> String {
    let environment = &session.environment;
    let build = if environment.release {
        ""
    } else {
        "debug build"
    };
    let mut parts = vec![
        format!("{} profile", session.profile),
        format!("{} threads", environment.threads),
        format!("{} power", environment.power),
        environment.os_build.clone(),
        build.to_owned(),
    ];
    let versions = environment.backends.iter();
    parts.extend(versions.map(|(name, version)| format!("{name} {version}")));
    parts.retain(|part| !part.is_empty());
    one_line(&parts.join(", "))
}
