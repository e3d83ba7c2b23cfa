//! `report table`: the newest figures of every model on every machine, as text, Markdown or JSON.

use serde::Serialize;
use serde_json::{Value, json};
use store::summary::{Verdict, text_table};

use crate::archive::{Archive, Entry, Place, commit};
use crate::columns::{self, headers};
use crate::error::Result;
use crate::notes::{legend, lines, notes};
use crate::pipe::Summary;
use crate::template::Templates;
use crate::text::markdown;

/// Version of the JSON document; grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// What to print the table as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for a terminal.
    Text,
    /// A GitHub-flavoured Markdown table.
    Markdown,
    /// One JSON object, for scripts.
    Json,
}

/// How the figures and the status read, in one paragraph.
fn about() -> String {
    format!("{} A status names its rule (R1 to R8).", legend())
}

/// Renders the newest figures. Ends without a line break.
///
/// A database without a run of our own gives a table without rows, and says so; it is not an error.
///
/// # Errors
/// [`Error::Hardware`](crate::Error::Hardware) when `hardware` names no machine;
/// [`Error::Template`](crate::Error::Template).
pub fn render_table(
    archive: &Archive,
    hardware: Option<&str>,
    format: Format,
    templates: &Templates,
) -> Result<String> {
    let places = archive.places(hardware)?;
    match format {
        Format::Json => Ok(format!("{:#}", to_json(archive, &places))),
        _ if places.is_empty() => Ok(empty(archive)),
        Format::Text => Ok(to_text(&places)),
        Format::Markdown => to_markdown(&places, templates),
    }
}

/// What is said instead of a table without rows.
pub(crate) fn empty(archive: &Archive) -> String {
    let none = "No run of our own in this database yet: run `cargo harness run`.";
    match archive.guides.last() {
        None => none.to_owned(),
        Some(guide) => format!(
            "{none} The historic guide of {date} is there: `report guide --date {date}`.",
            date = guide.date
        ),
    }
}

fn to_text(places: &[Place]) -> String {
    let table = |place: &Place| {
        let entries = place.entries();
        let table = text_table(&headers(), &columns::lines(&entries));
        let mut text = format!(
            "{} (key {})\n{}\n\n{}\n",
            place.name(),
            place.key,
            newest(place),
            table.trim_end()
        );
        text.push('\n');
        for (word, line) in lines(&entries) {
            text.push_str(&format!("{word}: {line}\n"));
        }
        for note in notes(&entries) {
            text.push_str(&format!("{}: {}\n", note.kind.word(), note.text()));
        }
        text
    };
    let tables: Vec<String> = places.iter().map(table).collect();
    format!("{}\n{}", tables.join("\n"), about())
}

/// When and at which commit the newest run of a machine was made.
pub(crate) fn newest(place: &Place) -> String {
    let at = place.newest().map_or_else(String::new, |at| {
        at.format("%Y-%m-%d %H:%M UTC").to_string()
    });
    let commit = place.sessions.last().map_or_else(String::new, commit);
    format!("Newest run {at}, {commit}")
}

#[derive(Serialize)]
struct MarkdownView {
    machines: Vec<MarkdownTable>,
    legend: String,
}

#[derive(Serialize)]
struct MarkdownTable {
    name: String,
    newest: String,
    summary: Summary,
}

fn to_markdown(places: &[Place], templates: &Templates) -> Result<String> {
    let table = |place: &Place| {
        let entries = place.entries();
        MarkdownTable {
            name: markdown(&format!("{} (key {})", place.name(), place.key)),
            newest: markdown(&newest(place)),
            summary: Summary::new(&entries),
        }
    };
    let view = MarkdownView {
        machines: places.iter().map(table).collect(),
        legend: markdown(&about()),
    };
    templates.render("table.md", &view)
}

fn to_json(archive: &Archive, places: &[Place]) -> Value {
    let machine = |place: &Place| {
        let entries = place.entries();
        json!({
            "key": place.key,
            "machine": place.name(),
            "newest": place.newest(),
            "rows": entries.iter().map(row_json).collect::<Vec<_>>(),
            "notes": notes(&entries),
        })
    };
    let mut document =
        json!({ "schema": SCHEMA, "machines": places.iter().map(machine).collect::<Vec<_>>() });
    if places.is_empty() {
        document["note"] = empty(archive).into();
    }
    document
}

fn row_json(entry: &Entry) -> Value {
    let row = &entry.row;
    let figures = row.figures.iter().map(|(metric, figure)| {
        let value = json!({
            "median": figure.median,
            "interval": figure.interval.map(|(low, high)| [low, high]),
            "trials": figure.trials,
            "epochs": figure.epochs,
            "provisional": figure.provisional(),
            "wide": figure.wide(),
            "noisy": figure.noisy(),
            "outliers": figure.outliers,
            "between": figure.between,
            "within": figure.within,
            "unit": metric.spec().unit.name(),
        });
        (metric.name().to_owned(), value)
    });
    let between_tokens = row.timing.between_tokens.iter();
    let between_tokens = between_tokens.map(|(p, value)| (format!("p{p}"), json!(value)));
    json!({
        "model": row.model, "backend": row.backend, "device": row.device,
        "precision": row.precision, "weights": row.weights, "revision": row.revision,
        "at": row.at, "commit": entry.sessions.last().and_then(|s| s.environment.commit.clone()),
        "vision": verdict_json(&row.vision), "text": verdict_json(&row.text),
        "drift": verdict_json(&row.drift), "context": verdict_json(&row.context),
        "lifecycle": verdict_json(&row.lifecycle),
        "status": { "label": row.status.label, "rule": row.status.rule, "detail": row.status.detail },
        "figures": figures.collect::<serde_json::Map<_, _>>(),
        "outliers": row.outliers,
        "first_calls": row.timing.first_calls,
        "between_tokens": between_tokens.collect::<serde_json::Map<_, _>>(),
        "notes": store::summary::notes(&entry.row),
    })
}

fn verdict_json(verdict: &Verdict) -> Value {
    json!({ "mark": columns::mark_name(verdict.mark), "label": verdict.label, "detail": verdict.detail })
}
