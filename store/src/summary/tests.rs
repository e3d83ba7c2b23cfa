//! Known faults must yield the known verdicts.

use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

use super::*;
use crate::run::Cell;

pub(crate) type Values<'a> = (Metric, &'a [&'a [f64]]);

fn run(scenario: &str, outcome: Outcome) -> Run {
    let cell = Cell {
        model: "tiny".to_owned(),
        scenario: scenario.to_owned(),
        version: Some(1),
        backend: "candle".to_owned(),
        device: "cpu".to_owned(),
        precision: "f32".to_owned(),
        weights: "embedded".to_owned(),
        revision: "r1".to_owned(),
    };
    let (id, at) = (Uuid::from_u128(1), DateTime::UNIX_EPOCH);
    Run {
        id,
        session: Uuid::nil(),
        at,
        wall_s: 1.0,
        cell,
        argument: None,
        outcome,
        answers: Vec::new(),
        remarks: Vec::new(),
    }
}

pub(crate) fn measured(scenario: &str, values: &[Values<'_>]) -> Run {
    let sample = |(metric, epochs): &Values<'_>| Sample {
        metric: *metric,
        epochs: epochs.iter().map(|trials| trials.to_vec()).collect(),
    };
    let samples = values.iter().map(sample).collect();
    run(
        scenario,
        Outcome::Measured {
            samples,
            voids: Vec::new(),
        },
    )
}

pub(super) fn failed(scenario: &str, stage: Stage, message: &str) -> Run {
    run(
        scenario,
        Outcome::Failed {
            stage,
            message: message.to_owned(),
        },
    )
}

pub(super) const RIGHT: &[f64] = &[1.0; 10];
pub(super) const WRONG: &[f64] = &[0.0; 10];
pub(super) const HALF: &[f64] = &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0];

pub(super) fn vision(right: &[f64], control: &[f64], distinct: f64) -> Run {
    measured(
        "vision",
        &[
            (Metric::VisionRight, &[right]),
            (Metric::VisionBlank, &[control]),
            (Metric::VisionShuffled, &[WRONG]),
            (Metric::VisionDistinct, &[&[distinct]]),
        ],
    )
}

fn text(right: &[f64], degenerate: &[f64]) -> Run {
    measured(
        "text-only",
        &[
            (Metric::TextRight, &[right]),
            (Metric::TextDegenerate, &[degenerate]),
        ],
    )
}

fn drift(fresh: &[f64], diverged: &[f64], margins: &[f64], noise: f64) -> Run {
    measured(
        "state-drift",
        &[
            (Metric::FreshExactMatch, &[fresh]),
            (Metric::DivergedAt, &[diverged]),
            (Metric::MarginAtDivergence, &[margins]),
            (Metric::LogitDelta, &[&[9.0, 9.0]]),
            (Metric::FreshLogitDelta, &[&[noise]]),
        ],
    )
}

/// A model without fault.
pub(super) fn sound() -> Vec<Run> {
    vec![
        measured(
            "cold-load",
            &[(Metric::LoadWarm, &[&[0.2], &[0.2], &[0.2]])],
        ),
        measured(
            "warm-inference",
            &[(Metric::Inference, &[&[0.1, 0.1], &[0.1, 0.1]])],
        ),
        drift(&[1.0, 1.0], &[-1.0, -1.0], &[], 0.0),
        text(RIGHT, WRONG),
        vision(RIGHT, WRONG, 1.0),
        measured(
            "context",
            &[
                (Metric::ContextDirect, &[RIGHT]),
                (Metric::ContextRetained, &[RIGHT]),
                (Metric::ContextChance, &[WRONG]),
            ],
        ),
    ]
}

/// The runs of a sound model with some scenarios replaced.
pub(super) fn with_runs(replaced: &[Run]) -> Vec<Run> {
    let mut runs = sound();
    for new in replaced {
        runs.retain(|run| run.cell.scenario != new.cell.scenario);
        runs.push(new.clone());
    }
    runs
}

/// The row of a sound model with some scenarios replaced.
pub(crate) fn with(replaced: &[Run]) -> Row {
    let mut rows = rows(&with_runs(replaced));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

pub(super) fn status(row: &Row) -> String {
    format!("{} {}", row.status.rule, row.status.label)
}

#[test]
fn a_part_of_a_name_makes_no_kind() {
    let check = |name, expected| assert_eq!(Kind::of(name), expected, "{name}");
    check("warm-inference", Some(Kind::Warm));
    check("text-only", Some(Kind::Text));
    for name in [
        "warm-small",
        "warm-photo-short",
        "inference",
        "context-long",
        "",
    ] {
        check(name, None);
    }
}

#[test]
fn a_sound_model_is_reliable() {
    let row = with(&[]);
    let labels = [&row.vision, &row.text, &row.drift, &row.context].map(|v| v.label.as_str());
    assert_eq!(labels, ["SEES", "SUPPORTED", "STABLE", "RETAINS"]);
    assert_eq!(status(&row), "R8 Reliable");
    assert_eq!(
        row.vision.detail,
        "10/10 right, blank 0/10, shuffled 0/10, gain 100 % [100, 100] (n=10), distinct 100 %"
    );
}

#[test]
fn constant_answers_are_blind() {
    let row = with(&[vision(HALF, HALF, 0.1)]);
    assert_eq!(
        (row.vision.label.as_str(), row.vision.mark),
        ("BLIND", Mark::No)
    );
    assert_eq!(status(&row), "R3 Blind");
}

#[test]
fn seeing_needs_a_clear_gain_and_distinct_answers() {
    assert_eq!(with(&[vision(RIGHT, WRONG, 0.5)]).vision.label, "WEAK");
    let eight = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0];
    assert_eq!(
        with(&[vision(RIGHT, &eight, 1.0)]).vision.label,
        "BLIND",
        "2 of 10 may be luck"
    );
    assert_eq!(with(&[vision(RIGHT, HALF, 1.0)]).vision.label, "SEES");
}

#[test]
fn unpaired_controls_are_void_not_compared() {
    let row = with(&[vision(RIGHT, &HALF[..9], 1.0)]);
    assert_eq!(row.vision.label, "void");
    assert_eq!(row.vision.detail, "void: the control asked other questions");
    assert_eq!(status(&row), "R1 Not Measured");
}

#[test]
fn a_scenario_that_raises_is_an_error_and_the_model_broken() {
    let row = with(&[failed("vision", Stage::Ask, "shape mismatch")]);
    assert_eq!(
        (row.vision.label.as_str(), status(&row).as_str()),
        ("ERROR", "R2 Broken")
    );
    let row = with(&[failed("cold-load", Stage::Load, "missing tensor")]);
    assert_eq!(
        (status(&row).as_str(), row.status.detail.as_str()),
        ("R2 Broken", "load: missing tensor")
    );
}

#[test]
fn a_time_limit_says_nothing_about_the_model() {
    let row = with(&[failed("vision", Stage::Timeout, "ended after 10 s")]);
    assert_eq!(
        (row.vision.label.as_str(), status(&row).as_str()),
        ("TIMEOUT", "R1 Not Measured")
    );
    assert_eq!(
        row.failures,
        [(
            "vision".to_owned(),
            Stage::Timeout,
            "ended after 10 s".to_owned()
        )]
    );
}

#[test]
fn differing_fresh_processes_are_nondeterministic_not_drift() {
    let row = with(&[drift(&[1.0, 0.0], &[2.0, 2.0], &[9.0, 9.0], 0.0)]);
    assert_eq!(
        (row.drift.label.as_str(), row.drift.mark),
        ("NONDETERMINISTIC", Mark::Partial)
    );
    assert_eq!(status(&row), "R8 Reliable");
}

#[test]
fn a_divergence_within_the_noise_is_a_near_tie() {
    let row = with(&[drift(&[1.0], &[-1.0, 4.0], &[0.02], 0.01)]);
    assert_eq!(
        (row.drift.label.as_str(), row.drift.mark),
        ("NEAR-TIE", Mark::Yes)
    );
}

#[test]
fn a_divergence_beyond_the_noise_is_state_drift_at_its_call() {
    let row = with(&[drift(&[1.0], &[-1.0, 4.0, 0.0], &[0.02, 3.0], 0.01)]);
    assert_eq!(row.drift.label, "STATE-DRIFT@3");
    assert_eq!(
        row.drift.detail,
        "1/3 calls equal a fresh process; margin 3.0e0, noise 1.0e-2"
    );
    assert_eq!(status(&row), "R4 State Issues");
}

#[test]
fn the_drifted_logits_themselves_excuse_nothing() {
    // LogitDelta is 9 here: as noise it would make any margin a near tie.
    assert_eq!(
        with(&[drift(&[1.0], &[0.0], &[5.0], 0.0)]).drift.label,
        "STATE-DRIFT@1"
    );
    assert_eq!(
        with(&[drift(&[1.0], &[0.0], &[], 0.0)]).drift.label,
        "STATE-DRIFT@1"
    );
}

#[test]
fn a_call_that_raises_is_named() {
    let row = with(&[failed("state-drift", Stage::Ask, "call 2: axis remapping")]);
    assert_eq!(
        (row.drift.label.as_str(), status(&row).as_str()),
        ("ERROR@2", "R4 State Issues")
    );
    assert_eq!(
        with(&[failed("state-drift", Stage::Crash, "signal 9")])
            .drift
            .label,
        "ERROR"
    );
}

#[test]
fn text_verdicts() {
    let check = |run: Run, label, of| {
        let row = with(&[run]);
        assert_eq!(
            (row.text.label.as_str(), status(&row).as_str()),
            (label, of)
        );
    };
    check(text(HALF, WRONG), "DEGRADED", "R8 Reliable");
    check(text(RIGHT, RIGHT), "DEGENERATE", "R6 Vision-Only");
    check(
        text(RIGHT, &[1.0, 1.0, 0.0, 0.0, 0.0]),
        "DEGRADED",
        "R8 Reliable",
    );
    check(
        failed("text-only", Stage::Ask, "no image"),
        "API-ERROR",
        "R6 Text Untested",
    );
    let declared = failed(
        "text-only",
        Stage::Ask,
        "unsupported by design: needs a picture",
    );
    check(declared, "UNSUPPORTED-BY-DESIGN", "R6 Vision-Only");
}

#[test]
fn context_verdicts() {
    let context = |direct: &[f64], later: &[f64], chance: &[f64]| {
        let run = measured(
            "context",
            &[
                (Metric::ContextDirect, &[direct]),
                (Metric::ContextRetained, &[later]),
                (Metric::ContextChance, &[chance]),
            ],
        );
        with(&[run]).context.label
    };
    assert_eq!(context(RIGHT, WRONG, WRONG), "LOSES");
    assert_eq!(context(RIGHT, RIGHT, WRONG), "RETAINS");
    assert_eq!(context(RIGHT, HALF, HALF), "LOSES", "no more than chance");
    assert_eq!(context(WRONG, RIGHT, WRONG), "n/a");
    assert_eq!(context(RIGHT, RIGHT, &HALF[..9]), "void");
}

#[test]
fn one_epoch_of_a_timed_scenario_is_not_enough() {
    let row = with(&[measured(
        "warm-inference",
        &[(Metric::Inference, &[&[0.1, 0.1]])],
    )]);
    assert_eq!(status(&row), "R1 Not Measured");
    assert_eq!(row.status.detail, "warm inference: 1 epoch, wanted 2");
}

#[test]
fn dummy_weights_have_speed_but_no_verdict() {
    let mut runs = sound();
    runs.iter_mut()
        .for_each(|run| run.cell.weights = "dummy".to_owned());
    let row = rows(&runs).remove(0);
    let labels = [&row.vision, &row.text, &row.context].map(|v| (v.mark, v.label.as_str()));
    assert_eq!(labels, [(Mark::Unknown, "n/a (dummy weights)"); 3]);
    assert_eq!(status(&row), "R1 Not Measured");
    assert!(row.figures.contains_key(&Metric::Inference));
}

#[test]
fn the_newest_run_of_a_scenario_counts() {
    let mut newer = vision(HALF, HALF, 1.0);
    newer.at += TimeDelta::seconds(1);
    let runs: Vec<Run> = [vec![newer], sound()].concat();
    assert_eq!(rows(&runs)[0].vision.label, "BLIND");
}

#[test]
fn a_row_never_mixes_two_revisions() {
    let mut newer = vision(RIGHT, WRONG, 1.0);
    newer.at += TimeDelta::seconds(1);
    newer.cell.revision = "r2".to_owned();
    let runs: Vec<Run> = [sound(), vec![newer]].concat();
    let row = &rows(&runs)[0];
    assert_eq!(
        (row.text.label.as_str(), row.figures.len()),
        ("n/a (not measured)", 1)
    );
}

#[test]
fn rows_stand_in_order_of_first_appearance() {
    let mut other = sound();
    other
        .iter_mut()
        .for_each(|run| run.cell.model = "second".to_owned());
    let mut backend = sound();
    backend
        .iter_mut()
        .for_each(|run| run.cell.backend = "mlx".to_owned());
    let rows = rows(&[sound(), other, backend].concat());
    let names: Vec<_> = rows
        .iter()
        .map(|row| (row.model.as_str(), row.backend.as_str()))
        .collect();
    assert_eq!(
        names,
        [("tiny", "candle"), ("tiny", "mlx"), ("second", "candle")]
    );
    let (_, cells) = summary_table(&rows);
    assert_eq!(cells[1][0], "tiny · mlx cpu");
}

#[test]
fn every_cell_of_the_table_is_a_figure_a_reason_or_not_available() {
    let mut warm = measured(
        "warm-inference",
        &[
            (Metric::Inference, &[&[0.1, 0.1], &[0.1, 0.1]]),
            (Metric::Decode, &[&[50.0], &[50.0], &[50.0]]),
        ],
    );
    if let Outcome::Measured { voids, .. } = &mut warm.outcome {
        let reason = "machine slept".to_owned();
        voids.push(Void {
            metric: Some(Metric::Ttft),
            count: 2,
            reason,
        });
    }
    let (headers, cells) = summary_table(&[with(&[warm])]);
    let table = text_table(&headers, &cells);
    insta::assert_snapshot!(table);
}

#[test]
fn no_runs_no_rows() {
    assert!(rows(&[]).is_empty());
}

#[test]
fn a_metric_of_another_scenario_never_stands_in() {
    let trials: &[&[f64]] = &[&[37.0], &[38.0]];
    let drift = measured(
        "state-drift",
        &[(Metric::Inference, trials), (Metric::CallMemory, trials)],
    );
    let row = &rows(&[drift])[0];
    assert_eq!(
        row.figures.keys().collect::<Vec<_>>(),
        [&Metric::CallMemory]
    );
    let (headers, cells) = summary_table(std::slice::from_ref(row));
    let at = headers
        .iter()
        .position(|header| header.starts_with("Avg Inference"));
    assert_eq!(at.map(|at| cells[0][at].as_str()), Some("n/a"));
}

#[test]
fn no_text_moves_or_hides_what_is_printed_around_it() {
    let check = |text: &str, expected: &str| {
        assert_eq!(notes::one_line(text), expected, "{text:?}");
    };
    check("a\nb\tc\u{2028}d\u{85}e", "a b c d e");
    check("\u{1b}[31m", "\u{fffd}[31m");
    for sign in "\u{61c}\u{200e}\u{202e}\u{2066}\u{200b}\u{ad}\u{feff}\u{fffa}\u{e0041}".chars() {
        check(&format!("x{sign}y"), "x\u{fffd}y");
    }
    // A family is joined by what has no width, and Persian parts words by it.
    check(
        "👩\u{200d}👧 می\u{200c}خواهم",
        "👩\u{200d}👧 می\u{200c}خواهم",
    );
}

#[test]
fn a_gpu_with_memory_of_its_own_holds_the_model_there() {
    let warm = |values: &[Values<'_>]| {
        let inference: Values<'_> = (Metric::Inference, &[&[0.5], &[0.5]]);
        measured("warm-inference", &[&[inference][..], values].concat())
    };
    let column = |row: &Row| {
        let (headers, cells) = summary_table(std::slice::from_ref(row));
        let at = headers.iter().position(|header| *header == "Peak memory");
        cells[0][at.unwrap()].clone()
    };
    let on_gpu: Values<'_> = (Metric::DeviceMemory, &[&[4e9], &[4e9]]);
    assert!(column(&with(&[warm(&[on_gpu])])).starts_with("3.73 GiB"));
    assert!(!column(&with(&[warm(&[])])).starts_with("3.73 GiB"));
}
