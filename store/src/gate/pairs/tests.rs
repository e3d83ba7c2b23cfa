//! What pairs say, and how often they are wrong: by simulation of a noisy runner.

use super::*;
use crate::stats::Rng;
use machine::Machine;

#[path = "../../../benches/gate/machine.rs"]
mod machine;

fn series(metric: Metric, sessions: Vec<Vec<Pair>>) -> Series {
    Series {
        cell: "m/warm/candle/cpu".to_owned(),
        metric,
        sessions,
    }
}

/// `n` pairs whose ratios scatter evenly by one percent around `ratio`.
fn even(n: usize, ratio: f64) -> Vec<Pair> {
    let pair = |at: usize| {
        let off = 0.01 * ((at * 7 % n) as f64 / n as f64 - 0.5 + 0.5 / n as f64);
        let base = 1.0 + 0.1 * at as f64;
        Pair {
            base,
            head: base * ratio * off.exp(),
        }
    };
    (0..n).map(pair).collect()
}

#[track_caller]
fn check(metric: Metric, sessions: Vec<Vec<Pair>>, expected: Verdict) -> Row {
    let row = judge(&[series(metric, sessions)]).rows.remove(0);
    assert_eq!(row.verdict, expected, "{row:?}");
    row
}

#[test]
fn direction_and_size_decide() {
    use Verdict as V;
    let check = |metric, ratio, expected| check(metric, vec![even(20, ratio)], expected);
    check(Metric::Inference, 1.05, V::Regressed);
    check(Metric::Inference, 0.95, V::Improved);
    check(Metric::Inference, 1.02, V::Pass);
    check(Metric::Inference, 1.0, V::Pass);
    check(Metric::Decode, 0.95, V::Regressed);
    check(Metric::Decode, 1.06, V::Improved);
    // Startup has a smallest change of 10 %.
    check(Metric::Startup, 1.05, V::Pass);
}

#[test]
fn figures_are_those_of_the_pairs() {
    let row = check(Metric::Decode, vec![even(20, 0.9)], Verdict::Regressed);
    let extent = row.extent.unwrap();
    assert!((extent.ratio - 0.9).abs() < 0.002, "{extent:?}");
    let (low, high) = (extent.low.unwrap(), extent.high.unwrap());
    assert!(low < extent.ratio && extent.ratio < high, "{extent:?}");
    assert_eq!((extent.n, extent.more), (20, None));
    assert!((row.worsening().unwrap() - 0.1).abs() < 0.002);
}

#[test]
fn few_pairs_say_that_they_are_too_few() {
    let row = check(Metric::Inference, vec![even(5, 1.3)], Verdict::Inconclusive);
    let extent = row.extent.unwrap();
    assert_eq!(
        (extent.low, extent.high, extent.more),
        (None, None, Some(5))
    );
    assert!(
        row.reason
            .contains("5 pairs are too few to tell; about 5 more"),
        "{}",
        row.reason
    );
}

#[test]
fn what_has_no_ratio_is_missing() {
    let pair = |base, head| Pair { base, head };
    for broken in [
        pair(0.0, 1.0),
        pair(1.0, -1.0),
        pair(f64::NAN, 1.0),
        pair(1.0, f64::INFINITY),
    ] {
        let mut pairs = even(20, 1.0);
        pairs[3] = broken;
        check(Metric::Inference, vec![pairs], Verdict::Missing);
    }
    check(Metric::Inference, vec![vec![]], Verdict::Missing);
    check(Metric::Inference, vec![], Verdict::Missing);
}

#[test]
fn a_second_session_must_say_the_same() {
    let twice = |second| vec![even(20, 1.06), even(20, second)];
    check(Metric::Inference, twice(1.06), Verdict::Regressed);
    check(Metric::Inference, twice(0.999), Verdict::Inconclusive);
    check(Metric::Inference, twice(0.94), Verdict::Inconclusive);
}

/// How many of `trials` comparisons are called worse; each of one session, or confirmed by a second.
fn alarms(n: usize, slowdown: f64, sessions: usize, trials: u64) -> usize {
    let red = |trial: &u64| {
        let session = |number| Machine::new(2 * trial + number + 1).pairs(n, slowdown);
        let sessions = (0..sessions as u64).map(session).collect();
        let row = judge(&[series(Metric::Inference, sessions)]).rows.remove(0);
        row.verdict == Verdict::Regressed
    };
    (0..trials).filter(red).count()
}

#[test]
fn unchanged_programs_are_not_called_worse() {
    for n in [5, 7, 10, 15, 20, 30] {
        let (alone, confirmed) = (alarms(n, 0.0, 1, 400), alarms(n, 0.0, 2, 400));
        assert!(alone <= 3, "{n} pairs: {alone} of 400");
        assert_eq!(confirmed, 0, "{n} pairs");
    }
}

#[test]
fn slower_programs_are_found() {
    let check = |n, slowdown, sessions, least: usize| {
        let found = alarms(n, slowdown, sessions, 200);
        assert!(
            found >= least,
            "{n} pairs, {sessions} sessions, {slowdown}: {found} of 200"
        );
    };
    check(20, 0.05, 2, 140);
    check(20, 0.10, 2, 190);
    check(20, 0.20, 2, 198);
    check(10, 0.10, 2, 164);
    check(20, 0.10, 1, 188);
}

#[test]
fn five_pairs_never_claim_anything() {
    assert_eq!(alarms(5, 0.5, 1, 50), 0);
}

#[test]
fn a_session_grows_until_it_tells() {
    let check = |sessions, expected| {
        assert_eq!(next(&series(Metric::Inference, sessions)), expected);
    };
    check(vec![even(10, 1.0)], Next::Enough);
    check(vec![even(10, 0.9)], Next::Enough);
    check(vec![even(10, 1.1)], Next::Confirm);
    check(vec![even(10, 1.029)], Next::More);
    check(vec![even(20, 1.029)], Next::More);
    check(vec![even(30, 1.029)], Next::Enough);
    check(vec![even(5, 1.1)], Next::More);
    check(vec![even(10, 1.1), even(10, 1.1)], Next::Enough);
    check(vec![], Next::Enough);
}
