//! A judgement as Markdown for a comment.

use serde::Serialize;
use store::gate::{Judgement, Verdict, headers, lines, reasons};

use crate::error::Result;
use crate::pipe::PipeTable;
use crate::template::Templates;
use crate::text::comment;

/// Begins every comment, so that a later one can take its place. Shown by no page.
pub const MARKER: &str = "<!-- vlm-bench check -->";

/// Rows that a document may show: fewer where names are long.
const ROWS: [usize; 4] = [100, 50, 20, 5];

/// Most bytes of a document: GitHub takes comments of up to 65,536 characters.
const LONGEST: usize = 60_000;

/// Most characters of one text.
const WIDEST: usize = 400;

#[derive(Serialize)]
struct View {
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

/// A Markdown document: what did not pass first, the rest folded up. Foreign text is escaped and cut.
///
/// # Errors
/// [`Error::Template`](crate::Error::Template).
pub fn markdown(judgement: &Judgement, templates: &Templates) -> Result<String> {
    let mut document = String::new();
    for rows in ROWS {
        document = templates.render("check.md", &view(judgement, rows))?;
        if document.len() <= LONGEST {
            break;
        }
    }
    Ok(document)
}

fn view(judgement: &Judgement, rows: usize) -> View {
    let escaped = |texts: Vec<String>| texts.iter().take(rows).map(|text| escape(text)).collect();
    let all = lines(judgement);
    let open = all.len() - judgement.count(Verdict::Pass);
    let left_out = all.len().saturating_sub(rows);
    let shown = &all[..all.len().min(rows)];
    let (open, passed) = shown.split_at(open.min(shown.len()));
    View {
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
