//! What stands below a table of several rows.

use store::summary::{self, Note};

use crate::archive::Entry;

/// What the verdicts rest on, a line for each row that has any.
pub(crate) fn verdicts(entries: &[Entry]) -> Vec<String> {
    let lines = entries
        .iter()
        .map(|entry| summary::verdict_line(&entry.row));
    lines.flatten().collect()
}

/// What failed or was refused, in the order of the rows.
pub(crate) fn notes(entries: &[Entry]) -> Vec<Note> {
    entries
        .iter()
        .flat_map(|entry| summary::notes(&entry.row))
        .collect()
}
