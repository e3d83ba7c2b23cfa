//! What Moondream2 is fed, against the reference: pixel values, prompts, input ids.

#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::fs;
use std::path::{Path, PathBuf};

use harness::models::moondream2::config::{Config, Revision};
use harness::models::moondream2::image::{ImageConfig, prepare};
use harness::picture::{Frames, Picture};
use harness::subject::{Message, Pass, Request, Stop};
use harness::tensor::DType;
use harness::tokenizer::Tokenizer;
use safetensors::SafeTensors;
use serde_json::{Value, json};

const NAME: &str = "tiny-moondream2";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn items() -> Vec<Value> {
    let path = root("harness/tests/golden").join(format!("{NAME}.json"));
    let root: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    root["items"].as_array().unwrap().clone()
}

fn image_config(config: &Config) -> ImageConfig {
    ImageConfig {
        crop: config.vision.crop,
        margin: config.vision.margin * config.vision.patch,
        max_crops: config.vision.max_crops,
        dtype: DType::BF16,
    }
}

fn tiny() -> Config {
    Config::of_files(&root("datasets/checkpoints").join(NAME)).unwrap()
}

/// The item's picture, prepared; none for text items.
fn frames(item: &Value) -> Option<Frames> {
    let path = root("datasets/shapes").join(item["image"].as_str()?);
    let picture = Picture::decode(&fs::read(path).unwrap()).unwrap();
    Some(prepare(&picture, &image_config(&tiny())).unwrap())
}

/// Our `[count, side, side, 3]` in the reference's order, `[count, 3, side, side]`.
fn channels_first(frames: &Frames) -> impl Iterator<Item = f32> {
    let area = frames.side * frames.side;
    frames.pixels.chunks_exact(3 * area).flat_map(move |frame| {
        (0..3).flat_map(move |channel| frame.iter().skip(channel).step_by(3).copied())
    })
}

#[test]
fn pixels_equal_the_reference_bit_for_bit() {
    let bytes = fs::read(root("harness/tests/golden").join(format!("{NAME}.safetensors"))).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for item in items() {
        let id = item["id"].as_str().unwrap();
        let Ok(wanted) = tensors.tensor(&format!("{id}.pixel_values")) else {
            continue;
        };
        let frames = frames(&item).unwrap();
        let shape = [frames.count, 3, frames.side, frames.side];
        assert_eq!(wanted.shape(), shape, "{id}");
        let wanted = wanted.data().as_chunks::<4>().0.iter();
        let wanted: Vec<u32> = wanted.map(|bits| u32::from_le_bytes(*bits)).collect();
        let found: Vec<u32> = channels_first(&frames).map(f32::to_bits).collect();
        assert!(found == wanted, "{id}: pixels differ");
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[test]
fn tilings_and_pixel_statistics_equal_the_reference() {
    for item in items() {
        let Some(frames) = frames(&item) else {
            continue;
        };
        let (id, wanted) = (&item["id"], &item["pixel_values"]);
        assert_eq!(json!([frames.rows, frames.cols]), item["tiling"], "{id}");
        let values: Vec<f64> = channels_first(&frames).map(f64::from).collect();
        let ends = [&values[..8], &values[values.len() - 8..]];
        assert_eq!(
            json!(ends),
            json!([wanted["first"], wanted["last"]]),
            "{id}"
        );
        let sums = [
            values.iter().sum::<f64>(),
            values.iter().map(|value| value.abs()).sum(),
        ];
        for (found, key) in sums.into_iter().zip(["sum", "abs_sum"]) {
            // Both sums are of f32 values in f64; only the order of addition differs.
            let wanted = wanted[key].as_f64().unwrap();
            assert!((found - wanted).abs() <= 1e-9 * sums[1], "{id}: {key}");
        }
    }
}

/// A folder that says as little as the published ones.
fn published(revision: Revision) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"model_type": "moondream1", "config": {}}"#;
    fs::write(dir.path().join("config.json"), text).unwrap();
    Config::load(dir.path(), revision).unwrap()
}

#[test]
fn pictures_are_cut_as_published_and_take_729_positions_whatever_their_size() {
    let config = published(Revision::June);
    assert_eq!(config.vision.side() * config.vision.side(), 729);
    for ((width, height), tiling) in [
        ((640, 480), (2, 4)),
        ((1920, 1080), (2, 4)),
        ((480, 640), (4, 2)),
        ((1024, 1024), (3, 3)),
        ((300, 200), (1, 1)),
    ] {
        let rgb = vec![7; 3 * width * height];
        let picture = Picture { width, height, rgb };
        let frames = prepare(&picture, &image_config(&config)).unwrap();
        assert_eq!((frames.rows, frames.cols), tiling, "{width}x{height}");
        assert_eq!((frames.count, frames.side), (1 + tiling.0 * tiling.1, 378));
        assert_eq!(frames.pixels.len(), frames.count * 378 * 378 * 3);
    }
}

/// Ids of a prompt about a picture, the picture's own positions left out.
fn ids(config: &Config, tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let request = Request {
        images: &[b"not looked at here"],
        messages: &[Message::user(text)],
        max_new_tokens: 1,
        stop: Stop::AtStopId,
        pass: Pass::Fused,
    };
    config.forms.ask(&request, tokenizer).unwrap().ids
}

#[test]
fn prompts_of_june_are_the_published_ids_around_the_question() {
    let config = published(Revision::June);
    let tokenizer = Tokenizer::load(&root("datasets/checkpoints").join(NAME)).unwrap();
    let question = tokenizer.encode("What shape is yellow?").unwrap();
    assert_eq!(
        ids(&config, &tokenizer, "What shape is yellow?"),
        [&[1, 15381, 2], &question[..], &[3, 3]].concat()
    );
    assert_eq!(
        (config.forms.bos, config.forms.eos, config.forms.answer),
        (0, 0, Some(3))
    );
}

/// The ids the published tokenizer gives, for those who have it: it is not ours to redistribute. The
/// environment variable names a folder that holds `moondream2-2025-01-09/tokenizer.json`.
#[test]
fn prompts_of_january_have_the_published_ids() {
    let Some(folder) = std::env::var_os("VLM_BENCH_TOKENIZERS") else {
        eprintln!("note: VLM_BENCH_TOKENIZERS is not set, the published tokenizer is not checked");
        return;
    };
    let config = published(Revision::January);
    let tokenizer = Tokenizer::load(&Path::new(&folder).join("moondream2-2025-01-09")).unwrap();
    let (before, after) = ([198, 198, 24361, 25], [198, 198, 33706, 25]);
    let question = [2061, 318, 287, 428, 2939, 30];
    assert_eq!(
        ids(&config, &tokenizer, "What is in this image?"),
        [&before[..], &question, &after].concat()
    );
    assert_eq!(tokenizer.encode("\n\nQuestion:").unwrap(), before);
    assert_eq!(tokenizer.encode("\n\nAnswer:").unwrap(), after);
    for (caption, wanted) in [
        ("Short caption:", [198, 198, 16438, 8305, 25]),
        ("\n\nCaption:", [198, 198, 24334, 1159, 25]),
    ] {
        assert_eq!(ids(&config, &tokenizer, caption), wanted, "{caption}");
    }
    assert_eq!(tokenizer.id("<|endoftext|>"), Some(config.forms.bos));
    assert_eq!((config.forms.eos, config.forms.answer), (50256, None));
}
