//! The gate of a pull request: base and head, with and without a slowdown, and each way to have no answer.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use store::{Db, Document, RunFilter};

use super::{Desk, TINY, programs};

const GATE: &str = "tools/gate.sh";
const LOADED: &str = r#"{"type":"loaded","architecture":"a","precision":"f32","weight_bytes":1,"held_bytes":1,"read_bytes":1,"parameters":1,"stop_ids":[0],"placeholder":null,"turns":"many"}"#;
const DONE: &str = r#"{"type":"done","footprint":1073741824,"model_ns":0}"#;

/// A build: the real program, whose workers take so many seconds a request.
pub(crate) fn build(seconds: &str) -> String {
    let worker = format!(
        "echo '{LOADED}'; echo '{{\"type\":\"sample\",\"metric\":\"inference\",\"value\":{seconds}}}'; echo '{DONE}'"
    );
    let real = programs().join("harness").display().to_string();
    format!("if [ \"$1\" = worker ]; then {worker}; else exec '{real}' \"$@\"; fi")
}

/// A desk with two builds.
fn builds(base: &str, head: &str) -> Desk {
    let desk = Desk::new();
    desk.script("gate/base/harness", &build(base));
    desk.script("gate/head/harness", &build(head));
    let report = programs().join("report");
    desk.script(
        "gate/head/report",
        &format!("exec '{}' \"$@\"", report.display()),
    );
    desk
}

#[test]
fn a_slower_head_fails_with_the_right_comment() {
    let desk = builds("0.100", "0.110");
    desk.run(GATE, &["duet", "gate", "--model", TINY], 0);
    let said = desk.run(GATE, &["verdict", "gate"], 1);
    assert!(
        said.contains("::error title=REGRESSED%3A tiny-smolvlm"),
        "{said}"
    );
    assert!(said.contains("REGRESSED: 1 regressed"), "{said}");
    assert!(said.contains("+10.0 % [+10.0, +10.0]"), "{said}");
}

#[test]
fn an_equal_head_passes() {
    let desk = builds("0.100", "0.100");
    desk.run(GATE, &["duet", "gate", "--model", TINY], 0);
    assert!(desk.run(GATE, &["verdict", "gate"], 0).contains("pass: "));
}

#[test]
fn a_comparison_prints_what_the_check_of_its_document_prints() {
    let desk = Desk::new();
    let said = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(programs().join(program));
        command.args(arguments).env_remove("GITHUB_STEP_SUMMARY");
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let duet = |format: &str| {
        let commands = ["--base", "echo 1.0", "--head", "echo 1.2 | tee"];
        let options = ["duet", "--reported", "--name", "a|b", "--format", format];
        said("harness", &[&options[..], &commands].concat())
    };
    let file = desk.path("duet.json");
    fs::write(&file, duet("json").1).unwrap();
    for format in ["text", "markdown", "json", "github"] {
        let file = file.to_str().unwrap();
        let check = ["check", "--judgement", file, "--format", format];
        assert_eq!(duet(format), said("report", &check), "{format}");
    }
}

/// Both sides, measured once by the real program for all tests.
fn measured() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| {
        let desk = builds("0", "0");
        let options = ["--model", TINY, "--scenario", "text-only"];
        desk.run(GATE, &[&["counters", "gate"][..], &options].concat(), 0);
        desk
    })
}

/// What becomes of two sides, measured before and then changed, by counters alone.
fn counted(change: impl Fn(&Desk), code: i32, expected: &str) {
    let desk = builds("0", "0");
    for side in ["base", "head"] {
        let prepared = desk.path(&format!("{side}.db"));
        fs::copy(measured().path(&format!("gate/{side}.db")), &prepared).unwrap();
        let run = format!("cp '{}' \"$3\"", prepared.display());
        desk.script(&format!("gate/{side}/harness"), &run);
    }
    change(&desk);
    desk.run(GATE, &["counters", "gate"], 0);
    let said = desk.run(GATE, &["verdict", "gate"], code);
    assert!(said.contains(expected), "{said}");
    let comment = comment(&desk, &["counters"]);
    assert!(comment.contains(expected), "{comment}");
}

/// What the pull request is told of these judgements.
pub(crate) fn comment(desk: &Desk, judgements: &[&str]) -> String {
    let mut command = Command::new(programs().join("report"));
    command.args(["check", "--format", "markdown"]);
    for name in judgements {
        let file = desk.path(&format!("gate/{name}.json"));
        command.arg("--judgement").arg(file);
    }
    let comment = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(
        comment.starts_with("<!-- vlm-bench check -->\n"),
        "{comment}"
    );
    comment
}

#[test]
fn counters_of_one_build_are_equal() {
    assert!(
        measured()
            .run(GATE, &["verdict", "gate"], 0)
            .contains("pass: ")
    );
    counted(|_| (), 0, "pass: ");
}

#[test]
fn without_a_baseline_nothing_passes() {
    counted(
        |desk| fs::remove_file(desk.path("base.db")).unwrap(),
        3,
        "base.db: is no file",
    );
}

#[test]
fn a_damaged_baseline_is_told() {
    let damage = |desk: &Desk| {
        let path = desk.path("base.db");
        let bytes = fs::read(&path).unwrap();
        let noise = vec![0x5a; bytes.len() - 100];
        fs::write(path, [&bytes[..100], &noise].concat()).unwrap();
    };
    counted(damage, 3, "base.db");
}

#[test]
fn counters_hold_on_another_machine() {
    let moved = |desk: &Desk| {
        let path = desk.path("base.db");
        let document = {
            let db = Db::open_existing(&path).unwrap();
            let mut session = db.sessions().unwrap().remove(0);
            session.machine.chip = "another chip".to_owned();
            Document::new(session, db.runs(&RunFilter::default()).unwrap())
        };
        fs::remove_file(&path).unwrap();
        Db::open(&path).unwrap().import_session(&document).unwrap();
    };
    counted(moved, 0, "base on another chip");
}

#[test]
fn a_busy_machine_is_refused_where_a_fit_one_is_asked_for() {
    let stop = Arc::new(AtomicBool::new(false));
    let cores = thread::available_parallelism().unwrap().get();
    let busy: Vec<_> = (0..cores)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let harness = |arguments: &[&str]| {
        let mut command = Command::new(programs().join("harness"));
        let output = command.args(arguments).output().unwrap();
        (output.status.code(), super::said(&output))
    };
    let doctor = harness(&["doctor"]);
    let run = harness(&["run", "--strict", "--no-store", "--model", TINY]);
    let real = programs().join("harness").display().to_string();
    let duet = [
        "ab", "--strict", "--model", TINY, "--base", &real, "--head", &real, "--json",
    ];
    let duet = harness(&duet);
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    let background = |text: &str| text.contains("background: ") && text.contains("of all cores");
    assert!(doctor.0 == Some(1) && background(&doctor.1), "{doctor:?}");
    assert!(run.0 == Some(2) && background(&run.1), "{run:?}");
    assert!(duet.0 == Some(3) && background(&duet.1), "{duet:?}");
}
