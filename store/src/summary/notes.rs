//! What stands below a table: what its verdicts rest on, then every refused figure and every failed
//! measurement, with its reason.

use serde::Serialize;

use super::context::{NOT_OFFERED, STATELESS};
use super::timing::timing_line;
use super::{Mark, Row};
use crate::run::{RemarkKind, Stage};

/// One line without control characters.
///
/// Line breaks and tabs become spaces. Other controls, which could recolour a terminal, and the
/// direction overrides, which could reorder what a reader sees, become U+FFFD.
#[must_use]
pub fn one_line(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
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
/// the verdicts rest on, times that are no column, and how much was refused or marked.
#[must_use]
pub fn lines(row: &Row) -> Vec<(&'static str, String)> {
    let all = [
        ("verdicts", verdict_line(row)),
        ("timing", timing_line(row)),
        ("counted", count_line(row)),
    ];
    all.into_iter()
        .filter_map(|(word, line)| Some((word, line?)))
        .collect()
}

/// How many values were refused, and how many trials marked; none where all is well.
fn count_line(row: &Row) -> Option<String> {
    let refused = row.voids.iter().filter(|void| !void.is_by_design());
    let void: u64 = refused.map(|void| u64::from(void.count)).sum();
    let advisories = row.remarks.iter().map(|(_, remark)| remark);
    let marked = advisories.filter(|remark| remark.kind == RemarkKind::Advisory);
    let marked: u64 = marked.map(|remark| u64::from(remark.count)).sum();
    (void + marked > 0).then(|| {
        let line = format!(
            "{}: {void} values VOID, {marked} trials ADVISORY",
            row.model
        );
        one_line(&line)
    })
}

/// The notes of one row: failures first, then what was refused, then remarks.
#[must_use]
pub fn notes(row: &Row) -> Vec<Note> {
    let note = |kind, about, reason: &String| Note {
        kind,
        model: row.model.clone(),
        about,
        reason: reason.clone(),
    };
    let failed = row.failures.iter().map(|(scenario, stage, message)| {
        note(
            NoteKind::Failed,
            format!("{scenario}, {}", stage_words(*stage)),
            message,
        )
    });
    let voids = row.voids.iter().map(|void| {
        let what = void.metric.map_or("the whole cell".to_owned(), |metric| {
            metric.name().to_owned()
        });
        let about = match void.count {
            0 => what,
            1 => format!("1 value of {what}"),
            count => format!("{count} values of {what}"),
        };
        let kind = if void.is_by_design() {
            NoteKind::Design
        } else {
            NoteKind::Void
        };
        note(kind, about, &void.reason)
    });
    let remarks = row.remarks.iter().map(|(scenario, remark)| {
        let about = match remark.count {
            0 => scenario.clone(),
            1 => "1 trial".to_owned(),
            count => format!("{count} trials"),
        };
        let kind = match remark.kind {
            RemarkKind::Advisory => NoteKind::Advisory,
            RemarkKind::Finding => NoteKind::Finding,
        };
        note(kind, about, &remark.text)
    });
    failed.chain(voids).chain(remarks).collect()
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
