//! `report check` and `report compare`: planted changes, each verdict and exit code, each refusal.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use store::db::Acknowledgement;
use store::series::Group;
use store::{Db, Metric, Outcome, Run, Sample, Session, Stage, Void};
use tempfile::{TempDir, tempdir};

const CELL: &str = "tiny/warm-inference/candle/cpu";

/// A session of `day` on branch `branch`.
fn session(day: u32, branch: &str) -> Session {
    let mut session = fixture::session(day, "Apple M3");
    session.environment.branch = Some(branch.to_owned());
    session.environment.dirty = Some(false);
    session
}

/// Five processes around `middle`, a tenth of a percent apart.
fn epochs(metric: Metric, middle: f64) -> Sample {
    let epoch = |by: f64| vec![middle * by; 3];
    Sample {
        metric,
        epochs: [0.999, 1.0, 1.001, 1.0005, 0.9995].map(epoch).to_vec(),
    }
}

fn warm(session: &Session, slow: f64) -> Run {
    let samples = vec![
        epochs(Metric::Inference, 0.4 * slow),
        epochs(Metric::Decode, 80.0 / slow),
        Sample {
            metric: Metric::ImageTokens,
            epochs: vec![vec![64.0; 3]; 5],
        },
    ];
    fixture::run(
        session,
        1,
        ("tiny", "warm-inference"),
        fixture::measured(samples),
    )
}

/// Replaces one metric's values of a run.
fn set(run: &mut Run, sample: Sample) {
    if let Outcome::Measured { samples, .. } = &mut run.outcome {
        samples.retain(|other| other.metric != sample.metric);
        samples.push(sample);
    }
}

fn keep(path: &Path, session: &Session, runs: &[Run]) {
    let mut db = Db::open(path).unwrap();
    let mut begun = session.clone();
    begun.finished = None;
    db.begin(&begun).unwrap();
    runs.iter().for_each(|run| db.insert(run).unwrap());
    db.finish(session.id, session.finished.unwrap()).unwrap();
}

/// A folder with `base.db`, seven nights of main, and `pr.db`, what `change` makes of one more.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new(change: impl Fn(&mut Session, &mut Vec<Run>)) -> Self {
        let folder = tempdir().unwrap();
        for day in 0..7 {
            let main = session(day, "main");
            let restless = 1.0 + 0.004 * f64::from(day % 3);
            keep(
                &folder.path().join("base.db"),
                &main,
                &[warm(&main, restless)],
            );
        }
        let mut pr = session(20, "pr");
        let mut runs = vec![warm(&pr, 1.0)];
        change(&mut pr, &mut runs);
        keep(&folder.path().join("pr.db"), &pr, &runs);
        Self { folder }
    }

    /// One whose runs are slower by a factor.
    fn slower(by: f64) -> Self {
        Self::new(|pr, runs| *runs = vec![warm(pr, by)])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn report(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("report").unwrap();
        command.current_dir(self.folder.path()).args(arguments);
        command.env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    /// Checks `pr.db` against `base.db` with more arguments; standard output.
    #[track_caller]
    fn check(&self, more: &[&str], code: i32) -> String {
        let mut arguments = vec!["check", "--db", "base.db", "--candidate", "pr.db"];
        arguments.extend(more);
        let ran = self.report(&arguments).assert().code(code);
        String::from_utf8(ran.get_output().stdout.clone()).unwrap()
    }

    /// The row of a metric in the JSON, with its verdict asserted.
    #[track_caller]
    fn row(&self, metric: Option<&str>, verdict: &str, code: i32) -> Value {
        let document: Value = serde_json::from_str(&self.check(&["--json"], code)).unwrap();
        assert_eq!(document["exit_code"], code);
        let metric = metric.map_or(Value::Null, Value::from);
        let rows = document["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["metric"] == metric);
        let row = row.unwrap_or_else(|| panic!("no {metric} in {document}"));
        assert_eq!(row["verdict"], verdict, "{row}");
        row.clone()
    }
}

fn reason(row: &Value) -> &str {
    row["reason"].as_str().unwrap()
}

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

#[test]
fn a_figure_that_the_base_should_have_had_has_no_baseline() {
    let case = Case::slower(1.0);
    let main = session(8, "main");
    let base = |name: &str, metric: Option<Metric>| {
        let mut run = warm(&main, 1.0);
        if let Outcome::Measured { samples, voids } = &mut run.outcome {
            samples.retain(|sample| sample.metric != Metric::Decode);
            voids.extend(metric.map(|metric| Void {
                metric: Some(metric),
                count: 15,
                reason: "machine slept".to_owned(),
            }));
        }
        keep(&case.file(name), &main, &[run]);
    };
    base("void.db", Some(Metric::Decode));
    let text = case.check(&["--baseline", "void.db"], 3);
    assert!(
        text.contains("decode: no baseline for decode: void: machine slept"),
        "{text}"
    );
    // What it did not know yet is no lack of it.
    base("new.db", Some(Metric::Ttft));
    let text = case.check(&["--baseline", "new.db"], 0);
    assert!(!text.contains("decode"), "{text}");
}

#[test]
fn what_the_machine_did_is_never_judged() {
    let plain = Case::slower(1.0);
    let told = |run: &mut Run| {
        fixture::trials()
            .into_iter()
            .for_each(|sample| set(run, sample))
    };
    let expected = plain.check(&["--json"], 0);
    // Known on one side alone, it is not missing on the other.
    let head = Case::new(|_, runs| told(&mut runs[0]));
    assert_eq!(head.check(&["--json"], 0), expected);
    let main = session(8, "main");
    let mut run = warm(&main, 1.0);
    told(&mut run);
    keep(&plain.file("told.db"), &main, &[run]);
    let text = plain.check(&["--baseline", "told.db"], 0);
    assert!(!text.contains("trial"), "{text}");
}

#[test]
fn what_was_accepted_begins_the_baseline_anew() {
    let case = Case::slower(1.1);
    for day in 7..9 {
        let main = session(day, "main");
        keep(&case.file("base.db"), &main, &[warm(&main, 1.1)]);
    }
    let before = case.check(&[], 1);
    assert!(before.contains("REGRESSED: 2 regressed"), "{before}");
    let mut db = Db::open(&case.file("base.db")).unwrap();
    let first = session(7, "main");
    let run = warm(&first, 1.1);
    for metric in [Metric::Inference, Metric::Decode] {
        let accepted = Acknowledgement {
            series: Group::of(&first, &run.cell).key(metric),
            run: run.id,
            at: fixture::at(9),
            reason: "exact softmax".to_owned(),
        };
        db.acknowledge(&accepted).unwrap();
    }
    drop(db);
    let text = case.check(&[], 0);
    assert!(text.starts_with("pass: 3 pass"), "{text}");
    // What branched off before is still compared with what it branched off from.
    let commit = session(3, "main").environment.commit.unwrap();
    case.check(&["--merge-base", &commit], 1);
}

#[test]
fn what_must_not_be_compared_is_refused() {
    let check = |change: &dyn Fn(&mut Session, &mut Vec<Run>), expected: &str| {
        let row = Case::new(change).row(None, "missing", 3);
        assert!(reason(&row).contains(expected), "{row}");
    };
    check(
        &|_, runs| runs[0].cell.revision = "sha256:ffff".to_owned(),
        "other weights",
    );
    check(
        &|_, runs| runs[0].cell.weights = "dummy".to_owned(),
        "other kind of weights",
    );
    check(
        &|_, runs| runs[0].cell.precision = "f16".to_owned(),
        "other precision",
    );
    check(
        &|pr, _| pr.profile = "full".to_owned(),
        "in profile \"full\"",
    );
    check(&|pr, _| pr.suite = "mine".to_owned(), "of suite \"mine\"");
    check(
        &|pr, _| pr.environment.release = false,
        "under other conditions",
    );
    check(
        &|pr, _| pr.environment.power = "battery".to_owned(),
        "under other conditions",
    );
    check(
        &|pr, _| pr.at = fixture::at(0) - chrono::TimeDelta::days(9),
        "no earlier finished session",
    );
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
fn the_baseline_is_chosen() {
    let case = Case::slower(1.10);
    let commit = session(3, "main").environment.commit.unwrap();
    let text = case.check(&["--merge-base", &commit], 1);
    assert!(
        text.contains("base: 1 session of the merge base: 03c0ffee00 on main"),
        "{text}"
    );
    case.check(&["--baseline", "base.db"], 1);
    case.check(&["--baseline", &session(2, "main").id.to_string()], 1);
    assert!(
        case.check(&["--baseline", "trunk"], 3)
            .contains("no earlier finished session of branch")
    );
    let dirty = session(8, "main");
    let mut changed = dirty.clone();
    changed.environment.dirty = Some(true);
    keep(&case.file("base.db"), &changed, &[warm(&changed, 1.1)]);
    let commit = dirty.environment.commit.unwrap();
    let text = case.check(&["--merge-base", &commit], 1);
    assert!(
        text.contains("base: 5 sessions last measured on main, for the merge base was"),
        "{text}"
    );
    // The candidate is not its own baseline.
    let alone = case.check(&["--baseline", "pr.db"], 3);
    assert!(alone.contains("no baseline"), "{alone}");
}

#[test]
fn every_machine_and_suite_of_the_commit_is_judged() {
    let check = |change: &dyn Fn(&mut Session), code: i32, expected: &str| {
        let case = Case::slower(1.0);
        let mut main = session(7, "main");
        main.suite = "mine".to_owned();
        keep(&case.file("base.db"), &main, &[warm(&main, 1.0)]);
        let mut before = session(19, "pr");
        before.environment.commit = session(20, "pr").environment.commit;
        change(&mut before);
        keep(&case.file("pr.db"), &before, &[warm(&before, 1.5)]);
        let text = case.check(&[], code);
        assert!(text.contains(expected), "{text}");
    };
    let mine = "; suite \"mine\" in profile \"quick\" on Apple M3";
    check(&|before| before.suite = "mine".to_owned(), 1, mine);
    let machine = "; suite \"embedded\" in profile \"quick\" on Apple M2";
    check(
        &|before| before.machine.chip = "Apple M2".to_owned(),
        3,
        machine,
    );
    // What another commit measured is no part of the candidate.
    let another = |before: &mut Session| {
        before.suite = "mine".to_owned();
        before.environment.commit = None;
    };
    check(&another, 0, "pass: ");
}

#[test]
fn inputs_that_cannot_be_read_are_broken() {
    let case = Case::slower(1.0);
    fs::write(case.file("noise.bin"), "no database").unwrap();
    fs::write(case.file("bad.toml"), "[[waiver]]\nmetric = 1\n").unwrap();
    fs::write(case.file("bad.csv"), "base,head\n1,x\n").unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let ran = case.report(arguments).assert().code(3);
        let said = String::from_utf8(ran.get_output().stderr.clone()).unwrap();
        assert!(
            said.contains(expected) && ran.get_output().stdout.is_empty(),
            "{said}"
        );
    };
    check(
        &["check", "--db", "base.db", "--candidate", "none.db"],
        "none.db: is no file",
    );
    check(
        &["check", "--db", "base.db", "--candidate", "ffffffff"],
        "ffffffff: is no file",
    );
    check(
        &["check", "--db", "none.db", "--candidate", "pr.db"],
        "no database at none.db",
    );
    check(
        &["check", "--candidate", "noise.bin", "--db", "base.db"],
        "noise.bin is not a database",
    );
    check(
        &[
            "check",
            "--db",
            "base.db",
            "--candidate",
            "pr.db",
            "--waivers",
            "bad.toml",
        ],
        "bad.toml:2: metric: invalid type",
    );
    check(
        &["check", "--pairs", "bad.csv"],
        "bad.csv: 2: head: \"x\" is not a number",
    );
    check(&["check", "--pairs", "none.csv"], "none.csv: ");
    check(&["check"], "--candidate");
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
fn every_format_says_the_same() {
    let case = Case::slower(1.10);
    let markdown = case.check(&["--format", "markdown"], 1);
    assert!(
        markdown.starts_with("<!-- vlm-bench check -->\n"),
        "{markdown}"
    );
    insta::assert_snapshot!("check_markdown", markdown);
    insta::assert_snapshot!("check_text", case.check(&[], 1));
    let summary = case.file("summary.md");
    let arguments = [
        "check",
        "--db",
        "base.db",
        "--candidate",
        "pr.db",
        "--format",
        "github",
    ];
    let ran = case
        .report(&arguments)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .assert()
        .code(1);
    let said = String::from_utf8(ran.get_output().stdout.clone()).unwrap();
    let first = said.lines().next().unwrap();
    assert!(
        first.starts_with("::error title=REGRESSED%3A tiny/warm-inference"),
        "{first}"
    );
    assert_eq!(
        fs::read_to_string(summary).unwrap().trim_end(),
        markdown.trim_end()
    );
    // A summary that cannot be written leaves the verdict as it is.
    let ran = case
        .report(&arguments)
        .env("GITHUB_STEP_SUMMARY", case.file("none/summary.md"))
        .assert()
        .code(1);
    assert_eq!(String::from_utf8_lossy(&ran.get_output().stdout), said);
    let warned = String::from_utf8_lossy(&ran.get_output().stderr);
    assert!(
        warned.starts_with("warning: cannot write the step summary"),
        "{warned}"
    );
}

#[test]
fn hostile_names_stay_text() {
    let case = Case::new(|pr, runs| {
        pr.environment.branch = Some(fixture::hostile("branch"));
        runs[0].cell.model = format!("::error::@everyone {}", fixture::hostile("model"));
    });
    let markdown = case.check(&["--format", "markdown"], 3);
    assert!(
        !markdown.contains("<script") && !markdown.contains("<img"),
        "{markdown}"
    );
    assert!(
        !markdown.contains("\nnext") && !markdown.contains("@everyone"),
        "{markdown}"
    );
    let github = case.check(&["--format", "github"], 3);
    for line in github
        .lines()
        .filter(|line| line.trim_start().starts_with("::"))
    {
        assert!(line.starts_with("::error title=missing%3A "), "{line}");
    }
    assert!(!github.contains('\u{1b}'));
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
