//! What is printed, and what is said of what cannot be read.

use std::fs;

use super::case::Case;
use super::fixture;

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
