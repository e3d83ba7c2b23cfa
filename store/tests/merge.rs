//! The union of databases: complete, the same in any order, all or nothing.

mod builder;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use builder::{
    content, everything, facts, failed, filled, machine, moment, run, session, sql, tables,
};
use chrono::Utc;
use store::db::{Acknowledgement, Retention, merge};
use store::{Db, Machine, Outcome, RunFilter, Session};
use tempfile::tempdir;

/// Another machine's database: sessions of its own, and the first one of `filled` before it ended.
fn other(path: &Path) {
    let mut db = Db::open(path).expect("a new database");
    let (one, three) = (session(1), session(3));
    db.begin(&one).expect("begun");
    db.insert(&run(&one, 1)).expect("inserted");
    let elsewhere = Session {
        machine: Machine {
            chip: "Apple M4".to_owned(),
            ..machine()
        },
        ..three
    };
    db.begin(&elsewhere).expect("begun");
    db.insert(&failed(&elsewhere, 1)).expect("inserted");
    db.insert(&run(&elsewhere, 2)).expect("inserted");
}

/// A third: one more run of the second session of `filled`, and that it ended.
fn third(path: &Path) {
    let mut db = Db::open(path).expect("a new database");
    let two = session(2);
    db.begin(&two).expect("begun");
    db.insert(&run(&two, 7)).expect("inserted");
    db.finish(two.id, moment(2600), &facts("thermal", "fair"))
        .expect("finished");
    let history = include_str!("../../datasets/legacy/legacy-results.json");
    let history = store::legacy::parse_history(history).expect("the history");
    db.import_history(&history[2..6]).expect("imported");
}

fn three(folder: &Path) -> [PathBuf; 3] {
    let paths = ["a.db", "b.db", "c.db"].map(|name| folder.join(name));
    drop(everything(&paths[0]));
    other(&paths[1]);
    third(&paths[2]);
    paths
}

#[test]
fn every_order_gives_the_same_and_again_changes_nothing() {
    let dir = tempdir().expect("a folder");
    let [a, b, c] = three(dir.path());
    let before = [&a, &b, &c].map(|path| fs::read(path).expect("readable"));
    let orders = [
        vec![&a, &b, &c],
        vec![&a, &c, &b],
        vec![&b, &a, &c],
        vec![&b, &c, &a],
        vec![&c, &a, &b],
        vec![&c, &b, &a],
        vec![&b, &b, &c, &a, &c],
    ];
    let unions = orders.iter().zip(0..).map(|(order, number)| {
        let into = dir.path().join(format!("union-{number}.db"));
        let inputs: Vec<PathBuf> = order.iter().map(|&path| path.clone()).collect();
        merge(&into, &inputs).expect("merged");
        let once = fs::read(&into).expect("readable");
        merge(&into, std::slice::from_ref(&into)).expect("itself");
        merge(&into, &inputs).expect("merged again");
        assert_eq!(fs::read(&into).expect("readable"), once, "nothing written");
        content(&into)
    });
    let unions: Vec<String> = unions.collect();
    for union in &unions[1..] {
        assert_eq!(*union, unions[0]);
    }
    let db = Db::open_existing(&dir.path().join("union-0.db")).expect("ours");
    let sessions = db.sessions().expect("sessions");
    assert!(
        sessions[..2]
            .iter()
            .all(|session| session.finished.is_some())
    );
    let runs = db.runs(&RunFilter::default()).expect("runs").len();
    assert_eq!((sessions.len(), runs), (3, 6));
    assert_eq!(db.history().expect("rows").len(), 6);
    let after = [&a, &b, &c].map(|path| fs::read(path).expect("readable"));
    assert_eq!(after, before, "inputs are only read");
}

#[test]
fn no_table_is_forgotten() {
    let dir = tempdir().expect("a folder");
    let (path, into) = (dir.path().join("a.db"), dir.path().join("b.db"));
    drop(everything(&path));
    // Numbers that mean another run there.
    other(&into);
    merge(&into, std::slice::from_ref(&path)).expect("merged");
    for table in tables(&path) {
        let key = format!("SELECT count(*) FROM {table}");
        let (there, here): (u32, u32) = (
            sql(&path, &key).trim().parse().expect("a count"),
            sql(&into, &key).trim().parse().expect("a count"),
        );
        assert!(
            there > 0,
            "fill {table} in `everything`, that its merging is tested"
        );
        assert!(
            here >= there,
            "{table} was not merged: {here} of {there} rows"
        );
    }
    let source = Db::open_existing(&path).expect("ours");
    let union = Db::open_existing(&into).expect("ours");
    for run in source.runs(&RunFilter::default()).expect("runs") {
        let of = RunFilter {
            session: Some(run.session),
            ..RunFilter::default()
        };
        let merged = union.runs(&of).expect("runs");
        assert!(merged.contains(&run), "{} came whole", run.id);
    }
    assert_eq!(union.verify().expect("readable"), Vec::<String>::new());
}

/// Merges two files of which the second was altered; the error.
fn clash(change: &str) -> String {
    let dir = tempdir().expect("a folder");
    let [a, b, into] = ["a.db", "b.db", "into.db"].map(|name| dir.path().join(name));
    drop(everything(&a));
    fs::copy(&a, &b).expect("copied");
    sql(&b, change);
    let error = merge(&into, &[a.clone(), b.clone()]).expect_err("refused");
    let left = Db::open_existing(&into).expect("whole");
    assert_eq!(left.sessions().expect("sessions"), [], "nothing of either");
    let folder = format!("{}/", dir.path().display());
    error.to_string().replace(&folder, "")
}

#[test]
fn other_content_under_one_id_is_refused_and_both_are_named() {
    let first = run(&session(1), 1).id;
    let check = |change: &str, expected: String| {
        let rest = "differs in a.db and b.db, nothing was merged: find out which one was altered";
        assert_eq!(clash(change), format!("{expected} {rest}"), "{change}");
    };
    let here = format!("WHERE id = '{first}'");
    check(
        &format!("UPDATE run SET wall_s = 9 {here}"),
        format!("run {first}"),
    );
    let number = format!("(SELECT number FROM run {here})");
    for change in [
        format!("UPDATE run SET sheet = NULL {here}"),
        format!("UPDATE void SET reason = 'another' WHERE run = {number} AND position = 1"),
        format!("INSERT INTO remark VALUES ({number}, 2, 'finding', 0, 'more')"),
        format!("DELETE FROM sample WHERE run = {number} AND metric = 'ttft'"),
        format!("UPDATE remark SET count = 4 WHERE run = {number} AND position = 0"),
    ] {
        check(&change, format!("run {first}"));
    }
    let session = session(1).id;
    check(
        &format!("UPDATE session SET suite = 'x' WHERE id = '{session}'"),
        format!("session {session}"),
    );
    check(
        &format!("UPDATE session SET finished = at WHERE id = '{session}'"),
        format!("session {session}"),
    );
    let key = machine().key();
    let at = "2026-05-28T20:26:49.123456789Z";
    check(
        "UPDATE noise SET floor = 0.5",
        format!("noise {key} {at} ttft"),
    );
}

#[test]
fn damaged_and_foreign_inputs_are_refused_before_anything_is_written() {
    let check = |change: &str, expected: &str| {
        let dir = tempdir().expect("a folder");
        let (path, into) = (dir.path().join("a.db"), dir.path().join("into.db"));
        drop(filled(&path));
        sql(&path, change);
        let error = merge(&into, &[path]).expect_err("refused").to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    };
    check(
        "UPDATE sample SET epochs = x'00'",
        "is not sound, nothing was merged: table sample",
    );
    check("DELETE FROM session", "(and ");
    check(
        "ALTER TABLE run ADD COLUMN extra TEXT",
        "table run: not as this schema version has it",
    );
    check(
        "PRAGMA application_id = 1",
        "is the database of another program",
    );
    check("PRAGMA user_version = 99", "has schema 99");
}

#[test]
fn of_several_damaged_inputs_the_first_named_is_reported() {
    let check = |damaged: &[usize], reported: usize| {
        let dir = tempdir().expect("a folder");
        let (paths, into) = (three(dir.path()), dir.path().join("into.db"));
        for &at in damaged {
            let metric = "(SELECT min(metric) FROM sample)";
            let last = "(SELECT max(run) FROM sample)";
            let row = format!("WHERE metric = {metric} AND run = {last}");
            sql(&paths[at], &format!("UPDATE sample SET trials = 77 {row}"));
        }
        let damage = Db::open_existing(&paths[reported]).and_then(|db| db.verify());
        let damage = damage.expect("readable");
        let line = format!(
            "{path} is not sound, nothing was merged: {first}: `cargo store --db {path} verify` lists it",
            path = paths[reported].display(),
            first = damage[0]
        );
        let error = merge(&into, &paths).expect_err("refused").to_string();
        assert_eq!((error, damage.len()), (line, 1));
        assert!(!into.exists(), "nothing was created");
    };
    check(&[0], 0);
    check(&[1], 1);
    check(&[2], 2);
    check(&[2, 1], 1);
    check(&[0, 1, 2], 0);
}

#[test]
fn of_a_thinned_and_a_whole_run_the_whole_one_is_kept() {
    let dir = tempdir().expect("a folder");
    let [whole, thin] = ["whole.db", "thin.db"].map(|name| dir.path().join(name));
    drop(filled(&whole));
    fs::copy(&whole, &thin).expect("copied");
    let retention = Retention {
        since: Utc::now(),
        newest: 0,
        protected: [].into(),
    };
    let mut db = Db::open(&thin).expect("ours");
    assert_eq!(db.prune(&retention).expect("pruned").runs, 2);
    drop(db);
    assert_ne!(content(&thin), content(&whole));
    for (number, order) in [[&whole, &thin], [&thin, &whole]].iter().enumerate() {
        let into = dir.path().join(format!("{number}.db"));
        merge(&into, &order.map(Clone::clone)).expect("merged");
        assert_eq!(content(&into), content(&whole), "order {number}");
    }
}

const INTO: &str = "STORE_TEST_MERGE_INTO";

/// Nothing by itself: the child of the test below, which merges until it is killed.
#[test]
fn merger() {
    if let Ok(into) = std::env::var(INTO) {
        let into = PathBuf::from(into);
        merge(&into, &[into.with_file_name("source.db")]).expect("merged");
    }
}

#[test]
fn a_killed_merge_leaves_all_or_nothing() {
    let dir = tempdir().expect("a folder");
    let (source, into) = (dir.path().join("source.db"), dir.path().join("into.db"));
    let mut db = Db::open(&source).expect("a new database");
    let many = session(5);
    db.begin(&many).expect("begun");
    for number in 1..=40 {
        let mut run = run(&many, number);
        if let Outcome::Measured { samples, .. } = &mut run.outcome {
            samples[0].epochs[0].resize(60_000, 1.0 / 3.0);
        }
        db.insert(&run).expect("inserted");
    }
    let mut cut = 0;
    for round in 0..12_u64 {
        drop(fs::remove_file(&into));
        drop(filled(&into));
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "merger"])
            .env(INTO, &into)
            .stdout(Stdio::null())
            .spawn()
            .expect("a child");
        std::thread::sleep(Duration::from_millis(5 + 17 * round));
        let ended = child.try_wait().expect("a child").is_some();
        child.kill().expect("killed or ended");
        child.wait().expect("ended");
        let db = Db::open(&into).expect("opens, restoring what was cut off");
        assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
        let runs = db.runs(&RunFilter::default()).expect("runs").len();
        assert!(runs == 3 || runs == 43, "round {round}: {runs} runs");
        cut += usize::from(!ended && runs == 3);
    }
    assert!(cut > 0, "no merge was cut off");
}

#[test]
fn of_two_acceptances_of_one_change_the_first_is_kept() {
    let dir = tempdir().expect("a folder");
    let accepted = |second: i64, reason: &str| Acknowledgement {
        series: "0123456789ab".to_owned(),
        run: run(&session(1), 1).id,
        at: moment(second),
        reason: reason.to_owned(),
    };
    let check = |number: u32, one: &Acknowledgement, other: &Acknowledgement| {
        let name = |side: &str| dir.path().join(format!("{number}-{side}.db"));
        let paths = [name("a"), name("b")];
        for (path, accepted) in paths.iter().zip([one, other]) {
            let mut db = Db::open(path).expect("a new database");
            db.acknowledge(accepted).expect("kept");
        }
        merge(&name("union"), &paths).expect("merged");
        let union = Db::open_existing(&name("union")).expect("opened");
        union.acknowledgements().expect("read")
    };
    let (early, late) = (accepted(1, "known"), accepted(2, "accepted"));
    assert_eq!(check(0, &early, &late), std::slice::from_ref(&early));
    assert_eq!(check(1, &late, &early), std::slice::from_ref(&early));
    let other = accepted(1, "a reason that sorts first");
    assert_eq!(check(2, &early, &other), std::slice::from_ref(&other));
    assert_eq!(check(3, &other, &early), std::slice::from_ref(&other));
}
