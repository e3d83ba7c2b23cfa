//! The guide of our own runs: every line of it derived from figures, with the rule that gave it.

use super::{Line, Method, View};
use crate::archive::{Entry, Place};
use crate::columns::{self, Cell, HEADERS};
use crate::notes::{self, Kind, notes};
use crate::table::{newest, pipe_row, pipe_rule};
use crate::text::{markdown, one_line, shell};

/// Rules of a status that speaks against using a model.
const AVOID: [&str; 4] = ["R2", "R3", "R4", "R5"];

pub(super) fn view(place: &Place) -> View {
    let entries = place.entries();
    let at = place.newest().unwrap_or_default();
    let row = |entry: &Entry| pipe_row(columns::cells(entry).iter().map(|cell| markdown(&cell.line())));
    View {
        title: "VLM Model Loading Reference Guide".to_owned(),
        date: at.date_naive().to_string(),
        header: pipe_row(HEADERS),
        rule: pipe_rule(&HEADERS),
        rows: entries.iter().map(row).collect(),
        notes: footnotes(place, &entries),
        methods: entries.iter().map(method).collect(),
        recommendations: recommendations(&entries),
        issues: issues(&entries),
        updated: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        environment: markdown(&format!("{} (key {})", place.name(), place.key)),
    }
}

fn footnotes(place: &Place, entries: &[Entry]) -> Vec<String> {
    let legend = "A figure is the median over fresh processes; ± is the farther end of its 95 % interval, \
                  n= the trials and the processes they ran in. Avg Inference is the median of a warm request.";
    let about = [format!("{}.", markdown(&newest(place))), legend.to_owned()];
    let refused = notes(entries).into_iter().map(|note| format!("**{}** {}", note.kind.word(), markdown(&note.text())));
    about.into_iter().chain(refused).collect()
}

fn method(entry: &Entry) -> Method {
    let [_, _, _, inference, load, memory, ..] = columns::cells(entry);
    let figure = |cell: &Cell, unit: &str| match cell.sub.is_empty() {
        true => "not measured".to_owned(),
        false => format!("{}{unit}", cell.text),
    };
    let figures = format!(
        "# Load time: {} | Avg Inference: {} | Memory Diff: {}",
        figure(&load, "s"), figure(&inference, "s"), figure(&memory, "GB")
    );
    let mut lines = vec![command(entry), figures, format!("# {}", entry.variant().join(", "))];
    if !entry.revision.is_empty() {
        lines.push(format!("# Revision: {}", one_line(&entry.revision)));
    }
    Method { model: markdown(&entry.row.model), language: "sh", lines }
}

/// The command that measures this entry again.
fn command(entry: &Entry) -> String {
    let row = &entry.row;
    let [model, backend, device] = [&row.model, &row.backend, &row.device].map(|text| shell(text));
    let weights = if row.weights == "dummy" { " --weights dummy" } else { "" };
    format!("cargo harness run --model {model} --backend {backend} --device {device}{weights}")
}

/// A subject in a list: the model, with its variant where the model alone is not unique.
fn subject(entry: &Entry, entries: &[Entry]) -> String {
    let same = entries.iter().filter(|other| other.row.model == entry.row.model).count();
    match same {
        0 | 1 => markdown(&entry.row.model),
        _ => markdown(&format!("{} ({})", entry.row.model, entry.variant().join(", "))),
    }
}

fn status(entry: &Entry) -> String {
    let status = &entry.row.status;
    let detail = if status.detail.is_empty() { String::new() } else { format!(": {}", status.detail) };
    markdown(&format!("{} ({}{detail})", status.label, status.rule))
}

fn recommendations(entries: &[Entry]) -> Vec<Line> {
    let avoid = entries.iter().filter(|entry| AVOID.contains(&entry.row.status.rule.as_str()));
    let avoid = avoid.map(|entry| Line {
        label: "Avoid".to_owned(),
        text: format!("{}, {}; again with `{}`", subject(entry, entries), status(entry), command(entry).replace('`', "'")),
    });
    let best = Line {
        label: "No best model derived".to_owned(),
        text: "the rules that would name one (R7: Best Overall, Best Context, Balanced, Fastest, Smallest) \
               are not applied by this version; compare the figures above"
            .to_owned(),
    };
    std::iter::once(best).chain(avoid).collect()
}

fn issues(entries: &[Entry]) -> Vec<Line> {
    let mut lines = Vec::new();
    for entry in entries {
        let label = subject(entry, entries);
        if !["R7", "R8"].contains(&entry.row.status.rule.as_str()) {
            lines.push(Line { label: label.clone(), text: status(entry) });
        }
        for note in notes::of(entry).into_iter().filter(|note| note.kind == Kind::Failed) {
            let text = markdown(&format!("{}: {}", note.about, note.reason));
            lines.push(Line { label: label.clone(), text });
        }
    }
    if lines.is_empty() {
        let text = "every model passed the rules R1 to R6 that this version applies".to_owned();
        lines.push(Line { label: "None derived".to_owned(), text });
    }
    lines
}
