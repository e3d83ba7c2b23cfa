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
    assert!(site.join("assets/plotly.js").is_file() && site.join("model").is_dir());
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
        ("templates", "report guide --templates mine"),
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

#[test]
fn templates_of_a_folder_replace_the_built_in_ones() {
    let folder = database();
    let db = folder.path().join("results.db");
    let out = folder.path().join("mine");
    let mine = out.to_str().unwrap();
    let print = |arguments: &[&str]| {
        let ran = report(&db, arguments).assert().success();
        String::from_utf8(ran.get_output().stdout.clone()).unwrap()
    };
    let written = print(&["templates", "--out", mine]);
    assert!(
        written
            .lines()
            .any(|line| Path::new(line) == out.join("guide.md"))
    );
    assert!(refused(&db, &["templates", "--out", mine]).contains("answers.html, "));
    assert_eq!(print(&["guide", "--templates", mine]), print(&["guide"]));

    let change = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(out.join(name)).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(out.join(name), text.replace(from, to)).unwrap();
    };
    // A partial: every document that includes it changes.
    change("pipe_table.md", "{{ table.rule }}", "{{ table.rule }} mine");
    let markdown = ["table", "--format", "markdown", "--templates", mine];
    for changed in [print(&["guide", "--templates", mine]), print(&markdown)] {
        assert!(changed.contains("-| mine\n"), "{changed}");
    }
    change(
        "index.html",
        "<h1>Vision-language models on local machines</h1>",
        "<h1>{{ scope }}</h1>",
    );
    let site = out.join("site");
    let html = ["html", "--out", site.to_str().unwrap(), "--templates", mine];
    print(&html);
    let page = std::fs::read_to_string(site.join("index.html")).unwrap();
    let title = page.lines().find(|line| line.contains("<h1>"));
    assert_eq!(
        title.unwrap().trim(),
        "<h1>46 runs in 5 sessions on 2 machines, the newest of 2025-11-12 10:00 UTC.</h1>"
    );
}

#[test]
fn a_wrong_template_is_named_with_its_line() {
    let folder = database();
    let db = folder.path().join("results.db");
    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    let check = |(name, text): (&str, &str), arguments: &[&str], expected: &str| {
        let file = mine.join(name);
        std::fs::write(&file, text).unwrap();
        let arguments = [arguments, &["--templates", mine.to_str().unwrap()]].concat();
        let said = refused(&db, &arguments);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(said, format!("report: {}{expected}\n", file.display()));
    };
    let undefined = ":2: undefined value: {{ titel }}";
    check(("guide.md", "a\n{{ titel }}\n"), &["guide"], undefined);
    check(("pipe_table.md", "a\n{{ titel }}\n"), &["guide"], undefined);
    check(
        ("check.md", "\n\n{{ a"),
        &["table"],
        ":3: syntax error: unexpected end of input, expected end of variable block: {{ a",
    );
    let out = folder.path().join("site");
    let html = ["html", "--out", out.to_str().unwrap()];
    check(("index.html", "a\n{{ titel }}"), &html, undefined);
    assert!(!out.join("index.html").exists());
}
