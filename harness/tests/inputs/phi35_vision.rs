//! Phi-3.5-vision.

use harness::chat::ChatTemplate;
use harness::models::phi35_vision::image::{ImageConfig, prepare};
use harness::models::phi35_vision::prompt::{check_messages, expand, mark, positions};
use harness::picture::Frames;
use harness::subject::Message;
use harness::tokenizer::Tokenizer;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::golden::{
    channels_first, check_text, checkpoint, items, picture, plain, published_tokenizer, tensors,
};

const NAME: &str = "tiny-phi-3.5-vision-instruct-4bit";
/// Tokens of a tile's side, in the small checkpoint as in the published ones.
const SIDE: usize = 12;

/// The checkpoint's preparation with another limit of tiles.
fn config(crops: usize) -> ImageConfig {
    let config = ImageConfig::load(&checkpoint(NAME), 336).unwrap();
    assert_eq!(config.crops, 4);
    ImageConfig { crops, ..config }
}

/// The item's picture, prepared; none for text items.
fn frames(item: &Value) -> Option<Frames> {
    Some(prepare(&picture(item)?, &config(4)).unwrap())
}

fn line(number: usize) -> String {
    format!("{}\n", mark(number))
}

/// Ids of a conversation about pictures that take so many positions.
fn ids(tokenizer: &Tokenizer, messages: &[Message], counts: &[usize]) -> (String, Vec<i64>) {
    let template = ChatTemplate::load(&checkpoint(NAME)).unwrap();
    check_messages(messages).unwrap();
    let text = template.render(messages, counts.len(), line).unwrap();
    let (ids, places) = expand(&text, counts, |part| tokenizer.encode(part)).unwrap();
    let negative: Vec<usize> = (0..ids.len()).filter(|&at| ids[at] < 0).collect();
    assert_eq!(places, negative);
    (text, ids)
}

#[test]
fn prompts_and_ids_equal_the_reference() {
    let tokenizer = Tokenizer::load(&checkpoint(NAME)).unwrap();
    let items = items(NAME);
    assert_eq!(items.len(), 12);
    for item in items {
        let messages: Vec<Message> = serde_json::from_value(item["messages"].clone()).unwrap();
        let counts: Vec<_> = frames(&item).iter().map(|f| positions(f, SIDE)).collect();
        let (text, ids) = ids(&tokenizer, &messages, &counts);
        assert_eq!(text, item["prompt"], "{}", item["id"]);
        assert_eq!(json!(ids), item["input_ids"], "{}", item["id"]);
        if let [count] = counts[..] {
            assert_eq!(item["image_tokens"], count, "{}", item["id"]);
        }
        check_text(&tokenizer, &item);
    }
}

/// How far two correct computations of a value of the overview may lie apart: ten roundings on the way
/// through two sums of four products, of terms that add up to (44 / 32)^2 of the largest value.
fn overview_bound(top: f32) -> f32 {
    10.0 * 2f32.powi(-24) * (44.0f32 / 32.0).powi(2) * top
}

#[test]
fn pixels_equal_the_stored_ones_to_the_last_place() {
    let bytes = tensors(NAME);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let items = items(NAME);
    let item = items.iter().find(|item| item["id"] == "v3_where").unwrap();
    let frames = frames(item).unwrap();
    let wanted = tensors.tensor("v3_where.pixel_values").unwrap();
    assert_eq!(wanted.shape(), [frames.count, 3, frames.side, frames.side]);
    let halves = wanted.data().as_chunks::<2>().0.iter();
    let wanted: Vec<_> = halves.map(|b| half::f16::from_le_bytes(*b)).collect();
    let (found, in_frame) = (channels_first(&frames), 3 * frames.side * frames.side);
    for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        if at >= in_frame {
            assert_eq!(half::f16::from_f32(*found), *wanted, "{at}");
            continue;
        }
        let wanted = wanted.to_f32();
        let allowed = overview_bound(2.5) + 2f32.powi(-11) * wanted.abs();
        assert!(
            (found - wanted).abs() <= allowed,
            "{at}: {found} is not {wanted}"
        );
    }
}

#[test]
fn pixel_statistics_equal_the_reference() {
    for item in items(NAME) {
        let (Some(frames), Some(wanted)) = (frames(&item), item.get("pixel_values")) else {
            continue;
        };
        let id = &item["id"];
        let shape = [frames.count, 3, frames.side, frames.side];
        assert_eq!(json!(shape), wanted["shape"], "{id}");
        let size = [frames.rows * frames.side, frames.cols * frames.side];
        assert_eq!(json!(size), item["image_sizes"], "{id}");
        let values = channels_first(&frames);
        let allowed = f64::from(overview_bound(2.5));
        let listed = |key: &str| serde_json::from_value::<Vec<f64>>(wanted[key].clone()).unwrap();
        for (found, wanted) in values.iter().zip(listed("first")) {
            assert!(
                (f64::from(*found) - wanted).abs() <= allowed,
                "{id}: {found}"
            );
        }
        let last: Vec<_> = values[values.len() - 8..]
            .iter()
            .map(|&v| f64::from(v))
            .collect();
        assert_eq!(last, listed("last"), "{id}");
        let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
        let gap = (sum - wanted["sum"].as_f64().unwrap()).abs();
        // Only the overview's values may differ at all.
        let overview = (3 * frames.side * frames.side) as f64;
        assert!(gap <= overview * allowed, "{id}: the sum is {gap} off");
    }
}

#[test]
fn token_counts_are_the_published_ones() {
    for (size, four, sixteen) in [
        ((640, 480), 757, 1921),
        ((1920, 1080), 757, 2353),
        ((480, 640), 757, 1933),
        ((1280, 640), 457, 2353),
        ((1024, 1024), 757, 2509),
    ] {
        let picture = plain(size);
        let count = |crops| positions(&prepare(&picture, &config(crops)).unwrap(), SIDE);
        assert_eq!((count(4), count(16)), (four, sixteen), "{size:?}");
    }
}

#[test]
fn the_published_ids() {
    let Some(tokenizer) = published_tokenizer("phi-3.5-vision", &[]) else {
        return;
    };
    let ids = |messages: &[Message], counts: &[usize]| ids(&tokenizer, messages, counts).1;
    let start = [1, 32010, 29871, 13];
    let what = [
        1, 29871, 13, 5618, 338, 297, 445, 1967, 29973, 32007, 29871, 13, 32001,
    ];
    let pictured = [&start[..], &[-1; 757], &what].concat();
    let question = Message::user("What is in this image?");
    assert_eq!(ids(std::slice::from_ref(&question), &[757]), pictured);

    let capital = [
        5618, 338, 278, 7483, 310, 3444, 29973, 32007, 29871, 13, 32001,
    ];
    let asked = [Message::user("What is the capital of France?")];
    assert_eq!(ids(&asked, &[]), [&start[..], &capital].concat());

    let told = [
        319, 6635, 29889, 32007, 29871, 13, 32010, 29871, 13, 5618, 12384, 338, 372, 29973, 32007,
        29871, 13, 32001, 6054, 29889, 32007, 29871, 13, 32010, 29871, 13, 3624, 372, 408, 5436,
        29973, 32007, 29871, 13, 32001,
    ];
    let conversation = [
        question,
        Message::assistant("A cat."),
        Message::user("What colour is it?"),
        Message::assistant("Black."),
        Message::user("Is it asleep?"),
    ];
    assert_eq!(ids(&conversation, &[757]), [&pictured[..], &told].concat());

    let describe = [Message::user("Describe this image.")];
    assert_eq!(ids(&[Message::user("Hi there.")], &[]).len(), 11);
    for (counts, wanted) in [(&[757][..], 773), (&[2509], 2525), (&[757, 757], 1533)] {
        assert_eq!(ids(&describe, counts).len(), wanted, "{counts:?}");
    }
}
