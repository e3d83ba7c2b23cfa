//! What SmolVLM is fed, against the reference: prompt, input ids, pixel values.

#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::fs;
use std::path::{Path, PathBuf};

use harness::chat::ChatTemplate;
use harness::models::smolvlm::image::{ImageConfig, prepare};
use harness::models::smolvlm::prompt::{Grid, check_messages, expand};
use harness::picture::{Frames, Picture};
use harness::subject::Message;
use harness::tokenizer::Tokenizer;
use safetensors::SafeTensors;
use serde_json::Value;

const CHECKPOINTS: [&str; 2] = [
    "tiny-smolvlm-500m-instruct",
    "tiny-smolvlm2-500m-video-instruct-mlx",
];
/// Both have 16 features a frame; the published models 64.
const TOKENS_PER_FRAME: usize = 16;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn checkpoint(name: &str) -> PathBuf {
    root("datasets/checkpoints").join(name)
}

fn items(name: &str) -> Vec<Value> {
    let path = root("harness/tests/golden").join(format!("{name}.json"));
    let root: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    root["items"].as_array().unwrap().clone()
}

/// The item's picture, prepared; none for text items.
fn frames(item: &Value, config: &ImageConfig) -> Option<Frames> {
    let path = root("datasets/shapes").join(item["image"].as_str()?);
    let picture = Picture::decode(&fs::read(path).unwrap()).unwrap();
    Some(prepare(&picture, config).unwrap())
}

fn grid(frames: &Frames) -> Grid {
    Grid {
        rows: frames.rows,
        cols: frames.cols,
    }
}

/// Templates of these checkpoints take pictures as such, so no mark is ever written.
fn mark(_: usize) -> String {
    String::new()
}

#[test]
fn prompts_and_ids_equal_the_reference() {
    for name in CHECKPOINTS {
        let dir = checkpoint(name);
        let template = ChatTemplate::load(&dir).unwrap();
        let tokenizer = Tokenizer::load(&dir).unwrap();
        let config = ImageConfig::load(&dir).unwrap();
        let items = items(name);
        assert_eq!(items.len(), 11);
        for item in items {
            let messages: Vec<Message> = serde_json::from_value(item["messages"].clone()).unwrap();
            check_messages(&messages).unwrap();
            let grids: Vec<Grid> = frames(&item, &config).iter().map(grid).collect();
            let prompt = template.render(&messages, grids.len(), mark).unwrap();
            assert_eq!(prompt, item["prompt"], "{name} {}", item["id"]);
            let ids = tokenizer
                .encode(&expand(&prompt, &grids, TOKENS_PER_FRAME).unwrap())
                .unwrap();
            assert_eq!(
                serde_json::json!(ids),
                item["input_ids"],
                "{name} {}",
                item["id"]
            );
            let answer: Vec<u32> = serde_json::from_value(item["output_ids"].clone()).unwrap();
            assert_eq!(
                tokenizer.decode(&answer).unwrap(),
                item["output_text"],
                "{name} {}",
                item["id"]
            );
        }
        assert_eq!(tokenizer.vocab_size(), 1006);
        assert_eq!(tokenizer.id("<image>"), Some(998));
        assert_eq!(tokenizer.id("no such token"), None);
    }
}

#[test]
fn pixels_equal_the_reference_bit_for_bit() {
    let name = CHECKPOINTS[0];
    let config = ImageConfig::load(&checkpoint(name)).unwrap();
    let bytes = fs::read(root("harness/tests/golden").join(format!("{name}.safetensors"))).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for item in items(name) {
        let id = item["id"].as_str().unwrap();
        let Ok(wanted) = tensors.tensor(&format!("{id}.pixel_values")) else {
            continue;
        };
        let frames = frames(&item, &config).unwrap();
        assert_eq!(
            wanted.shape(),
            [1, frames.count, 3, frames.side, frames.side],
            "{id}"
        );
        let wanted: Vec<u32> = wanted
            .data()
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let found: Vec<u32> = channels_first(&frames).map(f32::to_bits).collect();
        assert!(found == wanted, "{id}: pixels differ");
    }
}

/// Our `[count, side, side, 3]` in the reference's order, `[count, 3, side, side]`.
fn channels_first(frames: &Frames) -> impl Iterator<Item = f32> {
    let area = frames.side * frames.side;
    frames.pixels.chunks_exact(3 * area).flat_map(move |frame| {
        (0..3).flat_map(move |channel| frame.iter().skip(channel).step_by(3).copied())
    })
}

#[test]
fn pixel_statistics_equal_the_reference() {
    for name in CHECKPOINTS {
        let config = ImageConfig::load(&checkpoint(name)).unwrap();
        for item in items(name) {
            let (Some(frames), Some(wanted)) = (frames(&item, &config), item.get("pixel_values"))
            else {
                continue;
            };
            let id = format!("{name} {}", item["id"]);
            let shape = [1, frames.count, 3, frames.side, frames.side];
            assert_eq!(serde_json::json!(shape), wanted["shape"], "{id}");
            let values: Vec<f64> = channels_first(&frames).map(f64::from).collect();
            let ends = [&values[..8], &values[values.len() - 8..]];
            assert_eq!(
                serde_json::json!(ends),
                serde_json::json!([wanted["first"], wanted["last"]]),
                "{id}"
            );
            let sums = [
                values.iter().sum::<f64>(),
                values.iter().map(|value| value.abs()).sum(),
            ];
            for (found, key) in sums.into_iter().zip(["sum", "abs_sum"]) {
                // Both sums are of f32 values in f64; only the order of addition differs.
                let wanted = wanted[key].as_f64().unwrap();
                assert!(
                    (found - wanted).abs() <= 1e-9 * sums[1],
                    "{id}: {key} {found}, not {wanted}"
                );
            }
        }
    }
}

#[test]
fn the_published_renderings() {
    let template = ChatTemplate::load(&checkpoint(CHECKPOINTS[0])).unwrap();
    let check = |messages: &[Message], images, wanted| {
        assert_eq!(template.render(messages, images, mark).unwrap(), wanted);
    };
    check(
        &[Message::user("Describe this image.")],
        1,
        "<|im_start|>User:<image>Describe this image.<end_of_utterance>\nAssistant:",
    );
    check(
        &[Message::user("What is the capital of France?")],
        0,
        "<|im_start|>User: What is the capital of France?<end_of_utterance>\nAssistant:",
    );
    check(
        &[
            Message::user("What is in this image?"),
            Message::assistant("A cat."),
            Message::user("What colour is it?"),
            Message::assistant("Black."),
            Message::user("Is it asleep?"),
        ],
        1,
        "<|im_start|>User:<image>What is in this image?<end_of_utterance>\nAssistant: A cat.<end_of_utterance>\n\
         User: What colour is it?<end_of_utterance>\nAssistant: Black.<end_of_utterance>\n\
         User: Is it asleep?<end_of_utterance>\nAssistant:",
    );
}

#[test]
fn a_message_cannot_forge_a_picture() {
    let template = ChatTemplate::load(&checkpoint(CHECKPOINTS[0])).unwrap();
    let messages = [Message::user("Is <image> a cat?")];
    for images in [0, 1] {
        let prompt = template.render(&messages, images, mark).unwrap();
        let grids = vec![Grid { rows: 1, cols: 1 }; images];
        assert!(expand(&prompt, &grids, TOKENS_PER_FRAME).is_err());
    }
    assert!(check_messages(&messages).is_err());
}

/// The ids the published tokenizer gives, for those who have it: it is not ours to redistribute. The environment
/// variable names a folder that holds `smolvlm/tokenizer.json`.
#[test]
fn the_published_ids() {
    let Some(folder) = std::env::var_os("VLM_BENCH_TOKENIZERS") else {
        eprintln!("note: VLM_BENCH_TOKENIZERS is not set, the published tokenizer is not checked");
        return;
    };
    let tokenizer = Tokenizer::load(&Path::new(&folder).join("smolvlm")).unwrap();
    let template = ChatTemplate::load(&checkpoint(CHECKPOINTS[0])).unwrap();
    let describe = template
        .render(&[Message::user("Describe this image.")], 1, mark)
        .unwrap();
    let capital = template
        .render(&[Message::user("What is the capital of France?")], 0, mark)
        .unwrap();
    let question = [37964, 451, 2443, 30, 49279, 198, 9519, 9531, 42];
    assert_eq!(
        tokenizer.encode(&describe).unwrap(),
        [&[1, 11126, 42, 49190][..], &question].concat()
    );
    assert_eq!(
        tokenizer.encode(&capital).unwrap(),
        [
            1, 11126, 42, 1812, 314, 260, 3575, 282, 4649, 47, 49279, 198, 9519, 9531, 42
        ]
    );
    let expanded = |rows, cols| {
        tokenizer
            .encode(&expand(&describe, &[Grid { rows, cols }], 64).unwrap())
            .unwrap()
    };
    assert_eq!(
        expanded(3, 4),
        [&[1, 11126, 42][..], &three_by_four(), &question].concat()
    );
    assert_eq!(expanded(3, 4).len(), 874);
    assert_eq!(expanded(4, 3).len(), 875);
    assert_eq!(expanded(4, 4).len(), 1139);
    assert_eq!(expanded(0, 0).len(), 79);
}

/// Twelve tiles and the global frame; the last row's newline and the one after it are one id.
fn three_by_four() -> Vec<u32> {
    let mut ids = Vec::new();
    for row in 0..3 {
        for col in 0..4 {
            ids.extend([49189, 49153 + 6 * row + col]);
            ids.extend([49190; 64]);
        }
        ids.push(if row == 2 { 1116 } else { 198 });
    }
    ids.extend([49189, 49152]);
    ids.extend([49190; 64]);
    ids.push(49189);
    ids
}
