//! Moondream2, in the layout of June 2025.

use harness::generate::Engine;
use harness::models::moondream2::Moondream2;
use harness::models::{Precision, Vlm};
use harness::subject::{Message, Subject, Turns};
use harness::tensor::Tensor;

use crate::reference::{Reference, checkpoint};

const NAME: &str = "tiny-moondream2";

on_each_backend!(
    questions_and_captions_are_answered_as_the_published_code_does,
    features_equal_the_published_code,
    a_picture_is_fed_before_the_prompt,
    the_answer_token_is_never_second,
);

/// The path: 4 vision blocks of width 128 (inner 480) with 64 keys, the projector's 256 and 640, 5
/// text blocks of width 192 (inner 640) with up to 120 keys, and the head.
fn reference() -> Reference {
    let vision = 4 * (4 * 128 + 64 + 64 + 128 + 480);
    let text = 5 * (4 * 192 + 120 + 120 + 192 + 640);
    let mut reference = Reference::load(NAME, vision + 256 + 640 + text + 192);
    // The reference calls another function for a caption; ours is asked for one by its prompt.
    for item in &mut reference.items {
        if item.kind == "caption" {
            item.messages = vec![Message::user(&item.prompt)];
        }
    }
    reference
}

fn model<T: Tensor>(on: &T::Device) -> Moondream2<T> {
    Moondream2::<T>::load(&checkpoint(NAME), on, Precision::F32).unwrap()
}

fn questions_and_captions_are_answered_as_the_published_code_does<T: Tensor + 'static>(
    on: &T::Device,
) {
    let reference = reference();
    let of = |kind| reference.items.iter().filter(|i| i.kind == kind).count();
    assert_eq!(["vision", "text_only", "caption"].map(of), [6, 1, 3]);
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
        let check = |what: &str, found: &T| {
            let wanted = reference.values(&format!("{id}.{what}"));
            reference.check_close(&format!("{id} {what}"), &found.to_f32().unwrap(), &wanted);
        };
        check("vision_output", &seen);
        check("image_embeddings", &model.project(&seen, frames).unwrap());
    }
}

fn a_picture_is_fed_before_the_prompt<T: Tensor>(on: &T::Device) {
    let (reference, model) = (reference(), model::<T>(on));
    let item = reference.item("v1_color");
    let image = item.picture().unwrap();
    let prompt = model.prompt(&item.request(&[&image])).unwrap();
    assert_eq!(prompt.positions, 65 + prompt.ids.len());
    assert_eq!(prompt.image_positions, (1..=64).collect::<Vec<_>>());
    let text = model.prompt(&item.request(&[])).unwrap();
    assert_eq!(text.ids, [&[0], &prompt.ids[..]].concat());
    assert_eq!(
        (text.positions, text.image_positions.len()),
        (text.ids.len(), 0)
    );
}

fn the_answer_token_is_never_second<T: Tensor + 'static>(on: &T::Device) {
    let load = {
        let on = on.clone();
        move || Ok(model::<T>(&on))
    };
    let engine = Engine::new(load, &checkpoint(NAME)).unwrap();
    assert_eq!(engine.loaded().turns, Turns::One);
    assert_eq!(engine.loaded().stop_ids, [0]);
    assert_eq!(engine.model().unwrap().manners().never_later, [3]);
}
