//! The parent against workers that misbehave: small shell scripts in place of the real one.

use super::*;
use crate::models::{Backend, Device, Precision};
use crate::plan::Plan;
use crate::scenarios::{Profile, find};
use crate::source::Model;
use store::{Outcome, Stage};

const LOADED: &str = r#"{"type":"loaded","architecture":"a","precision":"f32","weight_bytes":1,"held_bytes":1,"read_bytes":1,"parameters":1,"stop_ids":[0],"placeholder":null,"turns":"many"}"#;
const SAMPLE: &str = r#"{"type":"sample","metric":"text_right","value":1.0}"#;
const DONE: &str = r#"{"type":"done","footprint":5,"model_ns":0}"#;

pub(crate) fn planned(scenario: &str) -> Planned {
    let scenario = find(scenario).unwrap();
    let model = Model {
        name: "fake".to_owned(),
        dir: "/nowhere".into(),
        weights: "local",
        revision: "r".to_owned(),
        weight_files: Vec::new(),
        weight_bytes: 0,
        argument: String::new(),
        seal: None,
        server: None,
    };
    let epochs = scenario.epochs(Profile::Quick);
    Planned {
        scenario,
        model,
        backend: Backend::Candle,
        device: Device::Cpu,
        precision: Precision::Native,
        epochs,
        neighbour: None,
    }
}

fn run_in(scenario: &str, script: &str, timeout: Duration) -> Outcome {
    let launcher = Launcher {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
    };
    measured(&[planned(scenario)], &launcher, timeout)
        .remove(0)
        .told
        .outcome
}

/// Collects what is complete.
#[derive(Default)]
struct Collected(Vec<Measured>);

impl Watch for Collected {
    fn step(&mut self, _: &Planned, _: usize, _: (u32, u32)) {}

    fn done(&mut self, _: &Planned, measured: Measured) -> anyhow::Result<()> {
        self.0.push(measured);
        Ok(())
    }
}

fn measured(cells: &[Planned], launcher: &Launcher, timeout: Duration) -> Vec<Measured> {
    let plan = plan(cells);
    let campaign = Campaign::new(&plan, launcher, Path::new("/nowhere"), timeout);
    let mut all = Collected::default();
    campaign.run(&mut all).unwrap();
    all.0
}

fn plan(cells: &[Planned]) -> Plan {
    Plan {
        cells: cells.to_vec(),
        profile: Profile::Quick,
        seed: 0,
        hash: String::new(),
    }
}

fn check_failed(script: &str, stage: Stage, part: &str) {
    match run_in("text-only", script, Duration::from_secs(20)) {
        Outcome::Failed {
            stage: found,
            message,
        } => {
            assert_eq!(found, stage, "{message}");
            assert!(message.contains(part), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
        measured => panic!("{measured:?}"),
    }
}

fn lines(lines: &[&str]) -> String {
    let said = lines
        .iter()
        .map(|line| format!("printf '%s\\n' '{line}'\n"));
    said.collect()
}

#[test]
fn a_worker_that_does_its_work_is_measured() {
    let script = lines(&[r#"{"type":"started"}"#, LOADED, SAMPLE, SAMPLE, DONE]);
    let Outcome::Measured { samples, voids } =
        run_in("text-only", &script, Duration::from_secs(20))
    else {
        panic!("measured")
    };
    assert_eq!(
        (samples[0].epochs.as_slice(), voids.len()),
        (&[vec![1.0, 1.0]][..], 0)
    );
}

#[test]
fn values_that_cannot_be_are_void_however_well_formed() {
    let odd = SAMPLE.replace("1.0", "-3.0");
    let script = lines(&[LOADED, &odd, DONE]);
    let Outcome::Measured { samples, voids } =
        run_in("text-only", &script, Duration::from_secs(20))
    else {
        panic!("measured")
    };
    assert_eq!(
        (samples.len(), voids[0].reason.as_str()),
        (0, "-3 cannot be")
    );
}

#[test]
fn a_hanging_worker_is_ended_by_the_time_limit() {
    let start = Instant::now();
    // The shell's child keeps stdout open after the shell was killed.
    let end = run_in(
        "text-only",
        &format!("{}sleep 30; true", lines(&[LOADED])),
        Duration::from_millis(300),
    );
    let Outcome::Failed { stage, message } = end else {
        panic!("failed")
    };
    assert_eq!(
        (stage, start.elapsed() < Duration::from_secs(5)),
        (Stage::Timeout, true)
    );
    assert_eq!(
        message,
        "ended by the time limit of 0.3s while answering: raise it with --timeout"
    );
}

/// How a cell of five equal processes ends whose third one does this.
fn third(does: &str, timeout: Duration) -> Measured {
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    let sample = r#"{"type":"sample","metric":"inference","value":0.5}"#;
    let script = format!(
        "echo >> {0}; if [ $(wc -l < {0}) -eq 3 ]; then {does}; fi; {1}",
        count.display(),
        lines(&[LOADED, sample, DONE])
    );
    let launcher = Launcher {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
    };
    let mut cell = planned("warm-inference");
    cell.epochs = cell.scenario.epochs(Profile::Standard);
    measured(&[cell], &launcher, timeout).remove(0)
}

#[test]
fn processes_that_fitted_into_the_time_are_kept() {
    let ended = third("sleep 30", Duration::from_millis(1500));
    let Outcome::Measured { samples, .. } = &ended.told.outcome else {
        panic!("{:?}", ended.told.outcome)
    };
    let inference = samples
        .iter()
        .find(|sample| sample.metric == Metric::Inference);
    assert_eq!(inference.unwrap().epochs, [[0.5], [0.5]]);
    let told = &ended.told.remarks[0].text;
    assert!(
        told.starts_with("2 of 5 processes fitted into the time limit"),
        "{told}"
    );
    // What is no matter of time takes the cell with it.
    let ended = third("exit 7", Duration::from_secs(20));
    assert!(matches!(ended.told.outcome, Outcome::Failed { .. }));
}

#[test]
fn crashes_are_told_by_their_signal() {
    check_failed(
        &format!("{}kill -SEGV $$", lines(&[LOADED])),
        Stage::Crash,
        "ended by SIGSEGV",
    );
    check_failed(
        &format!("{}kill -KILL $$", lines(&[LOADED])),
        Stage::Crash,
        "killed (out of memory?) while answering",
    );
    check_failed("kill -KILL $$", Stage::Start, "before it said anything");
}

#[test]
fn exits_are_told_with_the_last_words() {
    let script = format!(
        "{}echo first >&2; echo 'thread panicked: no' >&2; exit 101",
        lines(&[r#"{"type":"started"}"#])
    );
    check_failed(
        &script,
        Stage::Crash,
        "exit code 101 while loading: thread panicked: no",
    );
    check_failed("true", Stage::Start, "ended without a result");
    check_failed(
        &format!("{}exit 7", lines(&[LOADED, DONE])),
        Stage::Crash,
        "exit code 7 after its last figure",
    );
}

#[test]
fn nonsense_is_no_message() {
    check_failed(
        "echo Segmentation fault",
        Stage::Crash,
        "no message: \"Segmentation fault\"",
    );
    check_failed(
        r#"echo '{"type":"sample","metric":"joy","value":1}'"#,
        Stage::Crash,
        "no message",
    );
    check_failed(
        r#"echo '{"type":"sample","metric":"ttft","value":null}'"#,
        Stage::Crash,
        "no message",
    );
    check_failed(
        r#"echo '{"type":"sample","metric":"ttft","value":1e999}'"#,
        Stage::Crash,
        "no message",
    );
    check_failed(r"printf '\377\376\n'", Stage::Crash, "no message");
}

#[test]
fn floods_are_cut_off() {
    check_failed(
        "head -c 100000000 /dev/zero",
        Stage::Crash,
        "a line longer than 16 MiB",
    );
    check_failed(
        "yes '{\"type\":\"started\"}'",
        Stage::Crash,
        "more than any scenario does",
    );
    let chatty = format!(
        "head -c 3000000 /dev/zero >&2; {}",
        lines(&[LOADED, SAMPLE, DONE])
    );
    assert!(matches!(
        run_in("text-only", &chatty, Duration::from_secs(20)),
        Outcome::Measured { .. }
    ));
}

#[test]
fn what_the_worker_reports_is_believed_in_one_line() {
    let script = lines(&[
        r#"{"type":"failed","stage":"load","message":"weights: no tensor \"a\"\nbacktrace"}"#,
    ]);
    check_failed(&script, Stage::Load, "weights: no tensor \"a\"");
}

#[test]
fn a_program_that_is_not_there_is_a_failed_start() {
    let launcher = Launcher {
        program: "/nowhere/harness".into(),
        args: Vec::new(),
    };
    let cells = [planned("text-only")];
    let told = measured(&cells, &launcher, Duration::from_secs(1)).remove(0);
    let Outcome::Failed { stage, message } = told.told.outcome else {
        panic!("failed")
    };
    assert_eq!(stage, Stage::Start);
    assert!(
        message.starts_with("/nowhere/harness: cannot start"),
        "{message}"
    );
}

#[test]
fn a_failure_between_calls_names_the_call() {
    let script = format!(
        "{}kill -SEGV $$",
        lines(&[LOADED, r#"{"type":"trial","done":6,"of":12}"#])
    );
    check_failed(&script, Stage::Crash, "call 7: worker ended by SIGSEGV");
}

#[test]
fn references_travel_from_epoch_to_epoch() {
    // Fresh epochs hand one on each; the long ones must get all of them back on stdin.
    let reference = r#"{"type":"reference","input":"a","ids":[1],"logits":[2],"margins":[3]}"#;
    let script = format!(
        "read task; case $task in *'\"arm\":\"fresh'*) {};; *) n=$(echo \"$task\" | grep -o '\"ids\"' | wc -l)\n \
         echo '{{\"type\":\"sample\",\"metric\":\"call_memory\",\"value\":'$n'}}';; esac\n{}",
        format_args!("echo '{reference}'"),
        lines(&[DONE])
    );
    let Outcome::Measured { samples, .. } = run_in("state-drift", &script, Duration::from_secs(20))
    else {
        panic!("measured")
    };
    let epochs = planned("state-drift").epochs;
    let fresh = epochs.iter().filter(|epoch| epoch.arm.starts_with("fresh"));
    let fresh = fresh.count();
    let long = epochs.len() - fresh;
    assert_eq!(samples[0].epochs, vec![vec![fresh as f64]; long]);
}

#[test]
fn a_process_that_crashes_at_a_call_is_an_answer_and_its_history_is_shortened() {
    let script = format!(
        "read task; case $task in *'\"arm\":\"fresh'*) {};; *) {} kill -SEGV $$;; esac",
        lines(&[LOADED, SAMPLE, DONE]),
        lines(&[LOADED, r#"{"type":"trial","done":1,"of":12}"#]),
    );
    let launcher = Launcher {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
    };
    let cells = [planned("state-drift")];
    let told = measured(&cells, &launcher, Duration::from_secs(20))
        .remove(0)
        .told;
    let Outcome::Measured { voids, .. } = told.outcome else {
        panic!("measured")
    };
    let reasons: Vec<_> = voids.iter().map(|void| void.reason.as_str()).collect();
    assert_eq!(
        reasons[0],
        "call 2: worker ended by SIGSEGV (bad memory access) while answering (inputs a)"
    );
    assert_eq!(
        reasons.len(),
        4,
        "the other arms were run all the same: {reasons:?}"
    );
    let findings: Vec<_> = told
        .remarks
        .iter()
        .map(|remark| remark.text.as_str())
        .collect();
    assert_eq!(
        findings,
        ["fails: [A, A] · passes: [A]: the second call about the same picture fails"]
    );
}

#[test]
fn a_worker_sees_its_parents_end_and_a_deaf_one_does_no_harm() {
    // Deaf: never reads its task, which is larger than a pipe holds.
    let script = lines(&[LOADED, SAMPLE, DONE]);
    assert!(matches!(
        run_in("text-only", &script, Duration::from_secs(20)),
        Outcome::Measured { .. }
    ));
    // Listening: ends when the parent lets go of stdin, which it does at the time limit.
    let start = Instant::now();
    run_in("text-only", "cat > /dev/null", Duration::from_millis(200));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_session_that_was_cut_off_goes_on_after_its_last_whole_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    let script = format!(
        "echo x >> {}\n{}",
        count.display(),
        lines(&[LOADED, SAMPLE, DONE])
    );
    let launcher = Launcher {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
    };
    let mut cell = planned("text-only");
    cell.epochs = vec![Epoch::new("", 1); 4];
    let path = dir.path().join("r.db-1.journal");
    let (mut journal, _) = Journal::open(path.clone()).unwrap();
    let message = Message::Sample {
        metric: Metric::TextRight,
        value: 0.0,
    };
    for _ in 0..3 {
        journal.begin(0, &cell.epochs[0]).unwrap();
        journal.book(&Entry::Said(message.clone())).unwrap();
        journal.end(0.5).unwrap();
    }
    drop(journal);
    let plan = plan(&[cell]);
    let timeout = Duration::from_secs(20);
    let mut campaign = Campaign::new(&plan, &launcher, Path::new("/nowhere"), timeout);
    let (journal, recorded) = Journal::open(path.clone()).unwrap();
    assert_eq!(campaign.keep(journal, recorded), 3);
    let mut all = Collected::default();
    campaign.run(&mut all).unwrap();
    let Outcome::Measured { samples, .. } = &all.0[0].told.outcome else {
        panic!("measured")
    };
    assert_eq!(samples[0].epochs, [[0.0], [0.0], [0.0], [1.0]]);
    assert!(all.0[0].wall_s >= 1.5);
    assert_eq!(std::fs::read_to_string(count).unwrap(), "x\n");
    assert!(!path.exists(), "a complete session leaves no journal");
}

/// A cell about a model in a folder, whose files were looked at.
fn of_folder(dir: &Path) -> Planned {
    for (name, text) in [("config.json", "{}"), ("model.safetensors", "weights")] {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let path = dir.to_str().unwrap();
    let network = crate::source::Network::Off;
    let weights = crate::source::WeightsChoice::Published;
    let model = crate::source::resolve(path, weights, network).unwrap();
    Planned {
        model,
        ..planned("text-only")
    }
}

#[test]
fn a_model_that_changes_between_plan_and_load_gives_no_figures() {
    let run = |before: &dyn Fn(&Path), meanwhile: &str| {
        let dir = tempfile::tempdir().unwrap();
        let planned = of_folder(dir.path());
        before(dir.path());
        let script = format!(
            "cd '{}'\n{meanwhile}\n{}",
            dir.path().display(),
            lines(&[LOADED, SAMPLE, DONE])
        );
        let launcher = Launcher {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
        };
        let mut all = measured(&[planned], &launcher, Duration::from_secs(20));
        all.remove(0).told.outcome
    };
    let check = |outcome, name: &str| match outcome {
        Outcome::Failed { stage, message } => {
            assert_eq!(stage, Stage::Start, "{message}");
            let changed = format!("{name}: changed since the session began");
            assert!(message.contains(&changed), "{message}");
        }
        measured => panic!("{measured:?}"),
    };
    let left = run(&|_| (), "");
    assert!(matches!(left, Outcome::Measured { .. }), "{left:?}");
    let write =
        |dir: &Path| std::fs::write(dir.join("model.safetensors"), "those of another").unwrap();
    check(run(&write, "exit 7"), "model.safetensors");
    check(run(&|_| (), "printf other > config.json"), "config.json");
    // Also where the worker did not survive it.
    check(
        run(&|_| (), ": > model.safetensors; exit 7"),
        "model.safetensors",
    );
}
