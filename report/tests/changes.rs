//! `report changes`: stored series, series of files, acknowledgements; through the binary.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod fixture;

use std::fmt::Write as _;
use std::path::Path;

use assert_cmd::Command;
use insta::assert_snapshot;
use store::{Db, Metric};
use tempfile::{TempDir, tempdir};

use fixture::{around, measured, run, session, store};

/// Night after night of two metrics of one cell; from night 20 on they are a tenth slower.
fn database(nights: u32) -> TempDir {
    let folder = tempdir().unwrap();
    let mut db = Db::open(&folder.path().join("results.db")).unwrap();
    for day in 0..nights {
        let session = session(day, "Apple M3");
        let slow = if day < 20 { 1.0 } else { 1.1 };
        // Nights differ by up to a percent, in a fixed pattern.
        let wobble = 1.0 + 0.01 * f64::from(day * 7 % 5) / 5.0;
        let samples = vec![
            around(Metric::Ttft, 0.181 * slow * wobble),
            around(Metric::Decode, 40.0 / slow / wobble),
            around(Metric::LoadWarm, 0.5 * wobble),
            around(Metric::PeakMemory, 3e8),
            around(Metric::ImagePrep, 0.01 * wobble),
        ];
        let warm = run(
            &session,
            1,
            ("tiny-smolvlm-500m-instruct", "warm"),
            measured(samples),
        );
        store(&mut db, &session, &[warm]);
    }
    folder
}

fn report(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("report").unwrap();
    command.current_dir(folder).args(arguments);
    command
}

/// What it prints to standard output, after it succeeded.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let ran = report(folder, arguments).assert().success();
    String::from_utf8(ran.get_output().stdout.clone()).unwrap()
}

/// The one line of an error that ends with exit code 2.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let ran = report(folder, arguments).assert().code(2);
    let said = String::from_utf8(ran.get_output().stderr.clone()).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn changes_of_stored_series_are_told_in_text_and_json() {
    let folder = database(30);
    assert_snapshot!("changes_text", said(folder.path(), &["changes"]));
    assert_snapshot!("changes_json", said(folder.path(), &["changes", "--json"]));
}

#[test]
fn calm_series_say_so() {
    let folder = database(20);
    assert_eq!(
        said(folder.path(), &["changes"]),
        "no change in 5 series of 20 runs\n"
    );
}

#[test]
fn one_far_night_is_unconfirmed() {
    let folder = database(21);
    let text = said(folder.path(), &["changes"]);
    assert!(
        text.contains("regression  Apple M3") && text.contains("unconfirmed"),
        "{text}"
    );
    assert!(
        text.contains("suspect, 1 night\n") && !text.contains("confirmed, "),
        "{text}"
    );
}

#[test]
fn an_accepted_change_is_remembered() {
    let folder = database(30);
    let json: serde_json::Value =
        serde_json::from_str(&said(folder.path(), &["changes", "--json"])).unwrap();
    let id = json["incidents"][0]["changes"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let accept = [
        "changes",
        "--acknowledge",
        &id,
        "--on",
        "2026-11-20",
        "--reason",
        "new kernel",
    ];
    assert!(said(folder.path(), &accept).starts_with(&format!("accepted {id}")));
    let text = said(folder.path(), &["changes"]);
    assert!(text.contains("    accepted: new kernel\n"), "{text}");
    let db = store::Db::open_existing(&folder.path().join("results.db")).unwrap();
    let at = db.acknowledgements().unwrap()[0].at;
    assert_eq!(at.to_rfc3339(), "2026-11-20T23:59:59+00:00");
    assert!(refused(folder.path(), &accept).contains("accepted already"));
    let unknown = ["changes", "--acknowledge", "000000000000", "--reason", "x"];
    assert!(refused(folder.path(), &unknown).contains("no change has the id \"000000000000\""));
    let empty = ["changes", "--acknowledge", &id, "--reason", " "];
    assert!(refused(folder.path(), &empty).contains("reason of one line"));
}

/// Sixty values with a step of a fifth at 40, in a fixed pattern.
fn stepped() -> Vec<f64> {
    let level = |at: u32| if at < 40 { 100.0 } else { 120.0 };
    (0..60_u32)
        .map(|at| level(at) + f64::from(at * 7 % 5))
        .collect()
}

#[test]
fn series_of_files_need_no_database() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let list = serde_json::to_string(&stepped()).unwrap();
    std::fs::write(
        path("one.json"),
        format!("{{\"id\": \"a\", \"mean\": {list}}}"),
    )
    .unwrap();
    let lines = format!("{{\"mean\": {list}}}\n{{\"mean\": [1, null, 2], \"breaks\": [1]}}\n");
    std::fs::write(path("two.jsonl"), lines).unwrap();
    let mut csv = "day,mean\n".to_owned();
    for (day, value) in stepped().iter().enumerate() {
        writeln!(csv, "{day},{value}").unwrap();
    }
    std::fs::write(path("three.csv"), csv).unwrap();

    let text = |name: &str| said(folder.path(), &["changes", "--series", name]);
    assert_snapshot!("series_text", text("one.json"));
    assert!(text("three.csv").contains("night 40 "));
    let json = said(
        folder.path(),
        &["changes", "--series", "two.jsonl", "--json"],
    );
    let documents: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0]["changes"][0]["index"], 40);
    assert_eq!(documents[0]["changes"][0]["state"], "confirmed");
    assert_eq!(documents[1]["changes"], serde_json::json!([]));
    assert_eq!(
        said(
            folder.path(),
            &["changes", "--series", "two.jsonl", "--json"]
        ),
        json
    );
}

#[test]
fn what_is_no_series_is_refused() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("bad.json"), "{\"mean\": [1, \"x\"]}").unwrap();
    let of = |name: &str| refused(folder.path(), &["changes", "--series", name]);
    assert!(of("bad.json").contains("bad.json, line 1: value 1 is no number"));
    assert!(of("none.json").contains("cannot read none.json"));
    assert!(refused(folder.path(), &["changes"]).contains("no database at "));
}

#[test]
fn help_explains_with_examples() {
    let folder = tempdir().unwrap();
    assert_snapshot!("changes_help", said(folder.path(), &["changes", "--help"]));
}
