//! Names, shapes and types of every tensor of a Moondream2 checkpoint, for making one of random
//! weights. Those of the region decoder are among them: published files hold them, this program does
//! not read them, and mlx-vlm's conversions leave them out.

use super::config::{Config, RegionConfig, VisionConfig};
use crate::models::listing::{Listing, Place, Stored};
use crate::models::published::{Form, Layout};

/// Every tensor, as a publication of that form stores them.
#[must_use]
pub fn tensors(config: &Config, form: Form) -> Vec<Stored> {
    let names = super::names(form.layout);
    let mut all = Listing::new(form);
    config.text.list(&mut all.at(names.text));
    let mut head = all.at(names.head);
    head.biased("lm_head", config.text.vocab, config.text.dim);
    vision(&config.vision, &mut all.at(names.vision));
    let mut projector = all.at(names.projector);
    let (dim, inner) = (config.vision.dim, config.vision.projector);
    projector.biased("fc1", inner, 2 * dim);
    projector.biased("fc2", config.text.dim, inner);
    if form.layout == Layout::HuggingFace {
        region(&config.region, &mut all.at("model.region"));
    }
    all.finish()
}

fn vision(c: &VisionConfig, at: &mut Place<'_>) {
    at.biased("patch_emb", c.dim, 3 * c.patch * c.patch);
    at.tensor("pos_emb", &[1, c.side() * c.side(), c.dim]);
    for i in 0..c.layers {
        let mut block = at.at(format!("blocks.{i}"));
        block.norm_biased("ln1", c.dim);
        block.norm_biased("ln2", c.dim);
        block.biased("attn.qkv", 3 * c.dim, c.dim);
        block.biased("attn.proj", c.dim, c.dim);
        block.biased("mlp.fc1", c.inner, c.dim);
        block.biased("mlp.fc2", c.dim, c.inner);
    }
    at.norm_biased("post_ln", c.dim);
}

fn region(c: &RegionConfig, at: &mut Place<'_>) {
    at.biased("coord_encoder", c.dim, c.coord_feat_dim);
    at.biased("coord_decoder.fc1", c.inner_dim, c.dim);
    at.biased("coord_decoder.fc2", c.coord_out_dim, c.inner_dim);
    at.biased("size_encoder", c.dim, c.size_feat_dim);
    at.biased("size_decoder.fc1", c.inner_dim, c.dim);
    at.biased("size_decoder.fc2", c.size_out_dim, c.inner_dim);
    at.tensor("coord_features", &[1, c.coord_feat_dim / 2]);
    at.tensor("size_features", &[2, c.size_feat_dim / 2]);
}
