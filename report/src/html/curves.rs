//! Charts over the number of a call: how a process begins, and what happens to one that goes on.

use store::stats::is_item_score;
use store::{Metric, Run};

use super::chart::{Chart, Curve, curve};
use super::model::Subject;
use super::trend::Charts;
use crate::archive::Entry;

/// Most processes of a variant in one chart.
const PROCESSES: usize = 4;

/// What is drawn of the scenario that asks one process again and again.
const REPEATED: [(Metric, &str); 4] = [
    (Metric::Inference, "Inference, call by call"),
    (Metric::LogitDelta, "Logit difference, call by call"),
    (Metric::CallMemory, "Memory after each call"),
    (Metric::CallCache, "Allocator's cache after each call"),
];

/// The charts that there is something for.
pub(super) fn group(subject: &Subject<'_>, entries: &[Entry]) -> Option<Charts> {
    let repeated = REPEATED
        .iter()
        .filter_map(|&(metric, title)| by_call(subject, metric, title));
    let charts: Vec<Chart> = first_calls(subject, entries)
        .into_iter()
        .chain(repeated)
        .collect();
    (!charts.is_empty()).then_some(Charts {
        title: "Call by call, newest run",
        charts,
    })
}

/// How many requests a process needs until it is as fast as it gets.
fn first_calls(subject: &Subject<'_>, entries: &[Entry]) -> Option<Chart> {
    let line = |entry: &Entry| {
        let row = &entry.row;
        let variant =
            subject.variant_of([&row.backend, &row.device, &row.precision, &row.weights])?;
        let calls = row.timing.first_calls.clone();
        (!calls.is_empty()).then_some((String::new(), variant, calls))
    };
    let lines: Vec<_> = entries.iter().filter_map(line).collect();
    let unit = Metric::WarmUp.spec().unit;
    (!lines.is_empty()).then(|| {
        curve(&Curve {
            id: "first-calls".to_owned(),
            title: "First calls".to_owned(),
            about: "requests that warm a process up, in order; the median over processes"
                .to_owned(),
            unit,
            across: "request",
            lines,
            variants: &subject.variants,
        })
    })
}

fn by_call(subject: &Subject<'_>, metric: Metric, title: &str) -> Option<Chart> {
    let of = |run: &&Run| run.cell.model == subject.model && run.cell.scenario == "state-drift";
    let mut lines = Vec::new();
    for run in subject.place.runs.iter().filter(of) {
        let cell = &run.cell;
        let variant =
            subject.variant_of([&cell.backend, &cell.device, &cell.precision, &cell.weights]);
        let (Some(variant), Some(sample)) = (variant, run.sample(metric)) else {
            continue;
        };
        let processes = sample
            .epochs
            .iter()
            .filter(|calls| calls.len() > 1)
            .take(PROCESSES);
        let named = processes
            .enumerate()
            .map(|(at, calls)| (format!("process {}", at + 1), variant, calls.clone()));
        lines.extend(named);
    }
    let spec = metric.spec();
    (!lines.is_empty() && !is_item_score(metric)).then(|| {
        curve(&Curve {
            id: format!("calls-{}", spec.name.replace('_', "-")),
            title: title.to_owned(),
            about: spec.about.to_owned(),
            unit: spec.unit,
            across: "call",
            lines,
            variants: &subject.variants,
        })
    })
}
