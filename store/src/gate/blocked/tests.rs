use super::*;
use crate::gate::decide::decide;
use crate::stats::Rng;

fn row(metric: Metric, sides: (&Epochs, &Epochs), noise: Noise) -> Row {
    decide(vec![compare("c", metric, sides, (noise, String::new()))]).remove(0)
}

fn around(factor: f64) -> Epochs {
    vec![
        [0.998, 1.0, 1.002, 1.001, 0.999]
            .map(|x| x * factor)
            .to_vec(),
    ]
}

fn floor(floor: f64) -> Noise {
    Noise {
        spread: None,
        floor: Some(floor),
    }
}

#[test]
fn the_whole_interval_must_be_beyond_the_smallest_change() {
    use Verdict as V;
    let check = |metric, factor, noise: Noise, expected: Verdict, source: &str| {
        let row = row(metric, (&around(1.0), &around(factor)), noise);
        assert_eq!(row.verdict, expected, "{row:?}");
        assert!(row.reason.contains(source), "{}", row.reason);
    };
    check(
        Metric::Inference,
        1.05,
        floor(0.01),
        V::Regressed,
        "3.0 % (inference)",
    );
    check(
        Metric::Inference,
        0.95,
        floor(0.01),
        V::Improved,
        "3.0 % (inference)",
    );
    check(
        Metric::Decode,
        0.95,
        floor(0.01),
        V::Regressed,
        "3.0 % (decode)",
    );
    check(
        Metric::Inference,
        1.02,
        floor(0.01),
        V::Pass,
        "3.0 % (inference)",
    );
    check(
        Metric::Inference,
        1.03,
        floor(0.01),
        V::Inconclusive,
        "3.0 % (inference)",
    );
    check(
        Metric::Inference,
        1.05,
        floor(0.08),
        V::Pass,
        "8.0 % (noise floor of this machine)",
    );
    check(
        Metric::Inference,
        1.04,
        Noise::default(),
        V::Pass,
        "5.0 % (noise of this machine unknown)",
    );
    check(
        Metric::Inference,
        1.10,
        Noise::default(),
        V::Regressed,
        "unknown",
    );
    check(
        Metric::Startup,
        1.08,
        Noise::default(),
        V::Pass,
        "10 % (startup)",
    );
}

#[test]
fn a_restless_machine_is_not_believed() {
    let spread = Some(Spread {
        sigma: 0.05,
        freedom: 9.0,
    });
    let noise = Noise {
        spread,
        floor: None,
    };
    let found = row(Metric::Inference, (&around(1.0), &around(1.08)), noise);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(found.reason.contains("`harness ab`"), "{}", found.reason);
    assert_eq!(found.extent.unwrap().more, None);
    let found = row(Metric::Inference, (&around(1.0), &around(1.50)), noise);
    assert_eq!(found.verdict, Verdict::Regressed);
}

#[test]
fn every_session_of_the_head_must_show_it() {
    let twice = |factors: [f64; 2]| factors.iter().flat_map(|f| around(*f)).collect::<Epochs>();
    let check = |factors, expected| {
        let row = row(
            Metric::Inference,
            (&around(1.0), &twice(factors)),
            floor(0.01),
        );
        assert_eq!(row.verdict, expected, "{row:?}");
    };
    check([1.10, 1.09], Verdict::Regressed);
    check([1.10, 1.005], Verdict::Inconclusive);
}

#[test]
fn too_little_is_inconclusive_and_says_what_is_lacking() {
    let one = vec![vec![1.0]];
    let found = row(
        Metric::Inference,
        (&one, &vec![vec![1.5]]),
        Noise::default(),
    );
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(
        found
            .reason
            .ends_with("1 epochs a side are too few to tell; about 4 more would settle it"),
        "{}",
        found.reason
    );
    // One side of several epochs tells how both vary.
    let found = row(
        Metric::Inference,
        (&around(1.0), &vec![vec![1.5]]),
        Noise::default(),
    );
    assert_eq!(found.verdict, Verdict::Regressed, "{}", found.reason);
}

#[test]
fn what_has_no_ratio_is_compared_as_it_is() {
    let zero = vec![vec![0.0, 0.0]];
    let check = |head: &Epochs, expected| {
        let found = row(Metric::LoadMemory, (&zero, head), Noise::default());
        assert_eq!(found.verdict, expected);
    };
    check(&zero, Verdict::Pass);
    check(&vec![vec![5.0, 5.0]], Verdict::Inconclusive);
}

/// Of 500 comparisons those called worse: a session against the last five, on a machine whose
/// sessions vary by 3 % with heavy tails, and whose epochs vary by half a percent.
fn called_worse(slowdown: f64, nights: usize) -> usize {
    let mut random = Rng::new(8);
    let mut night = |factor: f64| -> Vec<f64> {
        let level = 0.03 * random.student(4);
        (0..5)
            .map(|_| factor * (level + 0.005 * random.normal()).exp())
            .collect()
    };
    let mut trial = |_: &usize| {
        let past: Epochs = (0..nights).map(|_| night(1.0)).collect();
        let centres = centres(&logs(&past).unwrap());
        let noise = Noise {
            spread: super::super::history::spread(&centres),
            floor: None,
        };
        let base = past[nights - 5..].to_vec();
        let head = vec![night(1.0 + slowdown)];
        row(Metric::Inference, (&base, &head), noise).verdict == Verdict::Regressed
    };
    (0..500).filter(|at| trial(at)).count()
}

#[test]
fn the_past_of_a_machine_keeps_false_alarms_away() {
    let (same, slower) = (called_worse(0.0, 25), called_worse(0.30, 25));
    assert!(same <= 8, "{same} of 500 without a change");
    assert!(slower >= 450, "{slower} of 500 with 30 %");
}

#[test]
fn few_epochs_of_a_calm_machine_find_what_is_there() {
    let mut random = Rng::new(11);
    let mut called = |slowdown: f64| {
        let mut side = |factor: f64| -> Epochs {
            let mut epoch = || factor * (0.005 * random.normal()).exp();
            vec![(0..5).map(|_| epoch()).collect()]
        };
        let mut trial = || {
            row(
                Metric::Inference,
                (&side(1.0), &side(1.0 + slowdown)),
                floor(0.01),
            )
        };
        let rows: Vec<Row> = (0..500).map(|_| trial()).collect();
        rows.iter()
            .filter(|row| row.verdict == Verdict::Regressed)
            .count()
    };
    let (same, slower) = (called(0.0), called(0.05));
    assert_eq!(same, 0, "of 500 without a change");
    assert!(slower >= 450, "{slower} of 500 with 5 %");
}
