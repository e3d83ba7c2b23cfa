//! The trusted half of the gate: a pull request's artifacts are data, whatever is in them.

use std::fs;

use super::Desk;

const COMMENT: &str = ".github/scripts/comment.sh";
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// A desk where gh hands out the artifacts in `zip/`, and pull request 5 is at [`SHA`].
fn desk(number: &str, judgement: &str) -> Desk {
    let desk = Desk::new();
    let gh = format!(
        r#"case "$*" in
        *artifacts?per*gate-pr*) echo 1 ;;
        *artifacts?per*gate-counters*) echo 2 ;;
        *artifacts?per*gate-duet*) ;;
        *artifacts/1/zip) cat zip/pr ;;
        *artifacts/2/zip) cat zip/counters ;;
        *pulls/5*) echo "open {SHA} fork/it" ;;
        *pulls/*) echo "open other fork/it" ;;
        *"--paginate"*) cat own 2> /dev/null ;;
        *) echo "$@" >> log ;;
    esac
    true"#
    );
    desk.script("bin/gh", &gh);
    desk.script("bin/unzip", "exec cat \"$2\"");
    fs::create_dir(desk.path("zip")).unwrap();
    fs::write(desk.path("zip/pr"), number).unwrap();
    fs::write(desk.path("zip/counters"), judgement).unwrap();
    desk
}

#[track_caller]
fn check(desk: &Desk, code: i32) -> String {
    let mut command = desk.command(COMMENT);
    command
        .args(["9", SHA, "fork/it", "got"])
        .env("GITHUB_REPOSITORY", "own/it");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", super::said(&output));
    fs::read_to_string(desk.path("log")).unwrap_or_default()
}

#[test]
fn the_comment_is_made_of_rows_and_updated_in_place() {
    let row = r#"{"cell": "@all <script>x</script>", "metric": null, "verdict": "regressed",
        "reason": "[x](javascript:y)", "base": null, "head": null, "extent": null}"#;
    let judgement = format!(
        r#"{{"schema": 1, "verdict": "pass", "exit_code": 0, "base": "a", "head": "b", "watermark": null,
        "rows": [{row}], "notes": []}}"#
    );
    let desk = desk("5\n", &judgement);
    let log = check(&desk, 0);
    assert!(log.contains("POST repos/own/it/issues/5/comments"), "{log}");
    let text = desk.text("got/comment.md");
    assert!(text.contains("REGRESSED: 1 regressed, 1 missing"), "{text}");
    assert!(
        text.contains("duet.json"),
        "the missing half is a row: {text}"
    );
    assert!(
        !text.contains("<script") && !text.contains("@all") && !text.contains("[x]("),
        "{text}"
    );
    fs::write(desk.path("own"), "33\n").unwrap();
    let log = check(&desk, 0);
    assert!(
        log.contains("PATCH repos/own/it/issues/comments/33"),
        "{log}"
    );
}

#[test]
fn without_a_judgement_an_earlier_comment_does_not_stand() {
    let desk = desk("5", "");
    fs::write(desk.path("own"), "33\n").unwrap();
    assert!(check(&desk, 0).contains("PATCH repos/own/it/issues/comments/33"));
    let text = desk.text("got/comment.md");
    assert!(
        text.contains("nothing was measured") && text.contains("/own/it/actions/runs/9"),
        "{text}"
    );
}

#[test]
fn what_is_no_judgement_is_a_row() {
    let desk = desk("5", "\u{1b}[31m not JSON <img src=x>");
    assert!(check(&desk, 0).contains("POST"));
    let text = desk.text("got/comment.md");
    assert!(
        text.contains("missing: 2 missing") && !text.contains("<img"),
        "{text}"
    );
}

#[test]
fn a_number_that_is_not_the_runs_is_refused() {
    for number in ["6", "", "5; rm -rf x", "../5", "$(id)"] {
        assert_eq!(check(&desk(number, "{}"), 1), "", "{number}");
    }
}
