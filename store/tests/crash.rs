//! A process killed while it writes loses nothing that it had acknowledged.

mod builder;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use builder::{run, session, sql};
use store::{Db, Outcome, RunFilter};
use tempfile::tempdir;

const FILE: &str = "STORE_TEST_WRITER_FILE";
const SESSION: &str = "STORE_TEST_WRITER_SESSION";

/// Nothing by itself: the child of the test below, which inserts until it is killed.
#[test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn writer() {
    let Ok(path) = std::env::var(FILE) else {
        return;
    };
    let number = std::env::var(SESSION)
        .ok()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    let session = session(number);
    let mut db = Db::open(Path::new(&path)).expect("open");
    db.begin(&session).expect("begun");
    for number in 1.. {
        let mut run = run(&session, number);
        // Of changing size, so that transactions take from one page to many.
        if let Outcome::Measured { samples, .. } = &mut run.outcome {
            samples[0].epochs[0].resize(1 + (number as usize * 701) % 6000, 0.1);
        }
        db.insert(&run).expect("inserted");
        println!("inserted {}", run.id);
    }
}

/// Starts a writer, kills it after `life`, and returns the ids it had acknowledged.
fn killed(path: &Path, number: u32, life: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "writer", "--nocapture"])
        .env(FILE, path)
        .env(SESSION, number.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let reader = std::thread::spawn(move || {
        let ids = lines.map_while(Result::ok).filter_map(|line| {
            let at = line.find("inserted ")?;
            // A line cut off by the kill has acknowledged nothing.
            line.get(at + 9..at + 45).map(str::to_owned)
        });
        ids.collect::<Vec<_>>()
    });
    std::thread::sleep(life);
    child.kill().expect("still running");
    child.wait().expect("ended");
    reader.join().expect("no panic")
}

#[test]
fn a_killed_writer_leaves_a_sound_file_with_every_acknowledged_run() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    let mut acknowledged = BTreeSet::new();
    for round in 0..16_u32 {
        // From before the file exists to well into writing; odd steps meet odd moments.
        let life = Duration::from_micros(2_000 + u64::from(round) * 12_347);
        acknowledged.extend(killed(&path, round, life));
        if !path.exists() {
            continue;
        }
        let db = Db::open(&path).expect("opens, restoring what was cut off");
        assert_eq!(
            db.verify().expect("readable"),
            Vec::<String>::new(),
            "round {round}"
        );
        let stored = db.runs(&RunFilter::default()).expect("runs");
        let stored: BTreeSet<_> = stored.iter().map(|run| run.id.to_string()).collect();
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
    }
    assert!(
        acknowledged.len() > 20,
        "only {} runs were written",
        acknowledged.len()
    );
    assert_eq!(sql(&path, "PRAGMA integrity_check").trim(), "ok");
}
