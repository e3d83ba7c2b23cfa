//! LLaVA-NeXT, plain and in 4 bits.

use harness::models::llava_next::LlavaNext;
use harness::models::{Precision, Vlm};
use harness::tensor::Tensor;

use crate::reference::{Reference, checkpoint};

const PLAIN: &str = "tiny-llava-v1.6-mistral-7b";
const QUANTISED: &str = "tiny-llava-v1.6-mistral-7b-4bit";

on_each_backend!(
    plain_weights_answer_as_transformers_does,
    four_bits_answer_as_transformers_on_their_values,
    features_of_both_equal_transformers,
);

/// The path: 4 vision blocks of width 128 (inner 512) with 65 keys, the projector's 128 and 192, 5
/// text blocks of width 192 (inner 512) with up to 380 keys, and the head.
fn reference(name: &'static str) -> Reference {
    let vision = 4 * (4 * 128 + 65 + 65 + 128 + 512);
    let text = 5 * (4 * 192 + 380 + 380 + 2 * 192 + 512);
    Reference::load(name, vision + 128 + 192 + text + 192)
}

fn plain_weights_answer_as_transformers_does<T: Tensor + 'static>(on: &T::Device) {
    let reference = reference(PLAIN);
    assert_eq!(reference.items.len(), 11);
    reference.check_answers::<T>(on);
}

fn four_bits_answer_as_transformers_on_their_values<T: Tensor + 'static>(on: &T::Device) {
    reference(QUANTISED).check_answers::<T>(on);
}

fn features_of_both_equal_transformers<T: Tensor>(on: &T::Device) {
    for name in [PLAIN, QUANTISED] {
        let reference = reference(name);
        let model = LlavaNext::<T>::load(&checkpoint(name), on, Precision::F32).unwrap();
        for id in ["v2_describe", "v3_where"] {
            let item = reference.item(id);
            let image = item.picture().unwrap();
            let prompt = model.prompt(&item.request(&[&image])).unwrap();
            let frames = &prompt.frames[0];
            let seen = model.see(frames).unwrap();
            let check = |what: &str, found: &T| {
                let wanted = reference.values(&format!("{id}.{what}"));
                reference.check_close(&format!("{id} {what}"), &found.to_f32().unwrap(), &wanted);
            };
            check("vision_output", &seen);
            let projected = model.project(&seen).unwrap();
            check("packed_features", &model.pack(&projected, frames).unwrap());
        }
    }
}
