//! SmolVLM in both published layouts.

use harness::generate::Engine;
use harness::models::smolvlm::SmolVlm;
use harness::models::{Precision, Vlm};
use harness::subject::{Message, Pass, Request, Stop, Subject};
use harness::tensor::Tensor;

use crate::reference::{Reference, checkpoint};

const HUGGING_FACE: &str = "tiny-smolvlm-500m-instruct";

on_each_backend!(
    hugging_face_layout_answers_as_transformers_does,
    mlx_layout_answers_as_mlx_vlm_does,
    features_equal_transformers,
    one_token_a_step_equals_one_pass_over_all,
    fixed_length_never_stops_early_and_a_full_cache_is_refused,
);

/// The path: 4 vision blocks of width 128 (inner 512) with 64 keys, the 512-wide projection, 5 text
/// blocks of width 192 (inner 512) with up to 360 keys, and the head.
fn reference(name: &'static str) -> Reference {
    let vision = 4 * (4 * 128 + 64 + 64 + 128 + 512);
    let text = 5 * (4 * 192 + 360 + 360 + 2 * 192 + 512);
    Reference::load(name, vision + 512 + text + 192)
}

fn engine<T: Tensor + 'static>(on: &T::Device) -> Engine<SmolVlm<T>> {
    let dir = checkpoint(HUGGING_FACE);
    let (at, on) = (dir.clone(), on.clone());
    Engine::new(move || SmolVlm::<T>::load(&at, &on, Precision::F32), &dir).unwrap()
}

fn hugging_face_layout_answers_as_transformers_does<T: Tensor + 'static>(on: &T::Device) {
    let reference = reference(HUGGING_FACE);
    assert_eq!(reference.items.len(), 11);
    reference.check_answers::<T>(on);
}

fn mlx_layout_answers_as_mlx_vlm_does<T: Tensor + 'static>(on: &T::Device) {
    reference("tiny-smolvlm2-500m-video-instruct-mlx").check_answers::<T>(on);
}

fn features_equal_transformers<T: Tensor + 'static>(on: &T::Device) {
    let reference = reference(HUGGING_FACE);
    let engine = engine::<T>(on);
    let model = engine.model().unwrap();
    for id in ["v2_describe", "v3_where"] {
        let item = reference.item(id);
        let image = item.picture().unwrap();
        let prompt = model.prompt(&item.request(&[&image])).unwrap();
        let seen = model.see(&prompt.frames[0]).unwrap();
        let wanted = reference.values(&format!("{id}.vision_output"));
        reference.check_close(id, &seen.to_f32().unwrap(), &wanted);
        let connected = model.connect(&seen).unwrap().to_f32().unwrap();
        let wanted = reference.values(&format!("{id}.connector_output"));
        reference.check_close(id, &connected, &wanted);
    }
}

fn one_token_a_step_equals_one_pass_over_all<T: Tensor + 'static>(on: &T::Device) {
    let engine = engine::<T>(on);
    let model = engine.model().unwrap();
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
    let last = u32::try_from(prompt.ids.pop().unwrap()).unwrap();
    prompt.positions -= 1;
    let mut cache = model.cache(64).unwrap();
    model.prefill(&prompt, None, &mut cache).unwrap();
    reference(HUGGING_FACE).check_close(
        "cache",
        &model.step(last, &mut cache).unwrap().to_f32().unwrap(),
        &whole,
    );
}

fn fixed_length_never_stops_early_and_a_full_cache_is_refused<T: Tensor + 'static>(on: &T::Device) {
    let mut engine = engine::<T>(on);
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
