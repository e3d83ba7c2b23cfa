//! Verdicts by rule: vision, text, drift, context and lifecycle.
//!
//! | verdict | rule, first that holds |
//! |---|---|
//! | vision | `BLIND-SUSPECT` not asked, but warm inference got one answer to different pictures (I4) · `ERROR` the scenario failed · `BLIND` the 95 % interval of the gain over the better control reaches 0 · `SEES` its lower end is above 0.10 and at least 80 % of the answers that should differ do · `WEAK` else |
//! | text | `UNSUPPORTED-BY-DESIGN` declared, nothing computed · `API-ERROR` the call raised · `DEGENERATE` more than half of the answers are · `SUPPORTED` Wilson lower end above 0.5 and at most 10 % degenerate · `DEGRADED` else |
//! | drift | of one process, of all its calls, by the table in `drift.rs` |
//! | context | by retention at turn 4, its interval over scenes: `RETAINS` lower end above 0.20 · `LOSES` the interval reaches 0 · `PARTIAL` else; `n/a` where nothing was known first, `n/a (stateless)` where the model has no form for earlier turns, `n/a (not offered)` where it has no room for them |
//! | lifecycle | `LEAKS` lower end of the growth above 0.25 MiB a cycle · `KEEPS` over half of what the model took is left after unloading · `AFFECTED` lower end of a request's time beside or after a second model, over that before, above 1.03 · `RELEASES` else |

use super::context::context;
use super::drift::drift;
use super::{Kind, Mark, Newest, Verdict};
use crate::metric::Metric;
use crate::run::{BY_DESIGN, Sample, Stage};
use crate::stats::{Proportion, item_values, paired_gain, share};

/// Lower end of the vision gain above which a model sees.
const SEES_ABOVE: f64 = 0.10;
/// Share of distinct answers from which a model sees.
const DISTINCT_FROM: f64 = 0.80;
/// Lower end of text accuracy above which text is supported.
const TEXT_ABOVE: f64 = 0.5;
/// Share of degenerate answers up to which text is supported.
const DEGENERATE_UP_TO: f64 = 0.10;
/// How the reason begins for which every figure is void that was taken while the model gave one answer to
/// different pictures.
pub const ONE_ANSWER: &str = "I4";
/// The four verdicts of a row.
pub(super) struct Verdicts {
    pub(super) vision: Verdict,
    pub(super) text: Verdict,
    pub(super) drift: Verdict,
    pub(super) context: Verdict,
}

impl Verdicts {
    pub(super) fn of(newest: &Newest<'_>) -> Self {
        let quality = |kind, rule: fn(&Newest<'_>) -> Verdict| match newest.run(kind) {
            None => unknown("not measured"),
            Some(_) if newest.dummy() => unknown("dummy weights"),
            Some(_) => rule(newest),
        };
        Self {
            vision: match one_answer(newest) {
                Some(why) if newest.run(Kind::Vision).is_none() => {
                    verdict(Mark::Partial, "BLIND-SUSPECT", why)
                }
                _ => quality(Kind::Vision, vision),
            },
            text: quality(Kind::Text, text),
            drift: match newest.run(Kind::Drift) {
                None => unknown("not measured"),
                Some(_) => drift(newest),
            },
            context: quality(Kind::Context, context),
        }
    }
}

pub(super) fn verdict(mark: Mark, label: impl Into<String>, detail: impl Into<String>) -> Verdict {
    Verdict {
        mark,
        label: label.into(),
        detail: detail.into(),
    }
}

/// `n/a`, and why.
pub(super) fn unknown(why: &str) -> Verdict {
    verdict(Mark::Unknown, format!("n/a ({why})"), why)
}

/// `void`, and why: what the run refused, or what is missing.
pub(super) fn void(newest: &Newest<'_>, kind: Kind, missing: &str) -> Verdict {
    let refused = newest.run(kind).and_then(|run| run.voids().first());
    let why = refused.map_or(missing, |void| &void.reason);
    verdict(Mark::Unknown, "void", format!("void: {why}"))
}

/// Why warm inference was refused, where the model gave one answer to different pictures.
pub(super) fn one_answer<'a>(newest: &Newest<'a>) -> Option<&'a str> {
    let voids = newest.run(Kind::Warm)?.voids().iter();
    let mut reasons = voids.map(|void| void.reason.as_str());
    reasons.find(|reason| reason.starts_with(ONE_ANSWER))
}

/// A failure that says nothing about the model.
pub(super) fn outside(kind: Kind, stage: Stage, message: &str) -> Option<Verdict> {
    let name = kind.name();
    match stage {
        Stage::Timeout => Some(verdict(
            Mark::Unknown,
            "TIMEOUT",
            format!("{name}: {message}"),
        )),
        Stage::Start => Some(verdict(
            Mark::Unknown,
            "not started",
            format!("{name}: {message}"),
        )),
        Stage::Load | Stage::Ask | Stage::Crash => None,
    }
}

pub(super) fn percent(value: f64) -> String {
    format!("{:.0}", 100.0 * value)
}

/// `3/14` of a sample, `n/a` without one.
pub(super) fn count(sample: Option<&Sample>) -> String {
    match sample.and_then(share) {
        Some(Proportion { right, of, .. }) => format!("{right}/{of}"),
        None => "n/a".to_owned(),
    }
}

fn vision(newest: &Newest<'_>) -> Verdict {
    if let Some((stage, message)) = newest.failure(Kind::Vision) {
        let error = || verdict(Mark::No, "ERROR", format!("{}: {message}", stage.name()));
        return outside(Kind::Vision, stage, message).unwrap_or_else(error);
    }
    let of = |metric| newest.sample(Kind::Vision, metric);
    let Some(right) = of(Metric::VisionRight) else {
        return void(newest, Kind::Vision, "no answers scored");
    };
    let controls = [Metric::VisionBlank, Metric::VisionShuffled].map(of);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let controls = controls.into_iter().flatten().map(item_values);
    let Some(control) = controls.max_by(|a, b| mean(a).total_cmp(&mean(b))) else {
        return void(newest, Kind::Vision, "no control picture asked about");
    };
    let Some(gain) = paired_gain(&item_values(right), &control) else {
        return void(newest, Kind::Vision, "the control asked other questions");
    };
    let distinct = of(Metric::VisionDistinct).and_then(|s| crate::stats::median(&item_values(s)));
    let detail = format!(
        "{} right, blank {}, shuffled {}, gain {} % [{}, {}] (n={}), distinct {}",
        count(Some(right)),
        count(of(Metric::VisionBlank)),
        count(of(Metric::VisionShuffled)),
        percent(gain.mean),
        percent(gain.low),
        percent(gain.high),
        gain.items,
        distinct.map_or_else(|| "n/a".to_owned(), |share| format!("{} %", percent(share))),
    );
    match (gain.low, distinct) {
        (low, _) if low <= 0.0 => verdict(Mark::No, "BLIND", detail),
        (low, Some(share)) if low > SEES_ABOVE && share >= DISTINCT_FROM => {
            verdict(Mark::Yes, "SEES", detail)
        }
        _ => verdict(Mark::Partial, "WEAK", detail),
    }
}

fn text(newest: &Newest<'_>) -> Verdict {
    let run = newest.run(Kind::Text);
    let declared = |reason: &&str| reason.contains(BY_DESIGN);
    let reasons = run
        .iter()
        .flat_map(|run| run.voids())
        .map(|void| void.reason.as_str());
    let failure = newest.failure(Kind::Text);
    let said = reasons
        .chain(failure.map(|(_, message)| message))
        .find(declared);
    if let Some(reason) = said {
        return verdict(Mark::No, "UNSUPPORTED-BY-DESIGN", reason);
    }
    if let Some((stage, message)) = failure {
        let error = || {
            verdict(
                Mark::No,
                "API-ERROR",
                format!("{}: {message}", stage.name()),
            )
        };
        return outside(Kind::Text, stage, message).unwrap_or_else(error);
    }
    let Some(right) = newest.sample(Kind::Text, Metric::TextRight).and_then(share) else {
        return void(newest, Kind::Text, "no answers scored");
    };
    let Some(degenerate) = newest
        .sample(Kind::Text, Metric::TextDegenerate)
        .and_then(share)
    else {
        return void(newest, Kind::Text, "degenerate answers not counted");
    };
    let broken = degenerate.share().unwrap_or(1.0);
    let detail = format!(
        "right {right}; degenerate {}/{}",
        degenerate.right, degenerate.of
    );
    match (right.low, broken) {
        (_, broken) if broken > 0.5 => verdict(Mark::No, "DEGENERATE", detail),
        (low, broken) if low > TEXT_ABOVE && broken <= DEGENERATE_UP_TO => {
            verdict(Mark::Yes, "SUPPORTED", detail)
        }
        _ => verdict(Mark::Partial, "DEGRADED", detail),
    }
}
