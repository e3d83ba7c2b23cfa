//! `harness doctor` as a user meets it, on whatever machine runs the test, busy or idle.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

use std::process::{Command, Output};

fn doctor(args: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("harness"))
        .arg("doctor")
        .args(args)
        .output()
        .unwrap()
}

/// Every line has a level, a subject and what was found; the exit code says whether any is a problem.
fn check_lines(args: &[&str]) -> Vec<String> {
    let output = doctor(args);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    for line in &lines {
        let (level, found) = line.split_at(9);
        assert!(["ok", "note", "problem"].contains(&level.trim()), "{line}");
        let (subject, found) = found.split_once(": ").unwrap();
        assert!(!subject.is_empty() && !found.is_empty(), "{line}");
    }
    let fit = !lines.iter().any(|line| line.starts_with("problem"));
    assert_eq!(output.status.code(), Some(i32::from(!fit)), "{text}");
    lines
}

fn line<'a>(lines: &'a [String], subject: &str) -> &'a str {
    let subject = format!("{subject}: ");
    let found = lines.iter().find(|line| line[9..].starts_with(&subject));
    found.unwrap_or_else(|| panic!("no {subject}in {lines:?}"))
}

#[test]
fn it_says_what_it_looked_at() {
    let lines = check_lines(&[]);
    for subject in ["hardware", "system", "build", "clock", "backends", "load"] {
        line(&lines, subject);
    }
    assert!(line(&lines, "background").contains("% of all cores"));
    assert!(line(&lines, "free memory").contains("iB"));
}

#[test]
fn models_are_asked_room_for() {
    let tiny = "tiny-smolvlm-500m-instruct";
    let lines = check_lines(&["--model", tiny]);
    let model = line(&lines, "model");
    assert!(
        model.starts_with(&format!("ok       model: {tiny}, ")),
        "{model}"
    );
    let unknown = check_lines(&["--model", tiny, "--model", "gpt"]);
    let refused = unknown
        .iter()
        .find(|line| line.contains("\"gpt\""))
        .unwrap();
    assert!(
        refused.starts_with("problem  model: unknown model"),
        "{refused}"
    );
}

#[test]
fn json_holds_the_same() {
    let output = doctor(&["--json"]);
    let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let problem = found.iter().any(|found| found["level"] == "problem");
    assert_eq!(output.status.code(), Some(i32::from(problem)));
    assert!(found.iter().any(|found| found["subject"] == "hardware"));
    for found in found.iter().filter(|found| found["level"] == "problem") {
        assert!(
            found["text"].is_string() && found["advice"].is_string(),
            "{found}"
        );
    }
}
