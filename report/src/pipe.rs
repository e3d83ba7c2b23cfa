//! The summary table in Markdown and what stands below it: one view for the guide and `report table`.

use serde::Serialize;
pub(crate) use store::markdown::PipeTable;

use crate::archive::Entry;
use crate::columns::{self, headers};
use crate::notes::{lines, notes};
use crate::text::markdown;

/// The summary table of a machine with its notes, as `summary.md` takes it.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub table: PipeTable,
    /// Finished Markdown, one a line.
    pub notes: Vec<String>,
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
