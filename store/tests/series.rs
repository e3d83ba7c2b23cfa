//! Series read from a database, what changed in them, and what was accepted.

mod builder;

use std::path::Path;

use builder::{moment, run, session, sql};
use store::db::Acknowledgement;
use store::trend::State;
use store::watch::{Finding, Meaning, Watch, watch};
use store::{Db, Metric, Outcome, Run, Sample, Session, Uuid};
use tempfile::tempdir;

/// One night: time to first token, decode rate and a counter, `slow` times slower than usual.
fn night(db: &mut Db, day: u32, slow: f64) -> Uuid {
    night_of(db, "main", (day, slow))
}

fn night_of(db: &mut Db, branch: &str, (day, slow): (u32, f64)) -> Uuid {
    let mut session = Session {
        at: moment(86_400 * i64::from(day)),
        ..session(day)
    };
    session.environment.branch = Some(branch.to_owned());
    db.begin(&session).expect("begun");
    // Two processes that agree; nights differ by up to a percent, in a fixed pattern.
    let wobble = 1.0 + 0.01 * f64::from(day * 7 % 5) / 5.0;
    let sample = |metric, value: f64| Sample {
        metric,
        epochs: vec![vec![value, value * 1.001], vec![value]],
    };
    let samples = vec![
        sample(Metric::Ttft, 0.06 * slow * wobble),
        sample(Metric::Decode, 40.0 / slow / wobble),
        Sample {
            metric: Metric::OutputTokens,
            epochs: vec![vec![32.0]],
        },
        sample(Metric::BackgroundCpu, 0.01),
        sample(Metric::TrialBackgroundCpu, 0.01),
    ];
    let run = Run {
        at: session.at,
        outcome: Outcome::Measured {
            samples,
            voids: Vec::new(),
        },
        ..run(&session, 1)
    };
    db.insert(&run).expect("inserted");
    run.id
}

fn nights(path: &Path, slow: impl Fn(u32) -> f64, count: u32) -> Vec<Uuid> {
    let mut db = Db::open(path).expect("a new database");
    (1..=count)
        .map(|day| night(&mut db, day, slow(day)))
        .collect()
}

#[test]
fn a_slow_stretch_is_one_incident_of_both_metrics() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("results.db");
    let runs = nights(&path, |day| if day > 20 { 1.1 } else { 1.0 }, 30);
    let db = Db::open_existing(&path).expect("opened");
    let set = db.series().expect("series");
    let metrics: Vec<Metric> = set.series.iter().map(|series| series.metric).collect();
    // A circumstance is no series; a counter is one.
    assert_eq!(
        metrics,
        [Metric::Ttft, Metric::Decode, Metric::OutputTokens]
    );
    let found = watch(&set, &[]);
    let [incident] = &found.incidents[..] else {
        panic!("{found:?}");
    };
    assert_eq!((incident.findings.len(), incident.watched), (2, 3));
    assert!(incident.is_machine());
    for finding in &found.findings {
        assert_eq!(finding.meaning, Meaning::Regression);
        assert_eq!(finding.point.state, State::Confirmed);
        assert_eq!(
            set.nights[set.series[finding.series].figures[finding.point.index].0].run,
            runs[20]
        );
        assert!(!finding.is_small && finding.accepted.is_none());
    }
}

#[test]
fn series_that_could_not_move_speak_for_no_code() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("results.db");
    nights(&path, |day| if day > 20 { 1.1 } else { 1.0 }, 30);
    let mut db = Db::open(&path).expect("ours");
    // What another branch measured that night, and a cell that ended long before.
    for (number, branch, day) in [(40, "pr", 21), (50, "main", 2)] {
        let mut session = session(number);
        session.at = moment(86_400 * day);
        session.environment.branch = Some(branch.to_owned());
        let mut run = run(&session, 9);
        run.cell.scenario = "other".to_owned();
        db.begin(&session).expect("begun");
        db.insert(&run).expect("inserted");
    }
    let found = watch(&db.series().expect("series"), &[]);
    let [incident] = &found.incidents[..] else {
        panic!("{found:?}");
    };
    assert_eq!((incident.findings.len(), incident.watched), (2, 3));
    assert!(incident.is_machine());
}

#[test]
fn an_id_and_its_acceptance_outlive_later_nights() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("results.db");
    nights(&path, |day| if day > 20 { 0.9 } else { 1.0 }, 24);
    let mut db = Db::open(&path).expect("opened");
    let set = db.series().expect("series");
    let first = watch(&set, &[]).findings[0].clone();
    assert_eq!(first.meaning, Meaning::Improvement);
    let series = &set.series[first.series];
    let accepted = Acknowledgement {
        series: set.groups[series.group].key(series.metric),
        run: set.nights[series.figures[first.point.found].0].run,
        at: moment(0),
        reason: "new kernel".to_owned(),
    };
    db.acknowledge(&accepted).expect("kept");
    let again = db.acknowledge(&accepted).expect_err("known");
    assert!(
        again
            .to_string()
            .ends_with("refused: the change is accepted already"),
        "{again}"
    );
    let empty = Acknowledgement {
        reason: " ".to_owned(),
        ..accepted.clone()
    };
    assert!(db.acknowledge(&empty).is_err());
    for day in 25..40 {
        night(&mut db, day, 0.9);
    }
    assert_eq!(db.acknowledgements().expect("read"), [accepted]);
    let set = db.series().expect("series");
    let later = watch(&set, &db.acknowledgements().expect("read")).findings;
    assert_eq!(later[0].id, first.id);
    assert_eq!(later[0].accepted.as_deref(), Some("new kernel"));
    assert_eq!(db.verify().expect("read"), Vec::<String>::new());
}

#[test]
fn another_version_of_a_scenario_is_no_change_of_the_model() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("results.db");
    let slower = |day| if day > 12 { 1.5 } else { 1.0 };
    nights(&path, slower, 24);
    let found = || {
        watch(
            &Db::open(&path).expect("ours").series().expect("series"),
            &[],
        )
    };
    assert!(!found().findings.is_empty(), "slower, and of one version");
    sql(
        &path,
        "UPDATE run SET version = 3 WHERE at >= (SELECT at FROM run ORDER BY at LIMIT 1 OFFSET 12)",
    );
    assert_eq!(found().findings, []);
}

#[test]
fn what_was_accepted_is_no_past_of_the_nights_after_it() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("results.db");
    let restless = |day: u32| 1.0 + 0.04 * f64::from(day % 2);
    nights(&path, |day| if day > 20 { 0.8 } else { restless(day) }, 30);
    let mut db = Db::open(&path).expect("opened");
    for day in 31..40 {
        night(&mut db, day, 0.832);
    }
    let set = db.series().expect("series");
    let before = watch(&set, &[]);
    let accepted = |finding: &Finding| {
        let series = &set.series[finding.series];
        Acknowledgement {
            series: set.groups[series.group].key(series.metric),
            run: set.nights[series.figures[finding.point.found].0].run,
            at: moment(86_400 * 30),
            reason: "new kernel".to_owned(),
        }
    };
    let first = &before.findings[0];
    let after = watch(&set, &[accepted(first)]);
    let of = |watch: &Watch| -> Vec<String> {
        let own = watch
            .findings
            .iter()
            .filter(|found| found.series == first.series);
        own.map(|found| found.id.clone()).collect()
    };
    let noise = |watch: &Watch| watch.noise[first.series].expect("many nights");
    // The step behind the change is hidden by a noise that the change ended.
    assert_eq!(
        (of(&before).len(), of(&after).len()),
        (1, 2),
        "{before:?} {after:?}"
    );
    assert_eq!(of(&after)[0], first.id);
    assert!(
        noise(&before) > 2.0 * noise(&after),
        "{} {}",
        noise(&before),
        noise(&after)
    );
    // Of another series nothing changed.
    let others = |watch: &Watch| watch.findings.len() - of(watch).len();
    assert_eq!(others(&before), others(&after));
}

#[test]
fn what_another_branch_tries_is_no_night_of_this_one() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("results.db");
    nights(&path, |_| 1.0, 20);
    let mut db = Db::open(&path).expect("ours");
    for day in 21..30 {
        night_of(&mut db, "slow", (day, 2.0));
    }
    let set = db.series().expect("series");
    let branches: Vec<&str> = set
        .groups
        .iter()
        .map(|group| group.branch.as_str())
        .collect();
    assert_eq!(branches, ["main", "slow"]);
    assert_eq!(watch(&set, &[]).findings, []);
}
