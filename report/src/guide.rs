//! `report guide`: the dated Markdown guide, imported or of our own runs, through one template.

pub(crate) mod imported;
mod own;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;
use store::legacy::Guide;

use crate::archive::{Archive, Place};
use crate::error::{Error, Result};
use crate::pipe::Summary;
use crate::template::Templates;

/// The guide as the template takes it: finished Markdown.
#[derive(Debug, Serialize)]
struct View {
    title: String,
    date: String,
    summary: Summary,
    methods: Vec<Method>,
    recommendations: Vec<Line>,
    issues: Vec<Line>,
    updated: String,
    environment: String,
}

/// How to load one model: a code block.
#[derive(Debug, Serialize)]
struct Method {
    model: String,
    language: &'static str,
    lines: Vec<String>,
}

/// One labelled line of a list.
#[derive(Debug, Serialize)]
struct Line {
    label: String,
    text: String,
}

/// What a guide can be made of.
enum Source<'a> {
    Own(Place),
    Imported(&'a Guide),
}

/// Renders the guide of `date`, of a machine that `hardware` names. Ends without a line break.
///
/// With a date: the sessions that started on that day (UTC), else the guide imported for it. Without:
/// the newest run of every model; where there is no run of our own, the newest imported guide.
/// Where several machines are meant, the one measured last.
///
/// # Errors
/// [`Error::Date`] when there is nothing of that day, naming the days there are; [`Error::Empty`];
/// [`Error::Hardware`]; [`Error::Template`].
pub fn render_guide(
    archive: &Archive,
    date: Option<NaiveDate>,
    hardware: Option<&str>,
    templates: &Templates,
) -> Result<String> {
    let view = match source(archive, date, hardware)? {
        Source::Own(place) => own::view(&place),
        Source::Imported(guide) => imported::view(guide),
    };
    templates.render("guide.md", &view)
}

fn source<'a>(
    archive: &'a Archive,
    date: Option<NaiveDate>,
    hardware: Option<&str>,
) -> Result<Source<'a>> {
    let guides: Vec<&Guide> = archive
        .guides
        .iter()
        .filter(|guide| names(guide, hardware))
        .collect();
    let places = match archive.places(hardware) {
        Err(Error::Hardware { .. }) if !guides.is_empty() => Vec::new(),
        places => places?,
    };
    let mut own = places.first().cloned();
    if let Some(date) = date {
        own = None;
        for place in &places {
            own = own.or(archive.on(place, date)?);
        }
    }
    let past = guides
        .iter()
        .rev()
        .find(|guide| date.is_none_or(|date| guide.date == date));
    match (own, past, date) {
        (Some(place), _, _) => Ok(Source::Own(place)),
        (None, Some(guide), _) => Ok(Source::Imported(guide)),
        (None, None, Some(date)) => Err(Error::Date {
            date,
            known: days(&places, &guides),
        }),
        (None, None, None) => Err(Error::Empty),
    }
}

fn names(guide: &Guide, hardware: Option<&str>) -> bool {
    hardware.is_none_or(|wanted| {
        guide
            .environment
            .to_lowercase()
            .contains(&wanted.to_lowercase())
    })
}

fn days(places: &[Place], guides: &[&Guide]) -> String {
    let mut days: BTreeSet<NaiveDate> = places.iter().flat_map(Place::days).collect();
    days.extend(guides.iter().map(|guide| guide.date));
    if days.is_empty() {
        return "there is none yet, run `cargo harness run` first".to_owned();
    }
    let days: Vec<String> = days.iter().map(NaiveDate::to_string).collect();
    format!("there is one for {}", days.join(", "))
}
