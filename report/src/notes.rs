//! What stands below a table of several rows.

use store::summary::{self, Note};

use crate::archive::Entry;

/// The lines between table and notes, with the word that each begins with.
pub(crate) fn lines(entries: &[Entry]) -> Vec<(&'static str, String)> {
    entries
        .iter()
        .flat_map(|entry| summary::lines(&entry.row))
        .collect()
}

/// What failed or was refused, in the order of the rows.
pub(crate) fn notes(entries: &[Entry]) -> Vec<Note> {
    entries
        .iter()
        .flat_map(|entry| summary::notes(&entry.row))
        .collect()
}
