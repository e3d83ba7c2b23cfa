//! The one error type of this crate.

use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a database or an import. Texts name the subject and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such database.
    #[error("no database at {path}: run `cargo harness run` first, or name one with --db")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
}
