//! `store import`: tells what a file is by its content, reads all, then stores all.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use store::db::Imported;
use store::legacy::{parse_guide, parse_history};
use store::{Db, Document, Guide, HistoricRow};

use crate::cli::counted;

/// What a file held.
enum Content {
    Guide(Guide),
    History(Vec<HistoricRow>),
    Sessions(Vec<Document>),
}

/// Imports files, all of which must decode before the first is stored.
pub(crate) fn import(
    path: &Path,
    files: &[PathBuf],
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let read = |file: &PathBuf| read(file).with_context(|| file.display().to_string());
    let contents: Vec<Content> = files.iter().map(read).collect::<Result<_, _>>()?;
    let mut db = Db::open(path)?;
    for (file, content) in files.iter().zip(&contents) {
        let (what, Imported { added, known }) =
            store(&mut db, content).with_context(|| file.display().to_string())?;
        writeln!(
            out,
            "{}: {what}, {added} added, {known} known",
            file.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<Content> {
    let bytes = std::fs::read(file)?;
    let text = String::from_utf8(bytes).context("not a text file")?;
    Ok(match text.trim_start().as_bytes().first() {
        Some(b'#') => Content::Guide(parse_guide(&text)?),
        Some(b'[') => Content::History(parse_history(&text)?),
        Some(b'{') => Content::Sessions(Document::parse(&text)?),
        _ => {
            bail!("neither a guide (Markdown), a history (JSON list) nor exported sessions (JSON)")
        }
    })
}

fn store(db: &mut Db, content: &Content) -> store::Result<(String, Imported)> {
    match content {
        Content::Guide(guide) => Ok((format!("guide of {}", guide.date), db.import_guide(guide)?)),
        Content::History(rows) => Ok((
            counted(rows.len(), "historic row"),
            db.import_history(rows)?,
        )),
        Content::Sessions(documents) => {
            let mut total = Imported::default();
            for document in documents {
                total += db.import_session(document)?;
            }
            let runs: usize = documents.iter().map(|document| document.runs.len()).sum();
            Ok((
                format!("{} sessions with {runs} runs", documents.len()),
                total,
            ))
        }
    }
}
