//! SmolVLM.

use harness::chat::ChatTemplate;
use harness::models::smolvlm::image::{ImageConfig, prepare};
use harness::models::smolvlm::prompt::{Grid, check_messages, expand};
use harness::picture::{Frames, Picture};
use harness::subject::Message;
use harness::tokenizer::Tokenizer;

use crate::golden::{
    check_bits, check_statistics, check_text, checkpoint, items, picture, published_tokenizer,
};

const CHECKPOINTS: [&str; 2] = [
    "tiny-smolvlm-500m-instruct",
    "tiny-smolvlm2-500m-video-instruct-mlx",
];
/// Both have 16 features a frame; the published models 64.
const TOKENS_PER_FRAME: usize = 16;

/// The checkpoint's preparation.
fn preparation(name: &str) -> impl Fn(&Picture) -> Frames {
    let config = ImageConfig::load(&checkpoint(name)).unwrap();
    move |picture| prepare(picture, &config).unwrap()
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
        let (prepare, items) = (preparation(name), items(name));
        assert_eq!(items.len(), 11);
        for item in items {
            let messages: Vec<Message> = serde_json::from_value(item["messages"].clone()).unwrap();
            check_messages(&messages).unwrap();
            let frames = picture(&item).map(|picture| prepare(&picture));
            let grids: Vec<Grid> = frames.iter().map(grid).collect();
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
            check_text(&tokenizer, &item);
        }
        assert_eq!(tokenizer.vocab_size(), 1006);
        assert_eq!(tokenizer.id("<image>"), Some(998));
        assert_eq!(tokenizer.id("no such token"), None);
    }
}

#[test]
fn pixels_equal_the_reference_bit_for_bit() {
    for name in CHECKPOINTS {
        check_statistics(name, preparation(name));
    }
    assert_eq!(check_bits(CHECKPOINTS[0], preparation(CHECKPOINTS[0])), 2);
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

#[test]
fn the_published_ids() {
    let Some(tokenizer) = published_tokenizer("smolvlm", &[]) else {
        return;
    };
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
