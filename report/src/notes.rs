//! What stands below a table of several rows, and how its figures read.

use store::summary::{self, MARKS, Note};

use crate::archive::Entry;

/// The lines between table and notes, with the word that each begins with.
pub(crate) fn lines(entries: &[Entry]) -> Vec<(&'static str, String)> {
    let rows = entries.iter().flat_map(|entry| summary::lines(&entry.row));
    let again = entries.iter().filter_map(|entry| {
        let newest = entry.sessions.last()?;
        Some(("again", summary::again(&entry.row, newest)?))
    });
    rows.chain(again).collect()
}

/// What failed or was refused, in the order of the rows.
pub(crate) fn notes(entries: &[Entry]) -> Vec<Note> {
    entries
        .iter()
        .flat_map(|entry| summary::notes(&entry.row))
        .collect()
}

/// How figures read, in one sentence for every document.
pub(crate) fn legend() -> String {
    format!(
        "A figure is the median over fresh processes; ± is the farther end of its 95 % interval, \
         n= the trials and the processes they ran in; {}.",
        MARKS.join("; ")
    )
}
