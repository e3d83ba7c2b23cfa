//! `harness run` as a user meets it: the real binary, the embedded checkpoints, a temporary database.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use store::{Db, Metric, Outcome, RunFilter, Stage};

const TINY: &str = "tiny-smolvlm-500m-instruct";

fn harness(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("harness"));
    command
        .args(args)
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS");
    command
}

fn output(args: &[&str]) -> Output {
    harness(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A temporary folder and a database in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("r.db");
    (dir, db)
}

fn runs(db: &Path) -> Vec<store::Run> {
    Db::open_existing(db)
        .unwrap()
        .runs(&RunFilter::default())
        .unwrap()
}

/// Refused before anything is measured: exit code 2, one line, no database.
fn check_refused(args: &[&str], parts: &[&str]) {
    let (_dir, db) = place();
    let mut all = vec!["run", "--db", db.to_str().unwrap()];
    all.extend(args);
    let output = output(&all);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty());
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!db.exists(), "a refused run must not make a database");
}

#[test]
fn help_says_what_there_is() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help_run", &["run", "--help"]),
        ("help_list", &["list", "--help"]),
        ("help_doctor", &["doctor", "--help"]),
        ("help_generate", &["generate", "--help"]),
        ("help_fetch", &["fetch", "--help"]),
    ] {
        let output = output(args);
        assert!(output.status.success());
        insta::assert_snapshot!(name, String::from_utf8(output.stdout).unwrap());
    }
}

#[test]
fn unknown_names_are_refused_with_the_known_ones() {
    check_refused(&["--model", "gpt"], &["unknown model \"gpt\"", TINY]);
    check_refused(
        &["--scenario", "warm"],
        &["unknown scenario \"warm\"", "cold-load", "state-drift"],
    );
    check_refused(
        &["--backend", "torch"],
        &["unknown backend \"torch\"", "candle"],
    );
    check_refused(&["--device", "tpu"], &["unknown device \"tpu\"", "cpu"]);
    check_refused(
        &["--profile", "long"],
        &["unknown profile \"long\"", "quick, standard, full"],
    );
    check_refused(
        &["--scenario", "endurance"],
        &["nothing to measure: not in profile quick: endurance: take --profile full"],
    );
    check_refused(&["--weights", "mine"], &["unknown weights \"mine\""]);
    check_refused(
        &["--timeout", "soon"],
        &["--timeout: \"soon\" is no duration"],
    );
    check_refused(
        &["--suite", "/nowhere.toml"],
        &["/nowhere.toml: cannot read"],
    );
    check_refused(
        &["--weights", "dummy", "--model", TINY],
        &["--weights dummy takes a published model's name"],
    );
}

#[test]
fn a_model_that_a_suite_cannot_have_is_named_by_file_line_and_field() {
    let (dir, _) = place();
    let path = dir.path().join("mine.toml");
    let check = |weights: &str, models: &str, parts: &[&str]| {
        let text = format!("name = \"mine\"\nprobes = \"shapes\"\n\nmodels = {models}\n");
        std::fs::write(&path, text).unwrap();
        let suite = path.to_str().unwrap();
        check_refused(
            &["--offline", "--weights", weights, "--suite", suite],
            parts,
        );
    };
    let unknown = "mine.toml:6: models: unknown model \"gpt\": name a folder";
    check(
        "published",
        &format!("[\n  \"{TINY}\",\n  \"gpt\",\n]"),
        &[unknown],
    );
    let absent = "mine.toml:4: models: org/tiny@main: not in the hub's local cache";
    check("published", "[\"org/tiny\"]", &[absent]);
    let own = ["mine.toml:4: models: ", "has weights of its own"];
    check("dummy", &format!("[\"{TINY}\"]"), &own);
    check(
        "published",
        "[]",
        &["mine.toml:4: models: name at least one"],
    );
}

#[test]
fn databases_that_cannot_be_used_are_refused_before_measuring() {
    let (dir, _) = place();
    let check = |path: &Path| {
        let before = std::fs::read(path).ok();
        let output = output(&["run", "--model", TINY, "--db", path.to_str().unwrap()]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains(path.to_str().unwrap()) && text.trim().lines().count() == 1,
            "{text}"
        );
        assert_eq!(std::fs::read(path).ok(), before);
    };
    let foreign = dir.path().join("foreign.db");
    std::fs::write(&foreign, "not a database, but someone's text").unwrap();
    check(&foreign);
    check(&dir.path().join("no/such/folder/r.db"));
    check(dir.path());
}

#[test]
fn a_fast_scenario_is_measured_stored_and_printed() {
    let (_dir, db) = place();
    let args = [
        "run",
        "--model",
        TINY,
        "--scenario",
        "text-only",
        "--db",
        db.to_str().unwrap(),
    ];
    let done = output(&args);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let table = String::from_utf8_lossy(&done.stdout);
    assert!(
        table.contains(TINY) && table.contains("SUPPORTED"),
        "{table}"
    );
    assert!(
        stderr(&done).contains("text-only ...\n"),
        "plain lines where no terminal is"
    );
    let runs = runs(&db);
    assert_eq!(runs.len(), 1);
    assert!(
        runs[0]
            .sample(Metric::TextRight)
            .is_some_and(|s| s.values().all(|v| v == 1.0))
    );
    assert!(runs[0].cell.precision.contains("f32"), "{:?}", runs[0].cell);
    // A session that is finished is not gone on with: the next is a new one.
    assert_eq!(
        output(&[&args[..], &["--resume"]].concat()).status.code(),
        Some(0)
    );
    let sessions = Db::open_existing(&db).unwrap().sessions().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session.finished.is_some()));
}

#[test]
fn json_is_one_document_and_no_store_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "run",
        "--model",
        TINY,
        "--scenario",
        "text-only",
        "--no-store",
        "--json",
    ];
    let output = output(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = store::Document::parse(&text).unwrap();
    assert_eq!(documents[0].runs.len(), 1);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_cell_that_cannot_be_measured_is_stored_and_the_others_still_run() {
    let (dir, db) = place();
    let broken = dir.path().join("broken");
    let good = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../datasets/checkpoints")
        .join(TINY);
    std::fs::create_dir(&broken).unwrap();
    for entry in std::fs::read_dir(&good).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, broken.join(from.file_name().unwrap())).unwrap();
    }
    let weights = broken.join("model.safetensors");
    let half = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &half[..half.len() / 2]).unwrap();
    let models = ["--model", broken.to_str().unwrap(), "--model", TINY];
    let rest = ["--scenario", "text-only", "--db", db.to_str().unwrap()];
    let output = output(&[&["run"], &models[..], &rest].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let runs = runs(&db);
    let failed = runs.iter().filter(|run| {
        matches!(&run.outcome, Outcome::Failed { stage: Stage::Load, message } if message.contains("model.safetensors"))
    });
    assert_eq!((runs.len(), failed.count()), (2, 1), "{runs:?}");
}

#[test]
fn a_time_limit_is_a_stored_outcome() {
    let (_dir, db) = place();
    let args = [
        "run",
        "--model",
        TINY,
        "--scenario",
        "vision",
        "--timeout",
        "200ms",
        "--db",
        db.to_str().unwrap(),
    ];
    assert_eq!(output(&args).status.code(), Some(1));
    assert!(matches!(
        runs(&db)[0].outcome,
        Outcome::Failed {
            stage: Stage::Timeout,
            ..
        }
    ));
}

#[test]
fn killed_in_mid_run_nothing_finished_is_lost() {
    let (_dir, db) = place();
    let args = [
        "run",
        "--model",
        TINY,
        "--scenario",
        "text-only",
        "--scenario",
        "vision",
        "--db",
        db.to_str().unwrap(),
        "--resume",
    ];
    let mut child = harness(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !db.exists()
        || Db::open_existing(&db).map_or(0, |db| {
            db.runs(&RunFilter::default()).map_or(0, |r| r.len())
        }) == 0
    {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no cell was stored"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap(); // SIGKILL, while the second cell is measured
    child.wait().unwrap();
    let first = runs(&db);
    assert_eq!(first.len(), 1);
    let resumed = output(&args);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert!(stderr(&resumed).contains("resumed: 1 of 2 cells are stored already"));
    let all = runs(&db);
    assert_eq!((all.len(), all[0].id), (2, first[0].id));
    let sessions = Db::open_existing(&db).unwrap().sessions().unwrap();
    assert_eq!(sessions.len(), 1);
    assert!(sessions[0].finished.is_some());
}

#[test]
fn list_names_everything() {
    let text = String::from_utf8(output(&["list"]).stdout).unwrap();
    for part in [
        TINY,
        "SmolVLM-500M-Instruct",
        "cold-load",
        "state-drift",
        "candle",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&output(&["list", "--json"]).stdout).unwrap();
    assert!(
        json.as_array()
            .is_some_and(|entries| entries.iter().any(|entry| entry["name"] == TINY))
    );
}
