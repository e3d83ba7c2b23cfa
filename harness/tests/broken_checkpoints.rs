//! Checkpoints that are not what they should be: one line that names the file, tensor or key.

#![cfg(feature = "candle")]
#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use harness::models::{Backend, Device, Precision, load};
use serde_json::Value;

const MODEL: &str = "tiny-smolvlm-500m-instruct";

/// A copy of an embedded checkpoint that may be broken.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../datasets/checkpoints")
        .join(MODEL);
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let weights = dir.path().join("model.safetensors");
    (dir, weights)
}

/// What loading `dir` says, which must be one line with all of `parts`.
fn check(dir: &Path, parts: &[&str]) {
    let error = load(dir, Backend::Candle, Device::Cpu, Precision::Native)
        .err()
        .expect("a refusal")
        .to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

/// Rewrites the safetensors header, keeping its length so that the data stay where they are.
fn edit_header(weights: &Path, edit: impl Fn(String) -> String) {
    let bytes = fs::read(weights).unwrap();
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = edit(String::from_utf8(bytes[8..8 + len].to_vec()).unwrap());
    assert!(header.len() <= len);
    let padded = format!("{header:<len$}");
    fs::write(
        weights,
        [&bytes[..8], padded.as_bytes(), &bytes[8 + len..]].concat(),
    )
    .unwrap();
}

fn edit_json(path: &Path, pointer: &str, value: Value) {
    let mut json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    fs::write(path, json.to_string()).unwrap();
}

#[test]
fn truncated_weights() {
    let (dir, weights) = copy();
    let whole = fs::read(&weights).unwrap();
    for keep in [0, 4, 8, 1000, whole.len() / 2, whole.len() - 1] {
        fs::write(&weights, &whole[..keep]).unwrap();
        check(dir.path(), &["model.safetensors"]);
    }
}

#[test]
fn weights_that_are_none() {
    let (dir, weights) = copy();
    fs::write(&weights, [0xff; 4096]).unwrap();
    check(dir.path(), &["model.safetensors", "safetensors"]);
    fs::remove_file(&weights).unwrap();
    check(dir.path(), &["no *.safetensors file"]);
}

#[test]
fn a_missing_tensor_is_named() {
    let (dir, weights) = copy();
    let name = "model.text_model.layers.3.mlp.up_proj.weight";
    edit_header(&weights, |header| {
        header.replace(name, "model.text_model.layers.3.mlp.xx_proj.weight")
    });
    check(dir.path(), &[name, "incomplete"]);
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both() {
    let (dir, weights) = copy();
    let name = "model.text_model.layers.0.self_attn.k_proj.weight";
    edit_header(&weights, |header| {
        let at = header.find(&format!("\"{name}\"")).unwrap();
        format!(
            "{}{}",
            &header[..at],
            header[at..].replacen("[64,192]", "[192,64]", 1)
        )
    });
    check(dir.path(), &[name, "[192, 64]", "[64, 192]"]);
}

#[test]
fn an_index_that_names_a_file_that_is_not_there() {
    let (dir, _) = copy();
    let index = dir.path().join("model.safetensors.index.json");
    fs::write(
        &index,
        r#"{"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}"#,
    )
    .unwrap();
    check(
        dir.path(),
        &["model-00002-of-00002.safetensors", "named by the index"],
    );
    fs::write(&index, "{").unwrap();
    check(dir.path(), &["model.safetensors.index.json"]);
}

#[test]
fn configurations_that_cannot_be() {
    let cases = [
        ("/model_type", Value::from("llava"), "llava"),
        ("/scale_factor", Value::from(3), "scale_factor 3"),
        ("/scale_factor", Value::from(0), "scale_factor 0"),
        (
            "/text_config/num_attention_heads",
            Value::from(0),
            "text_config",
        ),
        (
            "/text_config/num_key_value_heads",
            Value::from(4),
            "key heads",
        ),
        ("/text_config/hidden_act", Value::from("relu"), "hidden_act"),
        (
            "/text_config/hidden_size",
            Value::from(u64::MAX),
            "text_config",
        ),
        (
            "/text_config/vocab_size",
            Value::from(500),
            "image_token_id",
        ),
        ("/vision_config/patch_size", Value::from(65), "patch_size"),
        ("/vision_config/image_size", Value::from(-64), "config.json"),
    ];
    for (key, value, says) in cases {
        let (dir, _) = copy();
        edit_json(&dir.path().join("config.json"), key, value);
        check(dir.path(), &[says]);
    }
}

#[test]
fn side_files_that_are_missing_or_broken() {
    for name in [
        "config.json",
        "preprocessor_config.json",
        "chat_template.json",
        "tokenizer.json",
    ] {
        let (dir, _) = copy();
        fs::write(dir.path().join(name), "{\"a\": ").unwrap();
        check(dir.path(), &[name]);
    }
    let (dir, _) = copy();
    fs::write(
        dir.path().join("generation_config.json"),
        "{\"eos_token_id\": 70000}",
    )
    .unwrap();
    check(dir.path(), &["stop id 70000", "1006"]);
}

#[test]
fn weights_in_another_float_type_load_too() {
    let (dir, weights) = copy();
    let bytes = fs::read(&weights).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let wide = |view: &safetensors::tensor::TensorView<'_>| -> Vec<u8> {
        let halves = view.data().as_chunks::<2>().0.iter();
        halves
            .flat_map(|b| half::bf16::from_le_bytes(*b).to_f32().to_le_bytes())
            .collect()
    };
    let data: Vec<_> = tensors
        .iter()
        .map(|(name, view)| (name, view.shape().to_vec(), wide(&view)))
        .collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (*name, view.unwrap())
    });
    fs::write(&weights, safetensors::serialize(views, None).unwrap()).unwrap();
    let subject = load(dir.path(), Backend::Candle, Device::Cpu, Precision::Native).unwrap();
    assert_eq!(subject.loaded().precision, "f32 (f32 weights)");
}
