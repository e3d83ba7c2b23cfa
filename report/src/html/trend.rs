//! Trends of one machine: a series per model variant and metric, a point per session.

use std::collections::BTreeMap;

use serde::Serialize;
use store::stats::{is_item_score, share};
use store::{Metric, Run, Session};

use super::chart::{Chart, Gap, Point, Trend, draw};
use crate::archive::{Entry, Place, commit, is_of};
use crate::text::one_line;

/// What is drawn, under which heading, in this order.
const GROUPS: [(&str, &[(Metric, &str)]); 3] = [
    (
        "Speed",
        &[
            (Metric::Inference, "Inference"),
            (Metric::Ttft, "Time to first token"),
            (Metric::Decode, "Decode"),
            (Metric::Prefill, "Prefill"),
            (Metric::VisionEncode, "Vision encode"),
            (Metric::ImagePrep, "Image preparation"),
            (Metric::FirstInference, "First inference"),
        ],
    ),
    (
        "Loading and memory",
        &[
            (Metric::LoadWarm, "Load, warm"),
            (Metric::LoadCold, "Load, cold"),
            (Metric::LoadUnknown, "Load, cache unknown"),
            (Metric::LoadMemory, "Memory of loading"),
            (Metric::PeakMemory, "Peak memory"),
        ],
    ),
    (
        "Answers",
        &[
            (Metric::VisionRight, "Vision, right answers"),
            (Metric::TextRight, "Text, right answers"),
            (Metric::ContextRetained, "Context, facts retained"),
            (Metric::ExactMatch, "Repeated calls, same ids"),
        ],
    ),
];

/// The trends of one model in one variant.
#[derive(Serialize)]
pub(super) struct Model {
    id: String,
    name: String,
    chips: Vec<String>,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    title: &'static str,
    charts: Vec<Chart>,
}

/// What one session gave for one series.
struct Past<'a> {
    session: &'a Session,
    entry: Entry,
    runs: Vec<Run>,
}

/// Every model and variant of a machine, in the order of its table.
pub(super) fn models(place: &Place) -> Vec<Model> {
    let past: Vec<Past<'_>> = place
        .sessions
        .iter()
        .flat_map(|session| past(place, session))
        .collect();
    let entries = place.entries();
    entries
        .iter()
        .enumerate()
        .map(|(at, entry)| model(&format!("{}-{at}", place.key), entry, &past))
        .collect()
}

fn past<'a>(place: &Place, session: &'a Session) -> Vec<Past<'a>> {
    let Some(alone) = place.alone(session) else {
        return Vec::new();
    };
    let of = |entry: Entry| {
        let runs = alone
            .runs
            .iter()
            .filter(|run| is_of(run, &entry.row))
            .cloned()
            .collect();
        Past {
            session,
            entry,
            runs,
        }
    };
    alone.entries().into_iter().map(of).collect()
}

fn model(id: &str, entry: &Entry, past: &[Past<'_>]) -> Model {
    let series: Vec<&Past<'_>> = past
        .iter()
        .filter(|other| other.entry.continues(entry))
        .collect();
    let group = |(title, metrics): &(&'static str, &[(Metric, &str)])| {
        let charts: Vec<Chart> = metrics
            .iter()
            .filter_map(|metric| chart(id, *metric, &series))
            .collect();
        (!charts.is_empty()).then_some(Group { title, charts })
    };
    Model {
        id: format!("model-{id}"),
        name: one_line(&entry.row.model),
        chips: entry.variant(),
        groups: GROUPS.iter().filter_map(group).collect(),
    }
}

/// A trend, or none for a metric that was never taken in this series.
fn chart(id: &str, (metric, title): (Metric, &str), series: &[&Past<'_>]) -> Option<Chart> {
    let taken = |past: &&&Past<'_>| point(past, metric).is_some() || void(past, metric).is_some();
    series.iter().find(taken)?;
    let points: Vec<Point> = series
        .iter()
        .filter_map(|past| point(past, metric))
        .collect();
    let gaps: Vec<Gap> = series.iter().filter_map(|past| gap(past, metric)).collect();
    let spec = metric.spec();
    let about = if is_item_score(metric) {
        "share of items, with its Wilson interval"
    } else {
        spec.about
    };
    Some(draw(Trend {
        id: format!("{id}-{}", spec.name),
        title: title.to_owned(),
        about: about.to_owned(),
        unit: spec.unit,
        points,
        gaps,
    }))
}

fn point(past: &Past<'_>, metric: Metric) -> Option<Point> {
    let Some(figure) = past.entry.row.figures.get(&metric) else {
        return score(past, metric);
    };
    Some(Point {
        at: past.session.at,
        value: figure.median,
        interval: figure.interval,
        origin: origin(past.session, &figure.counts()),
    })
}

/// The share of items answered right, with its Wilson interval.
fn score(past: &Past<'_>, metric: Metric) -> Option<Point> {
    let sample = |run: &Run| share(run.sample(metric)?);
    let share = past.runs.iter().rev().find_map(sample)?;
    Some(Point {
        at: past.session.at,
        value: share.share()?,
        interval: Some((share.low, share.high)),
        origin: origin(
            past.session,
            &format!("{} of {} items", share.right, share.of),
        ),
    })
}

fn origin(session: &Session, counts: &str) -> String {
    one_line(&format!(
        "{}; {counts}, {} profile",
        commit(session),
        session.profile
    ))
}

/// A mark where values were refused, or where there is no figure because something failed.
fn gap(past: &Past<'_>, metric: Metric) -> Option<Gap> {
    let failed = || match point(past, metric) {
        Some(_) => None,
        None => failure(past),
    };
    let reason = void(past, metric).or_else(failed)?;
    Some(Gap {
        at: past.session.at,
        reason,
    })
}

/// Why values of a metric were refused in a session, with their number.
fn void(past: &Past<'_>, metric: Metric) -> Option<String> {
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    let voids = past.entry.row.voids.iter();
    for void in voids.filter(|void| void.metric == Some(metric)) {
        *reasons.entry(one_line(&void.reason)).or_default() += void.count;
    }
    let words = reasons
        .iter()
        .map(|(reason, count)| format!("{count} refused: {reason}"));
    let text: Vec<String> = words.collect();
    (!text.is_empty()).then(|| text.join("; "))
}

/// What failed in a session.
fn failure(past: &Past<'_>) -> Option<String> {
    let failures = past.entry.row.failures.iter();
    let words =
        failures.map(|(scenario, _, message)| one_line(&format!("{scenario} failed: {message}")));
    let text: Vec<String> = words.collect();
    (!text.is_empty()).then(|| text.join("; "))
}
