//! Files of every earlier schema, made by the program of that time and kept as SQL.

mod builder;

use std::fs;
use std::path::Path;

use builder::{content, everything, sql, tables};
use store::db::merge;
use store::{Db, Error, RunFilter};
use tempfile::tempdir;

const SCHEMAS: [(u32, &str); 4] = [
    (1, include_str!("data/schema-1.sql")),
    (2, include_str!("data/schema-2.sql")),
    (3, include_str!("data/schema-3.sql")),
    (4, include_str!("data/schema-4.sql")),
];

/// The file that a dump describes.
fn restored(path: &Path, (version, dump): (u32, &str)) {
    sql(path, dump);
    let found = sql(path, "PRAGMA user_version");
    assert_eq!(found.trim(), version.to_string());
}

#[test]
fn every_earlier_schema_is_upgraded_without_loss() {
    let dir = tempdir().expect("a folder");
    let today = dir.path().join("today.db");
    drop(everything(&today));
    for schema in SCHEMAS {
        let path = dir.path().join(format!("{}.db", schema.0));
        restored(&path, schema);
        let error = Db::open_existing(&path).expect_err("an older schema");
        assert!(matches!(error, Error::TooOld { .. }), "{error}");
        drop(Db::open(&path).expect("upgraded"));
        // What a schema had no table or column for cannot be there.
        let wanted = dir.path().join(format!("wanted-{}.db", schema.0));
        fs::copy(&today, &wanted).expect("copied");
        if schema.0 < 2 {
            sql(&wanted, "DELETE FROM remark; DELETE FROM noise");
        }
        if schema.0 < 3 {
            sql(&wanted, "DELETE FROM acknowledgement");
        }
        sql(
            &wanted,
            "UPDATE session SET asked = '{}', facts = '{}', state = '{}', end_state = NULL;
             UPDATE run SET version = NULL, argument = NULL",
        );
        assert_eq!(content(&path), content(&wanted), "schema {}", schema.0);
        let definition =
            "SELECT name || sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
        assert_eq!(
            sql(&path, definition),
            sql(&today, definition),
            "tables and indexes"
        );
    }
}

#[test]
fn older_files_are_merged_from_a_copy_and_stay_as_they_are() {
    let dir = tempdir().expect("a folder");
    for schema in SCHEMAS {
        let path = dir.path().join(format!("{}.db", schema.0));
        restored(&path, schema);
        let before = fs::read(&path).expect("readable");
        let mut permissions = fs::metadata(&path).expect("there").permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).expect("read-only");
        let into = dir.path().join(format!("into-{}.db", schema.0));
        merge(&into, std::slice::from_ref(&path)).expect("merged");
        assert_eq!(fs::read(&path).expect("readable"), before, "untouched");
        let read = Db::open_upgraded(&path).expect("read from a copy");
        assert_eq!(read.runs(&RunFilter::default()).expect("runs").len(), 3);
        drop(read);
        assert_eq!(fs::read(&path).expect("readable"), before, "untouched");
        let db = Db::open_existing(&into).expect("ours");
        assert_eq!(db.runs(&RunFilter::default()).expect("runs").len(), 3);
        assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
    }
}

#[test]
fn an_upgrade_that_cannot_be_leaves_the_file_as_it_is() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("2.db");
    for damage in [
        "UPDATE sample SET epochs = '[['",
        "UPDATE sample SET metric = 'speed' WHERE metric = 'ttft'",
        "PRAGMA foreign_keys = OFF; DELETE FROM run",
        "PRAGMA foreign_keys = OFF; DELETE FROM session",
    ] {
        drop(fs::remove_file(&path));
        restored(&path, SCHEMAS[1]);
        sql(&path, damage);
        let before = fs::read(&path).expect("readable");
        let error = Db::open(&path).expect_err("damaged").to_string();
        assert!(
            error.contains("is damaged") && !error.contains('\n'),
            "{error}"
        );
        assert_eq!(fs::read(&path).expect("readable"), before, "{damage}");
    }
}

#[test]
fn every_schema_but_the_newest_has_its_file_here() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("today.db");
    drop(everything(&path));
    assert!(!tables(&path).is_empty());
    let newest: u32 = sql(&path, "PRAGMA user_version")
        .trim()
        .parse()
        .expect("a number");
    let kept: Vec<u32> = SCHEMAS.iter().map(|schema| schema.0).collect();
    assert_eq!(
        kept,
        (1..newest).collect::<Vec<_>>(),
        "add tests/data/schema-{}.sql",
        newest - 1
    );
}

#[test]
fn sessions_exported_by_the_first_version_are_read() {
    let dir = tempdir().expect("a folder");
    let mut db = Db::open(&dir.path().join("a.db")).expect("a new database");
    let text = include_str!("data/session-1.json");
    for document in store::Document::parse(text).expect("of version 1") {
        assert_eq!(document.version, 1);
        db.import_session(&document).expect("imported");
    }
    assert_eq!(db.runs(&RunFilter::default()).expect("runs").len(), 3);
}
