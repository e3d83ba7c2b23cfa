//! What stands below a table: every refused figure and every failed measurement, with its reason.

use serde::Serialize;
use store::Stage;
use store::summary::Mark;

use crate::archive::Entry;
use crate::text::one_line;

/// Why a line stands below the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A figure was taken and refused.
    Void,
    /// A scenario gave no figures.
    Failed,
}

impl Kind {
    /// One word for people.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Failed => "failed",
        }
    }
}

/// One line below the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Note {
    /// Refused or failed.
    pub kind: Kind,
    /// The model it is about.
    pub model: String,
    /// Metric or scenario, with the number of values or the stage.
    pub about: String,
    /// Why.
    pub reason: String,
}

impl Note {
    /// The note without its kind: `tiny-smolvlm, 2 values of decode: machine slept`.
    pub(crate) fn text(&self) -> String {
        one_line(&format!("{}, {}: {}", self.model, self.about, self.reason))
    }
}

/// What the verdicts of every row rest on: `tiny-smolvlm: vision SEES (14/14 right, …); text …`.
///
/// Models that were never asked are left out: their cells say so already.
pub(crate) fn verdicts(entries: &[Entry]) -> Vec<String> {
    entries.iter().filter_map(verdict_line).collect()
}

fn verdict_line(entry: &Entry) -> Option<String> {
    let row = &entry.row;
    let named = [
        ("vision", &row.vision),
        ("text", &row.text),
        ("drift", &row.drift),
        ("context", &row.context),
    ];
    let known = named
        .into_iter()
        .filter(|(_, verdict)| verdict.mark != Mark::Unknown);
    let words: Vec<String> = known
        .map(|(name, v)| format!("{name} {} ({})", v.label, v.detail))
        .collect();
    (!words.is_empty()).then(|| one_line(&format!("{}: {}", row.model, words.join("; "))))
}

/// The notes of a table, in the order of its rows.
pub(crate) fn notes(entries: &[Entry]) -> Vec<Note> {
    entries.iter().flat_map(of).collect()
}

/// The notes of one row: failures first.
pub(crate) fn of(entry: &Entry) -> Vec<Note> {
    let row = &entry.row;
    let note = |kind, about, reason: &String| Note {
        kind,
        model: row.model.clone(),
        about,
        reason: reason.clone(),
    };
    let failed = row.failures.iter().map(|(scenario, stage, message)| {
        note(
            Kind::Failed,
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
        note(Kind::Void, about, &void.reason)
    });
    failed.chain(voids).collect()
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
