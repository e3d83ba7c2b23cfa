//! Moondream2 in other sizes than the embedded checkpoint's, and in the forms it is published in:
//! whatever holds the same values answers the same.

use std::io::Cursor;

use harness::subject::Reply;
use harness::tensor::Tensor;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::made::{Dense, ask_about, floats, quantised, random, side_files, write};
use crate::reference::Reference;

const NAME: &str = "tiny-moondream2";
/// Pixels of a crop's side.
const CROP: u32 = 64;

on_each_backend!(
    codes_answer_as_their_values_do,
    published_files_answer_as_mlx_files_do,
);

/// Crops of 64 pixels with patches of 16, four query heads on two key heads of 32, two text blocks, three
/// vision blocks.
fn other_sizes() -> tempfile::TempDir {
    let edit = |config: &mut Value| {
        for (key, size) in [
            ("text/dim", 128),
            ("text/ff_dim", 256),
            ("text/n_layers", 2),
            ("text/n_heads", 4),
            ("text/n_kv_heads", 2),
            ("text/prefix_attn", 17),
            ("vision/enc_dim", 64),
            ("vision/enc_patch_size", 16),
            ("vision/enc_n_layers", 3),
            ("vision/enc_n_heads", 2),
            ("vision/enc_ff_dim", 128),
            ("vision/proj_inner_dim", 256),
            ("vision/proj_out_dim", 128),
            ("vision/max_crops", 3),
        ] {
            let (part, key) = key.split_once('/').unwrap();
            config["config"][part][key] = json!(size);
        }
    };
    side_files(NAME, edit, |_| ())
}

/// One crop of black and white: pixels are rounded to the type that weights are stored in, and these are
/// the same in all.
fn picture() -> Vec<u8> {
    let pixel =
        |x: u32, y: u32| Rgb([0, 1, 2].map(|c| 255 * u8::from((3 * x + 5 * y + c) % 7 < 3)));
    let picture = DynamicImage::from(RgbImage::from_fn(CROP, CROP, pixel));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// The path: 3 vision blocks with 16 keys, the projector's 128 and 256, 2 text blocks with up to 60 keys,
/// and the head.
fn check_same(what: &str, ours: &Reply, theirs: &Reply) {
    let vision = 3 * (768 + 4 * 64 + 16 + 16 + 64 + 128);
    let text = 2 * (4 * 128 + 60 + 60 + 128 + 256);
    let reference = Reference::load(NAME, vision + 128 + 256 + text + 128);
    reference.check_close(what, &ours.first_logits, &theirs.first_logits);
    assert_eq!(ours.input_ids, theirs.input_ids, "{what}");
    assert_eq!(ours.image_tokens, 16, "{what}");
}

fn codes_answer_as_their_values_do<T: Tensor + 'static>(on: &T::Device) {
    for (bits, group) in [(4, 64), (8, 32)] {
        let dir = other_sizes();
        let mut dense = random(dir.path());
        let codes = quantised(&mut dense, bits, group);
        for layer in ["text.model.embed_tokens", "vision.encoder.patch_emb"] {
            assert!(codes.contains_key(&format!("{layer}.scales")), "{layer}");
        }
        write(dir.path(), &codes);
        let ours = ask_about::<T>(&picture(), dir.path(), on);
        write(dir.path(), &floats(&dense, Dtype::F32));
        let theirs = ask_about::<T>(&picture(), dir.path(), on);
        check_same(&format!("{bits} bits, {group} a group"), &ours, &theirs);
    }
}

fn published_files_answer_as_mlx_files_do<T: Tensor + 'static>(on: &T::Device) {
    let dir = other_sizes();
    let dense = random(dir.path());
    write(dir.path(), &floats(&dense, Dtype::F32));
    let mlx = ask_about::<T>(&picture(), dir.path(), on);
    let renamed = dense.into_iter();
    let renamed: Dense = renamed
        .map(|(name, tensor)| (published_name(&name), tensor))
        .collect();
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
        write(dir.path(), &floats(&renamed, dtype));
        let ours = ask_about::<T>(&picture(), dir.path(), on);
        check_same(&format!("{dtype:?}"), &ours, &mlx);
    }
}

/// What the publication calls a tensor of mlx-vlm's conversion.
fn published_name(name: &str) -> String {
    if name == "text.model.embed_tokens.weight" {
        return "model.text.wte".to_owned();
    }
    let name = name.replacen("text.model.layers.", "text.blocks.", 1);
    let name = name.replacen("text.model.", "text.", 1);
    format!("model.{}", name.replacen("vision.encoder.", "vision.", 1))
}
