//! `harness run --backend openai` as a user meets it: the real binary against servers that misbehave, and
//! against llama.cpp's own where `VLM_BENCH_LLAMA_SERVER` and `VLM_BENCH_LLAMA_MODEL` name it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

mod served {
    pub(crate) mod llama;
    pub(crate) mod scripted;
}

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use store::{Db, Metric, Outcome, Run, RunFilter, Stage};

use served::llama::{Llama, there};
use served::scripted::{Answer, Scripted, chunk, done, end, stream};

/// A run of the backend against `url`, into a database of its own.
struct Bench {
    _dir: tempfile::TempDir,
    db: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("r.db");
        Self { _dir: dir, db }
    }

    fn run(&self, url: &str, more: &[&str]) -> Output {
        Command::new(assert_cmd::cargo::cargo_bin!("harness"))
            .args(["run", "--backend", "openai", "--url", url, "--db"])
            .arg(&self.db)
            .args(more)
            .env("NO_COLOR", "1")
            .env("OPENAI_API_KEY", "sk-not-to-be-seen")
            .output()
            .unwrap()
    }

    fn runs(&self) -> Vec<Run> {
        let db = Db::open_existing(&self.db).unwrap();
        db.runs(&RunFilter::default()).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn medians(run: &Run, metric: Metric) -> Vec<f64> {
    let epochs = run.sample(metric).map(|sample| sample.epochs.clone());
    epochs.unwrap_or_default().concat()
}

/// Every chat gets this answer, but for the first, by which the server is roused.
#[track_caller]
fn check_failed(answer: Answer, part: &str) {
    let server = Scripted::start(move |call| match call {
        0 => stream(&[&chunk("hi"), &end(), &done()]),
        _ => answer.clone(),
    });
    let bench = Bench::new();
    let output = bench.run(&server.url(), &["--scenario", "warm-inference"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let runs = bench.runs();
    let Outcome::Failed { stage, message } = &runs[0].outcome else {
        panic!("measured: {:?}", runs[0].outcome)
    };
    assert_eq!(*stage, Stage::Ask);
    assert!(message.contains(part), "{part:?} is not in {message:?}");
    assert!(message.lines().count() == 1 && !message.contains("sk-not"));
}

#[test]
fn each_fault_is_a_failed_cell_with_one_line() {
    let raw = |text: &str| Answer::raw(text);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    check_failed(
        raw(
            "HTTP/1.1 500 Oops\r\nContent-Length: 34\r\n\r\n{\"error\":{\"message\":\"no mmproj\"}}  ",
        ),
        "status 500: no mmproj",
    );
    check_failed(
        raw("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"),
        "answers with an HTML page",
    );
    check_failed(
        raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
        "no stream of events",
    );
    check_failed(raw(head), "the stream ended before the answer did");
    check_failed(
        raw(&format!("{head}data: {}\n\n", chunk("a d"))),
        "the stream ended before the answer did",
    );
    check_failed(
        raw(&format!(
            "{head}data: {}\n\ndata: {{\"error\":{{\"message\":\"out of memory\"}}}}\n\n",
            chunk("a")
        )),
        "the server says: out of memory",
    );
    check_failed(
        raw(&format!("{head}data: nonsense\n\n")),
        "what is no chunk",
    );
    check_failed(raw(&format!("{head}data: [DONE]\n\n")), "holds no text");
    check_failed(raw(""), "no answer");
    let long = "x".repeat(2 << 20);
    check_failed(
        raw(&format!("{head}data: {long}\n\n")),
        "more than 1024 KiB",
    );
    // Less is sent than was announced.
    check_failed(
        raw(&format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\ndata: {}\n\n",
            chunk("a")
        )),
        "broke off",
    );
}

fn doctor(url: &str) -> (Option<i32>, String) {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("harness"))
        .args(["doctor", "--url", url])
        .output()
        .unwrap();
    let lines = text(&output.stdout);
    let line = lines.lines().find(|line| line[9..].starts_with("server: "));
    (output.status.code(), line.unwrap().to_owned())
}

#[test]
fn the_doctor_asks_whether_a_server_answers() {
    let server = Scripted::start(|_| stream(&[&chunk("hi"), &end(), &done()]));
    let (_, line) = doctor(&server.url());
    assert!(line.starts_with("ok       server: "), "{line}");
    let url = server.url();
    drop(server);
    let (code, line) = doctor(&url);
    assert!(
        line.starts_with("problem  server: ") && line.ends_with("name another with --url"),
        "{line}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn a_stalled_server_is_given_up() {
    let server = Scripted::start(|call| match call {
        0 => stream(&[&chunk("hi"), &end(), &done()]),
        _ => Answer::stalled(),
    });
    let bench = Bench::new();
    let output = bench.run(&server.url(), &["--scenario", "vision", "--timeout", "2s"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(matches!(
        &bench.runs()[0].outcome,
        Outcome::Failed {
            stage: Stage::Timeout,
            ..
        }
    ));
}

#[test]
fn without_the_servers_count_there_is_no_token_rate() {
    let server = Scripted::start(|call| {
        let words = [
            ": ping".to_owned(),
            chunk("a dög "),
            chunk("and "),
            chunk(&format!("a 😀 {call}")),
        ];
        let parts: Vec<&str> = words.iter().map(String::as_str).collect();
        stream(&[parts.as_slice(), &[&end(), &done()]].concat())
    });
    let bench = Bench::new();
    let output = bench.run(&server.url(), &["--scenario", "warm-inference"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let runs = bench.runs();
    let run = &runs[0];
    assert_eq!(
        (run.cell.backend.as_str(), run.cell.device.as_str()),
        ("openai", "server")
    );
    assert_eq!(
        (run.cell.weights.as_str(), run.cell.model.as_str()),
        ("served", "scripted")
    );
    for metric in [Metric::Inference, Metric::Ttft, Metric::TextHash] {
        assert!(medians(run, metric).len() >= 6, "{metric}");
    }
    for metric in [
        Metric::Decode,
        Metric::InterToken,
        Metric::OutputTokens,
        Metric::Prefill,
        Metric::VisionEncode,
    ] {
        assert_eq!(medians(run, metric), [0.0; 0], "{metric}");
    }
    assert!(
        run.voids().iter().all(store::Void::is_by_design),
        "{:?}",
        run.voids()
    );
    let said = &run.answers[0].text;
    assert!(said.starts_with("a dög and a 😀 "), "{said}");
    let table = text(&output.stdout);
    assert!(table.contains("seen from outside: phases, ids"), "{table}");
}

#[test]
fn a_server_that_says_one_thing_of_all_pictures_has_no_figures() {
    let same = || stream(&[&chunk("a person "), &chunk("outdoors"), &end(), &done()]);
    let server = Scripted::start(move |_| same());
    let bench = Bench::new();
    let output = bench.run(&server.url(), &["--scenario", "warm-inference"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let run = &bench.runs()[0];
    assert_eq!(run.samples(), []);
    let table = text(&output.stdout);
    for part in [
        "vision BLIND-SUSPECT (I4: one answer to ",
        "void: scripted, ",
    ] {
        assert!(table.contains(part), "{part:?} is not in {table}");
    }
}

#[test]
fn a_field_that_the_server_refuses_is_left_out_and_said() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}"#;
    let server = Scripted::answering(move |_, body| match body.contains("cache_prompt") {
        true => Answer::raw(
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 38\r\n\r\n{\"error\":\"unknown field cache_prompt\"} ",
        ),
        false => stream(&[
            &chunk("a "),
            &chunk("b "),
            &chunk("c"),
            &end(),
            usage,
            &done(),
        ]),
    });
    let bench = Bench::new();
    let output = bench.run(&server.url(), &["--scenario", "state-drift"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("refuses the field cache_prompt"), "{table}");
    assert!(table.contains("STABLE"), "{table}");
}

#[test]
fn a_server_that_answers_otherwise_is_not_stable() {
    let server = Scripted::start(|call| {
        let word = chunk(&format!("answer {}", call % 3));
        stream(&[&word, &end(), &done()])
    });
    let bench = Bench::new();
    let output = bench.run(&server.url(), &["--scenario", "state-drift"]);
    let table = text(&output.stdout);
    assert!(table.contains("NONDETERMINISTIC"), "{table}");
}

/// Refused before anything is measured: exit code 2, one line, no database.
#[track_caller]
fn check_refused(url: &str, more: &[&str], part: &str) {
    let bench = Bench::new();
    let output = bench.run(url, more);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(part) && said.lines().count() == 1, "{said}");
    assert!(!bench.db.exists());
}

#[test]
fn mlx_vlm_loads_what_it_is_asked_for() {
    // As version 0.7.10 answers that holds one model of the hub's cache.
    let pages = &[
        (
            "/v1/models",
            r#"{"object":"list","data":[{"id":"owner/other","object":"model","created":1}]}"#,
        ),
        (
            "/openapi.json",
            r#"{"openapi":"3.1.0","info":{"title":"MLX-VLM Inference API","version":"0.7.10"}}"#,
        ),
    ];
    let server = Scripted::telling(pages, |_, _| stream(&[&chunk("hi"), &end(), &done()]));
    let bench = Bench::new();
    let model = "/models/tiny-vlm";
    bench.run(
        &server.url(),
        &["--model", model, "--scenario", "text-only"],
    );
    let run = bench.runs().remove(0);
    let cell = &run.cell;
    assert_eq!(
        (
            cell.model.as_str(),
            cell.device.as_str(),
            cell.revision.as_str()
        ),
        ("tiny-vlm", "mlx-vlm", "0.7.10")
    );
    assert_eq!(run.argument.as_deref(), Some(model));
}

#[test]
fn what_cannot_be_asked_is_refused_at_once() {
    let server = Scripted::start(|_| stream(&[&chunk("hi"), &end(), &done()]));
    let url = server.url();
    check_refused(
        &url,
        &["--model", "other"],
        "has no model \"other\": it lists scripted",
    );
    check_refused(&url, &["--device", "cpu"], "--device");
    check_refused(&url, &["--backend", "candle"], "in a run of their own");
    check_refused(&url, &["--scenario", "cold-load"], "not ours to load");
    check_refused("nonsense", &[], "--url \"nonsense\"");
    check_refused("http://127.0.0.1:1", &[], "no answer");
    check_refused("http://gpu.example", &["--offline"], "on another machine");
}

/// Runs these scenarios; the cells as they are stored, and the table.
fn measured(llama: &Llama, scenarios: &[&str], code: i32) -> (Bench, Vec<Run>, String) {
    let bench = Bench::new();
    let more: Vec<&str> = scenarios
        .iter()
        .flat_map(|name| ["--scenario", name])
        .collect();
    let output = bench.run(&llama.url(), &more);
    let table = text(&output.stdout);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{table}{said}");
    let runs = bench.runs();
    (bench, runs, table)
}

fn of<'a>(runs: &'a [Run], scenario: &str) -> &'a Run {
    let found = runs.iter().find(|run| run.cell.scenario == scenario);
    found.unwrap_or_else(|| panic!("no cell {scenario}"))
}

#[track_caller]
fn check_positive(run: &Run, metrics: &[Metric]) {
    for &metric in metrics {
        let values = medians(run, metric);
        let told = !values.is_empty() && values.iter().all(|&value| value > 0.0);
        assert!(told, "{metric}: {values:?}");
    }
}

#[test]
fn a_real_llama_server_sees_and_is_timed() {
    let Some(llama) = there(Llama::embedded()) else {
        return;
    };
    let scenarios = ["warm-inference", "vision", "text-only"];
    let (bench, runs, table) = measured(&llama, &scenarios, 0);
    for verdict in ["SEES", "SUPPORTED"] {
        assert!(table.contains(verdict), "{verdict} is not in {table}");
    }
    let warm = of(&runs, "warm-inference");
    assert_eq!(warm.cell.device, "llama.cpp");
    check_positive(
        warm,
        &[
            Metric::Decode,
            Metric::InterToken,
            Metric::Ttft,
            Metric::ServerDecode,
            Metric::PromptTokens,
        ],
    );
    if cfg!(target_os = "linux") {
        assert!(
            medians(warm, Metric::InferPeak)[0] > 1e6,
            "memory of the server's process"
        );
    }
    check_table(&bench.db);
    #[cfg(feature = "candle")]
    check_beside_ours(&bench);
}

/// Our own backend in the same database is the row below, and both say in what precision.
#[cfg(feature = "candle")]
fn check_beside_ours(bench: &Bench) {
    let run = [
        "run",
        "--backend",
        "candle",
        "--device",
        "cpu",
        "--model",
        served::llama::EMBEDDED,
        "--scenario",
        "vision",
        "--db",
    ];
    let output = Command::new(assert_cmd::cargo::cargo_bin!("harness"))
        .args(run)
        .arg(&bench.db)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (_, cells) = store::summary::summary_table(&store::summary::rows(&bench.runs()));
    let names: Vec<&str> = cells.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        names,
        [
            "tiny-smolvlm-500m-instruct · openai llama.cpp, all F32, as served",
            "tiny-smolvlm-500m-instruct · candle cpu, f32 (bf16 weights)"
        ]
    );
    assert!(cells.iter().all(|row| row[1].contains("SEES")), "{cells:?}");
}

/// Bytes of the published model's weights, as the server tells them.
const WEIGHTS: f64 = 96_576_768.0;

#[test]
fn a_published_model_is_timed_and_said_not_to_see() {
    let Some(llama) = there(Llama::published()) else {
        return;
    };
    let (bench, runs, table) = measured(&llama, &["warm-text", "text-only", "vision"], 1);
    let warm = of(&runs, "warm-text");
    let cell = &warm.cell;
    assert_eq!(
        [&cell.model, &cell.device, &cell.weights, &cell.precision],
        ["smollm2-135m", "llama.cpp", "served", "Q4_1, as served"]
    );
    check_positive(
        warm,
        &[
            Metric::Inference,
            Metric::Ttft,
            Metric::InterToken,
            Metric::Decode,
            Metric::PromptTokens,
            Metric::OutputTokens,
            Metric::ServerPrefill,
            Metric::ServerDecode,
        ],
    );
    for hidden in [
        Metric::Prefill,
        Metric::VisionEncode,
        Metric::ImageTokens,
        Metric::OutputHash,
        Metric::WeightBandwidth,
    ] {
        assert_eq!(warm.sample(hidden), None, "{hidden} was invented");
    }
    if cfg!(target_os = "linux") {
        let peak = medians(warm, Metric::InferPeak);
        assert!(peak.iter().all(|&bytes| bytes > WEIGHTS), "{peak:?}");
    }
    let asked = &of(&runs, "text-only").answers;
    assert!(asked.len() == 24 && asked.iter().all(|answer| !answer.text.trim().is_empty()));
    // Of 20 questions; guesses would be right in none.
    let right = asked.iter().filter(|answer| answer.right == Some(true));
    assert!(right.count() >= 4, "{asked:?}");
    let Outcome::Failed { stage, message } = &of(&runs, "vision").outcome else {
        panic!("a model without a vision tower saw")
    };
    assert_eq!(*stage, Stage::Ask);
    assert!(
        message.contains("image input is not supported"),
        "{message}"
    );
    assert!(
        table.contains("Broken (R2)") && table.contains("mmproj"),
        "{table}"
    );
    check_table(&bench.db);
}

/// The same database prints as ever.
fn check_table(db: &Path) {
    let db = Db::open_existing(db).unwrap();
    let runs = db.runs(&RunFilter::default()).unwrap();
    let rows = store::summary::rows(&runs);
    let (_, cells) = store::summary::summary_table(&rows);
    assert_eq!(cells[0][4], "n/a", "loading is not ours to measure");
}
