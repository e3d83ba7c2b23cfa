//! Names, shapes and types of every tensor of a SmolVLM checkpoint, for making one of random weights.

use super::config::Config;
use crate::models::listing::{Listing, Place, Stored};
use crate::models::published::Form;
use crate::weights::Bias;

/// Every tensor, as a publication of that form stores them.
#[must_use]
pub fn tensors(config: &Config, form: Form) -> Vec<Stored> {
    let names = super::names(form.layout);
    let mut all = Listing::new(form);
    vision(config, &mut all.at(names.vision));
    let wide = config.vision.dim * config.shuffle * config.shuffle;
    let mut connector = all.at(names.connector);
    connector.linear("modality_projection.proj", config.text.dim, wide);
    text(config, &mut all.at(names.text));
    if !config.text.tied {
        let mut head = all.at(names.head);
        head.linear("lm_head", config.text.vocab, config.text.dim);
    }
    all.finish()
}

fn vision(config: &Config, at: &mut Place<'_>) {
    let c = &config.vision;
    let (dim, inner) = (c.dim, c.inner);
    let mut embeddings = at.at("embeddings");
    embeddings.patch_embedding("patch_embedding", dim, c.patch, Bias::Stored);
    embeddings.embedding("position_embedding", c.side() * c.side(), dim);
    for i in 0..c.layers {
        let mut layer = at.at(format!("encoder.layers.{i}"));
        layer.norm_biased("layer_norm1", dim);
        layer.norm_biased("layer_norm2", dim);
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            layer.at("self_attn").biased(name, dim, dim);
        }
        layer.at("mlp").biased("fc1", inner, dim);
        layer.at("mlp").biased("fc2", dim, inner);
    }
    at.norm_biased("post_layernorm", dim);
}

fn text(config: &Config, at: &mut Place<'_>) {
    let c = &config.text;
    let (dim, wide, narrow) = (c.dim, c.heads * c.head_dim, c.kv_heads * c.head_dim);
    at.embedding("embed_tokens", c.vocab, dim);
    for i in 0..c.layers {
        let mut layer = at.at(format!("layers.{i}"));
        let mut attention = layer.at("self_attn");
        attention.linear("q_proj", wide, dim);
        attention.linear("k_proj", narrow, dim);
        attention.linear("v_proj", narrow, dim);
        attention.linear("o_proj", dim, wide);
        let mut mlp = layer.at("mlp");
        mlp.linear("gate_proj", c.inner, dim);
        mlp.linear("up_proj", c.inner, dim);
        mlp.linear("down_proj", dim, c.inner);
        layer.norm("input_layernorm", dim);
        layer.norm("post_attention_layernorm", dim);
    }
    at.norm("norm", dim);
}
