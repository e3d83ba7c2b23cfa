//! Several processes of the real program write to one file at once, and none loses anything.

mod builder;

use std::fs;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::CommandCargoExt;
use builder::{filled, run, session};
use store::{Db, Document, RunFilter};
use tempfile::tempdir;

const WRITERS: u32 = 8;
const RUNS: u32 = 25;

#[test]
fn importing_and_merging_at_once_loses_nothing() {
    let dir = tempdir().expect("a folder");
    let start = |args: &[&str]| -> Child {
        let mut command = Command::cargo_bin("store").expect("built");
        let command = command.current_dir(dir.path()).args(args);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::piped());
        quiet.spawn().expect("started")
    };
    for writer in 10..10 + WRITERS {
        let session = session(writer);
        let runs = (1..=RUNS).map(|number| run(&session, number)).collect();
        let document = serde_json::to_string(&Document::new(session, runs)).expect("JSON");
        fs::write(dir.path().join(format!("{writer}.json")), document).expect("written");
    }
    drop(filled(&dir.path().join("other.db")));
    // The file is not there yet; each is imported twice, so that some meet what they bring.
    let names: Vec<String> = (10..10 + WRITERS).map(|n| format!("{n}.json")).collect();
    let mut children: Vec<Child> = names
        .iter()
        .chain(&names)
        .map(|name| start(&["--db", "results.db", "import", name]))
        .collect();
    children.push(start(&["merge", "other.db", "--into", "results.db"]));
    children.push(start(&["merge", "other.db", "--into", "results.db"]));
    for child in children {
        let done = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
    }
    let db = Db::open_existing(&dir.path().join("results.db")).expect("ours");
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
    assert_eq!(db.sessions().expect("sessions").len(), 2 + WRITERS as usize);
    let runs = db.runs(&RunFilter::default()).expect("runs").len();
    assert_eq!(runs, 3 + (WRITERS * RUNS) as usize);
}
