//! The page of two sessions, cell by cell: the rows of `report compare`, model by model.

use std::collections::BTreeMap;

use serde::Serialize;
use store::Session;
use store::gate::{Judgement, Row, Side, Verdict, headers, line, name, sorted};

use super::frame::Frame;
use super::heading::Heading;
use super::outcome::{Outcome, tone};
use super::session::{self, Link};
use super::site::Site;
use crate::archive::Place;
use crate::text::one_line;

#[derive(Serialize)]
struct Page {
    frame: Frame,
    machine: String,
    machine_key: String,
    #[serde(flatten)]
    outcome: Outcome,
    base: Link,
    head: Link,
    /// Whether the base has a page of its own.
    linked: bool,
    command: String,
    headers: Vec<&'static str>,
    models: Vec<Model>,
}

#[derive(Serialize)]
struct Model {
    #[serde(flatten)]
    heading: Heading,
    counts: String,
    /// What did not pass, the worst first.
    open: Vec<RowView>,
    passed: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    tone: &'static str,
    verdict: String,
    /// The texts of `report compare`, without the verdict.
    cells: Vec<String>,
    reason: String,
}

/// Two sessions of a machine, and what came of comparing them.
pub(super) struct Subject<'a> {
    pub site: &'a Site,
    pub place: &'a Place,
    pub base: &'a Side,
    pub head: &'a Side,
    pub judgement: &'a Judgement,
}

/// The page as text is made of, and its file.
pub(super) fn page(subject: &Subject<'_>) -> (String, impl Serialize + use<>) {
    let (place, judgement) = (subject.place, subject.judgement);
    let (base, head) = (&subject.base.session, &subject.head.session);
    let has_page = |session: &Session| {
        subject
            .site
            .shown(place)
            .any(|shown| shown.id == session.id)
    };
    let page = Page {
        frame: Frame::within(&format!(
            "{} against {}",
            session::at(head),
            session::at(base)
        )),
        machine: place.name(),
        machine_key: place.key.clone(),
        outcome: Outcome::of(judgement),
        base: session::link(base),
        head: session::link(head),
        linked: has_page(base),
        command: format!("report compare {} {}", base.id, head.id),
        headers: headers().to_vec(),
        models: models(subject),
    };
    (session::file(head), page)
}

/// The rows by model, in the order of the models' names.
fn models(subject: &Subject<'_>) -> Vec<Model> {
    let runs = subject.base.runs.iter().chain(&subject.head.runs);
    let owners: BTreeMap<String, &str> = runs
        .map(|run| (name(&run.cell), run.cell.model.as_str()))
        .collect();
    let mut models: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in sorted(subject.judgement) {
        if let Some(model) = owners.get(&row.cell) {
            models.entry(model).or_default().push(row);
        }
    }
    let model = |(name, rows): (&str, Vec<&Row>)| {
        let (passed, open): (Vec<&Row>, Vec<&Row>) =
            rows.iter().partition(|row| row.verdict == Verdict::Pass);
        Model {
            heading: Heading::new(&subject.place.key, name),
            counts: format!("{} of {} rows pass", passed.len(), rows.len()),
            open: open.into_iter().map(view).collect(),
            passed: passed.into_iter().map(view).collect(),
        }
    };
    models.into_iter().map(model).collect()
}

fn view(row: &Row) -> RowView {
    let mut cells = line(row);
    RowView {
        tone: tone(row.verdict),
        verdict: cells.remove(0),
        cells,
        reason: one_line(&row.reason),
    }
}
