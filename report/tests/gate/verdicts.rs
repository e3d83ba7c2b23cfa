//! Which verdict a planted change gets, and with which reason.

use std::fs;

use serde_json::Value;
use store::{Metric, Outcome, Remark, RemarkKind, Sample, Session, Stage};

use super::case::{CELL, Case, epochs, keep, reason, session, set, warm};
use super::fixture;

#[test]
fn planted_changes_are_judged() {
    let row = Case::slower(1.10).row(Some("inference"), "regressed", 1);
    let worse = row["worse_by"].as_f64().unwrap();
    assert!((worse - 0.10).abs() < 0.01, "{row}");
    assert!(
        row["extent"]["detectable"].as_f64().unwrap() < 0.10,
        "{row}"
    );
    Case::slower(1.10).row(Some("decode"), "regressed", 1);
    Case::slower(0.90).row(Some("inference"), "improved", 0);
    Case::slower(1.0).row(Some("inference"), "pass", 0);
    let row = Case::slower(1.036).row(Some("inference"), "inconclusive", 2);
    assert!(reason(&row).contains("show changes from"), "{row}");
}

#[test]
fn what_is_not_there_is_missing() {
    let case = Case::new(|pr, runs| {
        let outcome = Outcome::Failed {
            stage: Stage::Crash,
            message: "signal 9".to_owned(),
        };
        *runs = vec![fixture::run(pr, 1, ("tiny", "warm-inference"), outcome)];
    });
    assert_eq!(
        reason(&case.row(None, "missing", 3)),
        "failed (crash): signal 9"
    );
    let case = Case::new(|pr, runs| {
        runs[0].cell.scenario = "other".to_owned();
        runs.push(warm(pr, 1.0));
        runs[1].cell.model = "new".to_owned();
        runs[1].id = fixture::run(pr, 2, ("", ""), fixture::measured(vec![])).id;
    });
    let text = case.check(&[], 3);
    assert!(text.contains("vanished: the base has this cell"), "{text}");
    assert!(
        text.contains("new/warm-inference/candle/cpu: no baseline"),
        "{text}"
    );
    let case = Case::new(|_, runs| {
        if let Outcome::Measured { samples, .. } = &mut runs[0].outcome {
            samples.retain(|sample| sample.metric != Metric::Decode);
        }
    });
    assert!(reason(&case.row(Some("decode"), "missing", 3)).starts_with("vanished"));
}

/// A pull request and a base of which each has some metrics and may say a remark; what is printed.
#[track_caller]
fn told_by_one(base: &[Metric], head: &[Metric], remark: Option<&str>, code: i32) -> String {
    let of = |session: &Session, metrics: &[Metric]| {
        let mut run = warm(session, 1.0);
        metrics
            .iter()
            .for_each(|&metric| set(&mut run, epochs(metric, 2.0)));
        let lacks =
            metrics.len() < base.len().max(head.len()) || metrics.contains(&Metric::LoadUnknown);
        let remark = remark.filter(|_| lacks).map(|text| Remark {
            kind: RemarkKind::Finding,
            count: 1,
            text: text.to_owned(),
        });
        run.remarks.extend(remark);
        run
    };
    let case = Case::new(|pr, runs| *runs = vec![of(pr, head)]);
    let main = session(8, "main");
    keep(&case.file("told.db"), &main, &[of(&main, base)]);
    case.check(&["--baseline", "told.db"], code)
}

#[test]
fn what_a_machine_could_not_tell_is_open_and_never_broken() {
    use Metric::{EnergyPerToken, LoadCold, LoadUnknown};
    let check = |base: &[Metric], head: &[Metric], remark: Option<&str>, expected: &str| {
        let text = told_by_one(base, head, remark, 2);
        assert!(text.contains(expected), "{text}");
    };
    let stood = Some("no energy: the counter stands still");
    let row = "inconclusive: tiny/warm-inference/candle/cpu energy_per_token: no";
    check(
        &[EnergyPerToken],
        &[],
        stood,
        &format!("{row} energy: the counter stands still"),
    );
    check(
        &[],
        &[EnergyPerToken],
        stood,
        &format!("{row} baseline for energy_per_token: no energy"),
    );
    check(
        &[EnergyPerToken],
        &[],
        None,
        "no counter of energy that can be read now",
    );
    check(
        &[LoadCold],
        &[LoadUnknown],
        None,
        "load_cold: the state of the page cache was not proved",
    );
    check(
        &[LoadUnknown],
        &[LoadCold],
        None,
        "load_cold: no baseline for load_cold: the state of",
    );
    // A base that never told it knew nothing of it.
    let text = told_by_one(&[], &[EnergyPerToken], None, 0);
    assert!(!text.contains("energy"), "{text}");
}

#[test]
fn counters_hold_on_any_machine() {
    let elsewhere = |pr: &mut Session| pr.machine.chip = "Apple M2".to_owned();
    let same = Case::new(|pr, _| elsewhere(pr));
    assert!(
        same.check(&[], 3)
            .contains("NOT COMPARABLE: base on Apple M3")
    );
    assert!(reason(&same.row(None, "missing", 3)).contains("another machine"));
    same.row(Some("image_tokens"), "pass", 3);
    let counters = same.check(&["--counters"], 0);
    assert!(
        counters.starts_with("pass: 1 pass\n") && counters.contains("NOT COMPARABLE"),
        "{counters}"
    );
    let more = Sample {
        metric: Metric::ImageTokens,
        epochs: vec![vec![81.0; 3]; 5],
    };
    let changed = Case::new(|pr, runs| {
        elsewhere(pr);
        set(&mut runs[0], more.clone());
    });
    let row = changed.row(Some("image_tokens"), "regressed", 1);
    assert!(reason(&row).contains("behaviour changed"), "{row}");
    assert!(
        !changed.check(&[], 1).contains("inference  "),
        "no clock is shown"
    );
}

#[test]
fn waivers_accept_known_regressions() {
    let case = Case::slower(1.10);
    let waivers = |expires: &str, allowed: f64| {
        let entry = |metric: &str| {
            format!(
                "[[waiver]]\nmetric = \"{metric}\"\ncell = \"{CELL}\"\nreason = \"exact softmax\"\n\
                 expires = {expires}\nallowed_change = {allowed}\n"
            )
        };
        let text = entry("inference") + &entry("decode") + &entry("ttft");
        fs::write(case.file("w.toml"), text).unwrap();
    };
    waivers("2999-01-01", 0.12);
    let text = case.check(&["--waivers", "w.toml"], 0);
    assert!(
        text.contains("waived until 2999-01-01: exact softmax"),
        "{text}"
    );
    assert!(
        text.contains("note: w.toml:13: the waiver of ttft"),
        "{text}"
    );
    waivers("2020-01-01", 0.12);
    assert!(
        case.check(&["--waivers", "w.toml"], 1)
            .contains("expired on 2020-01-01")
    );
    waivers("2999-01-01", 0.05);
    assert!(
        case.check(&["--waivers", "w.toml"], 1)
            .contains("allows 5.0 %, this is")
    );
    let counters = case.check(&["--waivers", "w.toml", "--counters"], 0);
    assert!(!counters.contains("not needed"), "{counters}");
}

#[test]
fn pairs_are_judged() {
    let case = Case::slower(1.0);
    let write = |ratio: f64, pairs: u32| {
        let line = |n: u32| {
            format!(
                "1.{n:02},{}\n",
                (1.0 + 0.01 * f64::from(n)) * ratio * (1.0 + 0.001 * f64::from(n % 5))
            )
        };
        let text: String = (0..pairs).map(line).collect();
        fs::write(case.file("pairs.csv"), format!("base,head\n{text}")).unwrap();
    };
    let check = |ratio, pairs, code| {
        write(ratio, pairs);
        let ran = case
            .report(&["check", "--pairs", "pairs.csv"])
            .assert()
            .code(code);
        String::from_utf8(ran.get_output().stdout.clone()).unwrap()
    };
    check(1.10, 20, 1);
    check(0.90, 20, 0);
    check(1.0, 20, 0);
    assert!(check(1.10, 5, 2).contains("about 5 more would settle it"));
}

#[test]
fn two_sessions_are_compared() {
    let case = Case::slower(1.10);
    let id = session(1, "main").id.to_string();
    let ran = case
        .report(&["compare", &id, "pr.db", "--db", "base.db"])
        .assert()
        .code(0);
    let said = String::from_utf8(ran.get_output().stdout.clone()).unwrap();
    assert!(
        said.starts_with("REGRESSED: 2 regressed, 1 pass\n"),
        "{said}"
    );
    let case = Case::new(|pr, _| pr.machine.chip = "Apple M2".to_owned());
    let ran = case
        .report(&["compare", "base.db", "pr.db", "--json"])
        .assert()
        .code(0);
    let document: Value = serde_json::from_slice(&ran.get_output().stdout).unwrap();
    assert!(
        document["watermark"]
            .as_str()
            .unwrap()
            .starts_with("other machines: Apple M3")
    );
    case.report(&["compare", "base.db", "none", "--db", "base.db"])
        .assert()
        .code(2);
}
