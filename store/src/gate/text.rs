//! The gate's rows as a table of texts, and the whole judgement as lines for a terminal.

use super::decide::percent;
use super::row::{Extent, Judgement, Row, Verdict};
use crate::summary::{one_line, text_table};

/// What each column of [`lines`] is.
#[must_use]
pub const fn headers() -> [&'static str; 7] {
    [
        "Verdict", "Cell", "Metric", "Base", "Head", "Change", "Detects",
    ]
}

/// The rows as texts, a control character nowhere, the worst verdicts first. Not escaped.
#[must_use]
pub fn lines(judgement: &Judgement) -> Vec<Vec<String>> {
    sorted(judgement).into_iter().map(line).collect()
}

/// Rows by the weight of their verdict, the worst first, else in their order.
#[must_use]
pub fn sorted(judgement: &Judgement) -> Vec<&Row> {
    let mut rows: Vec<&Row> = judgement.rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.verdict));
    rows
}

/// One row as texts, one for each of [`headers`]. Not escaped.
#[must_use]
pub fn line(row: &Row) -> Vec<String> {
    let figure = |value: Option<f64>| match (row.metric, value) {
        (Some(metric), Some(value)) => metric.format(value),
        _ => String::new(),
    };
    let metric = row.metric.map_or("", |metric| metric.name());
    let texts = [
        row.verdict.to_string(),
        row.cell.clone(),
        metric.to_owned(),
        figure(row.base),
        figure(row.head),
        row.extent.as_ref().map_or_else(String::new, change),
        row.extent
            .and_then(|extent| extent.detectable)
            .map_or_else(String::new, percent),
    ];
    texts.iter().map(|text| one_line(text)).collect()
}

/// `+9.2 % [+7.1, +11.4]`.
fn change(extent: &Extent) -> String {
    let signed = |ratio: f64| format!("{:+.1}", (ratio - 1.0) * 100.0);
    let moved = format!("{} %", signed(extent.ratio));
    match (extent.low, extent.high) {
        (Some(low), Some(high)) => format!("{moved} [{}, {}]", signed(low), signed(high)),
        _ => moved,
    }
}

/// Why each row has its verdict, a line each; of rows that pass alike, one line for all.
#[must_use]
pub fn reasons(judgement: &Judgement) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    let mut alike: Vec<(&str, usize)> = Vec::new();
    for row in sorted(judgement) {
        if row.verdict == Verdict::Pass {
            match alike.iter_mut().find(|(reason, _)| *reason == row.reason) {
                Some((_, count)) => *count += 1,
                None => alike.push((&row.reason, 1)),
            }
            continue;
        }
        let metric = row
            .metric
            .map_or_else(String::new, |metric| format!(" {metric}"));
        let reason = format!("{}: {}{metric}: {}", row.verdict, row.cell, row.reason);
        reasons.push(one_line(&reason));
    }
    let passed = alike.into_iter().map(|(reason, count)| match count {
        1 => one_line(&format!("pass: 1 row: {reason}")),
        count => one_line(&format!("pass: {count} rows: {reason}")),
    });
    reasons.extend(passed);
    reasons
}

/// The judgement for a terminal: headline, both sides, table, reasons, notes. Ends with a line break.
#[must_use]
pub fn text(judgement: &Judgement) -> String {
    let mut text = format!("{}\n", judgement.headline());
    for (what, side) in [("base", &judgement.base), ("head", &judgement.head)] {
        if !side.is_empty() {
            text += &format!("{what}: {}\n", one_line(side));
        }
    }
    if let Some(watermark) = &judgement.watermark {
        text += &format!("NOT COMPARABLE: {}\n", one_line(watermark));
    }
    if !judgement.rows.is_empty() {
        text += &format!("\n{}\n", text_table(&headers(), &lines(judgement)));
    }
    for reason in reasons(judgement) {
        text += &format!("{reason}\n");
    }
    for note in &judgement.notes {
        text += &format!("note: {}\n", one_line(note));
    }
    text
}
