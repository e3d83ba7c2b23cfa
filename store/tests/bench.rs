//! Results of criterion, hyperfine and pytest-benchmark, as the tools wrote them.

mod builder;

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use builder::{filled, machine};
use store::{Db, Machine, Metric, Run, RunFilter, Session};
use tempfile::tempdir;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// Runs `store` in a folder; exit status and everything printed.
fn store(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
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
    let text = String::from_utf8([stdout, stderr].concat()).expect("text");
    (status.code(), text.replace(DATA, "data"))
}

/// Imports one of the kept files into a new database, with options; the session and its runs.
fn imported(name: &str, options: &[&str]) -> (Session, Vec<Run>) {
    let dir = tempdir().expect("a folder");
    let file = format!("{DATA}/{name}");
    let args = [&["--db", "a.db", "import", &file], options].concat();
    let (code, out) = store(dir.path(), &args);
    assert_eq!(code, Some(0), "{out}");
    let db = Db::open_existing(&dir.path().join("a.db")).expect("ours");
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
    let sessions = db.sessions().expect("sessions");
    assert_eq!(sessions.len(), 1);
    (
        sessions[0].clone(),
        db.runs(&RunFilter::default()).expect("runs"),
    )
}

fn names(runs: &[Run]) -> Vec<&str> {
    let mut names: Vec<&str> = runs.iter().map(|run| run.cell.model.as_str()).collect();
    names.sort_unstable();
    names
}

fn epochs<'r>(runs: &'r [Run], name: &str) -> &'r [Vec<f64>] {
    let run = runs.iter().find(|run| run.cell.model == name).expect(name);
    &run.sample(Metric::BenchTime).expect("times").epochs
}

#[test]
fn criterion_gives_one_epoch_of_seconds_an_iteration() {
    let (session, runs) = imported("criterion", &["--branch", "main"]);
    assert_eq!(names(&runs), ["stats/slope 100", "stats/slope 50"]);
    let file = format!("{DATA}/criterion/stats/slope 50/new/estimates.json");
    let estimates: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(file).expect("readable")).expect("JSON");
    let theirs = estimates["median"]["point_estimate"]
        .as_f64()
        .expect("nanoseconds");
    let epochs = epochs(&runs, "stats/slope 50");
    assert_eq!((epochs.len(), epochs[0].len()), (1, 100));
    let ours = store::stats::median(&epochs[0]).expect("values") * 1e9;
    assert!((ours / theirs - 1.0).abs() < 1e-9, "{ours} {theirs}");
    assert_eq!(
        (session.suite.as_str(), session.profile.as_str()),
        ("criterion", "bench")
    );
    assert_eq!(session.environment.branch.as_deref(), Some("main"));
    assert!(
        session
            .machine
            .chip
            .starts_with("unknown machine of session")
    );
    let cell = &runs[0].cell;
    assert_eq!(
        (cell.scenario.as_str(), cell.backend.as_str()),
        ("bench", "criterion")
    );
}

#[test]
fn hyperfine_gives_an_epoch_a_process_and_voids_failures() {
    let (_, runs) = imported("hyperfine.json", &[]);
    assert_eq!(names(&runs), ["head -c 100000 /dev/zero", "sleep 2 ms"]);
    let sleeps = epochs(&runs, "sleep 2 ms");
    assert_eq!(sleeps.len(), 10);
    assert!(
        sleeps
            .iter()
            .all(|epoch| epoch.len() == 1 && epoch[0] > 0.002)
    );
    let (_, runs) = imported("hyperfine-failure.json", &[]);
    assert_eq!(epochs(&runs, "false"), [] as [Vec<f64>; 0]);
    let void = &runs[0].voids()[0];
    assert_eq!(
        (void.count, void.reason.as_str()),
        (4, "the command failed")
    );
}

#[test]
fn pytest_names_machine_commit_and_time_itself() {
    let (session, runs) = imported("pytest-benchmark.json", &["--branch", "other"]);
    let wanted = [
        "test_small.py::test_fibonacci[3]",
        "test_small.py::test_fibonacci[8]",
        "test_small.py::test_sort",
    ];
    assert_eq!(names(&runs), wanted);
    assert_eq!(epochs(&runs, wanted[0])[0].len(), 12);
    let Machine { chip, os, .. } = &session.machine;
    assert_eq!((chip.as_str(), os.as_str()), ("AMD EPYC", "Linux 6"));
    let environment = &session.environment;
    assert_eq!(
        environment.branch.as_deref(),
        Some("master"),
        "the file's own"
    );
    assert_eq!(environment.commit.as_ref().map(String::len), Some(40));
    assert_eq!(environment.backends["pytest-benchmark"], "5.3.1");
    assert_eq!(session.at.format("%Y-%m-%d").to_string(), "2026-11-26");
}

#[test]
fn importing_again_adds_nothing_and_other_circumstances_are_refused() {
    let dir = tempdir().expect("a folder");
    for name in ["criterion", "hyperfine.json", "pytest-benchmark.json"] {
        let copy = dir.path().join(name);
        copy_all(&Path::new(DATA).join(name), &copy);
        let import = ["--db", "a.db", "import", name, "--machine", "Laptop"];
        let (code, out) = store(dir.path(), &import);
        assert!(code == Some(0) && out.contains(" added, 0 known"), "{out}");
        // A copy is of another time.
        fs::remove_dir_all(&copy)
            .or_else(|_| fs::remove_file(&copy))
            .expect("removed");
        copy_all(&Path::new(DATA).join(name), &copy);
        let (code, out) = store(dir.path(), &import);
        assert!(
            code == Some(0) && out.contains(": ") && out.contains(" 0 added"),
            "{out}"
        );
        let (code, out) = store(dir.path(), &["--db", "a.db", "import", name]);
        let reason = "it is there already, as of another machine, commit or branch";
        assert!(code == Some(2) && out.trim_end().ends_with(reason), "{out}");
    }
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("copied");
        return;
    }
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        copy_all(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn a_stored_machine_is_meant_by_key_or_part_of_its_description() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(filled(&path));
    let key = machine().key();
    let check = |name: &str, file: &str, expected: &str| {
        let file = format!("{DATA}/{file}");
        let (_, out) = store(dir.path(), &["import", &file, "--machine", name]);
        assert!(out.contains(expected), "{out}");
    };
    let stored = "on Apple M3, 4+4 cores, 16 GiB, Apple M3, 10 cores, macOS 15, ";
    check("apple m3", "hyperfine.json", stored);
    check(&key[..6], "criterion", stored);
    check("runner 7", "pytest-benchmark.json", "on runner 7, 3 added");
    check(
        "R",
        "hyperfine-failure.json",
        "--machine R means 2 machines",
    );
}

#[test]
fn what_is_not_whole_is_refused_in_one_line() {
    let dir = tempdir().expect("a folder");
    let check = |content: &str, expected: &str| {
        fs::write(dir.path().join("x.json"), content).expect("written");
        let (code, out) = store(dir.path(), &["--db", "a.db", "import", "x.json"]);
        assert_eq!((code, out.lines().count()), (Some(2), 1), "{out}");
        assert!(
            out.starts_with(&format!("store: x.json: {expected}")),
            "{out}"
        );
    };
    let hyperfine = |inner: &str| format!(r#"{{"results": [{inner}]}}"#);
    check(&hyperfine(""), "hyperfine results: no bench in it");
    check(
        &hyperfine(r#"{"command": "x"}"#),
        "hyperfine results: x: it has no \"times\"",
    );
    check(
        &hyperfine(r#"{"command": "x", "times": "1"}"#),
        "hyperfine results: invalid type",
    );
    let negative = hyperfine(r#"{"command": "x", "times": [-1.0]}"#);
    check(&negative, "hyperfine results: x: a time of -1 s");
    let uneven = hyperfine(r#"{"command": "x", "times": [1.0], "exit_codes": [0, 0]}"#);
    check(
        &uneven,
        "hyperfine results: x: times and exit codes differ in number",
    );
    let long = hyperfine(&format!(
        r#"{{"command": "{}", "times": [1]}}"#,
        "x".repeat(5000)
    ));
    check(&long, "hyperfine results: a name of 5000 bytes");
    let pytest = r#"{"machine_info": {}, "benchmarks": [{"fullname": "t", "stats": {}}]}"#;
    check(pytest, "pytest-benchmark results: t: it has no raw data");
    let time = r#"{"machine_info": {}, "benchmarks": [], "datetime": "noon"}"#;
    check(time, "pytest-benchmark results: datetime \"noon\"");
    check("{\"a\": 1}", "exported session 1: its \"format\" is not");
}

#[cfg(unix)]
#[test]
fn folders_that_are_not_criterions_are_refused() {
    let dir = tempdir().expect("a folder");
    let new = dir.path().join("c/bench/new");
    let check = |expected: &str| {
        let (code, out) = store(dir.path(), &["--db", "a.db", "import", "c"]);
        assert_eq!((code, out.lines().count()), (Some(2), 1), "{out}");
        assert!(
            out.starts_with("store: c: ") && out.contains(expected),
            "{out}"
        );
    };
    fs::create_dir_all(&new).expect("folders");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("c/again")).expect("a link");
    check("criterion results: no folder `new` with benchmark.json and sample.json in it");
    let write = |name: &str, text: &str| fs::write(new.join(name), text).expect("written");
    write("benchmark.json", r#"{"full_id": "b"}"#);
    check("sample.json");
    write("estimates.json", r#"{"median": {"point_estimate": 3.0}}"#);
    write("sample.json", r#"{"iters": [1, 2], "times": [2.0]}"#);
    check("b: times and iterations differ in number, or there are none");
    write("sample.json", r#"{"iters": [0], "times": [2.0]}"#);
    check("b: a sample without iterations");
    write("sample.json", r#"{"iters": [1], "times": [2.0]}"#);
    check("b: sample.json and estimates.json are of different measurements");
    write("sample.json", r#"{"iters": [1], "times": [3.0"#);
    check("sample.json: EOF");
    let deep = dir.path().join("c/1/2/3/4/5/6/7/8/9/10");
    fs::create_dir_all(deep).expect("folders");
    fs::remove_dir_all(dir.path().join("c/bench")).expect("removed");
    check("is no folder of results");
}
