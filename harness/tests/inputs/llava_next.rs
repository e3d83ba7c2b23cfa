//! LLaVA-NeXT.

use harness::chat::ChatTemplate;
use harness::models::llava_next::image::{ImageConfig, prepare};
use harness::models::llava_next::prompt::{IMAGE, Kept, check_messages, expand};
use harness::picture::{Frames, Picture};
use harness::subject::Message;
use harness::tokenizer::Tokenizer;
use serde_json::json;

use crate::golden::{
    check_bits, check_statistics, check_text, checkpoint, items, picture, plain,
    published_tokenizer,
};

const NAMES: [&str; 2] = [
    "tiny-llava-v1.6-mistral-7b",
    "tiny-llava-v1.6-mistral-7b-4bit",
];
/// Patches of a tile's side.
const SIDE: usize = 8;
const PUBLISHED_SIDE: usize = 24;

fn preparation(name: &str) -> impl Fn(&Picture) -> Frames {
    let config = ImageConfig::load(&checkpoint(name)).unwrap();
    move |picture| prepare(picture, &config).unwrap()
}

/// The preparation of files that leave out what equals the reference's defaults.
fn published() -> ImageConfig {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("preprocessor_config.json"), "{}").unwrap();
    ImageConfig::load(dir.path()).unwrap()
}

/// Prompt and ids of a conversation about pictures that take so many positions.
fn ids(tokenizer: &Tokenizer, messages: &[Message], counts: &[usize]) -> (String, Vec<u32>) {
    let template = ChatTemplate::load(&checkpoint(NAMES[0])).unwrap();
    check_messages(messages).unwrap();
    let mark = |_| format!("{IMAGE}\n");
    let text = template.render(messages, counts.len(), mark).unwrap();
    let image = tokenizer.id(IMAGE).unwrap();
    let (ids, positions) = expand(&tokenizer.encode(&text).unwrap(), image, counts).unwrap();
    let places: Vec<usize> = (0..ids.len()).filter(|&at| ids[at] == image).collect();
    assert_eq!(positions, places);
    (text, ids)
}

#[test]
fn prompts_and_ids_equal_the_reference() {
    for name in NAMES {
        let tokenizer = Tokenizer::load(&checkpoint(name)).unwrap();
        let (prepare, items) = (preparation(name), items(name));
        assert_eq!(items.len(), 11);
        for item in items {
            let messages: Vec<Message> = serde_json::from_value(item["messages"].clone()).unwrap();
            let frames = picture(&item).map(|picture| prepare(&picture));
            let positions = |frames| Kept::of(frames, SIDE).positions(SIDE);
            let counts: Vec<_> = frames.iter().map(positions).collect();
            let (text, ids) = ids(&tokenizer, &messages, &counts);
            assert_eq!(text, item["prompt"], "{name} {}", item["id"]);
            assert_eq!(json!(ids), item["input_ids"], "{name} {}", item["id"]);
            if let [count] = counts[..] {
                assert_eq!(item["image_tokens"], count, "{name} {}", item["id"]);
            }
            check_text(&tokenizer, &item);
        }
    }
}

#[test]
fn pixels_equal_the_reference_bit_for_bit() {
    for name in NAMES {
        check_statistics(name, preparation(name));
        assert_eq!(check_bits(name, preparation(name)), 2);
    }
}

#[test]
fn token_counts_are_the_published_ones() {
    for (size, wanted) in [
        ((640, 480), 2340),
        ((1920, 1080), 1948),
        ((480, 640), 2352),
        ((1024, 1024), 2928),
        ((336, 336), 1176),
        ((899, 1024), 2640),
    ] {
        let frames = prepare(&plain(size), &published()).unwrap();
        let kept = Kept::of(&frames, PUBLISHED_SIDE);
        assert_eq!(kept.positions(PUBLISHED_SIDE), wanted, "{size:?}");
    }
}

#[test]
fn the_published_ids() {
    let Some(tokenizer) = published_tokenizer(
        "llava-v1.6-mistral-7b",
        &[(32_000, IMAGE), (32_001, "<pad>")],
    ) else {
        return;
    };
    let ids = |messages: &[Message], counts: &[usize]| ids(&tokenizer, messages, counts).1;
    let (open, close) = ([733, 16289, 28793], [733, 28748, 16289, 28793]);
    let shown = [3195, 349, 4894, 297, 456, 3469, 28804];
    let pictured = |count: usize, question: &[u32]| {
        let image = vec![32000; count];
        [
            &[1][..],
            &open,
            &[28705],
            &image,
            &[28705, 13],
            question,
            &close,
        ]
        .concat()
    };
    let asked = [Message::user("What is shown in this image?")];
    for (count, length) in [(1, 19), (2340, 2358), (1948, 1966)] {
        let found = ids(&asked, &[count]);
        assert_eq!(found, pictured(count, &shown));
        assert_eq!(found.len(), length);
    }

    let capital = [1824, 349, 272, 5565, 302, 4843, 28804];
    let asked = [Message::user("What is the capital of France?")];
    let wanted = [&[1][..], &open, &capital, &close].concat();
    assert_eq!(ids(&asked, &[]), wanted);

    let told = [
        330, 5255, 28723, 2, 28705, 733, 16289, 28793, 1824, 11474, 349, 378, 28804, 733, 28748,
        16289, 28793, 4777, 28723, 2, 28705, 733, 16289, 28793, 1691, 378, 15231, 28804, 733,
        28748, 16289, 28793,
    ];
    let conversation = [
        Message::user("What is in this image?"),
        Message::assistant("A cat."),
        Message::user("What colour is it?"),
        Message::assistant("Black."),
        Message::user("Is it asleep?"),
    ];
    let question = [3195, 349, 297, 456, 3469, 28804];
    let wanted = [&pictured(1, &question)[..], &told].concat();
    assert_eq!(ids(&conversation, &[1]), wanted);
}
