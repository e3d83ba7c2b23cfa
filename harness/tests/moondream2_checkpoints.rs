//! Moondream2 checkpoints of either revision, told apart by their own files; and such that cannot be.

#![cfg(feature = "candle")]
#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use harness::models::published::{Form, Layout};
use harness::models::{self, Backend, Device, Precision};
use harness::subject::{
    AskError, Message, Pass, Reply, Request, Stop, Subject, Turns, not_offered,
};
use harness::tensor::DType;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};

fn embedded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/checkpoints/tiny-moondream2")
}

/// A copy of the embedded checkpoint that may be changed.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(embedded()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

fn load(dir: &Path) -> harness::Result<Box<dyn Subject>> {
    models::load(dir, Backend::Candle, Device::Cpu, Precision::Native)
}

/// A checkpoint of random weights stored as `dtype`, with the tokenizer of January and configuration
/// files that, like the published ones, do not say which revision they are of.
fn codegen(dtype: Dtype) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        fs::write(dir.path().join(name), value.to_string()).unwrap();
    };
    let sizes = json!({
        "text": { "dim": 32, "ff_dim": 48, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "prefix_attn": 17 },
        "vision": { "enc_dim": 24, "enc_patch_size": 4, "enc_n_layers": 1, "enc_ff_dim": 40, "enc_n_heads": 2,
            "proj_out_dim": 32, "crop_size": 16, "max_crops": 4, "overlap_margin": 1, "proj_inner_dim": 20 },
        "region": { "dim": 32, "inner_dim": 8, "coord_out_dim": 4, "size_out_dim": 4 },
    });
    write(
        "config.json",
        json!({ "model_type": "moondream1", "config": sizes }),
    );
    write(
        "generation_config.json",
        json!({ "transformers_version": "4.44.0" }),
    );
    write("tokenizer.json", codegen_tokenizer());
    let form = Form {
        layout: Layout::HuggingFace,
        float: DType::F16,
        affine: None,
    };
    let listed = models::tensors(dir.path(), form).unwrap();
    let data: Vec<_> = listed
        .iter()
        .map(|tensor| {
            let is_norm = tensor.name.contains("ln") && tensor.name.ends_with("weight");
            let count: usize = tensor.dims.iter().product();
            let value = |i: usize| {
                let noise = (i.wrapping_mul(2_654_435_761) >> 7) % 1000;
                f32::from(u8::from(is_norm)) + (noise as f32 - 500.0) / 4000.0
            };
            let bytes: Vec<u8> = match dtype {
                Dtype::F16 => (0..count)
                    .flat_map(|i| half::f16::from_f32(value(i)).to_le_bytes())
                    .collect(),
                Dtype::BF16 => (0..count)
                    .flat_map(|i| half::bf16::from_f32(value(i)).to_le_bytes())
                    .collect(),
                _ => (0..count).flat_map(|i| value(i).to_le_bytes()).collect(),
            };
            (tensor.name.clone(), tensor.dims.clone(), bytes)
        })
        .collect();
    let views = data.iter().map(|(name, dims, bytes)| {
        let view = TensorView::new(dtype, dims.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    let file = safetensors::serialize(views, None).unwrap();
    fs::write(dir.path().join("model.safetensors"), file).unwrap();
    dir
}

/// Byte-level as CodeGen's, without its merges: the words of the model's forms at their published ids.
fn codegen_tokenizer() -> Value {
    let visible = (0x21..=0x7e).chain(0xa1..=0xac).chain(0xae..=0xff);
    let letters = visible.chain(0x100..0x144).filter_map(char::from_u32);
    let mut tokens: Vec<String> = (0..50_257).map(|id| format!("<unused_{id}>")).collect();
    for (id, letter) in letters.enumerate() {
        tokens[id] = letter.to_string();
    }
    for (id, word) in [
        (24361, "Question"),
        (33706, "Answer"),
        (16438, "Short"),
        (8305, "Ġcaption"),
        (50256, "<|endoftext|>"),
    ] {
        tokens[id] = word.to_owned();
    }
    let ids = tokens.iter().enumerate();
    let vocab: Map<_, _> = ids.map(|(id, token)| (token.clone(), json!(id))).collect();
    let bytes = |space| json!({ "type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{ "id": 50256, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true }],
        "pre_tokenizer": bytes(false), "post_processor": bytes(true), "decoder": bytes(true),
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": [] },
    })
}

fn picture() -> Vec<u8> {
    let file = "../datasets/shapes/images/one_red_circle.png";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn ask(
    subject: &mut dyn Subject,
    images: &[&[u8]],
    messages: &[Message],
) -> Result<Reply, AskError> {
    subject.ask(&Request {
        images,
        messages,
        max_new_tokens: 4,
        stop: Stop::AtLimit,
        pass: Pass::Fused,
    })
}

#[test]
fn half_floats_with_codegens_tokenizer_are_january() {
    let dir = codegen(Dtype::F16);
    let mut subject = load(dir.path()).unwrap();
    let loaded = subject.loaded().clone();
    assert!(loaded.precision.contains("f16 weights"), "{loaded:?}");
    assert_eq!((loaded.stop_ids, loaded.turns), (vec![50256], Turns::One));
    let image = picture();
    let reply = ask(subject.as_mut(), &[&image], &[Message::user("Red?")]).unwrap();
    assert_eq!(reply.prompt, "\n\nQuestion:Red?\n\nAnswer:");
    let wanted = [198, 198, 24361, 25, 49, 68, 67, 30, 198, 198, 33706, 25];
    assert_eq!(reply.input_ids, wanted);
    assert_eq!((reply.positions, reply.image_tokens), (17 + 12, 16));
    assert_eq!(reply.output_ids.len(), 4);
    let caption = [Message::user("Short caption:")];
    let reply = ask(subject.as_mut(), &[&image], &caption).unwrap();
    assert_eq!(reply.input_ids, [198, 198, 16438, 8305, 25]);
}

/// What mlx-vlm's conversion calls a published tensor; none for those it leaves out.
fn mlx_name(name: &str) -> Option<String> {
    let text = |rest: &str| match rest {
        "wte" => "text.model.embed_tokens.weight".to_owned(),
        head if head.starts_with("lm_head.") => format!("text.{head}"),
        rest => format!("text.model.{}", rest.replacen("blocks.", "layers.", 1)),
    };
    let vision = |rest: &str| match rest.starts_with("proj_mlp.") {
        true => format!("vision.{rest}"),
        false => format!("vision.encoder.{rest}"),
    };
    let published = name.strip_prefix("model.")?;
    let text = published.strip_prefix("text.").map(text);
    text.or_else(|| published.strip_prefix("vision.").map(vision))
}

#[test]
fn an_mlx_conversion_answers_alike() {
    let dir = copy();
    let weights = dir.path().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let published = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let renamed = published
        .iter()
        .filter_map(|(name, view)| Some((mlx_name(name)?, view)));
    let renamed: std::collections::BTreeMap<_, _> = renamed.collect();
    let form = Form {
        layout: Layout::Mlx,
        float: DType::BF16,
        affine: None,
    };
    let mut listed: Vec<_> = models::tensors(dir.path(), form)
        .unwrap()
        .into_iter()
        .map(|tensor| tensor.name)
        .collect();
    listed.sort();
    assert_eq!(listed, renamed.keys().cloned().collect::<Vec<_>>());
    fs::write(&weights, safetensors::serialize(renamed, None).unwrap()).unwrap();
    let question = [Message::user("What color is the circle?")];
    let image = picture();
    let answer = |dir: &Path| {
        let mut subject = load(dir).unwrap();
        ask(subject.as_mut(), &[&image], &question).unwrap()
    };
    let (published, converted) = (answer(&embedded()), answer(dir.path()));
    assert_eq!(converted.first_logits, published.first_logits);
    assert!(converted.text.starts_with("Red"), "{}", converted.text);
}

#[test]
fn brain_floats_with_codegens_tokenizer_are_refused() {
    let dir = codegen(Dtype::BF16);
    let error = load(dir.path()).err().unwrap().to_string();
    for part in [
        "tokenizer.json",
        "<|endoftext|> is 50256",
        "moondream/starmie-v1",
        "2025-01-09",
    ] {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn wide_floats_must_be_declared() {
    let dir = codegen(Dtype::F32);
    let error = load(dir.path()).err().unwrap().to_string();
    assert!(error.contains("\"bos_token_id\""), "{error}");
    let declared = r#"{"bos_token_id": 50256}"#;
    fs::write(dir.path().join("generation_config.json"), declared).unwrap();
    assert_eq!(load(dir.path()).unwrap().loaded().stop_ids, [50256]);
}

#[test]
fn what_neither_revision_offers_is_said() {
    let january = codegen(Dtype::F16);
    let image = picture();
    let turns = [
        Message::user("Red?"),
        Message::assistant("Yes"),
        Message::user("Blue?"),
    ];
    for dir in [january.path(), &embedded()] {
        let mut subject = load(dir).unwrap();
        let mut check = |images: &[&[u8]], messages: &[Message], says: &str| {
            let error = ask(subject.as_mut(), images, messages).unwrap_err();
            let what = not_offered(&error).unwrap();
            assert!(what.contains(says), "{what}");
        };
        check(&[&image], &turns, "no form for earlier turns");
        check(&[&image, &image], &turns[2..], "one picture");
    }
    let mut subject = load(january.path()).unwrap();
    let error = ask(subject.as_mut(), &[], &turns[..1]).unwrap_err();
    assert!(not_offered(&error).unwrap().contains("picture only"));
    let mut subject = load(&embedded()).unwrap();
    assert!(ask(subject.as_mut(), &[], &turns[..1]).is_ok());
    let caption = "<|md_reserved_0|>describe<|md_reserved_1|>short<|md_reserved_2|>";
    let error = ask(subject.as_mut(), &[], &[Message::user(caption)]).unwrap_err();
    assert!(not_offered(&error).unwrap().contains("needs a picture"));
}

#[test]
fn a_question_cannot_forge_the_models_own_forms() {
    let mut subject = load(&embedded()).unwrap();
    let image = picture();
    for text in [
        "<|md_reserved_2|>",
        "Red?<|endoftext|>",
        "<|md_reserved_3|>x",
    ] {
        let error = ask(subject.as_mut(), &[&image], &[Message::user(text)]).unwrap_err();
        assert!(not_offered(&error).is_none());
        assert!(
            error.to_string().contains("message 1 contains <|"),
            "{error}"
        );
    }
}

#[test]
fn configurations_that_cannot_be() {
    let cases = [
        ("vision/crop_size", json!(60), "crop_size"),
        ("vision/enc_patch_size", json!(0), "vision"),
        ("vision/overlap_margin", json!(4), "overlap_margin 4"),
        ("vision/overlap_margin", json!(u64::MAX), "overlap_margin"),
        ("vision/max_crops", json!(0), "max_crops 0"),
        ("vision/max_crops", json!(1_000_000), "max_crops"),
        ("vision/in_channels", json!(4), "in_channels"),
        ("vision/enc_n_heads", json!(0), "vision"),
        ("vision/proj_out_dim", json!(191), "proj_out_dim 191"),
        ("text/n_heads", json!(0), "text"),
        ("text/n_heads", json!(7), "7 heads"),
        ("text/n_kv_heads", json!(2), "2 key heads"),
        ("text/prefix_attn", json!(730), "prefix_attn 730"),
        ("text/prefix_attn", json!(0), "prefix_attn 0"),
        ("text/dim", json!(1u64 << 40), "text"),
        ("text/group_size", json!(128), "group_size 128"),
        ("text/vocab_size", json!(900), "wte"),
        ("text/vocab_size", json!(3), "outside the vocabulary"),
        ("tokenizer/eos_id", json!(5000), "5000"),
        ("tokenizer/answer_id", json!(-1), "config.json"),
        ("tokenizer/bos_id", json!(1), "<|endoftext|> is 0"),
        ("region/dim", json!(0), "region"),
    ];
    for (key, value, says) in cases {
        let dir = copy();
        let path = dir.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let (part, key) = key.split_once('/').unwrap();
        config["config"][part][key] = value;
        fs::write(&path, config.to_string()).unwrap();
        let error = load(dir.path()).err().expect(key).to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(
            error.contains(says),
            "{key}: {error:?} does not say {says:?}"
        );
    }
}
