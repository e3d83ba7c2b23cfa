//! Which model to use for what: rule R7, by measured axes alone.
//!
//! Quality `q` is the mean of the shares right about pictures and without one, and of the retention at
//! turn 4; a part that was not measured counts 0. Speed `s` is the fastest model's median inference
//! over this one's, memory `m` and load `w` likewise by peak memory and warm load. Utility is
//! `q^0.5 s^0.25 m^0.15 w^0.10`. A label is given where the model has it in at least 80 % of 10 000
//! joint draws of what was measured; else those that it lies between are named.
//!
//! | label | goes to |
//! |---|---|
//! | Best Overall | the highest utility |
//! | Best Context | the highest retention whose lower end is above 20 % |
//! | Best Vision-Only | the highest share right about pictures among Vision-Only models |
//! | Balanced | on the Pareto front of `q`, `s`, `m`, not Best Overall, last on no axis: the one whose worst axis is best |
//! | Fastest, Smallest | the highest `s`, `m` among those with at least half of the best `q` |
//!
//! Models that R1 to R5 speak against take no part; Vision-Only ones (R6) in Best Vision-Only and
//! Fastest alone.

use serde::Serialize;

use super::axes::{Axes, Point};
use super::{Row, Status};
use crate::stats::best_probability;

/// Least share of draws for a label of one's own.
const SURE: f64 = 0.8;
/// Lower end of retention from which a model can be best at it.
const REMEMBERS: f64 = 0.2;
/// Share of the best quality that makes a fast or small model worth naming.
const USEFUL: f64 = 0.5;

/// One label and who holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// E.g. `Best Overall`.
    pub label: &'static str,
    /// Numbers of the rows, most probable first: one holder, several in a tie, or none.
    pub rows: Vec<usize>,
    /// The figures that decided, or why nobody qualifies.
    pub detail: String,
}

/// A row that takes part.
struct Candidate<'a> {
    row: usize,
    axes: &'a Axes,
    point: Point,
}

/// Every label, in the order of the guide, for rows of one machine.
#[must_use]
pub fn recommend(rows: &[Row]) -> Vec<Recommendation> {
    let of = |wanted: &[&str]| -> Vec<Candidate<'_>> {
        let fits = |row: &&Row| wanted.contains(&row.status.rule.as_str());
        let known = rows.iter().enumerate().filter(|(_, row)| fits(row));
        let known = known.filter(|(_, row)| row.status.label != "Text Untested");
        let candidate = |(row, found): (usize, &'_ Row)| Some((row, found.axes.point()?));
        known
            .filter_map(candidate)
            .map(|(row, point)| Candidate {
                row,
                axes: &rows[row].axes,
                point,
            })
            .collect()
    };
    let (all, seeing) = (of(&["R7", "R8"]), of(&["R6"]));
    let any = of(&["R6", "R7", "R8"]);
    let overall = best(&all, "Best Overall", |axes, random| axes.utility(random));
    let balanced = balanced(&all, &overall);
    vec![
        overall,
        context(&all),
        best(&seeing, "Best Vision-Only", |axes, random| {
            axes.seen(random)
        }),
        balanced,
        best(&useful(&any), "Fastest", |axes, random| {
            Some(axes.inference(random)?.recip())
        }),
        best(&useful(&all), "Smallest", |axes, random| {
            Some(axes.memory(random)?.recip())
        }),
    ]
}

/// Gives rows that hold a label of their own its name as their status.
pub(super) fn name(rows: &mut [Row]) {
    for found in recommend(rows).iter().rev() {
        let [holder] = found.rows[..] else { continue };
        let row = &mut rows[holder];
        if row.status.rule == "R6" {
            continue;
        }
        row.status = Status {
            label: found.label.to_owned(),
            rule: "R7".to_owned(),
            detail: found.detail.clone(),
        };
    }
}

/// The candidate that is best in most draws, or those that share the first 80 %.
fn best(
    candidates: &[Candidate<'_>],
    label: &'static str,
    draw: impl Fn(&Axes, &mut crate::stats::Rng) -> Option<f64>,
) -> Recommendation {
    let shares = best_probability(candidates.len(), |at, random| {
        draw(candidates[at].axes, random)
    });
    let mut order: Vec<usize> = (0..candidates.len())
        .filter(|&at| shares[at] > 0.0)
        .collect();
    order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
    let mut covered = 0.0;
    let needed = order.iter().take_while(|&&at| {
        let before = covered;
        covered += shares[at];
        before < SURE
    });
    let holders: Vec<usize> = needed.copied().collect();
    let said = |at: &usize| {
        let (share, point) = (100.0 * shares[*at], &candidates[*at].point);
        format!("best in {share:.0} % of draws ({point})")
    };
    let detail = match holders.as_slice() {
        [] => "no model qualifies".to_owned(),
        [one] => format!("{}, of {} compared", said(one), candidates.len()),
        several => {
            let each: Vec<String> = several.iter().map(said).collect();
            each.join("; ")
        }
    };
    Recommendation {
        label,
        rows: holders.iter().map(|&at| candidates[at].row).collect(),
        detail,
    }
}

fn context(candidates: &[Candidate<'_>]) -> Recommendation {
    let remembering: Vec<_> = candidates
        .iter()
        .filter(|candidate| {
            candidate
                .axes
                .retained_from()
                .is_some_and(|low| low > REMEMBERS)
        })
        .map(|c| Candidate { ..*c })
        .collect();
    best(&remembering, "Best Context", |axes, random| {
        axes.kept(random)
    })
}

fn useful<'a>(candidates: &[Candidate<'a>]) -> Vec<Candidate<'a>> {
    let best = candidates
        .iter()
        .map(|c| c.point.quality)
        .fold(0.0, f64::max);
    let good = candidates
        .iter()
        .filter(|c| c.point.quality >= USEFUL * best);
    good.map(|c| Candidate { ..*c }).collect()
}

/// Decided on the point estimates: a compromise has no draws of its own.
fn balanced(candidates: &[Candidate<'_>], overall: &Recommendation) -> Recommendation {
    let axes = relative(candidates);
    let last = |at: usize, axis: usize| {
        let value = axes[at][axis];
        axes.iter().all(|other| other[axis] >= value) && axes.iter().any(|o| o[axis] > value)
    };
    let beaten = |at: usize| {
        let over = |other: &[f64; 3]| (0..3).all(|axis| other[axis] >= axes[at][axis]);
        axes.iter().any(|other| over(other) && *other != axes[at])
    };
    let worst = |at: usize| axes[at].iter().copied().fold(f64::INFINITY, f64::min);
    let worst_axis = |at: usize| (0..3).min_by(|&a, &b| axes[at][a].total_cmp(&axes[at][b]));
    let found = (0..candidates.len())
        .filter(|&at| !overall.rows.contains(&candidates[at].row) && !beaten(at))
        .filter(|&at| worst_axis(at).is_some_and(|axis| !last(at, axis)))
        .max_by(|&a, &b| worst(a).total_cmp(&worst(b)));
    let detail = match found {
        None => "no model qualifies".to_owned(),
        Some(at) => format!(
            "on no axis below {:.0} % of the best ({})",
            100.0 * worst(at),
            candidates[at].point
        ),
    };
    Recommendation {
        label: "Balanced",
        rows: found.iter().map(|&at| candidates[at].row).collect(),
        detail,
    }
}

/// Quality, speed and memory, each over the best of all.
fn relative(candidates: &[Candidate<'_>]) -> Vec<[f64; 3]> {
    let raw = candidates.iter().map(|Candidate { point, .. }| {
        [point.quality, point.inference.recip(), point.memory.recip()]
    });
    let raw: Vec<[f64; 3]> = raw.collect();
    let best = |axis: usize| raw.iter().map(|axes| axes[axis]).fold(0.0, f64::max);
    let best = [best(0), best(1), best(2)];
    let over =
        |axes: &[f64; 3]| [0, 1, 2].map(|axis| axes[axis] / best[axis].max(f64::MIN_POSITIVE));
    raw.iter().map(over).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;
    use crate::run::{Outcome, Run, Sample};
    use crate::summary::rows;
    use crate::summary::tests::sound;

    /// A sound model of this name, speed and size.
    fn model(name: &str, seconds: [f64; 3], gigabytes: f64) -> Vec<Run> {
        let mut runs = sound();
        for run in &mut runs {
            run.cell.model = name.to_owned();
            let Outcome::Measured { samples, .. } = &mut run.outcome else {
                continue;
            };
            let epochs = |values: [f64; 3]| values.map(|value| vec![value]).to_vec();
            for sample in samples.iter_mut() {
                if sample.metric == Metric::Inference {
                    sample.epochs = epochs(seconds);
                }
            }
            if run.cell.scenario == "cold-load" {
                samples.push(Sample {
                    metric: Metric::PeakMemory,
                    epochs: epochs([gigabytes * 1e9; 3]),
                });
            }
        }
        runs
    }

    fn scored(runs: &mut [Run], scored: Metric, value: f64) {
        for run in runs {
            if let Outcome::Measured { samples, .. } = &mut run.outcome {
                let of = samples.iter_mut().filter(|sample| sample.metric == scored);
                of.for_each(|sample| sample.epochs = vec![vec![value; 10]]);
            }
        }
    }

    fn holders(rows: &[Row], label: &str) -> Vec<String> {
        let found = recommend(rows)
            .into_iter()
            .find(|found| found.label == label);
        let found = found.into_iter().flat_map(|found| found.rows);
        found.map(|row| rows[row].model.clone()).collect()
    }

    #[test]
    fn the_faster_of_two_equals_is_best_and_says_so() {
        let fast = model("fast", [0.10, 0.101, 0.102], 1.0);
        let slow = model("slow", [0.20, 0.201, 0.202], 1.0);
        let rows = rows(&[slow, fast].concat());
        assert_eq!(holders(&rows, "Best Overall"), ["fast"]);
        assert_eq!(holders(&rows, "Fastest"), ["fast"]);
        let status = &rows[1].status;
        assert_eq!(
            (status.label.as_str(), status.rule.as_str()),
            ("Best Overall", "R7")
        );
        assert!(status.detail.contains("of 2 compared"), "{}", status.detail);
        assert_eq!(rows[0].status.rule, "R8");
    }

    #[test]
    fn what_the_spread_cannot_tell_apart_is_a_tie() {
        let one = model("one", [0.10, 0.12, 0.14], 1.0);
        let other = model("other", [0.11, 0.12, 0.13], 1.0);
        let rows = rows(&[one, other].concat());
        let mut tied = holders(&rows, "Best Overall");
        tied.sort();
        assert_eq!(tied, ["one", "other"]);
        assert!(rows.iter().all(|row| row.status.label != "Best Overall"));
    }

    #[test]
    fn nobody_is_best_at_what_nobody_can() {
        let mut runs = model("one", [0.1; 3], 1.0);
        scored(&mut runs, Metric::ContextRetained, 0.0);
        let rows = rows(&runs);
        let found = recommend(&rows);
        let context = found.iter().find(|found| found.label == "Best Context");
        let context = context.expect("always named");
        assert_eq!(
            (context.rows.len(), context.detail.as_str()),
            (0, "no model qualifies")
        );
    }

    #[test]
    fn a_blind_model_takes_no_part_and_a_useless_one_is_not_fastest() {
        let mut blind = model("blind", [0.01; 3], 0.1);
        scored(&mut blind, Metric::VisionRight, 0.0);
        let mut poor = model("poor", [0.02; 3], 0.2);
        for metric in [Metric::TextRight, Metric::ContextRetained] {
            scored(&mut poor, metric, 0.0);
        }
        let good = model("good", [0.1; 3], 1.0);
        let rows = rows(&[blind, poor, good].concat());
        assert_eq!(holders(&rows, "Fastest"), ["good"]);
        assert_eq!(holders(&rows, "Smallest"), ["good"]);
    }

    #[test]
    fn the_compromise_is_balanced() {
        let fast = model("fast", [0.02; 3], 4.0);
        let small = model("small", [0.40; 3], 0.4);
        let middle = model("middle", [0.06; 3], 1.0);
        let rows = rows(&[fast, small, middle].concat());
        let overall = holders(&rows, "Best Overall");
        let balanced = holders(&rows, "Balanced");
        assert_eq!(balanced, ["middle"], "{overall:?}");
    }
}
