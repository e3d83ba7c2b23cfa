//! A judgement as Markdown for a comment.

use serde::Serialize;
use store::gate::{Judgement, Verdict, headers, lines, reasons};

use crate::error::Result;
use crate::pipe::PipeTable;
use crate::template::Templates;
use crate::text;

/// Begins every comment, so that a later one can take its place. Shown by no page.
pub const MARKER: &str = "<!-- vlm-bench check -->";

/// Most rows in a document: GitHub takes comments of up to 65,536 characters.
const MOST_ROWS: usize = 100;

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

/// A Markdown document: what did not pass first, the rest folded up. Foreign text is escaped.
///
/// # Errors
/// [`Error::Template`](crate::Error::Template).
pub fn markdown(judgement: &Judgement, templates: &Templates) -> Result<String> {
    let escaped = |texts: Vec<String>| texts.iter().map(|text| escape(text)).collect();
    let all = lines(judgement);
    let open = all.len() - judgement.count(Verdict::Pass);
    let left_out = all.len().saturating_sub(MOST_ROWS);
    let shown = &all[..all.len().min(MOST_ROWS)];
    let (open, passed) = shown.split_at(open.min(shown.len()));
    let mut reasons = reasons(judgement);
    reasons.truncate(MOST_ROWS);
    let view = View {
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
        reasons: escaped(reasons),
        notes: escaped(judgement.notes.clone()),
    };
    templates.render("check.md", &view)
}

fn table(lines: &[Vec<String>]) -> Option<PipeTable> {
    let rows = lines
        .iter()
        .map(|line| line.iter().map(|text| escape(text)));
    (!lines.is_empty()).then(|| PipeTable::new(&headers(), rows))
}

/// Text for a comment. A name must not call anybody: GitHub mentions are broken by a blank of no width.
fn escape(text: &str) -> String {
    text::markdown(text).replace('@', "@\u{200b}")
}
