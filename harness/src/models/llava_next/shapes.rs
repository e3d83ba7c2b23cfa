//! Names, shapes and types of every tensor of a LLaVA-NeXT checkpoint, for making one of random weights.

use super::NESTED;
use super::config::Config;
use crate::models::listing::{Listing, Stored};
use crate::models::published::Form;
use crate::nn::llama::Projections;

/// Every tensor, as a publication of that form stores them.
#[must_use]
pub fn tensors(config: &Config, form: Form) -> Vec<Stored> {
    let mut all = Listing::new(form);
    let (seen, dim) = (config.vision.dim, config.text.dim);
    config.vision.list(&mut all.at(NESTED.vision));
    let mut projector = all.at(NESTED.projector);
    projector.biased("linear_1", dim, seen);
    projector.biased("linear_2", dim, dim);
    all.at("").tensor(NESTED.newline, &[dim]);
    config
        .text
        .list(Projections::Apart, &mut all.at(NESTED.text));
    if !config.text.tied {
        all.at(NESTED.head)
            .linear("lm_head", config.text.vocab, dim);
    }
    all.finish()
}
