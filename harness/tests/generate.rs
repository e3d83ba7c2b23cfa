//! `harness generate` from the outside: the answer, the object of the contract, and bad input.

#![cfg(feature = "candle")]
#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

const MODEL: &str = "tiny-smolvlm-500m-instruct";

fn picture(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/shapes/images");
    dir.join(name).to_str().unwrap().to_owned()
}

fn generate(args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("harness").unwrap();
    command
        .args(["generate", "--model", MODEL])
        .args(args)
        .output()
        .unwrap()
}

/// Refused with exit code 2 in one line that has all of `parts`, and nothing on stdout.
fn check_refused(args: &[&str], parts: &[&str]) {
    let output = generate(args);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(
        (error.lines().count(), &output.stdout[..]),
        (1, &b""[..]),
        "{error}"
    );
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

fn file(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn json_holds_the_whole_contract() {
    let dir = tempfile::tempdir().unwrap();
    let logits = dir.path().join("first.safetensors");
    let image = picture("one_red_circle.png");
    let question = "What color is the circle?";
    let ask = [
        "--image", &image, "--prompt", question, "--json", "--logits",
    ];
    let output = generate(&[&ask[..], &[logits.to_str().unwrap()]].concat());
    assert!(output.status.success());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{MODEL}.json"));
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let item = &golden["items"][0];
    for (key, reference) in [
        ("prompt", "prompt"),
        ("input_ids", "input_ids"),
        ("output_ids", "output_ids"),
        ("text", "output_text"),
    ] {
        assert_eq!(json[key], item[reference], "{key}");
    }
    assert_eq!(json["image_tokens"], 17 * 16);
    let top = json["top_logits"].as_array().unwrap();
    assert_eq!(
        (top.len(), &top[0][0]),
        (10, &item["first_logits_top5"]["ids"][0])
    );
    for stage in [
        "load",
        "image_prep",
        "vision",
        "prefill",
        "first_token",
        "decode",
        "total",
    ] {
        assert!(json["timings"][stage].as_f64().unwrap() > 0.0, "{stage}");
    }
    assert!(json["peak_bytes"].as_u64().unwrap() > 6_500_000);
    let bytes = std::fs::read(logits).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("logits").unwrap().shape(), [1006]);
}

#[test]
fn a_conversation_comes_from_a_file_and_text_alone_needs_no_picture() {
    let dir = tempfile::tempdir().unwrap();
    let turns = r#"[{"role": "user", "text": "My name is Anna."},
        {"role": "assistant", "text": "Nice to meet you, Anna."},
        {"role": "user", "text": "What is my name?"}]"#;
    let turns = file(&dir, "turns.json", turns.as_bytes());
    let output = generate(&["--messages", &turns]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("Anna\n"), "{said}");
    assert!(said.contains("vision       n/a"), "{said}");
}

#[test]
fn a_fixed_length_goes_past_the_stop_id() {
    let ask = [
        "--prompt",
        "What is 2 plus 3?",
        "--json",
        "--ignore-eos",
        "--max-new-tokens",
        "20",
    ];
    let json: Value = serde_json::from_slice(&generate(&ask).stdout).unwrap();
    assert_eq!(json["output_ids"].as_array().unwrap().len(), 20);
}

#[test]
fn pictures_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(picture("wide.png")).unwrap();
    let broken = file(&dir, "broken.png", &whole[..whole.len() / 2]);
    check_refused(&["--image", &broken, "--prompt", "What?"], &["picture"]);
    let text = file(&dir, "text.png", b"not a picture at all");
    check_refused(&["--image", &text, "--prompt", "What?"], &["picture"]);
    check_refused(
        &["--image", "no/such.png", "--prompt", "What?"],
        &["no/such.png"],
    );
    // A PNG header that claims 50,000 x 50,000 pixels: refused by the claim, not by the allocation.
    let mut huge = whole.clone();
    huge[16..20].copy_from_slice(&50_000u32.to_be_bytes());
    huge[20..24].copy_from_slice(&50_000u32.to_be_bytes());
    let crc = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    let huge = file(&dir, "huge.png", &huge);
    check_refused(
        &["--image", &huge, "--prompt", "What?"],
        &["50000", "16384"],
    );
}

/// The checksum of a PNG chunk, bit by bit (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn prompts_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    check_refused(&["--prompt", ""], &["prompt"]);
    check_refused(&["--prompt", "  \n "], &["prompt"]);
    check_refused(&["--prompt", "look: <image>"], &["<image>"]);
    let endings = [
        ("not json", "turns.json"),
        ("[]", "user turn"),
        (r#"[{"role": "assistant", "text": "Hi"}]"#, "user turn"),
        (r#"[{"role": "pope", "text": "Hi"}]"#, "pope"),
    ];
    for (text, says) in endings {
        let turns = file(&dir, "turns.json", text.as_bytes());
        check_refused(&["--messages", &turns], &[says]);
    }
    check_refused(
        &["--prompt", "Hi", "--max-new-tokens", "0"],
        &["max_new_tokens"],
    );
    check_refused(
        &["--prompt", "Hi", "--max-new-tokens", "100000"],
        &["room for 8192"],
    );
    check_refused(
        &["--prompt", &"What is this? ".repeat(4000)],
        &["room for 8192"],
    );
}

#[test]
fn names_that_are_unknown() {
    check_refused(
        &["--prompt", "Hi", "--device", "abacus"],
        &["abacus", "cpu"],
    );
    check_refused(
        &["--prompt", "Hi", "--backend", "abacus"],
        &["abacus", "candle"],
    );
    let mut command = Command::cargo_bin("harness").unwrap();
    let output = command
        .args(["generate", "--model", "no-such-model", "--prompt", "Hi"])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && error.contains(MODEL) && error.lines().count() == 1,
        "{error}"
    );
}
