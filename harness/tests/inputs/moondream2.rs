//! Moondream2.

use std::fs;

use harness::models::moondream2::config::{Config, Revision};
use harness::models::moondream2::image::{ImageConfig, prepare};
use harness::picture::{Frames, Picture};
use harness::subject::{Message, Pass, Request, Stop};
use harness::tensor::DType;
use harness::tokenizer::Tokenizer;
use serde_json::json;

use crate::golden::{
    check_bits, check_statistics, checkpoint, items, picture, plain, published_tokenizer,
};

const NAME: &str = "tiny-moondream2";

fn image_config(config: &Config) -> ImageConfig {
    ImageConfig {
        crop: config.vision.crop,
        margin: config.vision.margin * config.vision.patch,
        max_crops: config.vision.max_crops,
        dtype: DType::BF16,
    }
}

fn tiny() -> Config {
    Config::of_files(&checkpoint(NAME)).unwrap()
}

fn preparation() -> impl Fn(&Picture) -> Frames {
    let config = image_config(&tiny());
    move |picture| prepare(picture, &config).unwrap()
}

#[test]
fn tilings_and_pixels_equal_the_reference_bit_for_bit() {
    check_statistics(NAME, preparation());
    assert_eq!(check_bits(NAME, preparation()), 2);
    for item in items(NAME) {
        if let Some(picture) = picture(&item) {
            let frames = preparation()(&picture);
            let tiling = json!([frames.rows, frames.cols]);
            assert_eq!(tiling, item["tiling"], "{}", item["id"]);
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
    for (size, tiling) in [
        ((640, 480), (2, 4)),
        ((1920, 1080), (2, 4)),
        ((480, 640), (4, 2)),
        ((1024, 1024), (3, 3)),
        ((300, 200), (1, 1)),
    ] {
        let frames = prepare(&plain(size), &image_config(&config)).unwrap();
        assert_eq!((frames.rows, frames.cols), tiling, "{size:?}");
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
    let tokenizer = Tokenizer::load(&checkpoint(NAME)).unwrap();
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

#[test]
fn prompts_of_january_have_the_published_ids() {
    let Some(tokenizer) = published_tokenizer("moondream2-2025-01-09", &[]) else {
        return;
    };
    let config = published(Revision::January);
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
