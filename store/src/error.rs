//! The one error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a database or an import. Texts name the subject and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such database.
    #[error("no database at {}: run `cargo harness run` first, or name one with --db", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a database: name another file with --db", path.display())]
    NotADatabase {
        /// The file, which was left as it is.
        path: PathBuf,
    },
    /// A SQLite database without our mark.
    #[error("{} is the database of another program: name another file with --db", path.display())]
    Foreign {
        /// The file, which was left as it is.
        path: PathBuf,
    },
    /// Written by a later version.
    #[error(
        "{} has schema {found}, this program knows up to {known}: update vlm-bench",
        path.display()
    )]
    TooNew {
        /// The file, which was left as it is.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Written by an earlier version, and opened for reading only.
    #[error(
        "{} has schema {found}, this program reads {known}: run `cargo store verify` once to upgrade it",
        path.display()
    )]
    TooOld {
        /// The file, which was left as it is.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The version this program reads.
        known: u32,
    },
    /// A writer was killed inside a transaction, and the file is opened for reading only.
    #[error(
        "{} was cut off while being written: run `cargo store verify` once to restore it",
        path.display()
    )]
    CutOff {
        /// The file, which was left as it is.
        path: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error(
        "cannot write {}: {reason}: make the file and its folder writable, or name another with --db",
        path.display()
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process kept the file locked.
    #[error("{} is locked by another process: wait for it to end and try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// SQLite cannot make sense of the file.
    #[error(
        "{} is damaged ({reason}): `cargo store verify` lists what is wrong, restore it from git or a copy",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// A file to merge that does not pass `verify`.
    #[error(
        "{} is not sound, nothing was merged: {first}{}: `cargo store --db {} verify` lists it",
        path.display(), more(*others), path.display()
    )]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        first: String,
        /// How many things besides.
        others: usize,
    },
    /// Two files that do not agree about the same thing.
    #[error(
        "{row} differs in {} and {}, nothing was merged: find out which one was altered",
        one.display(), other.display()
    )]
    Clash {
        /// Table and key.
        row: String,
        /// The file that was read first.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A row that does not decode.
    #[error("table {table}, row {row}: {reason}")]
    Row {
        /// The table.
        table: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong.
        reason: String,
    },
    /// Something that must not be stored.
    #[error("{subject} refused: {reason}")]
    Refused {
        /// What was to be stored.
        subject: String,
        /// Why not.
        reason: String,
    },
    /// A Markdown guide that is not one.
    #[error("guide, line {line}: {reason}")]
    Guide {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A JSON history that is not one.
    #[error("history, row {row}: {reason}")]
    History {
        /// Counted from 1.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// Results of another tool that are not whole.
    #[error("{tool} results: {reason}")]
    Bench {
        /// The tool.
        tool: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// An exported session that is not one.
    #[error("exported session {document}: {reason}")]
    Document {
        /// Counted from 1 within the file.
        document: usize,
        /// What is wrong.
        reason: String,
    },
    /// What was asked for could not be printed.
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
}

impl Error {
    /// An [`Error::Refused`].
    pub(crate) fn refused(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused {
            subject: subject.into(),
            reason: reason.into(),
        }
    }

    /// An [`Error::Unreadable`].
    pub(crate) fn unreadable(path: &Path, reason: impl ToString) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    }
}
