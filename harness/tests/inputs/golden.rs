//! The references of the embedded checkpoints, and what they have in common.

use std::fs;
use std::path::{Path, PathBuf};

use harness::picture::{Frames, Picture};
use harness::tokenizer::Tokenizer;
use safetensors::SafeTensors;
use serde_json::{Value, json};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The folder of an embedded checkpoint.
pub(crate) fn checkpoint(name: &str) -> PathBuf {
    root("datasets/checkpoints").join(name)
}

/// Every input of the checkpoint with what its reference made of it.
pub(crate) fn items(name: &str) -> Vec<Value> {
    let path = root("harness/tests/golden").join(format!("{name}.json"));
    let root: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    root["items"].as_array().unwrap().clone()
}

/// The reference's tensors, as a safetensors file.
pub(crate) fn tensors(name: &str) -> Vec<u8> {
    fs::read(root("harness/tests/golden").join(format!("{name}.safetensors"))).unwrap()
}

/// The item's picture; none for text items.
pub(crate) fn picture(item: &Value) -> Option<Picture> {
    let path = root("datasets/shapes").join(item["image"].as_str()?);
    Some(Picture::decode(&fs::read(path).unwrap()).unwrap())
}

/// A picture of one grey.
pub(crate) fn plain((width, height): (usize, usize)) -> Picture {
    let rgb = vec![90; 3 * width * height];
    Picture { width, height, rgb }
}

/// The tokenizer as published, for those who have it: it is not ours to redistribute. The environment
/// variable names a folder that holds `NAME/tokenizer.json`. `added`: special tokens that the model's
/// own file has beyond it.
pub(crate) fn published_tokenizer(name: &str, added: &[(u32, &str)]) -> Option<Tokenizer> {
    let Some(folder) = std::env::var_os("VLM_BENCH_TOKENIZERS") else {
        eprintln!("note: VLM_BENCH_TOKENIZERS is not set, the published tokenizer is not checked");
        return None;
    };
    let text = fs::read(Path::new(&folder).join(name).join("tokenizer.json")).unwrap();
    let mut file: Value = serde_json::from_slice(&text).unwrap();
    for (id, content) in added {
        let mut token = file["added_tokens"][0].clone();
        token["id"] = json!(id);
        token["content"] = json!(content);
        file["added_tokens"].as_array_mut().unwrap().push(token);
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tokenizer.json"), file.to_string()).unwrap();
    Some(Tokenizer::load(dir.path()).unwrap())
}

/// Our `[count, side, side, 3]` in the reference's order, `[count, 3, side, side]`.
pub(crate) fn channels_first(frames: &Frames) -> Vec<f32> {
    let area = frames.side * frames.side;
    let frame = |frame: &[f32]| -> Vec<f32> {
        let channel = |channel| frame.iter().skip(channel).step_by(3).copied();
        (0..3).flat_map(channel).collect()
    };
    let frames = frames.pixels.chunks_exact(3 * area);
    frames.flat_map(frame).collect()
}

/// Compares with every stored tensor of pixels bit for bit, and says how many there are. Some references
/// put an axis of one before theirs.
pub(crate) fn check_bits(name: &str, prepare: impl Fn(&Picture) -> Frames) -> usize {
    let bytes = tensors(name);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for item in items(name) {
        let id = item["id"].as_str().unwrap();
        let Ok(wanted) = tensors.tensor(&format!("{id}.pixel_values")) else {
            continue;
        };
        let frames = prepare(&picture(&item).unwrap());
        let shape = [frames.count, 3, frames.side, frames.side];
        assert!(wanted.shape().ends_with(&shape), "{name} {id}");
        let wanted = wanted.data().as_chunks::<4>().0.iter();
        let wanted: Vec<u32> = wanted.map(|bits| u32::from_le_bytes(*bits)).collect();
        let found: Vec<u32> = channels_first(&frames)
            .into_iter()
            .map(f32::to_bits)
            .collect();
        assert!(found == wanted, "{name} {id}: pixels differ");
        compared += 1;
    }
    compared
}

/// Compares the first and last pixel values and two sums over all of them, for every picture.
pub(crate) fn check_statistics(name: &str, prepare: impl Fn(&Picture) -> Frames) {
    for item in items(name) {
        let (Some(picture), Some(wanted)) = (picture(&item), item.get("pixel_values")) else {
            continue;
        };
        let id = format!("{name} {}", item["id"]);
        let frames = prepare(&picture);
        let shape = [frames.count, 3, frames.side, frames.side];
        let listed: Vec<usize> = serde_json::from_value(wanted["shape"].clone()).unwrap();
        assert!(listed.ends_with(&shape), "{id}");
        let values = channels_first(&frames);
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let ends = [&values[..8], &values[values.len() - 8..]];
        let listed = json!([wanted["first"], wanted["last"]]);
        assert_eq!(json!(ends), listed, "{id}");
        let sums = [
            values.iter().sum::<f64>(),
            values.iter().map(|value| value.abs()).sum(),
        ];
        for (found, key) in sums.into_iter().zip(["sum", "abs_sum"]) {
            // Both sums are of f32 values in f64; only the order of addition differs.
            let gap = (found - wanted[key].as_f64().unwrap()).abs();
            assert!(gap <= 1e-9 * sums[1], "{id}: {key} is {gap} off");
        }
    }
}

/// Compares the answer that the reference's ids decode to.
pub(crate) fn check_text(tokenizer: &Tokenizer, item: &Value) {
    let answer: Vec<u32> = serde_json::from_value(item["output_ids"].clone()).unwrap();
    let text = tokenizer.decode(&answer).unwrap();
    assert_eq!(text, item["output_text"], "{}", item["id"]);
}
