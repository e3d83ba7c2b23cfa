//! The hidden `worker` command: what it does with a broken task, and when its parent is gone.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::message::{Epoch, Message, Task};
use harness::models::{Backend, Device, Precision};
use harness::scenarios::find;
use store::Stage;

fn worker() -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("harness"));
    let pipes = command
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    pipes.stderr(Stdio::null()).spawn().unwrap()
}

fn task(scenario: &str) -> Task {
    let datasets = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    Task {
        scenario: scenario.to_owned(),
        version: find(scenario).map_or(0, |known| known.version()),
        epoch: Epoch::new("", 500),
        model: datasets.join("checkpoints/tiny-smolvlm-500m-instruct"),
        backend: Backend::Candle,
        device: Device::Cpu,
        precision: Precision::Native,
        probes: datasets.join("shapes"),
        seed: 0,
        neighbour: None,
        residency: None,
        spawned_ns: harness::measure::now_ns(),
        references: Vec::new(),
        server: None,
    }
}

/// Everything a worker says to this line; stdin stays open until it has ended.
fn answers_to(line: &str) -> Vec<Message> {
    let mut child = worker();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{line}").unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    child.wait().unwrap();
    said
}

#[test]
fn a_task_that_is_none_is_told_in_one_message() {
    for line in ["", "{}", "nonsense", "[1, 2"] {
        let said = answers_to(line);
        assert!(
            matches!(
                &said[..],
                [Message::Failed {
                    stage: Stage::Start,
                    ..
                }]
            ),
            "{said:?}"
        );
    }
    let check = |task: &Task, expected: &str| {
        let said = answers_to(&serde_json::to_string(task).unwrap());
        assert!(
            matches!(said.last(), Some(Message::Failed { stage: Stage::Start, message }) if message.contains(expected)),
            "{said:?}"
        );
    };
    check(&task("joy"), "unknown scenario");
    // An older or newer build would measure something else under the same name.
    let other = Task {
        version: 1_000_000,
        ..task("vision")
    };
    check(
        &other,
        "other version of the scenario: 1000000 of vision was asked for",
    );
}

#[test]
fn a_cold_load_says_all_it_measured() {
    let said = answers_to(&serde_json::to_string(&task("cold-load")).unwrap());
    assert_eq!(said.first(), Some(&Message::Started));
    assert!(
        matches!(said.last(), Some(Message::Done { .. })),
        "{said:?}"
    );
    let metrics = said.iter().filter_map(|message| match message {
        Message::Sample { metric, .. } => Some(metric.name()),
        _ => None,
    });
    let metrics = metrics.collect::<Vec<_>>();
    assert!(
        metrics.contains(&"startup") && metrics.contains(&"load_unknown"),
        "{metrics:?}"
    );
    let loaded = said.iter().find_map(|message| match message {
        Message::Loaded(loaded) => Some(loaded),
        _ => None,
    });
    let loaded = loaded.unwrap();
    // One copy, kept in the type of the file but for what is small; a step reads the text model.
    let (file, held, read) = (loaded.weight_bytes, loaded.held_bytes, loaded.read_bytes);
    assert!(held > file * 9 / 10 && held < file * 12 / 10, "{loaded:?}");
    assert!(read > held / 3 && read < held, "{loaded:?}");
}

#[test]
fn a_worker_does_not_outlive_its_parent() {
    let mut child = worker();
    let mut stdin = child.stdin.take().unwrap();
    // 500 trials: minutes of work.
    writeln!(
        stdin,
        "{}",
        serde_json::to_string(&task("warm-inference")).unwrap()
    )
    .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let loaded = lines
        .by_ref()
        .any(|line| line.unwrap().contains("\"loaded\""));
    assert!(loaded);
    drop(stdin); // what the end of the parent does
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the worker lives on"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
