//! A judgement as Markdown for a comment.

use serde::Serialize;

use super::row::{Judgement, Verdict};
use super::text::{headers, lines, reasons};
use crate::markdown::{PipeTable, comment};

/// Begins every comment, so that a later one can take its place. Shown by no page.
const MARKER: &str = "<!-- vlm-bench check -->";

/// Rows that a document may show: fewer where names are long.
const ROWS: [usize; 4] = [100, 50, 20, 5];

/// Most bytes of a document: GitHub takes comments of up to 65,536 characters.
const LONGEST: usize = 60_000;

/// Most characters of one text.
const WIDEST: usize = 400;

/// A judgement as the template `check.md` takes it: finished strings, foreign text escaped and cut.
#[derive(Debug, Serialize)]
pub struct Comment {
    marker: &'static str,
    headline: String,
    base: String,
    head: String,
    watermark: String,
    open: Option<PipeTable>,
    passed: Option<PipeTable>,
    left_out: String,
    reasons: Vec<String>,
    notes: Vec<String>,
}

/// A Markdown document as `draw` makes it by `check.md`: what did not pass first, the rest folded up.
///
/// # Errors
/// Those of `draw`.
pub fn markdown<E>(
    judgement: &Judgement,
    draw: impl Fn(&Comment) -> Result<String, E>,
) -> Result<String, E> {
    let mut document = String::new();
    for rows in ROWS {
        document = draw(&view(judgement, rows))?;
        if document.len() <= LONGEST {
            break;
        }
    }
    Ok(document)
}

fn view(judgement: &Judgement, rows: usize) -> Comment {
    let escaped = |texts: Vec<String>| texts.iter().take(rows).map(|text| escape(text)).collect();
    let all = lines(judgement);
    let open = all.len() - judgement.count(Verdict::Pass);
    let left_out = all.len().saturating_sub(rows);
    let shown = &all[..all.len().min(rows)];
    let (open, passed) = shown.split_at(open.min(shown.len()));
    Comment {
        marker: MARKER,
        headline: escape(&judgement.headline()),
        base: escape(&judgement.base),
        head: escape(&judgement.head),
        watermark: judgement
            .watermark
            .as_deref()
            .map_or_else(String::new, escape),
        open: table(open),
        passed: table(passed),
        left_out: match left_out {
            0 => String::new(),
            n => format!("{n} more rows are not shown."),
        },
        reasons: escaped(reasons(judgement)),
        notes: escaped(judgement.notes.clone()),
    }
}

fn escape(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", comment(&text[..end])),
        None => comment(text),
    }
}

fn table(lines: &[Vec<String>]) -> Option<PipeTable> {
    let rows = lines
        .iter()
        .map(|line| line.iter().map(|text| escape(text)));
    (!lines.is_empty()).then(|| PipeTable::new(&headers(), rows))
}
