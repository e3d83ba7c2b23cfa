//! The first page: which model to use today on which machine, and what changed.

use serde::Serialize;
use store::summary::{Row, recommend};

use super::files::slug;
use super::frame::Frame;
use super::recent::{self, Window};
use super::session::{self, Fact, Link, fact};
use super::site::Site;
use super::table::{self, Notes, Table};
use crate::archive::{Archive, Entry, Place};
use crate::table::empty;
use crate::text::one_line;

#[derive(Serialize)]
struct Page {
    frame: Frame,
    scope: String,
    machines: Vec<Machine>,
    empty: String,
    historic: bool,
    legend: Vec<Fact>,
}

#[derive(Serialize)]
struct Machine {
    key: String,
    name: String,
    picker: Vec<Pick>,
    backends: Vec<Backend>,
    facts: Vec<Fact>,
    caption: String,
    advice: Vec<Fact>,
    table: Table,
    notes: Notes,
    windows: Vec<Window>,
    sessions: Vec<Link>,
    /// How many sessions have no page.
    older: usize,
    /// File of the newest session against the one before, where there is one.
    compared: Option<String>,
    /// Its id.
    newest: String,
}

/// A link to a machine, in the row of links that every machine's section starts with.
#[derive(Serialize)]
struct Pick {
    key: String,
    name: String,
    current: bool,
}

/// A link that leaves the rows of one backend.
#[derive(Serialize)]
struct Backend {
    id: String,
    name: String,
}

/// The view of the first page.
pub(super) fn page(archive: &Archive, site: &Site) -> impl Serialize {
    Page {
        frame: Frame::top("vlm-bench report"),
        scope: scope(&site.places),
        machines: (0..site.places.len()).map(|at| machine(site, at)).collect(),
        empty: empty(archive),
        historic: !archive.guides.is_empty() || !archive.history.is_empty(),
        legend: legend(),
    }
}

fn scope(places: &[Place]) -> String {
    let count = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let runs = places.iter().map(|place| place.count).sum();
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

fn machine(site: &Site, at: usize) -> Machine {
    let (places, place) = (&site.places, &site.places[at]);
    let entries = place.entries();
    let pick = |(other, place): (usize, &Place)| Pick {
        key: place.key.clone(),
        name: place.name(),
        current: other == at,
    };
    let backends = table::backends(&entries).into_iter().map(|name| Backend {
        id: slug(&name),
        name,
    });
    let day = place
        .newest()
        .map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string());
    let newest = place.sessions.last();
    let shown: Vec<Link> = site.shown(place).map(session::link).collect();
    Machine {
        key: place.key.clone(),
        name: place.name(),
        picker: places.iter().enumerate().map(pick).collect(),
        backends: backends.collect(),
        facts: newest.map(session::facts).unwrap_or_default(),
        caption: format!(
            "Newest figures of every model, {day}. Below each figure its spread and sample count."
        ),
        advice: advice(&entries),
        table: table::table(place, &entries),
        notes: table::notes_of(&entries),
        windows: recent::windows(site, place),
        older: place.sessions.len() - shown.len(),
        sessions: shown,
        newest: newest.map_or_else(String::new, |newest| newest.id.to_string()),
        compared: newest.and_then(|newest| {
            session::previous(place, newest)?;
            Some(session::file(newest))
        }),
    }
}

/// Which model to use for what, by R7.
fn advice(entries: &[Entry]) -> Vec<Fact> {
    let rows: Vec<Row> = entries.iter().map(|entry| entry.row.clone()).collect();
    let name = |&at: &usize| {
        let row = &rows[at];
        one_line(&format!("{} ({} {})", row.model, row.backend, row.device))
    };
    let held = recommend(&rows)
        .into_iter()
        .filter(|found| !found.rows.is_empty());
    let fact = held.map(|found| {
        let names: Vec<String> = found.rows.iter().map(name).collect();
        let tie = if names.len() > 1 { "tie of " } else { "" };
        Fact {
            term: found.label.to_owned(),
            detail: one_line(&format!("{tie}{}: {}", names.join(", "), found.detail)),
        }
    });
    fact.collect()
}

#[rustfmt::skip]
fn legend() -> Vec<Fact> {
    let facts = [
        ("Figure", "The median over fresh processes of each process's median. All raw samples are in the database."),
        ("± 3 %", "The farther end of the 95 % interval, whose unit is the process. One process gives no interval."),
        ("n=10/2", "10 trials in 2 processes."),
        ("†", "Provisional: two processes or fewer, so that the figure may move."),
        ("‡", "Wide: the interval is over 2 % of a decode rate, or 5 % of another time or rate."),
        ("*", "Noisy: over a tenth of the trials lie far from the median of their process."),
        ("Void", "A figure that was taken and refused, with the reason. It enters no statistics; a × marks it in a trend."),
        ("Status", "Given by the numbered rule printed with it: R1 not measured, R2 broken, R3 blind, R4 state issues, R6 vision only, R7 best at something, R8 reliable."),
        ("Change", "One night far off is a suspect, two that agree are probable, three are confirmed. Changes of one machine, night and direction are one incident."),
    ];
    facts.into_iter().map(|(term, detail)| fact(term, detail)).collect()
}
