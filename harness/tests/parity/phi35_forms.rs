//! Phi-3.5-vision in other sizes than the embedded checkpoint's, and in the forms it is published in:
//! whatever holds the same values answers the same.

use std::collections::BTreeMap;
use std::path::Path;

use harness::subject::Reply;
use harness::tensor::Tensor;
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::made::{self, Dense, Part, floats, kernels_first, quantised, random, side_files};
use crate::reference::Reference;

const NAME: &str = "tiny-phi-3.5-vision-instruct-4bit";
const TABLE: &str = "model.embed_tokens.weight";

on_each_backend!(
    codes_answer_as_their_values_do,
    hugging_face_files_answer_as_mlx_files_do,
    projections_apart_answer_as_packed_ones_do,
);

/// Eight query heads on two key heads, tiles of 56 pixels with 2 x 2 tokens, up to 16 of them.
fn other_sizes() -> tempfile::TempDir {
    let edit = |config: &mut Value| {
        let keys = config.as_object_mut().unwrap();
        keys.remove("quantization");
        let factors = |last: f64| {
            (1..=8)
                .map(|i| 1.0 + last * f64::from(i))
                .collect::<Vec<_>>()
        };
        keys.extend([
            ("hidden_size".to_owned(), json!(128)),
            ("num_attention_heads".to_owned(), json!(8)),
            ("num_key_value_heads".to_owned(), json!(2)),
            ("num_hidden_layers".to_owned(), json!(2)),
            ("intermediate_size".to_owned(), json!(256)),
            (
                "rope_scaling".to_owned(),
                json!({ "type": "longrope", "short_factor": factors(0.1), "long_factor": factors(1.5) }),
            ),
        ]);
        let vision = keys["img_processor"].as_object_mut().unwrap();
        for (key, size) in [
            ("hidden_size", 64),
            ("image_dim_out", 64),
            ("num_hidden_layers", 3),
            ("intermediate_size", 128),
            ("image_size", 56),
            ("num_img_tokens", 4),
        ] {
            vision.insert(key.to_owned(), json!(size));
        }
    };
    side_files(NAME, edit, |picture| picture["num_crops"] = json!(16))
}

fn ask<T: Tensor + 'static>(dir: &Path, parts: &BTreeMap<String, Part>, on: &T::Device) -> Reply {
    let reply = made::ask::<T>(NAME, dir, parts, on);
    // 256 x 128 pixels: five columns and three rows of tiles.
    assert_eq!(reply.image_tokens, 6 * 11 + 1 + 2 * 3);
    reply
}

/// Both computed in f32 from equal values; products may be summed up in other orders.
fn check_same(what: &str, ours: &Reply, theirs: &Reply) {
    let reference = Reference::load(
        NAME,
        2 * (4 * 64 + 17 + 17 + 64 + 128) + 384 + 2 * 1200 + 128,
    );
    reference.check_close(what, &ours.first_logits, &theirs.first_logits);
    assert_eq!(ours.input_ids, theirs.input_ids, "{what}");
}

fn codes_answer_as_their_values_do<T: Tensor + 'static>(on: &T::Device) {
    for (bits, group) in [(4, 32), (4, 128), (8, 64)] {
        let dir = other_sizes();
        let mut dense = random(dir.path());
        let codes = quantised(&mut dense, bits, group);
        assert!(codes.contains_key("lm_head.scales"));
        let ours = ask::<T>(dir.path(), &codes, on);
        let theirs = ask::<T>(dir.path(), &floats(&dense, Dtype::F32), on);
        check_same(&format!("{bits} bits, {group} a group"), &ours, &theirs);
    }
}

/// Hugging Face's files: kernels `[n, 3, p, p]`, the table under the pictures' name for it, any float type.
fn hugging_face_files_answer_as_mlx_files_do<T: Tensor + 'static>(on: &T::Device) {
    let dir = other_sizes();
    let mut dense = random(dir.path());
    let mlx = ask::<T>(dir.path(), &floats(&dense, Dtype::F32), on);
    let table = dense.remove(TABLE).unwrap();
    dense.insert("model.vision_embed_tokens.wte.weight".to_owned(), table);
    kernels_first(&mut dense);
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
        let ours = ask::<T>(dir.path(), &floats(&dense, dtype), on);
        check_same(&format!("{dtype:?}"), &ours, &mlx);
    }
}

fn projections_apart_answer_as_packed_ones_do<T: Tensor + 'static>(on: &T::Device) {
    let dir = other_sizes();
    let mut dense = random(dir.path());
    let packed = ask::<T>(dir.path(), &floats(&dense, Dtype::F32), on);
    for i in 0..2 {
        let layer = format!("model.layers.{i}");
        let heads = [("q_proj", 128), ("k_proj", 32), ("v_proj", 32)];
        split(
            &mut dense,
            &format!("{layer}.self_attn"),
            "qkv_proj",
            &heads,
        );
        let gates = [("gate_proj", 256), ("up_proj", 256)];
        split(&mut dense, &format!("{layer}.mlp"), "gate_up_proj", &gates);
    }
    let apart = ask::<T>(dir.path(), &floats(&dense, Dtype::F32), on);
    check_same("apart", &apart, &packed);
}

/// Cuts rows of one matrix into matrices of so many rows each.
fn split(dense: &mut Dense, place: &str, name: &str, parts: &[(&str, usize)]) {
    let (dims, values) = dense.remove(&format!("{place}.{name}.weight")).unwrap();
    let mut rest = &values[..];
    for (part, rows) in parts {
        let (taken, left) = rest.split_at(rows * dims[1]);
        let tensor = (vec![*rows, dims[1]], taken.to_vec());
        dense.insert(format!("{place}.{part}.weight"), tensor);
        rest = left;
    }
    assert!(rest.is_empty());
}
