//! Reference files, and how far from them a correct computation may lie.

use std::path::{Path, PathBuf};

use harness::models::{Precision, load_on};
use harness::subject::{Message, Pass, Request, Stop};
use harness::tensor::Tensor;
use safetensors::SafeTensors;
use serde::Deserialize;

/// One input with all that a reference implementation made of it.
#[derive(Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) image: Option<String>,
    pub(crate) messages: Vec<Message>,
    max_new_tokens: usize,
    pub(crate) prompt: String,
    input_ids: Vec<i64>,
    output_ids: Vec<u32>,
    output_text: String,
    greedy_margins: Vec<f32>,
}

impl Item {
    /// The encoded picture.
    pub(crate) fn picture(&self) -> Option<Vec<u8>> {
        let name = self.image.as_ref()?.rsplit('/').next()?;
        Some(std::fs::read(root().join("../datasets/shapes/images").join(name)).unwrap())
    }

    pub(crate) fn request<'a>(&'a self, images: &'a [&'a [u8]]) -> Request<'a> {
        Request {
            images,
            messages: &self.messages,
            max_new_tokens: self.max_new_tokens,
            stop: Stop::AtStopId,
            pass: Pass::Phased,
        }
    }
}

/// The reference outputs of one checkpoint.
pub(crate) struct Reference {
    name: &'static str,
    pub(crate) items: Vec<Item>,
    tensors: Vec<u8>,
    roundings: f32,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The folder of an embedded checkpoint.
pub(crate) fn checkpoint(name: &str) -> PathBuf {
    root().join("../datasets/checkpoints").join(name)
}

impl Reference {
    /// `roundings`: how many lie on the longest path from pixel to logit, see [`Self::tolerance`].
    pub(crate) fn load(name: &'static str, roundings: usize) -> Self {
        #[derive(Deserialize)]
        struct File {
            items: Vec<Item>,
        }
        let golden = root().join("tests/golden");
        let json = std::fs::read(golden.join(format!("{name}.json"))).unwrap();
        let file: File = serde_json::from_slice(&json).unwrap();
        let tensors = std::fs::read(golden.join(format!("{name}.safetensors"))).unwrap();
        Self {
            name,
            items: file.items,
            tensors,
            roundings: roundings as f32,
        }
    }

    /// A tensor of the reference, f32 or f16, widened.
    pub(crate) fn values(&self, name: &str) -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&self.tensors).unwrap();
        let view = tensors.tensor(name).unwrap();
        match view.dtype() {
            safetensors::Dtype::F32 => {
                let values = view.data().as_chunks::<4>().0.iter();
                values.map(|b| f32::from_le_bytes(*b)).collect()
            }
            safetensors::Dtype::F16 => {
                let values = view.data().as_chunks::<2>().0.iter();
                values
                    .map(|b| half::f16::from_le_bytes(*b).to_f32())
                    .collect()
            }
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The item of that name.
    pub(crate) fn item(&self, id: &str) -> &Item {
        self.items.iter().find(|item| item.id == id).unwrap()
    }

    /// How far two correct f32 computations of a value of size `top` may lie apart.
    ///
    /// Each of the `n` roundings on the longest path from pixel to logit is off by at most half a
    /// unit (2^-24 of the value); independent errors add up like a random walk, so by the square
    /// root of `n`. A product over k values rounds k times. Two independent libraries were seen
    /// 1.4e-5 apart at a size of 21, where this allows 1.1e-4.
    pub(crate) fn tolerance(&self, top: f32) -> f32 {
        top * 2f32.powi(-24) * self.roundings.sqrt()
    }

    pub(crate) fn check_close(&self, what: &str, ours: &[f32], theirs: &[f32]) {
        let what = format!("{} {what}", self.name);
        assert_eq!(ours.len(), theirs.len(), "{what}");
        let top = theirs.iter().fold(0f32, |top, x| top.max(x.abs()));
        let pairs = ours.iter().zip(theirs);
        let gap = pairs.fold(0f32, |gap, (a, b)| gap.max((a - b).abs()));
        let allowed = self.tolerance(top);
        assert!(gap <= allowed, "{what}: {gap} apart, {allowed} allowed");
    }

    /// Asks every item and compares all that a reply shows. Where an id differs, the reference's
    /// own margin must say that the two largest logits were closer than two correct computations
    /// may lie apart; what follows such a tie is another text and is not compared.
    pub(crate) fn check_answers<T: Tensor + 'static>(&self, on: &T::Device) {
        let mut subject = load_on::<T>(&checkpoint(self.name), on, Precision::F32).unwrap();
        for item in &self.items {
            let what = format!("{} {}", self.name, item.id);
            let image = item.picture();
            let images: Vec<&[u8]> = image.iter().map(Vec::as_slice).collect();
            let reply = subject.ask(&item.request(&images)).unwrap();
            assert_eq!(reply.prompt, item.prompt, "{what}");
            assert_eq!(reply.input_ids, item.input_ids, "{what}");
            let logits = self.values(&format!("{}.first_logits", item.id));
            self.check_close(&item.id, &reply.first_logits, &logits);
            let top = logits.iter().fold(0f32, |top, x| top.max(x.abs()));
            let allowed = 2.0 * self.tolerance(top);
            let same = reply.output_ids.iter().zip(&item.output_ids);
            let same = same.take_while(|(ours, theirs)| ours == theirs).count();
            if same == item.output_ids.len() {
                assert_eq!(reply.output_ids, item.output_ids, "{what}");
                assert_eq!(reply.text, item.output_text, "{what}");
            } else {
                let margin = item.greedy_margins[same];
                assert!(
                    margin <= allowed,
                    "{what}: id {same} differs at a margin of {margin}"
                );
            }
            let margins = reply
                .margins
                .iter()
                .zip(&item.greedy_margins)
                .take(same + 1);
            for (ours, theirs) in margins {
                // Later logits may be larger than the first ones.
                assert!(
                    (ours - theirs).abs() <= 2.0 * allowed,
                    "{what}: margins {ours} and {theirs}"
                );
            }
        }
    }
}
