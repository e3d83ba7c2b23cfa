//! The `store` command, as a user calls it.

mod builder;

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use builder::{filled, moment, run, session, sql};
use store::db::Acknowledgement;
use store::{Db, RunFilter};
use tempfile::tempdir;

/// Runs the command in a folder; exit status, standard output, standard error.
fn store(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("store").expect("built");
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .current_dir(folder)
        .args(args)
        .output()
        .expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// Runs a command that must fail with 2; its one line.
fn refused(folder: &Path, args: &[&str]) -> String {
    let (code, out, err) = store(folder, args);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    err.trim_end().to_owned()
}

#[test]
fn imports_the_earlier_tools_files_once() {
    let dir = tempdir().expect("a folder");
    let legacy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/legacy");
    for name in ["guide-2025-07-22.md", "legacy-results.json"] {
        fs::copy(legacy.join(name), dir.path().join(name)).expect("copied");
    }
    let import = ["import", "guide-2025-07-22.md", "legacy-results.json"];
    let (code, out, _) = store(dir.path(), &import);
    assert_eq!(code, Some(0));
    assert_eq!(
        out,
        "guide-2025-07-22.md: guide of 2025-07-22, 1 added, 0 known\n\
         legacy-results.json: 290 historic rows, 290 added, 0 known\n"
    );
    let (code, out, _) = store(dir.path(), &["audit"]);
    assert_eq!(code, Some(0));
    let llava = out
        .split("\n\n")
        .find(|part| part.starts_with("llava-v1.6"));
    let llava = llava.expect("judged");
    assert!(
        llava.contains("BLIND: one text for all pictures in"),
        "{llava}"
    );
    assert!(llava.contains("refused: below zero"), "{llava}");
    assert_eq!(out.matches("BLIND").count(), 1, "{out}");
    let path = dir.path().join("results.db");
    let before = fs::read(&path).expect("readable");
    let (code, out, _) = store(dir.path(), &import);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("0 added, 1 known") && out.contains("0 added, 290 known"),
        "{out}"
    );
    assert_eq!(
        fs::read(&path).expect("readable"),
        before,
        "nothing changed, nothing written"
    );
    let (code, out, _) = store(dir.path(), &["verify"]);
    assert_eq!(code, Some(0));
    assert!(
        out.ends_with("is sound: 0 sessions, 0 runs, 1 guide, 290 historic rows\n"),
        "{out}"
    );
}

#[test]
fn exported_sessions_come_back_equal() {
    let dir = tempdir().expect("a folder");
    let source = filled(&dir.path().join("results.db"));
    let (code, exported, _) = store(dir.path(), &["export"]);
    assert_eq!(
        (code, exported.lines().count()),
        (Some(0), 2),
        "a document a session"
    );
    fs::write(dir.path().join("out.json"), &exported).expect("written");
    let (code, out, _) = store(dir.path(), &["--db", "copy.db", "import", "out.json"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, "out.json: 2 sessions with 3 runs, 3 added, 0 known\n");
    let copy = Db::open_existing(&dir.path().join("copy.db")).expect("ours");
    assert_eq!(
        copy.sessions().expect("sessions"),
        source.sessions().expect("sessions")
    );
    let all = RunFilter::default();
    assert_eq!(
        copy.runs(&all).expect("runs"),
        source.runs(&all).expect("runs")
    );
    let (_, again, _) = store(dir.path(), &["--db", "copy.db", "export"]);
    assert_eq!(again, exported);
}

#[test]
fn accepted_changes_travel_with_their_runs() {
    let dir = tempdir().expect("a folder");
    let mut db = filled(&dir.path().join("results.db"));
    let accepted = |second, reason: &str| Acknowledgement {
        series: "0123456789ab".to_owned(),
        run: run(&session(1), 1).id,
        at: moment(second),
        reason: reason.to_owned(),
    };
    db.acknowledge(&accepted(9, "new kernel")).expect("kept");
    drop(db);
    let (_, exported, _) = store(dir.path(), &["export"]);
    fs::write(dir.path().join("out.json"), &exported).expect("written");
    let into = |database: &str| {
        let (code, _, _) = store(dir.path(), &["--db", database, "import", "out.json"]);
        assert_eq!(code, Some(0));
        let copy = Db::open_existing(&dir.path().join(database)).expect("ours");
        copy.acknowledgements().expect("read")
    };
    for _ in 0..2 {
        assert_eq!(into("copy.db"), [accepted(9, "new kernel")]);
    }
    // Whoever accepted it first is kept, as when databases are merged.
    for (name, own, kept) in [
        ("earlier.db", accepted(8, "mine"), accepted(8, "mine")),
        ("later.db", accepted(10, "mine"), accepted(9, "new kernel")),
    ] {
        let mut other = filled(&dir.path().join(name));
        other.acknowledge(&own).expect("kept");
        assert_eq!(into(name), [kept]);
    }
    let of_another = exported.lines().next().expect("a session").replace(
        &format!("\"run\":\"{}", accepted(0, "").run),
        "\"run\":\"00000000-0000-0000-0000-000000000000",
    );
    fs::write(dir.path().join("odd.json"), of_another).expect("written");
    let line = refused(dir.path(), &["--db", "copy.db", "import", "odd.json"]);
    assert!(line.ends_with("which is not in it"), "{line}");
}

#[test]
fn exports_one_session_or_one_run() {
    let dir = tempdir().expect("a folder");
    drop(filled(&dir.path().join("results.db")));
    let (one, wanted) = (
        session(1).id.to_string(),
        run(&session(1), 1).id.to_string(),
    );
    let (_, out, _) = store(dir.path(), &["export", "--session", &one]);
    assert_eq!(
        (out.lines().count(), out.matches("\"wall_s\"").count()),
        (1, 2)
    );
    let (_, out, _) = store(dir.path(), &["export", "--run", &wanted]);
    assert_eq!(
        (out.lines().count(), out.matches("\"wall_s\"").count()),
        (1, 1)
    );
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(document["format"], "vlm-bench session");
    assert_eq!(document["version"], 2);
    let none = "00000000-0000-0000-0000-000000000000";
    assert_eq!(
        refused(dir.path(), &["export", "--run", none]),
        format!("store: run {none} is not in the database")
    );
    let line = refused(dir.path(), &["export", "--session", none]);
    assert_eq!(
        line,
        format!("store: session {none} is not in the database")
    );
}

#[test]
fn exports_a_file_a_session_into_a_folder() {
    let dir = tempdir().expect("a folder");
    drop(filled(&dir.path().join("results.db")));
    let export = ["export", "--into", "nights"];
    for _ in 0..2 {
        assert_eq!(
            store(dir.path(), &export),
            (Some(0), String::new(), String::new())
        );
    }
    let files = fs::read_dir(dir.path().join("nights")).expect("a folder");
    let files = files.map(|file| file.expect("a file").path().display().to_string());
    let mut files: Vec<String> = files.collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files[0].ends_with(&format!("2026-05-28-{}.json", session(1).id)));
    let import = [&["--db", "copy.db", "import"], &*refs(&files)].concat();
    assert_eq!(store(dir.path(), &import).0, Some(0));
    let (_, copied, _) = store(dir.path(), &["--db", "copy.db", "export"]);
    assert_eq!(copied, store(dir.path(), &["export"]).1);
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn csv_has_a_line_for_every_raw_value() {
    let dir = tempdir().expect("a folder");
    drop(filled(&dir.path().join("results.db")));
    let run = run(&session(1), 1).id.to_string();
    let (code, out, _) = store(dir.path(), &["export", "--run", &run, "--format", "csv"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(out);
}

#[test]
fn lists_sessions_for_people_and_for_scripts() {
    let dir = tempdir().expect("a folder");
    drop(filled(&dir.path().join("results.db")));
    let (code, out, _) = store(dir.path(), &["list"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(out);
    let (_, out, _) = store(dir.path(), &["list", "--json"]);
    let first = out.lines().next().expect("a session");
    let first: serde_json::Value = serde_json::from_str(first).expect("JSON");
    assert_eq!(
        (&first["runs"], &first["profile"]),
        (&2.into(), &"quick".into())
    );
}

#[test]
fn verify_prints_every_problem_and_exits_1() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(filled(&path));
    sql(
        &path,
        "UPDATE sample SET epochs = x'00' WHERE metric = 'ttft'",
    );
    let (code, out, _) = store(dir.path(), &["verify"]);
    assert_eq!((code, out.lines().count()), (Some(1), 2), "{out}");
    assert!(out.starts_with("table sample, row "), "{out}");
}

#[test]
fn the_database_is_the_nearest_one_upwards() {
    let dir = tempdir().expect("a folder");
    drop(filled(&dir.path().join("results.db")));
    let deep = dir.path().join("a/b");
    fs::create_dir_all(&deep).expect("folders");
    assert_eq!(store(&deep, &["list"]).1.lines().count(), 2);
    drop(Db::open(&dir.path().join("a/results.db")).expect("a new database"));
    assert_eq!(store(&deep, &["list"]).1, "");
}

#[test]
fn bad_input_is_one_line_and_stores_nothing() {
    let dir = tempdir().expect("a folder");
    let write =
        |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("written");
    write(
        "good.json",
        br#"[{"kind":"vqa","date":"2025-07-20","model":"M"}]"#,
    );
    write("bad.md", b"# Title\n\nbut no guide\n");
    write("list.json", b"[{\"kind\": 1}]");
    write("other.json", b"{\"format\": \"other\"}");
    write(
        "later.json",
        b"{\"format\": \"vlm-bench session\", \"version\": 3}",
    );
    write("cut.json", b"{\"format\": ");
    write("binary.json", b"{\xff\xfe");
    write("empty.json", b"");
    let check = |file: &str, expected: &str| {
        let line = refused(dir.path(), &["import", "good.json", file]);
        assert!(
            line.starts_with(&format!("store: {file}: {expected}")),
            "{line}"
        );
        assert!(
            !dir.path().join("results.db").exists(),
            "nothing stored: {file}"
        );
    };
    check(
        "bad.md",
        "guide, line 3: wanted `## 📊 **Quick Summary** (…)`",
    );
    check("list.json", "history, row 1: \"kind\" is no text");
    check("other.json", "exported session 1: its \"format\" is not");
    check(
        "later.json",
        "exported session 1: version 3, wanted 2: update vlm-bench",
    );
    check("cut.json", "exported session 1: EOF while parsing");
    check("binary.json", "not a text file");
    check("empty.json", "neither a guide");
    check("none.json", "No such file");
    let line = refused(dir.path(), &["list"]);
    assert!(
        line.starts_with("store: no database at results.db: run `cargo harness run`"),
        "{line}"
    );
    let line = refused(dir.path(), &["--db", "good.json", "verify"]);
    assert_eq!(
        line,
        "store: good.json is not a database: name another file with --db"
    );
}

#[test]
fn what_is_whole_of_a_folder_is_imported() {
    let dir = tempdir().expect("a folder");
    drop(filled(&dir.path().join("results.db")));
    store(dir.path(), &["export", "--into", "nights"]);
    fs::write(dir.path().join("nights/cut.json"), "{\"format\": ").expect("written");
    fs::write(dir.path().join("nights/notes.txt"), "no session").expect("written");
    // A broken file is an error that stores nothing, unless it may be left out.
    let line = refused(dir.path(), &["--db", "copy.db", "import", "nights"]);
    assert!(line.starts_with("store: nights/cut.json: exported session 1: "));
    assert!(!dir.path().join("copy.db").exists());
    let import = ["--db", "copy.db", "import", "--keep-going", "nights"];
    let (code, out, err) = store(dir.path(), &import);
    assert_eq!((code, out.lines().count()), (Some(1), 2), "{out}{err}");
    assert!(
        err.starts_with("store: nights/cut.json is left out: exported session 1: ")
            && err.lines().count() == 1,
        "{err}"
    );
    let (_, copied, _) = store(dir.path(), &["--db", "copy.db", "export"]);
    assert_eq!(copied, store(dir.path(), &["export"]).1);
    fs::remove_file(dir.path().join("nights/cut.json")).expect("removed");
    assert_eq!(store(dir.path(), &import).0, Some(0));
    // A database that cannot be written is nothing to go on with.
    let import = ["--db", "nights", "import", "--keep-going", "nights"];
    assert_eq!(store(dir.path(), &import).0, Some(2));
}

#[test]
fn help_shows_examples() {
    let dir = tempdir().expect("a folder");
    for args in [
        &["--help"][..],
        &["import", "--help"],
        &["export", "--help"],
        &["list", "--help"],
        &["merge", "--help"],
        &["prune", "--help"],
    ] {
        let (code, out, _) = store(dir.path(), args);
        assert_eq!(code, Some(0));
        assert!(out.contains("cargo store"), "{args:?}: {out}");
    }
}
