//! Backends and devices as a user meets them: what is here, what is not and why, several in one run.

#![cfg(any(feature = "candle", feature = "mlx"))]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

use std::process::{Command, Output};

use serde_json::Value;

const TINY: &str = "tiny-smolvlm-500m-instruct";

fn output(args: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("harness"));
    command.args(args).env("NO_COLOR", "1").output().unwrap()
}

/// Refused by both commands that compute: exit code 2, and one line that says what to do.
fn check_refused(place: &[&str], expected: &str) {
    for command in [
        &["run", "--no-store", "--model", TINY][..],
        &["generate", "--prompt", "Hello", "--model", TINY],
    ] {
        let output = output(&[command, place].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(output.stdout.is_empty());
        assert_eq!(text, format!("error: {expected}\n"));
    }
}

#[test]
fn what_is_not_here_says_what_to_do() {
    let backends = [
        ("candle", cfg!(feature = "candle")),
        ("mlx", cfg!(feature = "mlx")),
    ];
    for (backend, built) in backends {
        if !built {
            let text = format!("backend {backend}: not built in: build with --features {backend}");
            check_refused(&["--backend", backend], &text);
        } else if !cfg!(target_os = "macos") {
            let args = ["--backend", backend, "--device", "metal"];
            check_refused(&args, "device metal: needs macOS on Apple silicon");
        }
    }
    if cfg!(feature = "candle") && !cfg!(feature = "cuda") {
        let args = ["--backend", "candle", "--device", "cuda"];
        let text = "device cuda: not built in: build with --features cuda";
        check_refused(&args, text);
    }
    if cfg!(feature = "mlx") {
        let args = ["--backend", "mlx", "--device", "cuda"];
        let text = "device cuda: mlx-rs reaches no NVIDIA GPU: choose backend candle";
        check_refused(&args, text);
    }
}

#[test]
fn each_model_is_listed_with_each_backend_and_device() {
    let list: Value = serde_json::from_slice(&output(&["list", "--json"]).stdout).unwrap();
    let models = list.as_array().unwrap().iter();
    let models: Vec<_> = models.filter(|entry| entry["kind"] == "model").collect();
    assert!(models.len() > 2);
    for model in models {
        let places = model["places"].as_array().unwrap();
        let names = places.iter().map(|place| {
            let part = |name: &str| place[name].as_str().unwrap().to_owned();
            [part("backend"), part("device")].join(" ")
        });
        let known = [
            "candle cuda",
            "candle metal",
            "candle cpu",
            "mlx metal",
            "mlx cpu",
        ];
        assert_eq!(names.collect::<Vec<_>>(), known);
        for place in places {
            let here = place["available"].as_bool().unwrap();
            assert_eq!(here, place["detail"] == "", "{place}");
        }
        if model["name"] == TINY {
            assert_eq!(places[2]["available"], cfg!(feature = "candle"));
            assert_eq!(places[4]["available"], cfg!(feature = "mlx"));
        }
    }
    let text = String::from_utf8(output(&["list"]).stdout).unwrap();
    let row = text.lines().find(|line| line.starts_with(TINY)).unwrap();
    assert!(row.contains("yes"), "{text}");
    #[cfg(not(target_os = "macos"))]
    assert!(row.contains("no device"), "{text}");
}

#[cfg(all(feature = "candle", feature = "mlx"))]
#[test]
fn one_session_measures_on_several_backends() {
    let args = [
        "run",
        "--no-store",
        "--json",
        "--device",
        "cpu",
        "--model",
        TINY,
    ];
    let more = [
        "--backend",
        "mlx",
        "--backend",
        "candle",
        "--backend",
        "mlx",
        "--scenario",
        "text-only",
    ];
    let output = output(&[&args[..], &more].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let session: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = session["runs"].as_array().unwrap();
    let backends: Vec<_> = runs.iter().map(|run| &run["cell"]["backend"]).collect();
    assert_eq!(backends, ["mlx", "candle"]);
    let versions = &session["session"]["environment"]["backends"];
    for library in ["candle-core", "mlx-rs", "mlx"] {
        assert!(versions[library].is_string(), "{versions}");
    }
}

/// As in `harness list | head -1`.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("harness"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.arg("list").stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}
