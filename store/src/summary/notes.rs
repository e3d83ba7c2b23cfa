//! What stands below a table: what its verdicts rest on, then every refused figure and every failed
//! measurement, with its reason.

use serde::Serialize;

use super::context::{NOT_OFFERED, STATELESS};
use super::timing::timing_line;
use super::{Mark, Row};
use crate::outliers::noisy;
use crate::run::{Outcome, Remark, RemarkKind, Run, Stage, Void};

/// Outliers of a row that are told in its line; all are in the page of the session.
const FARTHEST: usize = 3;

/// One line without control characters.
///
/// Line breaks and tabs become spaces. Other controls, which could recolour a terminal, and what has
/// no width or turns the direction of writing, which could hide or reorder what a reader sees, become
/// U+FFFD.
#[must_use]
pub fn one_line(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() || is_format(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
}

/// Whether a character only tells how others are written: the category Cf of Unicode, but for the joiner
/// of emoji and its opposite, which many scripts need, and the signs above numbers, which are seen.
const fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Why a line stands below the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// A figure was taken and refused.
    Void,
    /// A figure cannot be taken: the model does not offer what it is of.
    Design,
    /// A scenario gave no figures.
    Failed,
    /// A circumstance that may have changed figures, which are kept.
    Advisory,
    /// Something that a scenario found out.
    Finding,
}

impl NoteKind {
    /// One word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Design => "not offered",
            Self::Failed => "failed",
            Self::Advisory => "advisory",
            Self::Finding => "finding",
        }
    }
}

/// One line below the table.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    /// What kind of line.
    pub kind: NoteKind,
    /// The model it is about.
    pub model: String,
    /// Metric or scenario, with the number of values or the stage.
    pub about: String,
    /// Why.
    pub reason: String,
}

impl Note {
    /// The note without its kind: `tiny-smolvlm, 2 values of decode: machine slept`.
    #[must_use]
    pub fn text(&self) -> String {
        one_line(&format!("{}, {}: {}", self.model, self.about, self.reason))
    }
}

/// What the verdicts of a row rest on: `tiny-smolvlm: vision SEES (14/14 right, …); text …`.
///
/// None for a model that was never asked: its cells say so already.
#[must_use]
pub fn verdict_line(row: &Row) -> Option<String> {
    let named = [
        ("vision", &row.vision),
        ("text", &row.text),
        ("drift", &row.drift),
        ("context", &row.context),
        ("lifecycle", &row.lifecycle),
    ];
    let known = named.into_iter().filter(|(_, verdict)| {
        verdict.mark != Mark::Unknown || [STATELESS, NOT_OFFERED].contains(&verdict.label.as_str())
    });
    let words: Vec<String> = known
        .map(|(name, v)| format!("{name} {} ({})", v.label, v.detail))
        .collect();
    (!words.is_empty()).then(|| one_line(&format!("{}: {}", row.model, words.join("; "))))
}

/// The lines of one row that stand between table and notes, each with the word it begins with: what
/// the verdicts rest on, times that are no column, values far from the others, and how much was refused or
/// marked.
#[must_use]
pub fn lines(row: &Row) -> Vec<(&'static str, String)> {
    let all = [
        ("verdicts", verdict_line(row)),
        ("timing", timing_line(row)),
        ("outliers", outlier_line(row)),
        ("counted", Some(count_line(row))),
    ];
    all.into_iter()
        .filter_map(|(word, line)| Some((word, line?)))
        .collect()
}

/// How many values lie far from the others, which figures that makes noisy, and the farthest ones.
fn outlier_line(row: &Row) -> Option<String> {
    let found = &row.outliers;
    let count = found.listed.len() + found.more;
    let mut parts = vec![match count {
        0 => return None,
        1 => "1 value lies far from the median of its process".to_owned(),
        _ => format!("{count} values lie far from the median of their process"),
    }];
    parts.extend(noisy(row.figures.values()));
    parts.extend(found.listed.iter().take(FARTHEST).map(|outlier| {
        let (metric, place) = (outlier.metric, outlier.place());
        let value = metric.format(outlier.value);
        let (times, machine) = (outlier.times(), outlier.machine());
        format!("{metric} {value}, {times} the median, {place} ({machine})")
    }));
    Some(one_line(&format!("{}: {}", row.model, parts.join("; "))))
}

/// How many values were refused, and how many trials marked: said also where it is none.
fn count_line(row: &Row) -> String {
    let refused = row.voids.iter().filter(|void| !void.is_by_design());
    let void: u64 = refused.map(|void| u64::from(void.count)).sum();
    let advisories = row.remarks.iter().map(|(_, remark)| remark);
    let marked = advisories.filter(|remark| remark.kind == RemarkKind::Advisory);
    let marked: u64 = marked.map(|remark| u64::from(remark.count)).sum();
    let model = &row.model;
    one_line(&format!(
        "{model}: {void} values VOID, {marked} trials ADVISORY"
    ))
}

/// The notes of one row: failures first, then what was refused, then remarks.
#[must_use]
pub fn notes(row: &Row) -> Vec<Note> {
    let model = row.model.as_str();
    let failed = row.failures.iter();
    let failed =
        failed.map(|(scenario, stage, message)| failure(model, (scenario, *stage, message)));
    let voids = row.voids.iter().map(|void| refusal(model, void));
    let remarks = row.remarks.iter();
    let remarks = remarks.map(|(scenario, one)| remark(model, scenario, one));
    merged(failed.chain(voids).chain(remarks))
}

/// What a model does not offer and what was found out stand once, whatever they are said about: nothing is
/// counted in them.
fn merged(notes: impl Iterator<Item = Note>) -> Vec<Note> {
    let mut all: Vec<Note> = Vec::new();
    for note in notes {
        let is_same = |other: &&mut Note| (other.kind, &other.reason) == (note.kind, &note.reason);
        let once = matches!(note.kind, NoteKind::Design | NoteKind::Finding);
        match all.iter_mut().find(is_same).filter(|_| once) {
            Some(same) => same.about = format!("{}, {}", same.about, note.about),
            None => all.push(note),
        }
    }
    all
}

/// The notes of one run, in the same words and order.
#[must_use]
pub fn run_notes(run: &Run) -> Vec<Note> {
    let (model, scenario) = (run.cell.model.as_str(), run.cell.scenario.as_str());
    let failed = match &run.outcome {
        Outcome::Failed { stage, message } => Some(failure(model, (scenario, *stage, message))),
        Outcome::Measured { .. } => None,
    };
    let voids = run.voids().iter().map(|void| refusal(model, void));
    let remarks = run.remarks.iter().map(|one| remark(model, scenario, one));
    failed.into_iter().chain(voids).chain(remarks).collect()
}

fn failure(model: &str, (scenario, stage, message): (&str, Stage, &str)) -> Note {
    Note {
        kind: NoteKind::Failed,
        model: model.to_owned(),
        about: format!("{scenario}, {}", stage_words(stage)),
        reason: message.to_owned(),
    }
}

fn refusal(model: &str, void: &Void) -> Note {
    let what = void.metric.map_or("the whole cell", |metric| metric.name());
    Note {
        kind: match void.is_by_design() {
            true => NoteKind::Design,
            false => NoteKind::Void,
        },
        model: model.to_owned(),
        about: match void.count {
            0 => what.to_owned(),
            1 => format!("1 value of {what}"),
            count => format!("{count} values of {what}"),
        },
        reason: void.reason.clone(),
    }
}

fn remark(model: &str, scenario: &str, remark: &Remark) -> Note {
    Note {
        kind: match remark.kind {
            RemarkKind::Advisory => NoteKind::Advisory,
            RemarkKind::Finding => NoteKind::Finding,
        },
        model: model.to_owned(),
        about: match remark.count {
            0 => scenario.to_owned(),
            1 => "1 trial".to_owned(),
            count => format!("{count} trials"),
        },
        reason: remark.text.clone(),
    }
}

const fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Start => "while starting its worker",
        Stage::Load => "while loading",
        Stage::Ask => "while answering",
        Stage::Timeout => "ended by the time limit",
        Stage::Crash => "worker crashed",
    }
}
