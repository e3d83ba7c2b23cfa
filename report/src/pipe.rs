//! Markdown tables and what stands below them: one view for the guide, `report table` and a check's comment.

use serde::Serialize;

use crate::archive::Entry;
use crate::columns::{self, headers};
use crate::notes::{lines, notes};
use crate::text::markdown;

/// A Markdown table, as `pipe_table.md` takes it.
#[derive(Debug, Serialize)]
pub(crate) struct PipeTable {
    header: String,
    rule: String,
    rows: Vec<String>,
}

/// The summary table of a machine with its notes, as `summary.md` takes it.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub table: PipeTable,
    /// Finished Markdown, one a line.
    pub notes: Vec<String>,
}

impl PipeTable {
    /// Cells must be escaped already.
    pub(crate) fn new<R>(headers: &[&str], rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item: AsRef<str>>,
    {
        Self {
            header: row(headers),
            rule: rule(headers),
            rows: rows.into_iter().map(row).collect(),
        }
    }
}

impl Summary {
    /// The newest figures: what the verdicts rest on stands below them, then what failed or was refused.
    pub(crate) fn new(entries: &[Entry]) -> Self {
        let escape = |line: Vec<String>| line.into_iter().map(|text| markdown(&text));
        let said = lines(entries).into_iter();
        let said = said.map(|(word, line)| format!("**{word}** {}", markdown(&line)));
        let noted = notes(entries).into_iter();
        let noted =
            noted.map(|note| format!("**{}** {}", note.kind.word(), markdown(&note.text())));
        Self {
            table: PipeTable::new(&headers(), columns::lines(entries).into_iter().map(escape)),
            notes: said.chain(noted).collect(),
        }
    }
}

fn row<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells = cells
        .into_iter()
        .map(|cell| format!(" {} |", cell.as_ref()));
    format!("|{}", cells.collect::<String>())
}

/// The row of dashes under a header, each as wide as its header with its two blanks.
fn rule(headers: &[&str]) -> String {
    let dashes = headers
        .iter()
        .map(|header| format!("{}|", "-".repeat(header.chars().count() + 2)));
    format!("|{}", dashes.collect::<String>())
}
