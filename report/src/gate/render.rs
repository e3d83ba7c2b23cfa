//! A judgement as Markdown for a comment.

use serde::Serialize;
use store::gate::{Judgement, Verdict, headers, lines, reasons};

use crate::error::Result;
use crate::table::{pipe_row, pipe_rule};
use crate::template::render;
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
    header: String,
    rule: String,
    rows: Vec<String>,
    passed: Vec<String>,
    left_out: String,
    reasons: Vec<String>,
    notes: Vec<String>,
}

/// A Markdown document: what did not pass first, the rest folded up. Foreign text is escaped.
///
/// # Errors
/// When the template does not fit, a defect of this program.
pub fn markdown(judgement: &Judgement) -> Result<String> {
    let escaped = |texts: Vec<String>| texts.iter().map(|text| escape(text)).collect();
    let all = lines(judgement);
    let open = all.len() - judgement.count(Verdict::Pass);
    let left_out = all.len().saturating_sub(MOST_ROWS);
    let row = |line: &Vec<String>| pipe_row(line.iter().map(|text| escape(text)));
    let rows: Vec<String> = all.iter().take(MOST_ROWS).map(row).collect();
    let (rows, passed) = rows.split_at(open.min(rows.len()));
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
        header: pipe_row(headers()),
        rule: pipe_rule(&headers()),
        rows: rows.to_vec(),
        passed: passed.to_vec(),
        left_out: match left_out {
            0 => String::new(),
            n => format!("{n} more rows are not shown."),
        },
        reasons: escaped(reasons),
        notes: escaped(judgement.notes.clone()),
    };
    render("check.md", &view)
}

/// Text for a comment. A name must not call anybody: GitHub mentions are broken by a blank of no width.
fn escape(text: &str) -> String {
    text::markdown(text).replace('@', "@\u{200b}")
}
