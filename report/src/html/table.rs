//! The summary table of a machine on a page, and the notes below it.

use std::collections::BTreeMap;

use serde::Serialize;
use store::summary::NoteKind;

use super::site::model_file;
use crate::archive::{Entry, Place};
use crate::columns::{Cell, Tone, cells, headers};
use crate::notes::{lines, notes};
use crate::text::one_line;

/// Reasons of one kind on a page, and characters of one: the rest is in the tables of the command line.
const REASONS: usize = 40;
const REASON: usize = 400;

/// Rows with headers.
#[derive(Serialize)]
pub(super) struct Table {
    headers: Vec<&'static str>,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    /// Number of its backend among those of the machine, from 1.
    backend: usize,
    /// File of its model's page, in the folder of models.
    file: String,
    cells: Vec<CellView>,
}

#[derive(Serialize)]
struct CellView {
    text: String,
    sub: String,
    tone: &'static str,
}

/// What stands below a table.
#[derive(Serialize)]
pub(super) struct Notes {
    /// What the verdicts rest on, and times that are no column.
    lines: Vec<Line>,
    /// How many of each kind, with the different reasons.
    kinds: Vec<Kind>,
}

#[derive(Serialize)]
struct Line {
    word: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Kind {
    word: &'static str,
    tone: &'static str,
    count: usize,
    reasons: Vec<Reason>,
    more: usize,
}

/// Why something is not there, and of what.
#[derive(Serialize)]
pub(super) struct Reason {
    pub(super) text: String,
    pub(super) of: String,
}

/// The backends of a machine with their devices, in order of appearance.
pub(super) fn backends(entries: &[Entry]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        let name = backend(entry);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn backend(entry: &Entry) -> String {
    one_line(&format!("{} {}", entry.row.backend, entry.row.device))
}

/// The newest figures of these entries of a machine.
pub(super) fn table(place: &Place, entries: &[Entry]) -> Table {
    let names = backends(entries);
    let row = |(entry, row): (&Entry, Vec<Cell>)| RowView {
        backend: 1 + names
            .iter()
            .position(|name| *name == backend(entry))
            .unwrap_or_default(),
        file: model_file(&place.key, &entry.row.model),
        cells: row.into_iter().map(cell).collect(),
    };
    Table {
        headers: headers(),
        rows: entries.iter().zip(cells(entries)).map(row).collect(),
    }
}

fn cell(cell: Cell) -> CellView {
    let tone = match cell.tone {
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Plain => "",
    };
    CellView {
        text: plain_signs(&cell.text),
        sub: cell.sub,
        tone,
    }
}

/// Emoji as plain signs: pages have colours of their own, and not every system has an emoji font.
pub(super) fn plain_signs(text: &str) -> String {
    text.replace('✅', "✓")
        .replace('❌', "✗")
        .replace("⚠️", "!")
}

/// What stands below the table of these entries.
pub(super) fn notes_of(entries: &[Entry]) -> Notes {
    let mut kinds: BTreeMap<u8, (NoteKind, BTreeMap<String, Vec<String>>)> = BTreeMap::new();
    for note in notes(entries) {
        let (_, reasons) = kinds
            .entry(order(note.kind))
            .or_insert((note.kind, BTreeMap::new()));
        let reason: String = one_line(&note.reason).chars().take(REASON).collect();
        let of = one_line(&format!("{}, {}", note.model, note.about));
        reasons.entry(reason).or_default().push(of);
    }
    let line = |(word, text): (&'static str, String)| Line { word, text };
    Notes {
        lines: lines(entries).into_iter().map(line).collect(),
        kinds: kinds.into_values().map(kind).collect(),
    }
}

fn kind((kind, reasons): (NoteKind, BTreeMap<String, Vec<String>>)) -> Kind {
    let tone = tone_of(kind);
    let count = reasons.values().map(Vec::len).sum();
    let more = reasons.len().saturating_sub(REASONS);
    let reason = |(text, of): (String, Vec<String>)| Reason {
        text,
        of: of.join("; ").chars().take(REASON).collect(),
    };
    Kind {
        word: kind.word(),
        tone,
        count,
        reasons: reasons.into_iter().take(REASONS).map(reason).collect(),
        more,
    }
}

/// How a note should be read.
pub(super) const fn tone_of(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Failed => "bad",
        NoteKind::Void | NoteKind::Advisory => "warn",
        NoteKind::Design | NoteKind::Finding => "",
    }
}

/// Failures first.
const fn order(kind: NoteKind) -> u8 {
    match kind {
        NoteKind::Failed => 0,
        NoteKind::Void => 1,
        NoteKind::Advisory => 2,
        NoteKind::Finding => 3,
        NoteKind::Design => 4,
    }
}
