//! Where a side comes from: a database, a file of exported sessions, an id, or a branch.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use store::db::Noise;
use store::gate::{Accepted, Side};
use store::{Db, Document, RunFilter, Session};

use crate::error::{Error, Result};

/// Fewest digits of an id that name a run or session.
const LEAST_DIGITS: usize = 8;

/// Most bytes of a text file.
pub(super) const LARGEST: u64 = 1 << 30;

/// What every SQLite file begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Something that holds sessions.
pub(super) enum Source {
    Db(Db),
    Documents(Vec<Document>),
}

/// Sessions of a source, oldest first.
pub(super) struct Found {
    pub(super) source: Source,
    pub(super) sessions: Vec<Session>,
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        use std::io::Read as _;
        let mut start = [0; 16];
        let read = fs::File::open(path).and_then(|file| file.take(16).read(&mut start));
        let is_json =
            read.is_ok_and(|length| start[..length].trim_ascii_start().first() == Some(&b'{'));
        if is_json && start != *SQLITE {
            let documents = Document::parse(&text(path, LARGEST)?)?;
            return Ok(Self::Documents(documents));
        }
        // A baseline may be from before the candidate's last migration.
        Ok(Self::Db(Db::open_upgraded(path)?))
    }

    fn sessions(&self) -> Result<Vec<Session>> {
        match self {
            Self::Db(db) => Ok(db.sessions()?),
            Self::Documents(documents) => {
                let mut sessions: Vec<Session> = documents
                    .iter()
                    .map(|document| document.session.clone())
                    .collect();
                sessions.sort_by_key(|session| (session.at, session.id));
                Ok(sessions)
            }
        }
    }

    /// Sessions with their runs, in the same order.
    pub(super) fn sides(&self, sessions: &[Session]) -> Result<Vec<Side>> {
        let side = |session: &Session| {
            let session = session.clone();
            let runs = match self {
                Self::Db(db) => db.runs(&RunFilter {
                    session: Some(session.id),
                    ..RunFilter::default()
                })?,
                Self::Documents(documents) => {
                    let of = documents
                        .iter()
                        .filter(|document| document.session.id == session.id);
                    of.flat_map(|document| document.runs.clone()).collect()
                }
            };
            Ok(Side { session, runs })
        };
        sessions.iter().map(side).collect()
    }

    /// The noise floors of a session's machine.
    pub(super) fn floors(&self, session: &Session) -> Result<Vec<Noise>> {
        match self {
            Self::Db(db) => Ok(db.noise(&session.machine.key())?),
            Self::Documents(_) => Ok(Vec::new()),
        }
    }

    /// The changes that somebody accepted. One whose run is gone is older than all that is left.
    pub(super) fn accepted(&self) -> Result<Vec<Accepted>> {
        let Self::Db(db) = self else {
            return Ok(Vec::new());
        };
        let mut accepted = Vec::new();
        let sessions = self.sessions()?;
        for known in db.acknowledgements()? {
            let owners = db.owners(&known.run.to_string())?;
            let first = sessions.iter().find(|session| owners.contains(&session.id));
            accepted.extend(first.map(|session| Accepted {
                series: known.series,
                at: session.at,
            }));
        }
        Ok(accepted)
    }

    /// The session that an id names: its own, or that of one of its runs.
    fn named(&self, id: &str) -> Result<Option<Session>> {
        let starts = |uuid: store::Uuid| uuid.to_string().starts_with(&id.to_lowercase());
        let sessions = self.sessions()?;
        let mut named: Vec<&Session> = sessions
            .iter()
            .filter(|session| starts(session.id))
            .collect();
        if named.is_empty() {
            let of: HashMap<_, _> = sessions
                .iter()
                .map(|session| (session.id, session))
                .collect();
            let owners = self.owners(id)?;
            named = owners
                .iter()
                .filter_map(|owner| of.get(owner).copied())
                .collect();
            named.dedup_by_key(|session| session.id);
        }
        match named.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).clone())),
            several => Err(Error::Input {
                place: id.to_owned(),
                reason: format!("names {} sessions: give more digits", several.len()),
            }),
        }
    }

    /// The sessions of the runs whose id begins like this.
    fn owners(&self, id: &str) -> Result<Vec<store::Uuid>> {
        match self {
            Self::Db(db) => Ok(db.owners(id)?),
            Self::Documents(documents) => {
                let runs = documents.iter().flat_map(|document| &document.runs);
                let named = runs.filter(|run| run.id.to_string().starts_with(&id.to_lowercase()));
                Ok(named.map(|run| run.session).collect())
            }
        }
    }
}

/// What is judged: of a file, its newest session and the others of that commit, wherever and of whatever
/// suite; of an id, its session.
pub(super) fn candidate(db: &Path, name: &str) -> Result<Found> {
    if !Path::new(name).is_file() {
        return one(db, name);
    }
    let source = Source::open(Path::new(name))?;
    let mut sessions = source.sessions()?;
    let Some(newest) = sessions.last().cloned() else {
        return Ok(Found { source, sessions });
    };
    sessions.retain(|session| session.id == newest.id || is_of_commit(session, &newest));
    Ok(Found { source, sessions })
}

fn is_of_commit(session: &Session, newest: &Session) -> bool {
    let (own, other) = (&session.environment, &newest.environment);
    own.commit.is_some() && (&own.commit, own.dirty) == (&other.commit, other.dirty)
}

/// Sessions of one candidate by what may be judged together: the newest of each machine, suite, profile and
/// conditions, with those that measured exactly the same. Oldest first.
pub(super) fn groups(sessions: &[Session]) -> Vec<Vec<Session>> {
    let mut groups: Vec<Vec<Session>> = Vec::new();
    for session in sessions.iter().rev() {
        match groups.iter_mut().find(|group| is_alike(session, &group[0])) {
            None => groups.push(vec![session.clone()]),
            Some(group) if is_rerun(session) => group.push(session.clone()),
            Some(_) => {}
        }
    }
    groups.iter_mut().for_each(|group| group.reverse());
    groups.reverse();
    groups
}

/// Whether two sessions are of one machine, suite and profile, under the same conditions.
fn is_alike(session: &Session, other: &Session) -> bool {
    session.machine == other.machine
        && (&session.suite, &session.profile) == (&other.suite, &other.profile)
        && session.environment.conditions() == other.environment.conditions()
}

/// Whether a session measured exactly what the newest of its group did.
fn is_rerun(session: &Session) -> bool {
    session.environment.dirty == Some(false) && session.finished.is_some()
}

/// Where a baseline is chosen from, and the branch it must be of: sessions of a file, one session by
/// its id, else a branch of the database.
pub(super) fn baseline(db: &Path, name: &str) -> Result<(Found, Option<String>)> {
    if Path::new(name).is_file() {
        let source = Source::open(Path::new(name))?;
        let sessions = source.sessions()?;
        return Ok((Found { source, sessions }, None));
    }
    // A branch could be called so, but a file that is not there is meant.
    let extension = Path::new(name).extension().unwrap_or_default();
    if extension == "db" || extension == "json" {
        return Err(Error::Input {
            place: name.to_owned(),
            reason: "is no file".to_owned(),
        });
    }
    let source = Source::open(db)?;
    if let Some(session) = by_id(&source, name)? {
        let sessions = vec![session];
        return Ok((Found { source, sessions }, None));
    }
    let sessions = source.sessions()?;
    Ok((Found { source, sessions }, Some(name.to_owned())))
}

/// One session: by its id or that of a run, or the newest of a file.
pub(super) fn one(db: &Path, name: &str) -> Result<Found> {
    let unknown = |reason: &str| Error::Input {
        place: name.to_owned(),
        reason: reason.to_owned(),
    };
    if Path::new(name).is_file() {
        let source = Source::open(Path::new(name))?;
        let newest = source.sessions()?.pop();
        let sessions = vec![newest.ok_or_else(|| unknown("holds no session"))?];
        return Ok(Found { source, sessions });
    }
    let source = Source::open(db)?;
    let session = by_id(&source, name)?;
    let known = "is no file, and no run or session of this database: `store list` prints ids";
    let sessions = vec![session.ok_or_else(|| unknown(known))?];
    Ok(Found { source, sessions })
}

fn by_id(source: &Source, name: &str) -> Result<Option<Session>> {
    let is_id =
        name.len() >= LEAST_DIGITS && name.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    match is_id {
        true => source.named(name),
        false => Ok(None),
    }
}

/// The text of a file of so many bytes at most.
pub(super) fn text(path: &Path, largest: u64) -> Result<String> {
    let wrong = |reason: String| Error::Input {
        place: path.display().to_string(),
        reason,
    };
    let length = fs::metadata(path)
        .map_err(|error| wrong(error.to_string()))?
        .len();
    if length > largest {
        return Err(wrong(format!("over {} MiB is too long", largest >> 20)));
    }
    fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
}
