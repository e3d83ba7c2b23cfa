//! The SQLite file. The only module that knows SQL; no type of the SQLite library leaves it.
//!
//! Rollback journal (no side files to commit by accident), full synchronisation, foreign keys on,
//! one transaction a run: a process killed at any instant leaves a file that holds every run
//! whose insertion had returned. Tables are documented in `store/README.md`.

mod acknowledgement;
mod cells;
mod decode;
mod historic;
mod merge;
mod newest;
mod noise;
mod open;
mod pack;
mod pieces;
mod prune;
mod read;
mod schema;
mod series;
mod sheet;
mod upgrade;
mod verify;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

pub use acknowledgement::Acknowledgement;
pub use merge::{Merged, merge};
pub use newest::Refused;
pub use noise::Noise;
pub use prune::{Pruned, Retention};
pub use series::Wanted;

/// Marks a SQLite file as ours: `vlmb` in ASCII.
pub const APPLICATION_ID: u32 = u32::from_be_bytes(*b"vlmb");

/// Schema changes in order; appended to, never edited. Their number is the schema version.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_remarks.sql"),
    include_str!("../migrations/0003_acknowledgement.sql"),
    include_str!("../migrations/0004_compact.sql"),
    include_str!("../migrations/0005_asked.sql"),
];

/// An open database.
pub struct Db {
    conn: Connection,
    path: PathBuf,
    /// What it is read from where the file that was named is of an older schema; deleted after `conn` is closed.
    copy: Option<open::Scratch>,
}

impl Db {
    /// Where the database is when nobody names one: `results.db` of the nearest folder upwards
    /// from the working directory that has one, else of the working directory.
    #[must_use]
    pub fn default_path() -> PathBuf {
        let name = Path::new("results.db");
        let here = std::env::current_dir().unwrap_or_default();
        let candidates = here.ancestors().map(|folder| folder.join(name));
        candidates
            .into_iter()
            .find(|path| path.is_file())
            .unwrap_or_else(|| name.to_owned())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Which runs to read; a field that is none does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this session only.
    pub session: Option<Uuid>,
    /// Of the machine with this key only.
    pub machine: Option<String>,
    /// Of this model only.
    pub model: Option<String>,
    /// Of this scenario only.
    pub scenario: Option<String>,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Things that were new.
    pub added: usize,
    /// Things that were there already, unchanged.
    pub known: usize,
}

impl std::ops::AddAssign for Imported {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.known += other.known;
    }
}
