//! Which trials a value is told with, and how the list reads.

use super::*;
use crate::run::{Outcome, Void};
use crate::summary::tests::{Values, measured, with};

/// Eight trials in one process, the fourth void: the seven others, and others' work around them.
const NUMBERS: Values<'_> = (Metric::Trial, &[&[1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0]]);
const WORK: Values<'_> = (
    Metric::TrialBackgroundCpu,
    &[&[0.01, 0.01, 0.02, 0.5, 0.04, 0.07, -1.0]],
);

fn run(values: &[Values<'_>]) -> Run {
    measured("warm-inference", &[values, &[NUMBERS, WORK]].concat())
}

/// Trials and others' work of the only outlier.
fn check(run: &Run, trials: Option<(u32, u32)>, work: Option<f64>) {
    let found = outliers(run);
    assert_eq!((found.listed.len(), found.more), (1, 0), "{found:?}");
    let outlier = &found.listed[0];
    let told = outlier.around.and_then(|around| around.background_cpu);
    assert_eq!((outlier.trials, told), (trials, work), "{outlier:?}");
}

#[test]
fn a_value_in_each_trial_is_told_with_its_own() {
    let values: &[f64] = &[1.0, 1.1, 0.9, 2.0, 1.05, 0.95, 1.02];
    let run = run(&[(Metric::Inference, &[values])]);
    check(&run, Some((5, 5)), Some(0.5));
    let outlier = &outliers(&run).listed[0];
    assert_eq!(outlier.place(), "process 1, trial 5");
    assert_eq!(outlier.times(), "1.96 times");
    assert_eq!(outlier.machine(), "others used 50 % of all cores");
}

#[test]
fn where_values_were_refused_the_trial_is_told_as_closely_as_is_certain() {
    // Five of seven: the second value is of the second, third or fourth trial that counts.
    let values: &[f64] = &[1.0, 9.0, 0.9, 1.1, 1.05];
    let run = run(&[(Metric::Inference, &[values])]);
    check(&run, Some((2, 5)), Some(0.5));
    let outlier = &outliers(&run).listed[0];
    assert_eq!(outlier.place(), "process 1, one of trials 2 to 5");
    assert_eq!(outlier.machine(), "at most: others used 50 % of all cores");
    // The last may be of a trial of which the system did not tell.
    let values: &[f64] = &[1.0, 0.9, 1.1, 1.05, 9.0];
    let run = self::run(&[(Metric::Inference, &[values])]);
    check(&run, Some((6, 8)), None);
}

#[test]
fn what_is_taken_in_every_second_trial_is_matched_with_those() {
    let phased: &[f64] = &[1.0, 1.1, 0.9, 9.0];
    check(
        &run(&[(Metric::Prefill, &[phased])]),
        Some((7, 7)),
        Some(0.07),
    );
    let repeated: &[f64] = &[1.0, 9.0, 1.01];
    check(
        &run(&[(Metric::RepeatedInference, &[repeated])]),
        Some((6, 6)),
        Some(0.04),
    );
    // A server is asked again in each trial: three values of seven are of any five trials in a row.
    let mut served = run(&[(Metric::RepeatedInference, &[repeated])]);
    served.cell.weights = "served".to_owned();
    check(&served, Some((2, 7)), Some(0.5));
}

#[test]
fn times_between_tokens_are_matched_only_where_all_are_there() {
    let gaps: &[f64] = &[
        1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0, 9.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.05,
    ];
    let requests: Values<'_> = (Metric::WeightBandwidth, &[&[5.0; 7]]);
    let all = run(&[(Metric::InterToken, &[gaps]), requests]);
    check(&all, Some((5, 5)), Some(0.5));
    check(&run(&[(Metric::InterToken, &[gaps])]), None, None);
    check(
        &run(&[(Metric::InterToken, &[&gaps[..13]]), requests]),
        None,
        None,
    );
    let mut refused = all;
    if let Outcome::Measured { voids, .. } = &mut refused.outcome {
        voids.push(Void {
            metric: Some(Metric::InterToken),
            count: 7,
            reason: "0 cannot be".to_owned(),
        });
    }
    check(&refused, None, None);
}

#[test]
fn runs_that_do_not_number_trials_have_outliers_all_the_same() {
    let values: &[f64] = &[1.0, 1.1, 0.9, 2.0, 1.05];
    check(
        &measured("warm-inference", &[(Metric::Ttft, &[values])]),
        None,
        None,
    );
    // A process more than were numbered: none of them is certain.
    let more = run(&[(Metric::Ttft, &[values, &[1.0, 1.1]])]);
    check(&more, None, None);
    let outlier = &outliers(&more).listed[0];
    assert_eq!(outlier.place(), "process 1");
    assert_eq!(outlier.machine(), "not known of this trial");
}

#[test]
fn scores_counters_and_what_has_an_order_have_none() {
    let values: &[f64] = &[1.0, 1.1, 0.9, 9.0, 1.05, 0.95, 1.02];
    for metric in [Metric::OutputTokens, Metric::WarmUp, Metric::BackgroundCpu] {
        assert_eq!(outliers(&run(&[(metric, &[values])])), Outliers::default());
    }
}

#[test]
fn the_farthest_of_each_metric_come_first_and_the_rest_is_counted() {
    let values: Vec<f64> = (0..200)
        .map(|n| {
            f64::from(n % 7)
                + if n % 8 == 0 {
                    100.0 + f64::from(n)
                } else {
                    0.0
                }
        })
        .collect();
    let one: &[f64] = &[1.0, 1.1, 0.9, 9.0, 1.05, 0.95, 1.02];
    let found = outliers(&run(&[
        (Metric::InterToken, &[&values]),
        (Metric::Ttft, &[one]),
    ]));
    assert_eq!((found.listed.len(), found.more), (LISTED, 26 - LISTED));
    let (first, second) = (&found.listed[0], &found.listed[1]);
    assert_eq!(first.metric, Metric::InterToken);
    assert!(first.value > found.listed[2].value, "{found:?}");
    assert_eq!(second.metric, Metric::Ttft);
}

#[test]
fn a_row_tells_them_in_one_line_and_says_which_figures_are_noisy() {
    let values: &[f64] = &[1.0, 1.1, 0.9, 2.0, 1.05, 0.95, 1.02];
    let row = with(&[run(&[
        (Metric::Inference, &[values]),
        (Metric::RepeatedInference, &[&[1.0, 9.0, 1.01]]),
    ])]);
    let lines = crate::summary::lines(&row);
    let line = lines.iter().find(|(word, _)| *word == "outliers");
    assert_eq!(
        line.map(|(_, text)| text.as_str()),
        Some(
            "tiny: 2 values lie far from the median of their process; \
             NOISY: inference, repeated_inference; \
             inference 2.00 s, 1.96 times the median, process 1, trial 5 (others used 50 % of all cores); \
             repeated_inference 9.00 s, 8.91 times the median, process 1, trial 6 (others used 4 % of all cores)"
        )
    );
    let shown = row.figures.keys().find(|metric| metric.is_around_trials());
    assert_eq!(shown, None);
}

#[test]
fn the_machine_is_told_in_words() {
    let check = |around: Around, expected: &str| assert_eq!(around.words(), expected);
    check(Around::default(), "");
    let all = Around {
        background_cpu: Some(0.0),
        swapped_in: Some(4096.0),
        swapped_out: Some(2_097_152.0),
        thermal_level: Some(1.0),
    };
    check(
        all,
        "others used 0 % of all cores, 0.00 MiB read back, 2.00 MiB swapped out, thermal pressure moderate",
    );
    let calm = Around {
        swapped_in: None,
        swapped_out: Some(0.0),
        thermal_level: Some(9.0),
        ..Around::default()
    };
    check(calm, "no swapping, thermal pressure unknown");
}
