//! `harness ab` as a user meets it: the real binary, and scripts in place of the builds it compares.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LOADED: &str = r#"{"type":"loaded","architecture":"a","precision":"f32","weight_bytes":1,"held_bytes":1,"read_bytes":1,"parameters":1,"stop_ids":[0],"placeholder":null,"turns":"many"}"#;
const DONE: &str = r#"{"type":"done","footprint":1073741824,"model_ns":0}"#;

/// A folder with `name`, a program whose requests take so long and count so many tokens.
struct Builds(tempfile::TempDir);

impl Builds {
    fn new(base: &str, head: &str) -> Self {
        let builds = Self(tempfile::tempdir().unwrap());
        builds.write("base", base);
        builds.write("head", head);
        builds
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn ab(&self, more: &[&str]) -> Output {
        let (base, head) = (self.path("base"), self.path("head"));
        ab(&base, &head, more)
    }
}

fn ab(base: &Path, head: &Path, more: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("harness"))
        .args(["ab", "--model", "tiny-smolvlm-500m-instruct", "--base"])
        .arg(base)
        .arg("--head")
        .arg(head)
        .args(more)
        .output()
        .unwrap()
}

fn build(seconds: f64, tokens: u32) -> String {
    let say = |metric: &str, value: String| {
        format!(r#"echo '{{"type":"sample","metric":"{metric}","value":{value}}}'"#)
    };
    let (time, count) = (
        say("inference", seconds.to_string()),
        say("output_tokens", format!("{tokens}.0")),
    );
    format!("echo '{LOADED}'\n{time}\n{count}\necho '{DONE}'")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn check(base: (f64, u32), head: (f64, u32), code: i32, parts: &[&str]) {
    let builds = Builds::new(&build(base.0, base.1), &build(head.0, head.1));
    let output = builds.ab(&[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    check(
        (0.1, 9),
        (0.1, 9),
        0,
        &["pass: 3 pass", "not worse by 3.0 % (inference)"],
    );
    check((0.1, 9), (0.08, 9), 0, &["improved: 1 improved, 2 pass"]);
    check(
        (0.1, 9),
        (0.11, 9),
        1,
        &["REGRESSED: 1 regressed, 2 pass", "+10.0 % [+10.0, +10.0]"],
    );
    check(
        (0.1, 9),
        (0.1, 8),
        1,
        &["output_tokens: 10 of 10 values differ"],
    );
}

#[test]
fn pairs_are_written_for_other_programs() {
    let builds = Builds::new(&build(0.1, 9), &build(0.11, 9));
    let file = builds.path("pairs.csv");
    let output = builds.ab(&["--json", "--pairs", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["verdict"], "regressed");
    let series = store::gate::pairs_file::parse(&fs::read_to_string(file).unwrap()).unwrap();
    let timed = series
        .iter()
        .find(|series| series.metric == store::Metric::Inference);
    let sessions: Vec<usize> = timed.unwrap().sessions.iter().map(Vec::len).collect();
    assert_eq!(sessions, [10, 10]);
}

#[test]
fn a_reviewed_file_accepts_what_got_slower() {
    let builds = Builds::new(&build(0.1, 9), &build(0.11, 9));
    let file = builds.path("waivers.toml");
    let judged = |allowed: &str| {
        let waiver = format!(
            "[[waiver]]\nmetric = \"inference\"\ncell = \"*/warm-inference/*\"\nreason = \"new crops\"\n\
             expires = 2999-12-31\nallowed_change = {allowed}\n"
        );
        fs::write(&file, waiver).unwrap();
        let output = builds.ab(&["--waivers", file.to_str().unwrap()]);
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        (output.status.code(), stdout(&output) + &said)
    };
    let (code, text) = judged("0.15");
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("waived until 2999-12-31: new crops"),
        "{text}"
    );
    let (code, text) = judged("0.05");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("allows 5"), "{text}");
    let (code, text) = judged("much");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("waivers.toml:6: "), "{text}");
}

#[test]
fn what_cannot_be_compared_is_broken() {
    let check = |output: Output, part: &str| {
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(part) && output.stdout.is_empty(), "{said}");
    };
    let builds = Builds::new(&build(0.1, 9), "echo hello");
    check(builds.ab(&[]), "worker said what is no message: \"hello\"");
    check(
        ab(&builds.path("none"), &builds.path("head"), &[]),
        "--base ",
    );
    check(builds.ab(&["--scenario", "nothing"]), "nothing");
    check(builds.ab(&["--what"]), "--what");
}

/// Two commands that print their own times, so that every run of this says the same.
fn duet(head: &str, format: &str, summary: &Path) -> (Option<i32>, String) {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("harness"))
        .args([
            "duet",
            "--reported",
            "--name",
            "parse",
            "--base",
            "echo 1.0",
        ])
        .args(["--head", head, "--format", format])
        .env("GITHUB_STEP_SUMMARY", summary)
        .output()
        .unwrap();
    (output.status.code(), stdout(&output))
}

#[test]
fn every_format_tells_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.md");
    let check = |head: &str, code: i32, reason: &str, annotation: &str| {
        let markdown = duet(head, "markdown", &summary);
        assert_eq!(markdown.0, Some(code), "{}", markdown.1);
        let marked = markdown.1.starts_with("<!-- vlm-bench check -->\n");
        assert!(marked && markdown.1.contains(reason), "{}", markdown.1);
        assert!(!summary.exists(), "only the format github writes it");
        let github = duet(head, "github", &summary);
        assert_eq!(github.0, Some(code), "{}", github.1);
        assert!(github.1.starts_with(annotation), "{}", github.1);
        let written = fs::read_to_string(&summary).unwrap();
        assert_eq!(written.trim_end(), markdown.1.trim_end());
        fs::remove_file(&summary).unwrap();
        let (_, json) = duet(head, "json", &summary);
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(document["exit_code"], code);
    };
    check(
        "echo 1.2",
        1,
        "+20.0 % [+20.0, +20.0]",
        "::error title=REGRESSED%3A parse::inference: ",
    );
    check(
        "echo 1.0",
        0,
        "not worse by 3.0 % (inference)",
        "pass: 1 pass",
    );
    check(
        "exit 3",
        3,
        "--head exit 3: failed: exit status: 3",
        "::error title=missing%3A *::--head exit 3: failed",
    );
}

/// The real program against itself, in its shortest scenario.
#[test]
fn a_program_is_not_worse_than_itself() {
    let own = assert_cmd::cargo::cargo_bin!("harness").to_owned();
    let output = ab(&own, &own, &["--scenario", "cold-load", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = output.status.code().unwrap();
    assert!([0, 2].contains(&code), "{document:#}");
    let rows = document["rows"].as_array().unwrap();
    let metric = |wanted: &str| rows.iter().any(|row| row["metric"] == wanted);
    assert!(metric("load_warm") && metric("load_memory"), "{document:#}");
}
