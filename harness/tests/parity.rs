//! Every reference item of the embedded checkpoints: prompt, ids, features, logits, answer.

#![cfg(feature = "candle")]
#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::path::{Path, PathBuf};

use harness::generate::Engine;
use harness::models::Vlm;
use harness::models::smolvlm::SmolVlm;
use harness::subject::{Message, Pass, Request, Stop, Subject};
use harness::tensor::Tensor;
use harness::tensor::candle::{Candle, On};
use safetensors::SafeTensors;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    image: Option<String>,
    messages: Vec<Message>,
    max_new_tokens: usize,
    prompt: String,
    input_ids: Vec<u32>,
    output_ids: Vec<u32>,
    output_text: String,
    greedy_margins: Vec<f32>,
    expected: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn reference(name: &str) -> (Reference, Vec<u8>) {
    let golden = root().join("tests/golden");
    let json = std::fs::read(golden.join(format!("{name}.json"))).unwrap();
    let tensors = std::fs::read(golden.join(format!("{name}.safetensors"))).unwrap();
    (serde_json::from_slice(&json).unwrap(), tensors)
}

fn values(tensors: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let view = tensors.tensor(name).unwrap();
    view.data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

fn engine(name: &str) -> Engine<SmolVlm<Candle>> {
    let dir = root().join("../datasets/checkpoints").join(name);
    Engine::new(SmolVlm::<Candle>::load(&dir, &On::cpu()).unwrap(), &dir).unwrap()
}

fn picture(item: &Item) -> Option<Vec<u8>> {
    let name = item.image.as_ref()?.rsplit('/').next()?;
    Some(std::fs::read(root().join("../datasets/shapes/images").join(name)).unwrap())
}

fn request<'a>(item: &'a Item, images: &'a [&'a [u8]]) -> Request<'a> {
    let max_new_tokens = item.max_new_tokens;
    Request {
        images,
        messages: &item.messages,
        max_new_tokens,
        stop: Stop::AtStopId,
        pass: Pass::Phased,
    }
}

/// How far two correct f32 computations of a value of size `top` may lie apart.
///
/// Each of the `n` roundings on the longest path from pixel to logit is off by at most half a unit
/// (2^-24 of the value); independent errors add up like a random walk, so by the square root of
/// `n`. The path: 4 vision blocks of width 128 (inner 512) with 64 keys, the 512-wide projection, 5
/// text blocks of width 192 (inner 512) with up to 360 keys, and the head; a product over k values
/// rounds k times. Two independent libraries were seen 1.4e-5 apart at a size of 21.
fn tolerance(top: f32) -> f32 {
    let vision = 4 * (4 * 128 + 64 + 64 + 128 + 512);
    let text = 5 * (4 * 192 + 360 + 360 + 2 * 192 + 512);
    let roundings = (vision + 512 + text + 192) as f32;
    top * 2f32.powi(-24) * roundings.sqrt()
}

fn check_close(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let top = theirs.iter().fold(0f32, |top, x| top.max(x.abs()));
    let gap = ours
        .iter()
        .zip(theirs)
        .fold(0f32, |gap, (a, b)| gap.max((a - b).abs()));
    assert!(
        gap <= tolerance(top),
        "{what}: {gap} apart, {} allowed",
        tolerance(top)
    );
}

fn check(name: &str) {
    let (reference, bytes) = reference(name);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut engine = engine(name);
    for item in &reference.items {
        let what = format!("{name} {}", item.id);
        let image = picture(item);
        let images: Vec<&[u8]> = image.iter().map(Vec::as_slice).collect();
        let reply = engine.ask(&request(item, &images)).unwrap();
        assert_eq!(reply.prompt, item.prompt, "{what}");
        assert_eq!(reply.input_ids, item.input_ids, "{what}");
        check_close(
            &what,
            &reply.first_logits,
            &values(&tensors, &format!("{}.first_logits", item.id)),
        );
        assert_eq!(reply.output_ids, item.output_ids, "{what}");
        assert_eq!(reply.text, item.output_text, "{what}");
        assert_eq!(
            reply.text.trim().to_lowercase(),
            item.expected.to_lowercase(),
            "{what}"
        );
        for (ours, theirs) in reply.margins.iter().zip(&item.greedy_margins) {
            assert!(
                (ours - theirs).abs() < 2.0 * tolerance(25.0),
                "{what}: margins {ours} and {theirs}"
            );
        }
    }
    assert_eq!(reference.items.len(), 11);
}

#[test]
fn hugging_face_layout_answers_as_transformers_does() {
    check("tiny-smolvlm-500m-instruct");
}

#[test]
fn mlx_layout_answers_as_mlx_vlm_does() {
    check("tiny-smolvlm2-500m-video-instruct-mlx");
}

#[test]
fn features_equal_transformers() {
    let name = "tiny-smolvlm-500m-instruct";
    let (reference, bytes) = reference(name);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let engine = engine(name);
    let model = engine.model();
    for item in reference
        .items
        .iter()
        .filter(|item| ["v2_describe", "v3_where"].contains(&&item.id[..]))
    {
        let image = picture(item).unwrap();
        let prompt = model.prompt(&request(item, &[&image])).unwrap();
        let seen = model.see(&prompt.frames[0]).unwrap();
        let id = &item.id;
        check_close(
            id,
            &seen.to_f32().unwrap(),
            &values(&tensors, &format!("{id}.vision_output")),
        );
        let connected = model.connect(&seen).unwrap().to_f32().unwrap();
        check_close(
            id,
            &connected,
            &values(&tensors, &format!("{id}.connector_output")),
        );
    }
}

#[test]
fn one_token_a_step_equals_one_pass_over_all() {
    let name = "tiny-smolvlm-500m-instruct";
    let engine = engine(name);
    let model = engine.model();
    let messages = [Message::user("What is the capital of France?")];
    let text = Request {
        images: &[],
        messages: &messages,
        max_new_tokens: 1,
        stop: Stop::AtStopId,
        pass: Pass::Fused,
    };
    let mut prompt = model.prompt(&text).unwrap();
    let whole = model
        .prefill(&prompt, None, &mut model.cache(64).unwrap())
        .unwrap()
        .to_f32()
        .unwrap();
    let last = prompt.ids.pop().unwrap();
    let mut cache = model.cache(64).unwrap();
    model.prefill(&prompt, None, &mut cache).unwrap();
    check_close(
        "cache",
        &model.step(last, &mut cache).unwrap().to_f32().unwrap(),
        &whole,
    );
}

#[test]
fn fixed_length_never_stops_early_and_a_full_cache_is_refused() {
    let mut engine = engine("tiny-smolvlm-500m-instruct");
    let messages = [Message::user("What is 2 plus 3?")];
    let ask = |max_new_tokens| Request {
        images: &[],
        messages: &messages,
        max_new_tokens,
        stop: Stop::AtLimit,
        pass: Pass::Fused,
    };
    let reply = engine.ask(&ask(24)).unwrap();
    assert_eq!(reply.output_ids.len(), 24);
    assert!(!reply.output_ids.contains(&engine.loaded().stop_ids[0]));
    let error = engine.ask(&ask(9000)).unwrap_err().to_string();
    assert!(error.contains("room for 8192"), "{error}");
}
