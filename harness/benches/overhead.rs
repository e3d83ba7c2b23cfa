//! What measuring costs: the parent's work on one epoch, and both budgets in a real session.
//!
//! Budgets: under 1 % of a cell's wall time outside the model, under 100 MB of memory in the parent.
//! `cargo bench --package harness --bench overhead` prints them last, from one quick session on the
//! embedded suite's first model; the session's own work is the workers' and not the parent's.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::measure::PeakWatch;
use harness::message::{Epoch, Message, Task};
use harness::parent::{Entry, Journal, Ledger};
use store::{Document, Metric};

/// A trial's worth of messages: what a fixed-length answer of 64 ids makes.
fn trial() -> Vec<Vec<u8>> {
    let value = |value| {
        let metric = Metric::InterToken;
        serde_json::to_vec(&Message::Sample { metric, value }).expect("a message")
    };
    (1..80).map(|n| value(f64::from(n) * 1e-4)).collect()
}

fn parent(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("r.db-1.journal");
    let lines = trial();
    c.bench_function("book and journal one trial", |bench| {
        let (mut journal, _) = Journal::open(path.clone()).expect("a journal");
        let mut ledger = Ledger::default();
        journal.begin(0, &Epoch::new("", 1)).expect("written");
        bench.iter(|| {
            for line in &lines {
                let entry = Entry::Said(serde_json::from_slice(line).expect("a message"));
                journal.book(&entry).expect("written");
                ledger.book(entry);
            }
            ledger.book(Entry::Trial(Vec::new()));
            ledger.drop_epoch();
        });
    });
    c.bench_function("read a task", |bench| {
        let text = r#"{"scenario":"s","epoch":{"arm":"","trials":1,"least":1,"least_s":0,"most_s":60,"cache":"asis"},"model":"/m","backend":"candle","device":"cpu","precision":"native","probes":"/p","seed":0,"neighbour":null,"residency":null,"spawned_ns":0,"references":[]}"#;
        bench.iter(|| serde_json::from_str::<Task>(text).expect("a task"));
    });
    session();
}

/// One session of the real program, watched from outside.
fn session() {
    let Some(program) = program() else {
        println!("session: not measured: build it first: cargo build --release");
        return;
    };
    let mut command = Command::new(program);
    command.args(["run", "--model", "tiny-smolvlm-500m-instruct", "--no-store"]);
    let mut child = command
        .args(["--scenario", "warm-inference", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a session");
    let watch = PeakWatch::start(child.id(), Duration::from_millis(5));
    let mut text = String::new();
    let stdout = child.stdout.take().expect("piped");
    std::io::Read::read_to_string(&mut { stdout }, &mut text).expect("text");
    let peak = watch.stop().unwrap_or(0);
    child.wait().expect("ended");
    let documents = Document::parse(&text).expect("a session");
    let runs = documents.iter().flat_map(|document| &document.runs);
    for run in runs {
        let shares = run.sample(Metric::Overhead);
        let shares: Vec<String> = shares
            .iter()
            .flat_map(|sample| sample.values())
            .map(|share| format!("{:.2} %", 100.0 * share))
            .collect();
        println!(
            "{}: outside the model {}",
            run.cell.scenario,
            shares.join(", ")
        );
    }
    println!("parent: {:.1} MB at its peak", peak as f64 / 1e6);
}

/// The program of the same build.
fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let release = own.parent().and_then(Path::parent)?;
    Some(release.join("harness")).filter(|program| program.is_file())
}

criterion_group!(benches, parent);
criterion_main!(benches);
