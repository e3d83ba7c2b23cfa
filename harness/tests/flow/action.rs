//! The gate as another repository uses it.

use std::fs;

use super::{Desk, root, said};

const ACTION: &str = ".github/actions/gate/gate.sh";

/// Judges with these inputs; what was printed and the comment.
#[track_caller]
fn check(inputs: &[(&str, &str)], code: i32, verdict: &str) -> String {
    let desk = Desk::new();
    let said = judge(&desk, inputs, code);
    let told = desk.text("output");
    assert!(told.contains(&format!("verdict={verdict}\n")), "{told}");
    said + &comment(&told)
}

/// One use of the action; what was printed.
#[track_caller]
fn judge(desk: &Desk, inputs: &[(&str, &str)], code: i32) -> String {
    let mut command = desk.command(ACTION);
    command.arg("judge").env("RUNNER_TEMP", desk.path(""));
    command.env("GITHUB_OUTPUT", desk.path("output"));
    for (name, value) in inputs {
        command.env(format!("GATE_{name}"), value);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    said(&output)
}

/// The comment whose path is the last output of that name.
#[track_caller]
fn comment(outputs: &str) -> String {
    let mut paths = outputs.lines().rev();
    let path = paths.find_map(|line| line.strip_prefix("comment="));
    let text = fs::read_to_string(path.unwrap()).unwrap();
    assert!(text.starts_with("<!-- vlm-bench check -->\n"), "{text}");
    text
}

#[test]
fn two_uses_in_a_job_keep_apart() {
    let desk = Desk::new();
    let inputs = |head, name| {
        let commands = [("BASE", "echo 1.0"), ("HEAD", head), ("REPORTED", "true")];
        [&commands[..], &[("NAME", name), ("COUNTERS", "true")]].concat()
    };
    let said = judge(&desk, &inputs("echo 1.2", "first"), 1);
    assert!(said.contains("counters is ignored"), "{said}");
    let first = desk.text("output");
    judge(&desk, &inputs("echo 1.0", "second"), 0);
    assert!(comment(&first).contains("first"));
    assert!(comment(&desk.text("output")).contains("second"));
}

#[test]
fn commands_are_compared() {
    let duet = |head: &str, more: &[(&str, &str)], code, verdict| {
        let inputs = [("BASE", "echo 1.0"), ("HEAD", head), ("REPORTED", "true")];
        check(&[&inputs[..], more].concat(), code, verdict)
    };
    duet("echo 1.0", &[], 0, "pass");
    let text = duet("echo 1.2", &[("NAME", "my bench")], 1, "regressed");
    assert!(
        text.contains("my bench") && text.contains("+20.0 %"),
        "{text}"
    );
    let text = duet("exit 4", &[], 3, "missing");
    assert!(text.contains("exit status: 4"), "{text}");
}

/// By the wall clock: the head really takes three times as long.
#[test]
fn a_real_slowdown_is_found() {
    let inputs = [("BASE", "sleep 0.05"), ("HEAD", "sleep 0.15")];
    check(&inputs, 1, "regressed");
}

#[test]
fn results_of_other_tools_are_compared() {
    let path = root().join("store/tests/data/hyperfine.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut later: serde_json::Value = serde_json::from_str(&text).unwrap();
    for time in later["results"][0]["times"].as_array_mut().unwrap() {
        *time = (time.as_f64().unwrap() * 1.001).into();
    }
    let folder = tempfile::tempdir().unwrap();
    let head = folder.path().join("head.json");
    fs::write(&head, later.to_string()).unwrap();
    let (base, head) = (path.to_str().unwrap(), head.to_str().unwrap());
    let text = check(
        &[("BASELINE", base), ("CANDIDATE", head)],
        0,
        "inconclusive",
    );
    assert!(text.contains("bench"), "{text}");
    let strict = [("BASELINE", base), ("CANDIDATE", head), ("STRICT", "true")];
    check(&strict, 2, "inconclusive");
    let text = check(
        &[("BASELINE", "none.json"), ("CANDIDATE", head)],
        3,
        "missing",
    );
    assert!(text.contains("base.db"), "{text}");
}
