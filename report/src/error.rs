//! The one error type of this crate. Texts name the subject and what to do.

use std::io;
use std::path::PathBuf;

use chrono::NaiveDate;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a report could not be made. Texts leave out their cause: print the chain (`{error:#}` of anyhow).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No machine in the database is meant by `--hardware`.
    #[error("--hardware {wanted:?} names no machine of this database: {known}")]
    Hardware {
        /// What was asked for.
        wanted: String,
        /// Every machine there is, in words.
        known: String,
    },
    /// Nothing was measured or imported on that day.
    #[error("no guide for {date}: {known}")]
    Date {
        /// What was asked for.
        date: NaiveDate,
        /// The dates there are, in words.
        known: String,
    },
    /// A file of a series could not be read.
    #[error("cannot read {}, name a file of JSON or CSV with --series", path.display())]
    ReadSeries {
        /// What was to be read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was named as an input cannot be read, or names nothing.
    #[error("{place}: {reason}")]
    Input {
        /// File, with line where there is one, or what was named.
        place: String,
        /// What is wrong with it, the field first where there is one.
        reason: String,
    },
    /// A TOML file that is wrong, by file, line and field.
    #[error("{0}")]
    Toml(String),
    /// A file holds no series.
    #[error("{}, line {line}: {reason}", path.display())]
    Series {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// No change is meant by `--acknowledge`.
    #[error("no change has the id {id:?}: `report changes` prints those there are")]
    Change {
        /// What was asked for.
        id: String,
    },
    /// There is nothing to make a guide of.
    #[error("no run and no imported guide in this database: run `cargo harness run` first")]
    Empty,
    /// A template is wrong or does not fit its view, by file and line: of a folder of `--templates`, or a
    /// defect of this program.
    #[error("{0}")]
    Template(String),
    /// A file or folder could not be written.
    #[error("cannot write {}, name a writable folder with --out", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The page was written, but no browser could be started.
    #[error(
        "cannot start {program}, open {} in a browser yourself", path.display()
    )]
    Browser {
        /// What was to be started.
        program: &'static str,
        /// The finished page.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
