//! The guide of our own runs: every line of it derived from figures, with the rule that gave it.

use super::{Line, Method, View};
use store::summary::{self, AVOID, EXPONENTS, Recommendation, Row, recommend};

use crate::archive::{Entry, Place};
use crate::columns::{Cell, cells};
use crate::notes::legend;
use crate::pipe::Summary;
use crate::table::newest;
use crate::text::{markdown, one_line};

pub(super) fn view(place: &Place) -> View {
    let entries = place.entries();
    let at = place.newest().unwrap_or_default();
    View {
        title: "VLM Model Loading Reference Guide".to_owned(),
        date: at.date_naive().to_string(),
        summary: summary(place, &entries),
        methods: methods(&entries),
        recommendations: recommendations(&entries),
        issues: issues(&entries),
        updated: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        environment: markdown(&format!("{} (key {})", place.name(), place.key)),
    }
}

/// The table, below it how to read it, then the notes that every summary has.
fn summary(place: &Place, entries: &[Entry]) -> Summary {
    let legend = format!("{} Avg Inference is a warm request.", markdown(&legend()));
    let about = [format!("{}.", markdown(&newest(place))), legend];
    let [q, s, m, w] = EXPONENTS;
    let utility = format!(
        "Best Overall has the highest utility, quality^{q} x speed^{s} x memory^{m} x load^{w} (R7): quality is the \
         mean of the shares right with and without a picture and of what is retained at turn 4, the others are the \
         best model's figure over this one's."
    );
    let Summary { table, notes } = Summary::new(entries);
    let about = about.into_iter().chain([utility]);
    Summary {
        table,
        notes: about.chain(notes).collect(),
    }
}

/// The loading method of every entry: the command that measures it, and what that gave.
fn methods(entries: &[Entry]) -> Vec<Method> {
    entries
        .iter()
        .zip(cells(entries))
        .map(|(entry, cells)| method(entry, &cells))
        .collect()
}

fn method(entry: &Entry, cells: &[Cell]) -> Method {
    let figure = |at: usize, unit: &str| match cells.get(at) {
        Some(cell) if !cell.sub.is_empty() => format!("{}{unit}", cell.text),
        _ => "not measured".to_owned(),
    };
    let (inference, load, memory) = (figure(3, "s"), figure(4, ""), figure(5, "GB"));
    let figures =
        format!("# Load time (s): {load} | Avg Inference: {inference} | Memory Diff: {memory}");
    let mut lines = vec![
        command(entry),
        figures,
        format!("# {}", entry.variant().join(", ")),
    ];
    if !entry.row.revision.is_empty() {
        lines.push(format!("# Revision: {}", one_line(&entry.row.revision)));
    }
    Method {
        model: markdown(&entry.row.model),
        language: "sh",
        lines,
    }
}

/// The command that measures this entry again, by the newest of its sessions.
fn command(entry: &Entry) -> String {
    let session = entry.sessions.last();
    session.map_or_else(String::new, |session| summary::command(&entry.row, session))
}

/// A subject in a list: the model, with its variant where the model alone is not unique.
fn subject(entry: &Entry, entries: &[Entry]) -> String {
    let same = entries
        .iter()
        .filter(|other| other.row.model == entry.row.model)
        .count();
    match same {
        0 | 1 => markdown(&entry.row.model),
        _ => markdown(&format!(
            "{} ({})",
            entry.row.model,
            entry.variant().join(", ")
        )),
    }
}

fn status(entry: &Entry) -> String {
    let status = &entry.row.status;
    let detail = if status.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", status.detail)
    };
    markdown(&format!("{} ({}{detail})", status.label, status.rule))
}

fn recommendations(entries: &[Entry]) -> Vec<Line> {
    let avoid = entries
        .iter()
        .filter(|entry| AVOID.contains(&entry.row.status.rule.as_str()));
    let avoid = avoid.map(|entry| Line {
        label: "Avoid".to_owned(),
        text: format!(
            "{}, {}; again with `{}`",
            subject(entry, entries),
            status(entry),
            command(entry).replace('`', "'")
        ),
    });
    let rows: Vec<Row> = entries.iter().map(|entry| entry.row.clone()).collect();
    let found = recommend(&rows);
    let named = found.iter().map(|found| best(found, entries));
    named.chain(avoid).collect()
}

/// A label of R7, who holds it, and the figures that decided.
fn best(found: &Recommendation, entries: &[Entry]) -> Line {
    let holders = found.rows.iter().filter_map(|&row| entries.get(row));
    let holders: Vec<String> = holders.map(|entry| subject(entry, entries)).collect();
    let detail = markdown(&found.detail);
    let text = match holders.as_slice() {
        [] => detail,
        [one] => format!("{one} (R7: {detail})"),
        several => format!("tie of {} (R7: {detail})", several.join(", ")),
    };
    Line {
        label: found.label.to_owned(),
        text,
    }
}

fn issues(entries: &[Entry]) -> Vec<Line> {
    let mut lines = Vec::new();
    for entry in entries {
        let label = subject(entry, entries);
        if !["R7", "R8"].contains(&entry.row.status.rule.as_str()) {
            lines.push(Line {
                label: label.clone(),
                text: status(entry),
            });
        }
        for note in store::summary::notes(&entry.row)
            .into_iter()
            .filter(|note| note.kind == store::summary::NoteKind::Failed)
        {
            let text = markdown(&format!("{}: {}", note.about, note.reason));
            lines.push(Line {
                label: label.clone(),
                text,
            });
        }
    }
    if lines.is_empty() {
        let text =
            "no rule of R1 to R6 that this version applies speaks against a model".to_owned();
        lines.push(Line {
            label: "None derived".to_owned(),
            text,
        });
    }
    lines
}
