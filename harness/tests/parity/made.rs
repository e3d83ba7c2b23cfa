//! Small checkpoints of random weights, in sizes and forms that no embedded one has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use harness::models;
use harness::models::published::{Form, Layout};
use harness::models::{Precision, load_on};
use harness::subject::{Message, Pass, Reply, Request, Stop};
use harness::tensor::{DType, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::reference::{Reference, checkpoint};

/// Plain values of every tensor, with their sizes.
pub(crate) type Dense = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A tensor as it is stored.
pub(crate) struct Part {
    dtype: Dtype,
    dims: Vec<usize>,
    bytes: Vec<u8>,
}

/// A folder with the side files of an embedded checkpoint, two of them edited where they are, and no
/// weights.
pub(crate) fn side_files(
    name: &str,
    edit: impl Fn(&mut Value),
    picture: impl Fn(&mut Value),
) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(checkpoint(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if !file.contains("safetensors") {
            fs::copy(&path, dir.path().join(file)).unwrap();
        }
    }
    for (file, edit) in [
        ("config.json", &edit as &dyn Fn(&mut Value)),
        ("preprocessor_config.json", &picture),
    ] {
        let path = dir.path().join(file);
        let Ok(text) = fs::read(&path) else {
            continue;
        };
        let mut json = serde_json::from_slice(&text).unwrap();
        edit(&mut json);
        fs::write(path, json.to_string()).unwrap();
    }
    dir
}

/// Random values that are the same in f32, f16 and bf16 for every tensor of the model in `dir`, kernels
/// as MLX lays them out.
pub(crate) fn random(dir: &Path) -> Dense {
    let form = Form {
        layout: Layout::Mlx,
        float: DType::F32,
        affine: None,
    };
    let mut state = 1u64;
    let mut draw = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let tensors = models::tensors(dir, form).unwrap();
    let filled = tensors.into_iter().map(|tensor| {
        let wide = tensor.dims.last().copied().unwrap_or(1) as f32;
        let (around, spread) = match &tensor.dims[..] {
            [_] if tensor.name.contains("norm") => (1.0, 0.2),
            [_] => (0.0, 0.2),
            _ => (0.0, 2.0 / wide.sqrt()),
        };
        let value = |_| bf16::from_f32(around + spread * draw()).to_f32();
        let values = (0..tensor.dims.iter().product()).map(value).collect();
        (tensor.name, (tensor.dims, values))
    });
    filled.collect()
}

/// The same values, stored as floats of that type.
pub(crate) fn floats(dense: &Dense, dtype: Dtype) -> BTreeMap<String, Part> {
    let parts = dense.iter().map(|(name, (dims, values))| {
        let bytes = values.iter().flat_map(|value| match dtype {
            Dtype::BF16 => bf16::from_f32(*value).to_le_bytes().to_vec(),
            Dtype::F16 => f16::from_f32(*value).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        });
        let (dims, bytes) = (dims.clone(), bytes.collect());
        (name.clone(), Part { dtype, dims, bytes })
    });
    parts.collect()
}

/// Quantises every matrix whose rows are whole groups, and makes the plain values those of its codes.
pub(crate) fn quantised(dense: &mut Dense, bits: usize, group: usize) -> BTreeMap<String, Part> {
    let mut parts = BTreeMap::new();
    for (name, (dims, values)) in dense.iter_mut() {
        let (Some(layer), &[n, k]) = (name.strip_suffix(".weight"), &dims[..]) else {
            continue;
        };
        if !k.is_multiple_of(group) {
            continue;
        }
        let (mut codes, mut scales, mut biases) = (Vec::new(), Vec::new(), Vec::new());
        for (at, values) in values.chunks_mut(group).enumerate() {
            let (scale, bias) = fit(values, bits, at % 2 == 1);
            scales.extend(scale.to_le_bytes());
            biases.extend(bias.to_le_bytes());
            let (scale, bias) = (scale.to_f32(), bias.to_f32());
            for value in values {
                let top = ((1u32 << bits) - 1) as f32;
                let code = ((*value - bias) / scale).round().clamp(0.0, top);
                *value = code * scale + bias;
                codes.push(code as u32);
            }
        }
        let words = codes.chunks(32 / bits).flat_map(|codes| {
            let shifted = codes.iter().enumerate().map(|(i, code)| code << (bits * i));
            shifted.fold(0, |word, code| word | code).to_le_bytes()
        });
        let mut add = |part: &str, dtype, columns, bytes| {
            let dims = vec![n, columns];
            parts.insert(format!("{layer}.{part}"), Part { dtype, dims, bytes });
        };
        add("weight", Dtype::U32, k * bits / 32, words.collect());
        add("scales", Dtype::F16, k / group, scales);
        add("biases", Dtype::F16, k / group, biases);
    }
    let plain = dense.iter().filter(|(name, _)| !parts.contains_key(*name));
    let plain = plain.map(|(name, tensor)| (name.clone(), tensor.clone()));
    let rest = floats(&plain.collect(), Dtype::F16);
    parts.extend(rest);
    parts
}

/// Scale and offset of a group; from the largest value downwards if `falling`.
fn fit(values: &[f32], bits: usize, falling: bool) -> (f16, f16) {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let step = (most - least) / ((1u32 << bits) - 1) as f32;
    match falling {
        true => (f16::from_f32(-step), f16::from_f32(most)),
        false => (f16::from_f32(step), f16::from_f32(least)),
    }
}

/// Turns the kernels from MLX' order `[n, p, p, 3]` into Hugging Face's, `[n, 3, p, p]`.
pub(crate) fn kernels_first(dense: &mut Dense) {
    let kernels = |(name, _): &(&String, _)| name.ends_with("patch_embedding.weight");
    for (_, (dims, values)) in dense.iter_mut().filter(kernels) {
        let [n, p, ..] = dims[..] else { panic!() };
        let at = |i: usize| {
            let (kernel, channel, pixel) = (i / (3 * p * p), i / (p * p) % 3, i % (p * p));
            values[(kernel * p * p + pixel) * 3 + channel]
        };
        *values = (0..values.len()).map(at).collect();
        *dims = vec![n, 3, p, p];
    }
}

/// What a model of those weights says to a picture and a question.
pub(crate) fn ask<T: Tensor + 'static>(
    name: &'static str,
    dir: &Path,
    parts: &BTreeMap<String, Part>,
    on: &T::Device,
) -> Reply {
    write(dir, parts);
    let image = Reference::load(name, 0).item("v4_count").picture().unwrap();
    ask_about::<T>(&image, dir, on)
}

/// What the model in `dir` says to that picture and a question.
pub(crate) fn ask_about<T: Tensor + 'static>(image: &[u8], dir: &Path, on: &T::Device) -> Reply {
    let request = Request {
        images: &[image],
        messages: &[Message::user("How many shapes are there?")],
        max_new_tokens: 4,
        stop: Stop::AtLimit,
        pass: Pass::Phased,
    };
    let mut subject = load_on::<T>(dir, on, Precision::F32).unwrap();
    subject.ask(&request).unwrap()
}

/// Writes the weights beside the side files.
pub(crate) fn write(dir: &Path, parts: &BTreeMap<String, Part>) {
    let views = parts.iter().map(|(name, part)| {
        let view = TensorView::new(part.dtype, part.dims.clone(), &part.bytes);
        (name.as_str(), view.unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    fs::write(dir.join("model.safetensors"), bytes).unwrap();
}
