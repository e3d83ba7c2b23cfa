//! `report html`: one self-contained page. It runs no script and loads nothing.

mod axis;
mod chart;
mod historic;
mod policy;
mod trend;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::archive::{Archive, Place, commit};
use crate::columns::{Cell, Tone, cells, headers};
use crate::error::{Error, Result};
use crate::notes::{lines, notes};
use crate::table::empty;
use crate::template::Templates;
use crate::text::one_line;

#[derive(Serialize)]
struct Page<'a> {
    policy: String,
    style: &'a str,
    scope: String,
    machines: Vec<MachineView>,
    empty: String,
    historic: Vec<historic::Past>,
    legend: Vec<Fact>,
}

#[derive(Serialize)]
struct MachineView {
    key: String,
    name: String,
    picker: Vec<Pick>,
    facts: Vec<Fact>,
    caption: String,
    headers: Vec<&'static str>,
    rows: Vec<Vec<CellView>>,
    notes: Vec<NoteView>,
    models: Vec<trend::Model>,
}

/// A link to a machine, in the row of links that every machine's section starts with.
#[derive(Serialize)]
struct Pick {
    key: String,
    name: String,
    current: bool,
}

#[derive(Serialize)]
struct Fact {
    term: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct CellView {
    text: String,
    sub: String,
    tone: &'static str,
}

#[derive(Serialize)]
struct NoteView {
    kind: &'static str,
    tone: &'static str,
    text: String,
}

/// Renders the whole page.
///
/// # Errors
/// [`Error::Template`] only: a database without runs gives a page that says so.
pub fn render_page(archive: &Archive, templates: &Templates) -> Result<String> {
    let places = archive.places(None)?;
    let style = templates.text("page.css")?;
    let page = Page {
        policy: policy::policy(style),
        style,
        scope: scope(&places),
        machines: places
            .iter()
            .enumerate()
            .map(|(at, place)| machine(at, place, &places))
            .collect(),
        empty: empty(archive),
        historic: historic::past(archive).into_iter().collect(),
        legend: legend(),
    };
    templates.render("index.html", &page)
}

/// Writes the page as `index.html` into `folder`, which is made if it is not there.
///
/// # Errors
/// [`Error::Write`] with the path that could not be written; [`Error::Template`].
pub fn write(archive: &Archive, folder: &Path, templates: &Templates) -> Result<PathBuf> {
    let page = render_page(archive, templates)?;
    fs::create_dir_all(folder).map_err(|source| Error::Write {
        path: folder.to_owned(),
        source,
    })?;
    let path = folder.join("index.html");
    fs::write(&path, page).map_err(|source| Error::Write {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

/// Shows a written page in the browser of this system.
///
/// # Errors
/// [`Error::Browser`] when its opener could not be started.
pub fn show(path: &Path) -> Result<()> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let started = Command::new(program)
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.map(drop).map_err(|source| Error::Browser {
        program,
        path: path.to_owned(),
        source,
    })
}

fn scope(places: &[Place]) -> String {
    let count = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let runs = places.iter().map(|place| place.runs.len()).sum();
    let sessions = places.iter().map(|place| place.sessions.len()).sum();
    let newest = places.iter().filter_map(Place::newest).max();
    let newest = newest.map_or_else(String::new, |at| {
        format!(", the newest of {}", at.format("%Y-%m-%d %H:%M UTC"))
    });
    let (machines, runs) = (count(places.len(), "machine"), count(runs, "run"));
    format!(
        "{runs} in {} on {machines}{newest}.",
        count(sessions, "session")
    )
}

fn machine(at: usize, place: &Place, places: &[Place]) -> MachineView {
    let entries = place.entries();
    let pick = |(other, place): (usize, &Place)| Pick {
        key: place.key.clone(),
        name: place.name(),
        current: other == at,
    };
    let picker = if places.len() > 1 {
        places.iter().enumerate().map(pick).collect()
    } else {
        Vec::new()
    };
    let day = place
        .newest()
        .map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string());
    let note = |note: store::summary::Note| NoteView {
        kind: note.kind.word(),
        tone: if note.kind == store::summary::NoteKind::Failed {
            "bad"
        } else {
            "warn"
        },
        text: note.text(),
    };
    let spoken = lines(&entries).into_iter().map(|(kind, text)| NoteView {
        kind,
        tone: "",
        text,
    });
    MachineView {
        key: place.key.clone(),
        name: place.name(),
        picker,
        facts: facts(place),
        caption: format!(
            "Newest figures of every model, {day}. Below each figure its spread and sample count."
        ),
        headers: headers(),
        rows: cells(&entries)
            .into_iter()
            .map(|row| row.into_iter().map(cell).collect())
            .collect(),
        notes: spoken
            .chain(notes(&entries).into_iter().map(note))
            .collect(),
        models: trend::models(place),
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
        text: plain_signs(cell.text),
        sub: cell.sub,
        tone,
    }
}

/// Emoji as plain signs: the page has colours of its own, and not every system has an emoji font.
fn plain_signs(text: String) -> String {
    text.replace('✅', "✓")
        .replace('❌', "✗")
        .replace("⚠️", "!")
}

/// What was true of the newest session of a machine.
fn facts(place: &Place) -> Vec<Fact> {
    let Some(session) = place.sessions.last() else {
        return Vec::new();
    };
    let environment = &session.environment;
    let backends: Vec<String> = environment
        .backends
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let facts = [
        ("Key", place.key.clone()),
        (
            "Newest session",
            session.at.format("%Y-%m-%d %H:%M UTC").to_string(),
        ),
        ("Profile", session.profile.clone()),
        ("Suite", session.suite.clone()),
        ("Source", commit(session)),
        ("Backends", backends.join(", ")),
        ("System", environment.os_build.clone()),
        ("Power", environment.power.clone()),
        ("Threads", environment.threads.to_string()),
        (
            "State",
            if session.finished.is_some() {
                "finished"
            } else {
                "cut off, can be resumed"
            }
            .to_owned(),
        ),
    ];
    let known = facts.into_iter().filter(|(_, detail)| !detail.is_empty());
    known
        .map(|(term, detail)| Fact {
            term,
            detail: one_line(&detail),
        })
        .collect()
}

fn legend() -> Vec<Fact> {
    let facts = [
        (
            "Figure",
            "The median over fresh processes of each process's median. All raw samples are in the database.",
        ),
        (
            "± 3 %",
            "The farther end of the 95 % interval, whose unit is the process. One process gives no interval.",
        ),
        ("n=10/2", "10 trials in 2 processes."),
        (
            "†",
            "Provisional: two processes or fewer, so that the figure may move.",
        ),
        (
            "‡",
            "Wide: the interval is over 2 % of a decode rate, or 5 % of another time or rate.",
        ),
        (
            "*",
            "Noisy: over a tenth of the trials lie far from the median of their process.",
        ),
        (
            "Void",
            "A figure that was taken and refused, with the reason. It enters no statistics; a × marks it in a trend.",
        ),
        (
            "Status",
            "Given by the numbered rule printed with it: R1 not measured, R2 broken, R3 blind, R4 state issues, R6 vision only, R8 reliable.",
        ),
        (
            "Trend",
            "One point a session. Point at it for date, commit and counts, or open the figures below it. Series of different backends, devices, precisions or weights are never joined.",
        ),
    ];
    facts
        .into_iter()
        .map(|(term, detail)| Fact {
            term,
            detail: detail.to_owned(),
        })
        .collect()
}
