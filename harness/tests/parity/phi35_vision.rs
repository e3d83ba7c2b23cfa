//! Phi-3.5-vision in 4 bits.

use harness::models::phi35_vision::Phi35Vision;
use harness::models::{Precision, Prompt, Vlm};
use harness::tensor::Tensor;

use crate::reference::{Reference, checkpoint};

const NAME: &str = "tiny-phi-3.5-vision-instruct-4bit";

on_each_backend!(
    answers_equal_the_published_code,
    features_equal_the_published_code,
    going_past_the_short_angles_equals_one_pass,
);

/// The path: 3 vision blocks of width 128 (inner 384) with 577 keys, the projection's 512 and 192, 5
/// text blocks of width 192 (inner 512) with up to 2,000 keys, and the head.
fn reference() -> Reference {
    let vision = 3 * (4 * 128 + 577 + 577 + 128 + 384);
    let text = 5 * (4 * 192 + 2000 + 2000 + 2 * 192 + 512);
    Reference::load(NAME, vision + 512 + 192 + text + 192)
}

fn model<T: Tensor>(on: &T::Device) -> Phi35Vision<T> {
    Phi35Vision::<T>::load(&checkpoint(NAME), on, Precision::F32).unwrap()
}

fn answers_equal_the_published_code<T: Tensor + 'static>(on: &T::Device) {
    let reference = reference();
    assert_eq!(reference.items.len(), 12);
    reference.check_answers::<T>(on);
}

fn features_equal_the_published_code<T: Tensor>(on: &T::Device) {
    let (reference, model) = (reference(), model::<T>(on));
    for id in ["v2_describe", "v3_where"] {
        let item = reference.item(id);
        let image = item.picture().unwrap();
        let prompt = model.prompt(&item.request(&[&image])).unwrap();
        let frames = &prompt.frames[0];
        let seen = model.see(frames).unwrap();
        if id == "v3_where" {
            reference.check_tensor("v3_where.vision_output", &seen.to_f32().unwrap());
        }
        let connected = model.connect(&seen, frames).unwrap().to_f32().unwrap();
        reference.check_tensor(&format!("{id}.image_embeddings"), &connected);
    }
}

/// The reference forgets what it has and feeds all again when a text grows beyond 1,024 positions. So
/// after every step the logits are those of one pass over all ids, before, at and after that place.
fn going_past_the_short_angles_equals_one_pass<T: Tensor>(on: &T::Device) {
    let (reference, model) = (reference(), model::<T>(on));
    let long = reference.item("l1_long");
    let mut prompt = model.prompt(&long.request(&[])).unwrap();
    prompt.ids.truncate(1022);
    prompt.positions = 1022;
    let logits = |prompt: &Prompt, room: usize| {
        let mut cache = model.cache(room).unwrap();
        let logits = model.prefill(prompt, None, &mut cache).unwrap();
        (logits.to_f32().unwrap(), cache)
    };
    let (_, mut cache) = logits(&prompt, 1030);
    for id in [7, 400, 401, 402, 403u32] {
        prompt.ids.push(i64::from(id));
        prompt.positions += 1;
        let stepped = model.step(id, &mut cache).unwrap().to_f32().unwrap();
        let (whole, _) = logits(&prompt, 1030);
        reference.check_close(&format!("{} ids", prompt.positions), &stepped, &whole);
        // The room that is asked for does not matter, only how much of it is used.
        let (tight, _) = logits(&prompt, prompt.positions);
        reference.check_close("tight room", &tight, &whole);
    }
}
