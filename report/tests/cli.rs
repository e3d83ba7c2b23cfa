//! The `report` command: output, exit codes, error texts.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod fixture;

use std::path::Path;

use assert_cmd::Command;
use tempfile::{TempDir, tempdir};

fn report(db: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("report").unwrap();
    command.args(arguments).arg("--db").arg(db);
    command
}

fn database() -> TempDir {
    let folder = tempdir().unwrap();
    fixture::sample_database(&folder.path().join("results.db"));
    folder
}

/// Runs to exit code 2 and hands out the one line that it said.
fn refused(db: &Path, arguments: &[&str]) -> String {
    let ran = report(db, arguments).assert().code(2);
    let said = String::from_utf8(ran.get_output().stderr.clone()).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(ran.get_output().stdout.is_empty());
    said
}

#[test]
fn every_command_does_its_work() {
    let folder = database();
    let db = folder.path().join("results.db");
    for arguments in [
        &["table"][..],
        &["table", "--json"],
        &["table", "--format", "markdown"],
        &["guide"],
    ] {
        report(&db, arguments).assert().success();
    }
    let site = folder.path().join("new/site");
    report(&db, &["html", "--out", site.to_str().unwrap()])
        .assert()
        .success();
    assert!(site.join("index.html").is_file());
    assert_eq!(std::fs::read_dir(site).unwrap().count(), 1);
}

#[test]
fn the_database_of_a_folder_above_is_found() {
    let folder = database();
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    Command::cargo_bin("report")
        .unwrap()
        .arg("table")
        .current_dir(below)
        .assert()
        .success();
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let folder = database();
    let db = folder.path().join("results.db");
    assert!(refused(&db, &["guide", "--date", "1999-01-01"]).contains("2025-11-03"));
    assert!(refused(&db, &["table", "--hardware", "Z80"]).contains("Apple M3"));
    // A file stands where the folder should be made.
    let blocked = db.join("site");
    assert!(
        refused(&db, &["html", "--out", blocked.to_str().unwrap()])
            .ends_with("site, name a writable folder with --out: Not a directory (os error 20)\n")
    );
    let none = folder.path().join("none.db");
    assert!(refused(&none, &["table"]).contains("no database at "));
    assert!(!none.exists());
    let foreign = folder.path().join("foreign.db");
    std::fs::write(&foreign, "not a database at all, only some text").unwrap();
    assert!(refused(&foreign, &["html"]).contains("foreign.db"));
}

#[test]
fn help_shows_examples() {
    for (command, example) in [
        ("table", "report table --format json"),
        ("guide", "report guide --date"),
        ("html", "report html --out"),
    ] {
        let ran = Command::cargo_bin("report")
            .unwrap()
            .args([command, "--help"])
            .assert()
            .success();
        let help = String::from_utf8(ran.get_output().stdout.clone()).unwrap();
        assert!(help.contains(example), "{help}");
    }
}
