//! Duels of small shell scripts in place of real builds.

use super::*;
use crate::parent::tests::planned;
use crate::plan::Planned;
use std::time::Duration;
use store::Metric;
use store::gate::Verdict;

const LOADED: &str = r#"{"type":"loaded","architecture":"a","precision":"f32","weight_bytes":1,"held_bytes":1,"read_bytes":1,"parameters":1,"stop_ids":[0],"placeholder":null,"turns":"many"}"#;
const DONE: &str = r#"{"type":"done","footprint":1073741824,"model_ns":0}"#;

/// A build whose requests take so long, and whose answers have such a hash.
fn build(seconds: f64, hash: u32) -> Launcher {
    script(&format!(
        "{} {} {} {}",
        say(LOADED),
        say(&format!(
            r#"{{"type":"sample","metric":"inference","value":{seconds}}}"#
        )),
        say(&format!(
            r#"{{"type":"sample","metric":"output_hash","value":{hash}.0}}"#
        )),
        say(DONE)
    ))
}

fn say(line: &str) -> String {
    format!("echo '{line}';")
}

fn script(text: &str) -> Launcher {
    Launcher {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), text.into()],
    }
}

fn cell() -> Planned {
    planned("warm-inference")
}

fn rules(base: Launcher, head: Launcher) -> Rules {
    Rules {
        launchers: [base, head],
        probes: "/nowhere".into(),
        timeout: Duration::from_secs(60),
        seed: 0,
    }
}

/// What two builds come to, and the pairs of each session.
fn fight(base: Launcher, head: Launcher) -> (Judgement, Vec<usize>) {
    let cell = cell();
    let rules = rules(base, head);
    let (series, judgement) = measure(vec![Duel::new(&rules, &cell)], &mut Vec::new()).unwrap();
    let timed = series
        .iter()
        .find(|series| series.metric == Metric::Inference);
    let sessions = timed.unwrap().sessions.iter().map(Vec::len).collect();
    (judgement, sessions)
}

fn row(judgement: &Judgement, metric: Metric) -> (Verdict, String) {
    let row = judgement.rows.iter().find(|row| row.metric == Some(metric));
    let row = row.unwrap_or_else(|| panic!("no {metric} in {judgement:?}"));
    (row.verdict, row.reason.clone())
}

#[test]
fn a_slower_build_is_confirmed_before_it_is_called_so() {
    let (judgement, sessions) = fight(build(0.1, 1), build(0.11, 1));
    assert_eq!(row(&judgement, Metric::Inference).0, Verdict::Regressed);
    assert_eq!(row(&judgement, Metric::OutputHash).0, Verdict::Pass);
    assert_eq!(sessions, [10, 10]);
}

#[test]
fn equal_builds_pass_after_ten_pairs() {
    let (judgement, sessions) = fight(build(0.1, 1), build(0.1, 1));
    assert_eq!(judgement.verdict(), Verdict::Pass);
    assert_eq!(sessions, [10]);
    let control = "fake/warm-inference/candle/cpu: the base against itself in 2 pairs: at most ";
    let [note] = &judgement.notes[..] else {
        panic!("{:?}", judgement.notes);
    };
    assert!(note.starts_with(control), "{note}");
}

#[test]
fn a_changed_answer_is_a_regression_without_any_clock() {
    let (judgement, _) = fight(build(0.1, 1), build(0.1, 2));
    let (verdict, reason) = row(&judgement, Metric::OutputHash);
    assert_eq!(verdict, Verdict::Regressed);
    assert!(reason.starts_with("10 of 10 values differ"), "{reason}");
}

#[test]
fn a_program_that_speaks_otherwise_is_named() {
    let check = |broken: Launcher, part: &str| {
        let (cell, good) = (cell(), build(0.1, 1));
        let rules = rules(good, broken);
        let error = measure(vec![Duel::new(&rules, &cell)], &mut Vec::new()).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.starts_with("--head /bin/sh: fake/warm-inference/candle/cpu: "),
            "{text}"
        );
        assert!(
            text.contains(part) && text.contains("run the newer one's `ab`"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
    };
    check(script(&say("hello")), "said what is no message: \"hello\"");
    check(script("exit 7"), "exit code 7");
    check(
        script(&say(r#"{"type":"sample","metric":"new","value":1.0}"#)),
        "no message",
    );
}

#[test]
fn a_build_with_another_version_of_the_scenario_is_not_compared() {
    let text =
        "other version of the scenario: 4 of warm-inference was asked for, this program has 3";
    let older = format!(r#"{{"type":"failed","stage":"start","message":"{text}"}}"#);
    let (cell, rules) = (cell(), rules(script(&say(&older)), build(0.1, 1)));
    let (_, judgement) = measure(vec![Duel::new(&rules, &cell)], &mut Vec::new()).unwrap();
    assert_eq!(judgement.verdict(), Verdict::Missing);
    let rows: Vec<&str> = judgement
        .rows
        .iter()
        .map(|row| row.reason.as_str())
        .collect();
    assert_eq!(rows, [format!("base: {text}")]);
}

#[test]
fn a_build_that_breaks_on_the_way_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    // Sound at first, and gone from the fourth worker on.
    let sound = build(0.1, 1).args[1].to_string_lossy().into_owned();
    let text = format!(
        "echo x >> {0}; [ $(wc -l < {0}) -gt 3 ] && exit 9; {sound}",
        count.display()
    );
    let (judgement, _) = fight(build(0.1, 1), script(&text));
    assert_eq!(judgement.verdict(), Verdict::Missing);
    let gone = judgement
        .rows
        .iter()
        .find(|row| row.metric.is_none())
        .unwrap();
    assert!(
        gone.reason
            .starts_with("head failed (start): worker ended with exit code 9"),
        "{gone:?}"
    );
}
