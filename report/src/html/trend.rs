//! The charts of one model on one machine: every metric with its history, one line a variant.

use serde::Serialize;
use store::Metric;
use store::series::Series;
use store::stats::{is_item_score, median};
use store::trend::State;
use store::watch::Finding;

use super::chart::{self, Chart};
use super::lines::{Gap, Level, Line, Mark, Point, key};
use super::model::Subject;
use super::site::{Bad, fits};
use super::words;
use crate::text::one_line;

/// What is drawn, under which heading, in this order.
#[rustfmt::skip]
const GROUPS: [(&str, &[(Metric, &str)]); 4] = [
    ("Speed", &[
        (Metric::Inference, "Inference"),
        (Metric::Ttft, "Time to first token"),
        (Metric::Decode, "Decode"),
        (Metric::Prefill, "Prefill"),
        (Metric::VisionEncode, "Vision encode"),
        (Metric::ImagePrep, "Image preparation"),
        (Metric::FirstInference, "First inference"),
        (Metric::SustainedDecode, "Sustained decode"),
        (Metric::EnergyPerToken, "Energy of a token"),
        (Metric::EnergyPerImage, "Energy of a picture"),
        (Metric::BenchTime, "Micro-bench"),
    ]),
    ("Loading and memory", &[
        (Metric::LoadWarm, "Load, warm"),
        (Metric::LoadCold, "Load, cold"),
        (Metric::LoadUnknown, "Load, cache unknown"),
        (Metric::LoadMemory, "Memory of loading"),
        (Metric::PeakMemory, "Peak memory"),
        (Metric::AfterUnload, "Memory after unloading"),
    ]),
    ("Answers", &[
        (Metric::VisionRight, "Vision, right answers"),
        (Metric::TextRight, "Text, right answers"),
        (Metric::ContextRetained, "Context, facts retained"),
        (Metric::ExactMatch, "Repeated calls, same ids"),
    ]),
    ("What should not move", &[
        (Metric::PromptTokens, "Prompt positions"),
        (Metric::ImageTokens, "Image positions"),
        (Metric::OutputTokens, "Generated ids"),
    ]),
];

/// Whether a metric has a chart.
pub(super) fn is_shown(metric: Metric) -> bool {
    let all = GROUPS.iter().flat_map(|(_, metrics)| metrics.iter());
    all.into_iter().any(|&(shown, _)| shown == metric)
}

/// Charts under one heading.
#[derive(Serialize)]
pub(super) struct Charts {
    pub title: &'static str,
    pub charts: Vec<Chart>,
}

/// The trends of a model; a metric that was never taken has none.
pub(super) fn groups(subject: &Subject<'_>) -> Vec<Charts> {
    let group = |(title, metrics): &(&'static str, &[(Metric, &str)])| {
        let charts = metrics
            .iter()
            .filter_map(|&(metric, name)| chart(subject, metric, name));
        let charts: Vec<Chart> = charts.collect();
        (!charts.is_empty()).then_some(Charts { title, charts })
    };
    GROUPS.iter().filter_map(group).collect()
}

fn chart(subject: &Subject<'_>, metric: Metric, name: &str) -> Option<Chart> {
    let lines = (0..subject.variants.len()).map(|variant| line(subject, variant, metric));
    let lines: Vec<Line> = lines
        .filter(|line| !line.points.is_empty() || !line.gaps.is_empty())
        .collect();
    let spec = metric.spec();
    let about = if is_item_score(metric) {
        "share of items, with its Wilson interval"
    } else {
        spec.about
    };
    // A metric that only failures might have given is none of this model's.
    lines.iter().any(|line| !line.points.is_empty()).then(|| {
        chart::trend(&chart::Trend {
            id: spec.name.replace('_', "-"),
            title: name.to_owned(),
            about: about.to_owned(),
            unit: spec.unit,
            lines,
            stamps: &subject.stamps,
            variants: &subject.variants,
        })
    })
}

fn line(subject: &Subject<'_>, variant: usize, metric: Metric) -> Line {
    let set = &subject.site.set;
    let of = |&&at: &&usize| {
        let series = &set.series[at];
        let group = &set.groups[series.group];
        series.metric == metric
            && fits(&group.cell.scenario, metric)
            && subject.variants[variant].key == key(group)
    };
    let mut line = Line {
        variant,
        gaps: gaps(subject, variant, metric),
        ..Line::default()
    };
    let series = subject.site.series_of(&subject.place.key, &subject.model);
    if let Some(&at) = series.iter().find(of) {
        let series = &set.series[at];
        line.points = series
            .figures
            .iter()
            .map(|&figure| point(subject, metric, figure))
            .collect();
        let found = subject.site.findings_of(at);
        line.marks = found
            .map(|finding| mark(subject, series, finding))
            .collect();
        line.level = level(subject, at);
    }
    line
}

fn point(subject: &Subject<'_>, metric: Metric, (at, value): (usize, f64)) -> Point {
    let detail = subject.site.detail(at, metric);
    Point {
        stamp: subject.site.stamp(at),
        value,
        interval: detail.and_then(|detail| detail.interval),
        counts: detail.map(|detail| detail.counts.clone()),
    }
}

fn mark(subject: &Subject<'_>, series: &Series, finding: &Finding) -> Mark {
    let point = &finding.point;
    let change = words::change(series.metric, finding);
    let accepted = finding.accepted.as_deref();
    let accepted_words = accepted.map(|reason| format!("; accepted: {}", one_line(reason)));
    Mark {
        stamp: subject.site.stamp(series.figures[point.index].0),
        value: point.after,
        size: words::size(point),
        kind: finding.meaning.name(),
        state: point.state.name(),
        accepted: accepted.is_some(),
        text: format!("{change}{}", accepted_words.unwrap_or_default()),
    }
}

/// The level that the newest nights share, as wide as the noise: what an A/A run found on this machine, else twice the
/// standard deviation from night to night.
fn level(subject: &Subject<'_>, at: usize) -> Option<Level> {
    let (site, series) = (subject.site, &subject.site.set.series[at]);
    let nights = &site.set.nights;
    let found = site
        .findings_of(at)
        .filter(|finding| finding.point.state > State::Suspect);
    let changed = found.map(|finding| finding.point.index).max().unwrap_or(0);
    let conditions = |at: usize| &nights[series.figures[at].0].conditions;
    let broken = (1..series.figures.len())
        .rev()
        .find(|&at| conditions(at) != conditions(at - 1));
    let from = changed.max(broken.unwrap_or(0));
    let values: Vec<f64> = series
        .figures
        .get(from..)?
        .iter()
        .map(|&(_, value)| value)
        .collect();
    let middle = median(&values)?;
    let (share, about) = match (
        site.floors.get(&(subject.place.key.clone(), series.metric)),
        site.watch.noise[at],
    ) {
        (Some(&floor), _) => (floor, "noise floor of an A/A run on this machine"),
        (None, Some(noise)) => (2.0 * noise, "two standard deviations from night to night"),
        (None, None) => return None,
    };
    let unit = series.metric.spec().unit;
    Some(Level {
        stamp: site.stamp(series.figures[from].0),
        low: middle * (1.0 - share),
        high: middle * (1.0 + share),
        about: format!(
            "level {} ± {:.1} %: {about}",
            unit.format(middle),
            100.0 * share
        ),
    })
}

/// Sessions of a variant in which a metric was refused, or in which its scenario failed.
fn gaps(subject: &Subject<'_>, variant: usize, metric: Metric) -> Vec<Gap> {
    let wanted = &subject.variants[variant].key;
    let bad = subject.site.bad_of(&subject.place.key, &subject.model);
    let mut gaps: Vec<Gap> = bad
        .iter()
        .filter(|bad| fits(&bad.run.cell.scenario, metric))
        .filter(|bad| is_of(bad, wanted))
        .filter_map(|bad| {
            let reason = bad.reason(metric)?;
            let stamp = subject.stamp(bad.session.id);
            Some(Gap { stamp, reason })
        })
        .collect();
    gaps.sort_by_key(|gap| gap.stamp);
    gaps
}

/// Whether a run is of the variant with this key. One that failed before loading knows no precision and fits any.
fn is_of(bad: &Bad, wanted: &[String; 7]) -> bool {
    let (cell, session) = (&bad.run.cell, &bad.session);
    let branch = session.environment.branch.as_deref().unwrap_or_default();
    let own = [
        cell.backend.as_str(),
        &cell.device,
        &cell.precision,
        &cell.weights,
        &session.suite,
        &session.profile,
        branch,
    ];
    let same = |(at, part): (usize, &&str)| wanted[at] == **part || (at == 2 && part.is_empty());
    own.iter().enumerate().all(same)
}
