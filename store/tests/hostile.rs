//! Files that are not ours, are too new, cannot be written, or hold what we never wrote.

mod builder;

use std::fs;
use std::path::Path;

use builder::{everything, filled, run, session, sql};
use store::{Db, Document, Error, Run, RunFilter};
use tempfile::tempdir;

/// Opens both ways; the errors; the file must stay as it is.
fn refusals(path: &Path) -> [Error; 2] {
    let before = fs::read(path).expect("readable");
    let errors = [
        Db::open(path).expect_err("refused"),
        Db::open_existing(path).expect_err("refused"),
    ];
    assert_eq!(fs::read(path).expect("readable"), before, "untouched");
    let folder = path.parent().expect("a folder");
    assert_eq!(
        fs::read_dir(folder).expect("a folder").count(),
        1,
        "nothing beside it"
    );
    errors
}

#[test]
fn a_file_that_is_no_database() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    for content in ["x", &"not a database ".repeat(100), "SQLite format 3\0"] {
        fs::write(&path, content).expect("written");
        for error in refusals(&path) {
            let line = format!(
                "{} is not a database: name another file with --db",
                path.display()
            );
            assert_eq!(error.to_string(), line);
        }
    }
    let [open, existing] = [Db::open(dir.path()), Db::open_existing(dir.path())];
    assert!(matches!(open, Err(Error::NotADatabase { .. })));
    assert!(matches!(existing, Err(Error::NotADatabase { .. })));
}

#[test]
fn the_database_of_another_program() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    sql(&path, "CREATE TABLE photos (id); PRAGMA user_version = 3");
    for error in refusals(&path) {
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }
}

#[test]
fn a_database_of_a_later_version() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(filled(&path));
    sql(&path, "PRAGMA user_version = 99");
    for error in refusals(&path) {
        let text = format!(
            "{} has schema 99, this program knows up to 5: update vlm-bench",
            path.display()
        );
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn nothing_there_is_missing_for_readers_and_created_for_writers() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    assert!(matches!(
        Db::open_existing(&path),
        Err(Error::Missing { .. })
    ));
    assert!(!path.exists(), "reading creates nothing");
    fs::write(&path, "").expect("written");
    assert!(matches!(
        Db::open_existing(&path),
        Err(Error::Missing { .. })
    ));
    drop(Db::open(&path).expect("an empty file is a creation cut off"));
    Db::open_existing(&path).expect("ours");
    let error = Db::open(&dir.path().join("no folder").join("results.db")).expect_err("refused");
    assert!(matches!(error, Error::Unwritable { .. }), "{error}");
}

#[test]
fn names_with_a_meaning_to_sqlite_are_plain_files() {
    let dir = tempdir().expect("a folder");
    for name in ["file:x?mode=memory", "?", "%20"] {
        let path = dir.path().join(name);
        drop(Db::open(&path).expect("a new database"));
        assert!(path.is_file(), "{name}");
    }
}

#[test]
fn reading_leaves_every_byte_and_time_as_it_was() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(filled(&path));
    let mut permissions = fs::metadata(&path).expect("there").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).expect("read-only");
    let state = || {
        (
            fs::read(&path).expect("readable"),
            fs::metadata(&path).and_then(|m| m.modified()).ok(),
        )
    };
    let before = state();
    let mut db = Db::open_existing(&path).expect("ours");
    assert_eq!(db.runs(&RunFilter::default()).expect("runs").len(), 3);
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
    let error = db.insert(&run(&session(2), 9)).expect_err("read-only");
    assert!(matches!(error, Error::Unwritable { .. }), "{error}");
    drop(db);
    assert_eq!(state(), before);
}

#[cfg(unix)]
#[test]
fn unwritable_files_and_folders_are_named_before_anything_is_measured() {
    use std::os::unix::fs::PermissionsExt;
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(filled(&path));
    let before = fs::read(&path).expect("readable");
    set(&path, 0o444).expect("read-only");
    let writable_anyway = fs::OpenOptions::new().write(true).open(&path).is_ok();
    if !writable_anyway {
        let error = Db::open(&path).expect_err("read-only file");
        assert!(matches!(error, Error::Unwritable { .. }), "{error}");
        set(&path, 0o644).expect("writable");
        set(dir.path(), 0o555).expect("read-only");
        let error = Db::open(&path).expect_err("read-only folder");
        assert!(matches!(error, Error::Unwritable { .. }), "{error}");
        let error = Db::open(&dir.path().join("new.db")).expect_err("read-only folder");
        assert!(matches!(error, Error::Unwritable { .. }), "{error}");
        Db::open_existing(&path).expect("reading needs no writing");
        set(dir.path(), 0o755).expect("writable");
    }
    assert_eq!(fs::read(&path).expect("readable"), before);
}

#[test]
fn a_file_cut_off_inside_a_commit_is_restored_by_the_next_writer() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("busy.db");
    drop(filled(&path));
    // A free page is not in the journal: what it holds may change.
    sql(&path, "VACUUM");
    let sound = fs::read(&path).expect("readable");
    // A transaction too large for its cache writes pages before it commits; a copy of file and
    // journal at that moment is what a kill leaves.
    let conn = rusqlite::Connection::open(&path).expect("opens");
    let spill = "PRAGMA cache_size = 1; BEGIN; UPDATE sample SET epochs = randomblob(180000);
        UPDATE answer SET text = hex(randomblob(90000))";
    conn.execute_batch(spill).expect("written");
    let cut = dir.path().join("results.db");
    fs::copy(&path, &cut).expect("copied");
    fs::copy(
        dir.path().join("busy.db-journal"),
        dir.path().join("results.db-journal"),
    )
    .expect("copied");
    drop(conn);
    assert_ne!(
        fs::read(&cut).expect("readable"),
        sound,
        "half a transaction"
    );
    let error = Db::open_existing(&cut).expect_err("reading cannot restore");
    assert!(matches!(error, Error::CutOff { .. }), "{error}");
    let db = Db::open(&cut).expect("restores");
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
    assert_eq!(db.runs(&RunFilter::default()).expect("runs").len(), 3);
    assert_eq!(fs::read(&cut).expect("readable"), sound);
}

/// Alters a database, then reads it: the error of reading, and what verifying finds.
fn altered(change: &str) -> (String, Vec<String>) {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(everything(&path));
    sql(&path, change);
    let db = Db::open_existing(&path).expect("ours");
    let sessions = db.sessions().err();
    let runs = db.runs(&RunFilter::default()).err();
    let error = runs
        .or(sessions)
        .map_or_else(|| "none".to_owned(), |error| error.to_string());
    (error, db.verify().expect("readable"))
}

#[test]
fn broken_cells_are_named_by_table_and_row() {
    let first = run(&session(1), 1).id;
    let check = |sql: &str, expected: &str| {
        let (error, problems) = altered(sql);
        assert!(error.starts_with(expected), "{sql}: {error}");
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{problems:?}"
        );
        assert!(!error.contains('\n'), "one line: {error}");
    };
    let sample = format!("table sample, row {first} ttft: ");
    let number = format!("(SELECT number FROM run WHERE id = '{first}')");
    let one = format!("WHERE run = {number} AND metric = 'ttft'");
    check(
        &format!("UPDATE sample SET epochs = x'00' {one}"),
        &format!("{sample}epochs: cut off"),
    );
    check(
        &format!("UPDATE sample SET epochs = x'ff0101000000000000f87f' {one}"),
        &format!("{sample}epochs: holds NaN"),
    );
    check(
        &format!("UPDATE sample SET trials = 1 {one}"),
        &format!("{sample}trials: 1, but"),
    );
    check(
        &format!("UPDATE sample SET middle = 7 {one}"),
        &format!("{sample}middle: Some(7.0), but epochs give Some(0.2"),
    );
    check(
        &format!("UPDATE sample SET unit = 'mile' {one}"),
        &format!("{sample}unit: \"mile\""),
    );
    check(
        &format!("UPDATE sample SET metric = 'speed' {one}"),
        &format!("table sample, row {first} speed: metric: unknown metric"),
    );
    let here = format!("WHERE id = '{first}'");
    check(
        &format!("UPDATE run SET model = CAST(x'ff80' AS TEXT) {here}"),
        &format!("table run, row {first}: model: "),
    );
    check(
        &format!("UPDATE run SET at = 'noon' {here}"),
        &format!("table run, row {first}: at: "),
    );
    check(
        &format!("UPDATE run SET id = 'x' {here}"),
        "table run, row x: id: ",
    );
    check(
        "UPDATE run SET stage = 'lunch' WHERE outcome = 'failed'",
        "table run, row ",
    );
    check(
        "UPDATE void SET count = -1",
        &format!("table void, row {first}: count: "),
    );
    check(
        "UPDATE session SET threads = 1 << 40",
        "table session, row ",
    );
    for column in ["backends", "asked", "facts", "state", "end_state"] {
        let broken = format!("UPDATE session SET {column} = '7'");
        check(&broken, "table session, row ");
    }
    check(
        &format!("UPDATE run SET version = -1 {here}"),
        &format!("table run, row {first}: version: "),
    );
    check(
        "UPDATE machine SET chip = 'Apple M9'",
        "table machine, row ",
    );
}

#[test]
fn dangling_rows_and_foreign_schemas_are_findings() {
    let (_, problems) = altered("DELETE FROM session");
    assert!(
        problems
            .iter()
            .any(|p| p == "table run: a row refers to a session that is not there")
    );
    let (_, problems) = altered(
        "UPDATE noise SET metric = 'speed'; UPDATE run SET outcome = 'failed', stage = 'load', message = '' WHERE outcome = 'measured'",
    );
    let found = |text: &str| problems.iter().any(|problem| problem.contains(text));
    assert!(
        found("it failed, but there are samples or voids of it"),
        "{problems:?}"
    );
    assert!(
        found("table noise, row ") && found("metric: unknown metric"),
        "{problems:?}"
    );
    let (_, problems) = altered("UPDATE answer SET text = 'blue'");
    let sheet = |problem: &String| problem.starts_with("table sheet, row ");
    assert!(
        problems.iter().all(sheet) && !problems.is_empty(),
        "{problems:?}"
    );
    let (error, problems) = altered("ALTER TABLE run DROP COLUMN wall_s");
    assert!(error.contains("wall_s") && !error.contains('\n'), "{error}");
    assert!(!problems.is_empty());
    let (error, _) = altered("DROP TABLE answer; CREATE VIEW answer AS SELECT 1 AS run");
    assert!(
        error.contains("answer"),
        "no view of the file is run: {error}"
    );
}

#[test]
fn broken_runs_are_named_in_order_of_time_wherever_they_lie() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    let one = session(1);
    // The youngest first: numbers and times run against each other.
    let runs: Vec<Run> = (1..=600).rev().map(|number| run(&one, number)).collect();
    let mut db = Db::open(&path).expect("a new database");
    let added = db.import_session(&Document::new(one, runs.clone()));
    assert_eq!(added.expect("imported").added, 600);
    let broken = "epochs = x'00' WHERE metric = 'ttft' AND run IN (1, 2, 299, 600)";
    sql(&path, &format!("UPDATE sample SET {broken}"));
    let line = |number: usize| {
        let id = runs[number - 1].id;
        format!("table sample, row {id} ttft: epochs: cut off")
    };
    let expected = [600, 299, 2, 1].map(line);
    for _ in 0..5 {
        assert_eq!(db.verify().expect("readable"), expected);
    }
    let (last, first) = ("WHERE number = 600", "WHERE number = 1");
    sql(&path, &format!("UPDATE run SET session = 'x' {first}"));
    sql(
        &path,
        &format!("UPDATE run SET precision = x'ff' || '' {last}"),
    );
    let problems = db.verify().expect("readable");
    let dangling = "table run: a row refers to a session that is not there";
    assert_eq!(problems[0], dangling);
    let (id, rest) = (runs[599].id, &expected[1..3]);
    assert!(problems[1].starts_with(&format!("table run, row {id}: precision: ")));
    assert_eq!(
        &problems[2..],
        rest,
        "the run of no session is found by its reference"
    );
}

#[test]
fn overwritten_pages_are_findings_and_never_a_panic() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(filled(&path));
    let sound = fs::read(&path).expect("readable");
    let mut noticed = 0;
    for start in (100..sound.len()).step_by(997) {
        let mut bytes = sound.clone();
        bytes[start..]
            .iter_mut()
            .take(64)
            .for_each(|byte| *byte ^= 0xa5);
        fs::write(&path, &bytes).expect("written");
        let found = Db::open_existing(&path).and_then(|db| db.verify());
        noticed += usize::from(found.map_or(true, |problems| !problems.is_empty()));
    }
    assert!(noticed > 0);
    for end in [100, 4096, sound.len() / 2, sound.len() - 4096] {
        fs::write(&path, &sound[..end]).expect("written");
        let found = Db::open_existing(&path).and_then(|db| db.verify());
        assert!(
            found.map_or(true, |problems| !problems.is_empty()),
            "cut at {end}"
        );
    }
}
