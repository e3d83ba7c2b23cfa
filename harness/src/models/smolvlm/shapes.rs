//! Names, shapes and types of every tensor of a SmolVLM checkpoint, for making one of random weights.

use super::config::Config;
use crate::models::listing::{Listing, Stored};
use crate::models::published::Form;
use crate::nn::llama::Projections;

/// Every tensor, as a publication of that form stores them.
#[must_use]
pub fn tensors(config: &Config, form: Form) -> Vec<Stored> {
    let names = super::names(form.layout);
    let mut all = Listing::new(form);
    config.vision.list(&mut all.at(names.vision));
    let wide = config.vision.dim * config.shuffle * config.shuffle;
    let mut connector = all.at(names.connector);
    connector.linear("modality_projection.proj", config.text.dim, wide);
    config
        .text
        .list(Projections::Apart, &mut all.at(names.text));
    if !config.text.tied {
        let mut head = all.at(names.head);
        head.linear("lm_head", config.text.vocab, config.text.dim);
    }
    all.finish()
}
