//! Trends of one machine: a series per model variant and metric, a point per session.

use std::collections::BTreeMap;

use serde::Serialize;
use store::{Metric, Session};

use super::chart::{Chart, Gap, Point, Trend, draw};
use crate::archive::{Entry, Place, commit};
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

/// Every model and variant of a machine, in the order of its table.
pub(super) fn models(place: &Place) -> Vec<Model> {
    let past: Vec<(&Session, Vec<Entry>)> = place
        .sessions
        .iter()
        .filter_map(|session| Some((session, place.alone(session)?.entries())))
        .collect();
    let entries = place.entries();
    entries.iter().enumerate().map(|(at, entry)| model(&format!("{}-{at}", place.key), entry, &past)).collect()
}

fn model(id: &str, entry: &Entry, past: &[(&Session, Vec<Entry>)]) -> Model {
    let series: Vec<(&Session, &Entry)> = past
        .iter()
        .flat_map(|(session, entries)| entries.iter().map(move |entry| (*session, entry)))
        .filter(|(_, other)| other.series() == entry.series())
        .collect();
    let group = |(title, metrics): &(&'static str, &[(Metric, &str)])| {
        let charts: Vec<Chart> = metrics.iter().filter_map(|metric| chart(id, *metric, &series)).collect();
        (!charts.is_empty()).then_some(Group { title, charts })
    };
    Model {
        id: format!("model-{id}"),
        name: one_line(&entry.row.model),
        chips: entry.variant(),
        groups: GROUPS.iter().filter_map(group).collect(),
    }
}

/// A trend, or none for a metric that was never measured in this series.
fn chart(id: &str, (metric, title): (Metric, &str), series: &[(&Session, &Entry)]) -> Option<Chart> {
    let points: Vec<Point> = series.iter().filter_map(|(session, entry)| point(session, entry, metric)).collect();
    let gaps: Vec<Gap> = series.iter().flat_map(|(_, entry)| gaps(entry, metric)).collect();
    if points.is_empty() {
        return None;
    }
    let spec = metric.spec();
    Some(draw(Trend {
        id: format!("{id}-{}", spec.name),
        title: title.to_owned(),
        about: spec.about.to_owned(),
        unit: spec.unit,
        points,
        gaps,
    }))
}

fn point(session: &Session, entry: &Entry, metric: Metric) -> Option<Point> {
    let figure = entry.row.figures.get(&metric)?;
    let origin = format!(
        "{}; n={}/{}, {} profile",
        commit(session), figure.trials, figure.epochs, one_line(&session.profile)
    );
    Some(Point { at: session.at, value: figure.median, interval: figure.interval, origin })
}

/// Refused values of this metric, one mark a session however many there are.
fn gaps(entry: &Entry, metric: Metric) -> Option<Gap> {
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for void in entry.row.voids.iter().filter(|void| void.metric == Some(metric)) {
        *reasons.entry(one_line(&void.reason)).or_default() += void.count;
    }
    let text: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} refused: {reason}")).collect();
    (!text.is_empty()).then(|| Gap { at: entry.row.at, reason: text.join("; ") })
}
