//! The status of a model by numbered rules, first that holds:
//!
//! | id | status | rule |
//! |---|---|---|
//! | R2 | Broken | loading fails, or the vision scenario fails in a fresh process |
//! | R1 | Not Measured | a mandatory scenario (load unless a server holds the model, warm inference, vision, text, drift) is missing, void or timed out, or a timed one (load, warm inference) holds fewer than two epochs; or the weights are dummies |
//! | R3 | Blind | vision is BLIND |
//! | R4 | State Issues | drift is ERROR, STATE-DRIFT, LEAK or SLOWDOWN(state) |
//! | R5 | Too Big | the peak memory is above 80 % of what the device has, or the machine swapped out more than 256 MiB during warm inference |
//! | R6 | Vision-Only | text is UNSUPPORTED-BY-DESIGN or DEGENERATE, and vision SEES; with API-ERROR it is Text Untested |
//! | R7 | Best Overall, Best Context, Balanced, Fastest, Smallest | compared with the other models, see `recommend.rs` |
//! | R8 | Reliable | everything else |
//!
//! R2 stands before R1: where a model failed by itself, that is the news, not the figures it
//! therefore lacks. So does R3, where warm inference is void for the blindness that vision found. R7 is given once all rows are there.

use std::collections::BTreeMap;

use super::verdict::{Verdicts, one_answer};
use super::{Kind, Mark, Newest, Status};
use crate::metric::Metric;
use crate::run::{Outcome, Stage};
use crate::stats::Figure;

/// Share of the device's memory that a model may take.
const FITS: f64 = 0.8;

/// Bytes swapped out during warm inference that speak against a model.
const SWAPPED: f64 = 256.0 * 1_048_576.0;

/// Epochs below which a timed scenario counts as not measured.
const EPOCHS: usize = 2;

pub(super) fn status(
    newest: &Newest<'_>,
    verdicts: &Verdicts,
    figures: &BTreeMap<Metric, Figure>,
) -> Status {
    let Verdicts {
        vision,
        text,
        drift,
        ..
    } = verdicts;
    if let Some(detail) = broken(newest, verdicts) {
        return named("R2", "Broken", detail);
    }
    if let Some(detail) = not_measured(newest, verdicts, figures) {
        return named("R1", "Not Measured", detail);
    }
    let too_big = too_big(newest, figures);
    let text_fails = ["UNSUPPORTED-BY-DESIGN", "DEGENERATE"].contains(&text.label.as_str());
    match () {
        () if vision.label == "BLIND" => named("R3", "Blind", &vision.detail),
        () if drift.mark == Mark::No => named(
            "R4",
            "State Issues",
            format!("{}: {}", drift.label, drift.detail),
        ),
        () if too_big.is_some() => named("R5", "Too Big", too_big.unwrap_or_default()),
        () if text.label == "API-ERROR" => named("R6", "Text Untested", &text.detail),
        () if text_fails && vision.label == "SEES" => named(
            "R6",
            "Vision-Only",
            format!("{}: {}", text.label, text.detail),
        ),
        () => named(
            "R8",
            "Reliable",
            format!(
                "vision {}, text {}, {}",
                vision.label, text.label, drift.label
            ),
        ),
    }
}

/// Why the model does not fit: its peak against the device's memory, or what the machine swapped out.
fn too_big(newest: &Newest<'_>, figures: &BTreeMap<Metric, Figure>) -> Option<String> {
    let median = |metric| figures.get(&metric).map(|figure| figure.median);
    let on_device = median(Metric::DeviceMemory).map(|bytes| (Metric::DeviceMemory, bytes));
    let on_host = median(Metric::PeakMemory).map(|bytes| (Metric::PeakMemory, bytes));
    if let (Some((metric, peak)), Some(limit)) =
        (on_device.or(on_host), median(Metric::MemoryLimit))
        && peak > FITS * limit
    {
        let (peak, limit) = (metric.format(peak), metric.format(limit));
        return Some(format!("{peak} of {limit} at its peak"));
    }
    let swapped = newest.sample(Kind::Warm, Metric::SwappedOut);
    let swapped: f64 = swapped.iter().flat_map(|sample| sample.values()).sum();
    (swapped > SWAPPED).then(|| {
        let swapped = Metric::SwappedOut.format(swapped);
        format!("the machine swapped out {swapped} meanwhile")
    })
}

fn named(rule: &str, label: &str, detail: impl Into<String>) -> Status {
    Status {
        label: label.to_owned(),
        rule: rule.to_owned(),
        detail: detail.into(),
    }
}

/// Why the model is broken: it cannot be loaded, or cannot look at a picture.
fn broken(newest: &Newest<'_>, verdicts: &Verdicts) -> Option<String> {
    let load = newest.runs.iter().find_map(|run| match &run.outcome {
        Outcome::Failed {
            stage: Stage::Load,
            message,
        } => Some(format!("load: {message}")),
        Outcome::Failed {
            stage: Stage::Crash,
            message,
        } if Kind::of(&run.cell.scenario) == Some(Kind::Load) => Some(format!("load: {message}")),
        _ => None,
    });
    let vision = &verdicts.vision;
    load.or_else(|| (vision.label == "ERROR").then(|| format!("vision: {}", vision.detail)))
}

/// What is missing for a status.
fn not_measured(
    newest: &Newest<'_>,
    verdicts: &Verdicts,
    figures: &BTreeMap<Metric, Figure>,
) -> Option<String> {
    if newest.dummy() {
        return Some("dummy weights: speed and memory only".to_owned());
    }
    let load = || timed(newest, Kind::Load, load_figure(figures));
    let load = if newest.served() { None } else { load() };
    let blind = verdicts.vision.label == "BLIND" && one_answer(newest).is_some();
    let warm = || timed(newest, Kind::Warm, figures.get(&Metric::Inference));
    load.or_else(|| if blind { None } else { warm() })
        .or_else(|| {
            let Verdicts {
                vision,
                text,
                drift,
                ..
            } = verdicts;
            let judged = [
                (Kind::Vision, vision),
                (Kind::Text, text),
                (Kind::Drift, drift),
            ];
            let missing = judged.into_iter().find(|&(kind, verdict)| {
                verdict.mark == Mark::Unknown || newest.run(kind).is_none()
            });
            missing.map(|(kind, verdict)| format!("{}: {}", kind.name(), verdict.detail))
        })
}

/// What is missing of a timed scenario.
fn timed(newest: &Newest<'_>, kind: Kind, figure: Option<&Figure>) -> Option<String> {
    let name = kind.name();
    if newest.run(kind).is_none() {
        return Some(format!("{name}: not measured"));
    }
    if let Some((stage, message)) = newest.failure(kind) {
        return Some(format!("{name}: {}: {message}", stage.name()));
    }
    match figure {
        None => {
            let void = newest.run(kind).and_then(|run| run.voids().first());
            let why = void.map_or("no figure", |void| &void.reason);
            Some(format!("{name}: void: {why}"))
        }
        Some(figure) if figure.epochs < EPOCHS => {
            Some(format!("{name}: {} epoch, wanted {EPOCHS}", figure.epochs))
        }
        Some(_) => None,
    }
}

/// The figure of the load column: warm if there, else unknown, else cold.
pub(super) fn load_figure(figures: &BTreeMap<Metric, Figure>) -> Option<&Figure> {
    let order = [Metric::LoadWarm, Metric::LoadUnknown, Metric::LoadCold];
    order.iter().find_map(|metric| figures.get(metric))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HALF, Values, measured, status, vision, with_runs};
    use super::super::{ONE_ANSWER, rows};
    use super::*;
    use crate::run::{Run, Void};

    /// Warm inference that got one answer to all pictures in some of its processes.
    fn one_answer(values: &[Values<'_>]) -> Run {
        let mut run = measured("warm-inference", values);
        if let Outcome::Measured { voids, .. } = &mut run.outcome {
            voids.push(Void {
                metric: Some(Metric::Inference),
                count: 5,
                reason: format!("{ONE_ANSWER}: one answer to 5 different pictures"),
            });
        }
        run
    }

    #[test]
    fn one_answer_to_all_pictures_of_warm_inference_is_suspect() {
        let check = |replaced: &[Run], missing: &[&str], vision: &str, expected: &str| {
            let mut runs = with_runs(replaced);
            runs.retain(|run| !missing.contains(&run.cell.scenario.as_str()));
            let row = rows(&runs).remove(0);
            assert_eq!(
                (row.vision.label.as_str(), status(&row).as_str()),
                (vision, expected)
            );
        };
        let all = || one_answer(&[]);
        let some = || one_answer(&[(Metric::Inference, &[&[0.1], &[0.1]])]);
        check(&[all()], &["vision"], "BLIND-SUSPECT", "R1 Not Measured");
        check(&[some()], &["vision"], "BLIND-SUSPECT", "R1 Not Measured");
        // Where vision was asked, that decides; what it found is the news, not the void times.
        check(&[all(), vision(HALF, HALF, 0.1)], &[], "BLIND", "R3 Blind");
        check(&[all()], &[], "SEES", "R1 Not Measured");
        check(&[some()], &[], "SEES", "R8 Reliable");
    }
}
