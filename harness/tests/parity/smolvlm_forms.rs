//! SmolVLM in other sizes than the embedded checkpoints', and in the forms it is published in:
//! whatever holds the same values answers the same.

use harness::models::Precision;
use harness::models::smolvlm::SmolVlm;
use harness::picture::Frames;
use harness::subject::Reply;
use harness::tensor::Tensor;
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::made::{Dense, ask, floats, kernels_first, quantised, random, side_files, write};
use crate::reference::Reference;

const NAME: &str = "tiny-smolvlm-500m-instruct";
const TABLE: &str = "language_model.embed_tokens.weight";
const HEAD: &str = "language_model.lm_head.weight";

on_each_backend!(
    codes_answer_as_their_values_do,
    hugging_face_files_answer_as_mlx_files_do,
    a_table_that_is_the_head_too_answers_as_two_equal_ones,
    pixels_that_fill_no_patch_are_left_out,
);

/// Tiles of `image` pixels with patches of 12, of which 2 x 2 are merged, up to three tiles a side; eight
/// query heads on four key heads of 24, two text blocks, three vision blocks.
fn other_sizes(image: usize) -> tempfile::TempDir {
    let edit = |config: &mut Value| {
        let set = |config: &mut Value, sizes: &[(&str, usize)]| {
            for (key, size) in sizes {
                config[key] = json!(size);
            }
        };
        let text = [
            ("hidden_size", 128),
            ("head_dim", 24),
            ("num_attention_heads", 8),
            ("num_key_value_heads", 4),
            ("num_hidden_layers", 2),
            ("intermediate_size", 256),
        ];
        set(&mut config["text_config"], &text);
        let vision = [
            ("hidden_size", 64),
            ("num_attention_heads", 2),
            ("num_hidden_layers", 3),
            ("intermediate_size", 128),
            ("image_size", image),
            ("patch_size", 12),
        ];
        set(&mut config["vision_config"], &vision);
    };
    side_files(NAME, edit, |picture| {
        picture["size"] = json!({ "longest_edge": 3 * image });
        picture["max_image_size"] = json!({ "longest_edge": image });
    })
}

/// The path: 3 vision blocks with 16 keys, the 256-wide projection, 2 text blocks with up to 100 keys, and
/// the head.
fn check_same(what: &str, ours: &Reply, theirs: &Reply) {
    let vision = 3 * (4 * 64 + 16 + 16 + 64 + 128);
    let text = 2 * (2 * 128 + 2 * 192 + 100 + 100 + 2 * 128 + 256);
    let reference = Reference::load(NAME, vision + 256 + text + 128);
    reference.check_close(what, &ours.first_logits, &theirs.first_logits);
    assert_eq!(ours.input_ids, theirs.input_ids, "{what}");
    // 256 x 128 pixels: three columns and two rows of tiles, and the overview.
    assert_eq!(ours.image_tokens, 7 * 4, "{what}");
}

fn codes_answer_as_their_values_do<T: Tensor + 'static>(on: &T::Device) {
    for (bits, group) in [(4, 32), (4, 64), (8, 128)] {
        let dir = other_sizes(48);
        let mut dense = random(dir.path());
        let codes = quantised(&mut dense, bits, group);
        assert!(codes.contains_key("language_model.lm_head.scales"));
        let ours = ask::<T>(NAME, dir.path(), &codes, on);
        let theirs = ask::<T>(NAME, dir.path(), &floats(&dense, Dtype::F32), on);
        check_same(&format!("{bits} bits, {group} a group"), &ours, &theirs);
    }
}

/// Hugging Face's files: kernels `[n, 3, p, p]`, names of their own, any float type.
fn hugging_face_files_answer_as_mlx_files_do<T: Tensor + 'static>(on: &T::Device) {
    let dir = other_sizes(48);
    let mut dense = random(dir.path());
    let mlx = ask::<T>(NAME, dir.path(), &floats(&dense, Dtype::F32), on);
    kernels_first(&mut dense);
    let renamed = dense.into_iter();
    let renamed: Dense = renamed
        .map(|(name, tensor)| (hugging_face_name(&name), tensor))
        .collect();
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
        let ours = ask::<T>(NAME, dir.path(), &floats(&renamed, dtype), on);
        check_same(&format!("{dtype:?}"), &ours, &mlx);
    }
}

fn hugging_face_name(name: &str) -> String {
    match name.strip_prefix("language_model.") {
        Some(head) if head.starts_with("lm_head.") => head.to_owned(),
        Some(text) => format!("model.text_model.{text}"),
        None => format!("model.{name}"),
    }
}

fn a_table_that_is_the_head_too_answers_as_two_equal_ones<T: Tensor + 'static>(on: &T::Device) {
    let dir = other_sizes(48);
    let mut dense = random(dir.path());
    let table = dense[TABLE].clone();
    dense.insert(HEAD.to_owned(), table);
    let two = ask::<T>(NAME, dir.path(), &floats(&dense, Dtype::F32), on);
    dense.remove(HEAD);
    let path = dir.path().join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["tie_word_embeddings"] = json!(true);
    std::fs::write(path, config.to_string()).unwrap();
    let one = ask::<T>(NAME, dir.path(), &floats(&dense, Dtype::F32), on);
    check_same("tied", &one, &two);
}

/// As by a convolution without padding: the published 2.2B model has patches of 14 on tiles of 384.
fn pixels_that_fill_no_patch_are_left_out<T: Tensor + 'static>(on: &T::Device) {
    let (whole, wide) = (other_sizes(48), other_sizes(53));
    let parts = floats(&random(whole.path()), Dtype::F32);
    let value = |x: usize, y: usize, channel: usize| ((7 * x + 13 * y + channel) % 17) as f32 / 8.0;
    let seen = |dir: &tempfile::TempDir, side: usize| {
        write(dir.path(), &parts);
        let model = SmolVlm::<T>::load(dir.path(), on, Precision::F32).unwrap();
        let pixels = (0..side * side * 3).map(|i| value(i / 3 % side, i / 3 / side, i % 3));
        let frames = Frames {
            side,
            count: 1,
            rows: 0,
            cols: 0,
            original: (side, side),
            pixels: pixels.collect(),
        };
        model.see(&frames).unwrap().to_f32().unwrap()
    };
    assert_eq!(seen(&wide, 53), seen(&whole, 48));
    let reply = ask::<T>(NAME, wide.path(), &parts, on);
    assert_eq!(reply.image_tokens, 7 * 4);
}
