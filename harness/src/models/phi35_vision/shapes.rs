//! Names, shapes and types of every tensor of a Phi-3.5-vision checkpoint, for making one of random weights.

use super::config::Config;
use super::{CLIP, IMAGES, TEXT};
use crate::models::listing::{Listing, Stored};
use crate::models::published::Form;
use crate::nn::llama::Projections;

/// Every tensor, as a publication of that form stores them.
#[must_use]
pub fn tensors(config: &Config, form: Form) -> Vec<Stored> {
    let mut all = Listing::new(form);
    let (wide, dim) = (config.wide(), config.text.dim);
    let mut images = all.at(IMAGES);
    config.vision.list(&mut images.at(CLIP));
    images.tensor("glb_GN", &[1, 1, wide]);
    images.tensor("sub_GN", &[1, 1, 1, wide]);
    let mut projection = images.at("img_projection");
    projection.biased("0", dim, wide);
    projection.biased("2", dim, dim);
    config.text.list(Projections::Packed, &mut all.at(TEXT));
    if !config.text.tied {
        all.at("").linear("lm_head", config.text.vocab, dim);
    }
    all.finish()
}
