//! The columns of the summary table: the guide's seven first, then the further ones.

use store::summary::{Mark, Row, Verdict};
use store::stats::Figure;
use store::Metric;

use crate::archive::Entry;
use crate::text::one_line;

/// The columns in order. The first seven are those of the guide that users know.
pub(crate) const HEADERS: [&str; 16] = [
    "Model", "Vision", "Pure Text", "Avg Inference (s)", "Load Time (s)", "Memory Diff (GB)", "Status",
    "TTFT", "Vision encode", "Prefill", "Decode", "Peak memory", "Drift", "Context", "Samples", "Measured",
];

/// How a cell should be read, for media that have colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A plain figure.
    Plain,
    /// A verdict that needs no action.
    Good,
    /// A verdict with limits.
    Warn,
    /// A verdict against the model.
    Bad,
    /// No verdict.
    None,
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

impl Cell {
    fn new(text: impl Into<String>, sub: impl Into<String>, tone: Tone) -> Self {
        Self { text: one_line(&text.into()), sub: one_line(&sub.into()), tone }
    }

    /// Text and support on one line.
    pub(crate) fn line(&self) -> String {
        match self.sub.as_str() {
            "" => self.text.clone(),
            sub => format!("{} ({sub})", self.text),
        }
    }
}

/// The cells of one row, as many as [`HEADERS`].
pub(crate) fn cells(entry: &Entry) -> [Cell; HEADERS.len()] {
    let row = &entry.row;
    let metric = |metric| own_unit(row, metric);
    [
        Cell::new(&row.model, entry.variant().join(", "), Tone::Plain),
        verdict(&row.vision),
        verdict(&row.text),
        scaled(row.figures.get(&Metric::Inference), 1.0, ""),
        load(row),
        scaled(row.figures.get(&Metric::LoadMemory), GIB, ""),
        Cell::new(&row.status.label, support(&row.status.rule, &row.status.detail), tone(row)),
        metric(Metric::Ttft),
        metric(Metric::VisionEncode),
        metric(Metric::Prefill),
        metric(Metric::Decode),
        metric(Metric::PeakMemory),
        verdict(&row.drift),
        verdict(&row.context),
        samples(entry),
        Cell::new(row.at.format("%Y-%m-%d").to_string(), row.at.format("%H:%M UTC").to_string(), Tone::Plain),
    ]
}

/// The column is headed GB, as users know it; like their tool it counts 2^30 bytes.
const GIB: f64 = 1_073_741_824.0;

fn support(rule: &str, detail: &str) -> String {
    if detail.is_empty() { rule.to_owned() } else { format!("{rule}: {detail}") }
}

fn tone(row: &Row) -> Tone {
    match row.status.rule.as_str() {
        "R2" | "R3" | "R4" | "R5" => Tone::Bad,
        "R1" => Tone::None,
        "R6" => Tone::Warn,
        _ => Tone::Good,
    }
}

fn verdict(verdict: &Verdict) -> Cell {
    let tone = match verdict.mark {
        Mark::Yes => Tone::Good,
        Mark::Partial => Tone::Warn,
        Mark::No => Tone::Bad,
        Mark::Unknown => Tone::None,
    };
    Cell::new(format!("{} {}", symbol(verdict.mark), verdict.label).trim(), &verdict.detail, tone)
}

/// The mark as the guide prints it.
pub(crate) const fn symbol(mark: Mark) -> &'static str {
    match mark {
        Mark::Yes => "✅",
        Mark::No => "❌",
        Mark::Partial => "⚠️",
        Mark::Unknown => "–",
    }
}

/// The mark in one word, for scripts.
pub(crate) const fn mark_name(mark: Mark) -> &'static str {
    match mark {
        Mark::Yes => "yes",
        Mark::No => "no",
        Mark::Partial => "partial",
        Mark::Unknown => "unknown",
    }
}

/// The load time that was proved: warm, else of unknown cache state, else cold; which one is said.
fn load(row: &Row) -> Cell {
    let choices = [(Metric::LoadWarm, "warm"), (Metric::LoadUnknown, "cache unknown"), (Metric::LoadCold, "cold")];
    let found = choices.into_iter().find_map(|(metric, label)| Some((row.figures.get(&metric)?, label)));
    match found {
        Some((figure, label)) => scaled(Some(figure), 1.0, label),
        None => scaled(None, 1.0, ""),
    }
}

/// A figure of a column whose header names the unit.
fn scaled(figure: Option<&Figure>, unit: f64, label: &str) -> Cell {
    let Some(figure) = figure else { return missing() };
    let label = if label.is_empty() { String::new() } else { format!("{label}, ") };
    Cell::new(plain(figure.median / unit), format!("{label}{}", support_of(figure)), Tone::Plain)
}

fn own_unit(row: &Row, metric: Metric) -> Cell {
    let Some(figure) = row.figures.get(&metric) else { return missing() };
    Cell::new(metric.format(figure.median), support_of(figure), Tone::Plain)
}

/// Spread and counts: `± 3.0 %, n=10/2, provisional`.
fn support_of(figure: &Figure) -> String {
    format!("{}, {}", figure.spread(), figure.counts())
}

fn missing() -> Cell {
    Cell::new("–", "", Tone::None)
}

/// The guide's two decimals, and more where two would hide the figure: `6.20`, `0.412`, `0.0123`.
fn plain(value: f64) -> String {
    let decimals = match value.abs() {
        v if !v.is_finite() => return "n/a".to_owned(),
        v if v >= 1.0 || v == 0.0 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

/// Trials and processes behind the inference figure, else behind the best supported one.
fn samples(entry: &Entry) -> Cell {
    let figures = &entry.row.figures;
    let most = figures.values().max_by_key(|figure| figure.trials);
    let Some(figure) = figures.get(&Metric::Inference).or(most) else { return missing() };
    let profiles: std::collections::BTreeSet<&str> = entry.sessions.iter().map(|s| s.profile.as_str()).collect();
    let profiles = profiles.into_iter().collect::<Vec<_>>().join(", ");
    Cell::new(format!("{} in {}", figure.trials, figure.epochs), profiles, Tone::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_their_figures() {
        let check = |value, expected: &str| assert_eq!(plain(value), expected);
        check(6.2, "6.20");
        check(0.4123, "0.412");
        check(0.01234, "0.0123");
        check(0.0, "0.00");
        check(f64::NAN, "n/a");
    }
}
