//! `store merge`: the union of databases.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use store::db::{self, Merged};

use crate::cli::counted;

/// Merges files into a database; a line a file.
pub(crate) fn merge(
    into: &Path,
    inputs: &[PathBuf],
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    for (input, merged) in inputs.iter().zip(db::merge(into, inputs)?) {
        writeln!(out, "{}: {}", input.display(), as_text(&merged))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `1 machine, 2 sessions, 3 runs added; 0 known`.
fn as_text(merged: &Merged) -> String {
    let tables = merged.iter().filter(|(_, rows)| rows.added > 0);
    let added: Vec<String> = tables
        .map(|(name, rows)| counted(rows.added, name))
        .collect();
    let added = if added.is_empty() {
        "nothing".to_owned()
    } else {
        added.join(", ")
    };
    let known: usize = merged.values().map(|rows| rows.known).sum();
    format!("{added} added; {} known", counted(known, "row"))
}
