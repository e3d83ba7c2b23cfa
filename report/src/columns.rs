//! The cells of the summary table with what a page adds: support below each figure, and a tone.
//!
//! What a cell says is decided in [`store::summary`] alone, so that the closing table of
//! `harness run`, the terminal, the guide and the page never differ.

use store::summary::{AVOID, Mark, Row, Verdict, summary_table};

use crate::archive::Entry;
use crate::text::one_line;

/// How many of the columns the guide always had.
pub(crate) const GUIDE_COLUMNS: usize = 7;
/// Columns by their place in [`summary_table`].
const VISION: usize = 1;
const TEXT: usize = 2;
const STATUS: usize = 6;
const DRIFT: usize = 12;
const CONTEXT: usize = 13;

/// How a cell should be read, for media that have colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// No verdict: a figure, a name.
    Plain,
    /// A verdict that needs no action.
    Good,
    /// A verdict with limits.
    Warn,
    /// A verdict against the model.
    Bad,
}

/// One cell: what it says, and under it how far that can be trusted.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// The figure or verdict.
    pub text: String,
    /// Spread and sample count, or what the verdict rests on; empty where neither applies.
    pub sub: String,
    /// How it should be read.
    pub tone: Tone,
}

/// The headers of the table, the guide's seven first.
pub(crate) fn headers() -> Vec<&'static str> {
    let (mut headers, _) = summary_table(&[]);
    headers.push("Measured");
    headers
}

/// The table's rows, each cell one line of text. Not escaped.
pub(crate) fn lines(entries: &[Entry]) -> Vec<Vec<String>> {
    let rows: Vec<Row> = entries.iter().map(|entry| entry.row.clone()).collect();
    let (_, mut lines) = summary_table(&rows);
    for (line, row) in lines.iter_mut().zip(&rows) {
        line.push(row.at.format("%Y-%m-%d").to_string());
    }
    lines
        .into_iter()
        .map(|line| line.iter().map(|text| one_line(text)).collect())
        .collect()
}

/// The same rows with their support split off.
pub(crate) fn cells(entries: &[Entry]) -> Vec<Vec<Cell>> {
    let row = |(entry, line): (&Entry, Vec<String>)| {
        line.into_iter()
            .enumerate()
            .map(|(at, text)| cell(entry, at, text))
            .collect()
    };
    entries.iter().zip(lines(entries)).map(row).collect()
}

fn cell(entry: &Entry, at: usize, text: String) -> Cell {
    let row = &entry.row;
    let judged = |verdict: &Verdict| (verdict.detail.clone(), tone(verdict.mark));
    let (sub, tone) = match at {
        0 => (entry.variant().join(", "), Tone::Plain),
        VISION => judged(&row.vision),
        TEXT => judged(&row.text),
        STATUS => (row.status.detail.clone(), status_tone(&row.status.rule)),
        DRIFT => judged(&row.drift),
        CONTEXT => judged(&row.context),
        _ => return figure(text),
    };
    Cell {
        text,
        sub: one_line(&sub),
        tone,
    }
}

/// A printed figure (`61.2 ms ± 3 % (n=10/2)`), value above and support below.
fn figure(text: String) -> Cell {
    let (text, sub) = match text.split_once(" ± ") {
        Some((value, support)) => (value.to_owned(), format!("± {support}")),
        None => (text, String::new()),
    };
    Cell {
        text,
        sub,
        tone: Tone::Plain,
    }
}

const fn tone(mark: Mark) -> Tone {
    match mark {
        Mark::Yes => Tone::Good,
        Mark::Partial => Tone::Warn,
        Mark::No => Tone::Bad,
        Mark::Unknown => Tone::Plain,
    }
}

fn status_tone(rule: &str) -> Tone {
    match rule {
        "R1" => Tone::Plain,
        "R6" => Tone::Warn,
        rule if AVOID.contains(&rule) => Tone::Bad,
        _ => Tone::Good,
    }
}

/// A mark in one word, for scripts.
pub(crate) const fn mark_name(mark: Mark) -> &'static str {
    match mark {
        Mark::Yes => "yes",
        Mark::No => "no",
        Mark::Partial => "partial",
        Mark::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_the_verdicts_are_those_of_the_store() {
        let headers = headers();
        let named = [VISION, TEXT, STATUS, DRIFT, CONTEXT].map(|at| headers[at]);
        assert_eq!(named, ["Vision", "Pure Text", "Status", "Drift", "Context"]);
        assert_eq!(headers[GUIDE_COLUMNS - 1], "Status");
    }

    #[test]
    fn a_figure_keeps_its_support() {
        let cell = figure("61.2 ms ± 3 % (n=10/2†)".to_owned());
        assert_eq!(
            (cell.text.as_str(), cell.sub.as_str()),
            ("61.2 ms", "± 3 % (n=10/2†)")
        );
        assert_eq!(figure("n/a".to_owned()).sub, "");
    }
}
