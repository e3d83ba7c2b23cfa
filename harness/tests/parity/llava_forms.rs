//! LLaVA-NeXT in other sizes than the embedded checkpoint's, and in the forms it is published in:
//! whatever holds the same values answers the same.

use std::path::Path;

use harness::models::{Precision, load_on};
use harness::subject::{Message, Pass, Reply, Request, Stop};
use harness::tensor::Tensor;
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::made::{Dense, ask, floats, kernels_first, quantised, random, side_files, write};
use crate::reference::{Reference, checkpoint};

const NAME: &str = "tiny-llava-v1.6-mistral-7b";

on_each_backend!(
    codes_answer_as_their_values_do,
    hugging_face_files_answer_as_mlx_files_do,
    features_of_other_layers_are_taken,
    a_start_token_in_the_template_is_not_doubled,
);

/// Tiles of 48 pixels with patches of 12 on canvases of up to six, eight query heads on four key
/// heads of 24, two text blocks; features of the hidden state `layer` of three vision blocks.
fn other_sizes(layer: i64) -> tempfile::TempDir {
    let canvases = json!([[48, 96], [96, 48], [96, 144], [144, 96], [48, 240]]);
    let edit = |config: &mut Value| {
        let set = |config: &mut Value, sizes: &[(&str, usize)]| {
            for (key, size) in sizes {
                config[key] = json!(size);
            }
        };
        config["image_grid_pinpoints"] = canvases.clone();
        config["vision_feature_layer"] = json!(layer);
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
            ("image_size", 48),
            ("patch_size", 12),
        ];
        set(&mut config["vision_config"], &vision);
    };
    side_files(NAME, edit, |picture| {
        picture["image_grid_pinpoints"] = canvases.clone();
        picture["crop_size"] = json!({ "height": 48, "width": 48 });
        picture["size"] = json!({ "shortest_edge": 48 });
    })
}

/// Both computed in f32 from equal values; products may be summed up in other orders.
fn check_same(what: &str, ours: &Reply, theirs: &Reply) {
    let vision = 3 * (4 * 64 + 17 + 17 + 64 + 128);
    let text = 2 * (2 * 128 + 2 * 192 + 600 + 600 + 2 * 128 + 256);
    let reference = Reference::load(NAME, vision + 64 + 128 + text + 128);
    reference.check_close(what, &ours.first_logits, &theirs.first_logits);
    assert_eq!(ours.input_ids, theirs.input_ids, "{what}");
}

fn codes_answer_as_their_values_do<T: Tensor + 'static>(on: &T::Device) {
    for (bits, group) in [(4, 32), (4, 64), (8, 128)] {
        let dir = other_sizes(-2);
        let mut dense = random(dir.path());
        let codes = quantised(&mut dense, bits, group);
        assert!(codes.contains_key("language_model.model.embed_tokens.scales"));
        let ours = ask::<T>(NAME, dir.path(), &codes, on);
        let theirs = ask::<T>(NAME, dir.path(), &floats(&dense, Dtype::F32), on);
        // 256 x 128 pixels on two rows of three tiles: of eight rows of patches the picture covers six.
        assert_eq!(ours.image_tokens, 4 * 4 + 6 * (12 + 1));
        check_same(&format!("{bits} bits, {group} a group"), &ours, &theirs);
    }
}

/// Hugging Face's files: kernels `[n, 3, p, p]`, names as they were before transformers 4.52 and are since, any
/// float type.
fn hugging_face_files_answer_as_mlx_files_do<T: Tensor + 'static>(on: &T::Device) {
    let dir = other_sizes(-2);
    let mut dense = random(dir.path());
    let mlx = ask::<T>(NAME, dir.path(), &floats(&dense, Dtype::F32), on);
    kernels_first(&mut dense);
    let since: Dense = dense
        .iter()
        .map(|(name, tensor)| (since_4_52(name), tensor.clone()))
        .collect();
    for (names, dense) in [("before 4.52", dense), ("since 4.52", since)] {
        for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
            let ours = ask::<T>(NAME, dir.path(), &floats(&dense, dtype), on);
            check_same(&format!("{names}, {dtype:?}"), &ours, &mlx);
        }
    }
}

fn since_4_52(name: &str) -> String {
    match name.strip_prefix("language_model.") {
        Some(name) if name.starts_with("lm_head") => name.to_owned(),
        Some(name) => name.replacen("model.", "model.language_model.", 1),
        None => format!("model.{name}"),
    }
}

/// The last hidden state but one is that of the second of three blocks, whatever the sign it is asked by.
fn features_of_other_layers_are_taken<T: Tensor + 'static>(on: &T::Device) {
    let ask = |layer| {
        let dir = other_sizes(layer);
        let parts = floats(&random(dir.path()), Dtype::F32);
        ask::<T>(NAME, dir.path(), &parts, on)
    };
    let (last_but_one, second, first) = (ask(-2), ask(2), ask(1));
    assert_eq!(last_but_one.first_logits, second.first_logits);
    assert_ne!(first.first_logits, second.first_logits);
}

/// The template that Mistral's own files carry writes the start token, and the tokenizer puts one before.
fn a_start_token_in_the_template_is_not_doubled<T: Tensor + 'static>(on: &T::Device) {
    let reference = Reference::load(NAME, 1);
    let item = reference.item("t1_capital");
    let ids = |dir: &Path| {
        let mut subject = load_on::<T>(dir, on, Precision::F32).unwrap();
        let request = Request {
            images: &[],
            messages: &[Message::user(item.messages[0].text.clone())],
            max_new_tokens: 1,
            stop: Stop::AtLimit,
            pass: Pass::Phased,
        };
        subject.ask(&request).unwrap().input_ids
    };
    let dir = side_files(NAME, |_| (), |_| ());
    let file = dir.path().join("chat_template.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut template: Value = serde_json::from_str(&text).unwrap();
    let body = template["chat_template"].as_str().unwrap();
    template["chat_template"] = json!(format!("<s>{body}"));
    std::fs::write(file, template.to_string()).unwrap();
    let dense = random(dir.path());
    write(dir.path(), &floats(&dense, Dtype::F32));
    assert_eq!(ids(dir.path()), ids(&checkpoint(NAME)));
}
