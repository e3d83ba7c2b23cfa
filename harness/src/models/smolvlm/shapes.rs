//! Names and shapes of every tensor of a SmolVLM checkpoint, for making one of random weights.

use super::config::Config;
use crate::models::published::Layout;

/// Every tensor: name and sizes, as a publication of that layout stores them, by name.
#[must_use]
pub fn tensors(config: &Config, layout: Layout) -> Vec<(String, Vec<usize>)> {
    let names = super::names(layout);
    let mut all = Vec::new();
    vision(config, layout, names.vision, &mut all);
    let wide = config.vision.dim * config.shuffle * config.shuffle;
    all.push((
        format!("{}.modality_projection.proj.weight", names.connector),
        vec![config.text.dim, wide],
    ));
    text(config, names.text, &mut all);
    if !config.text.tied {
        let dot = if names.head.is_empty() { "" } else { "." };
        all.push((
            format!("{}{dot}lm_head.weight", names.head),
            vec![config.text.vocab, config.text.dim],
        ));
    }
    all.sort();
    all
}

fn vision(config: &Config, layout: Layout, at: &str, all: &mut Vec<(String, Vec<usize>)>) {
    let c = &config.vision;
    let (dim, inner, patch) = (c.dim, c.inner, c.patch);
    let mut add = |name: String, dims: &[usize]| all.push((format!("{at}.{name}"), dims.to_vec()));
    let kernel = match layout {
        Layout::HuggingFace => [dim, 3, patch, patch],
        Layout::Mlx => [dim, patch, patch, 3],
    };
    add("embeddings.patch_embedding.weight".to_owned(), &kernel);
    add("embeddings.patch_embedding.bias".to_owned(), &[dim]);
    add(
        "embeddings.position_embedding.weight".to_owned(),
        &[c.side() * c.side(), dim],
    );
    for i in 0..c.layers {
        for norm in ["layer_norm1", "layer_norm2"] {
            add(format!("encoder.layers.{i}.{norm}.weight"), &[dim]);
            add(format!("encoder.layers.{i}.{norm}.bias"), &[dim]);
        }
        for layer in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            add(
                format!("encoder.layers.{i}.self_attn.{layer}.weight"),
                &[dim, dim],
            );
            add(format!("encoder.layers.{i}.self_attn.{layer}.bias"), &[dim]);
        }
        for (layer, n, k) in [("fc1", inner, dim), ("fc2", dim, inner)] {
            add(format!("encoder.layers.{i}.mlp.{layer}.weight"), &[n, k]);
            add(format!("encoder.layers.{i}.mlp.{layer}.bias"), &[n]);
        }
    }
    add("post_layernorm.weight".to_owned(), &[dim]);
    add("post_layernorm.bias".to_owned(), &[dim]);
}

fn text(config: &Config, at: &str, all: &mut Vec<(String, Vec<usize>)>) {
    let c = &config.text;
    let (dim, wide, narrow) = (c.dim, c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let mut add =
        |name: String, dims: &[usize]| all.push((format!("{at}.{name}.weight"), dims.to_vec()));
    add("embed_tokens".to_owned(), &[c.vocab, dim]);
    for i in 0..c.layers {
        for (layer, n, k) in [
            ("q_proj", wide, dim),
            ("k_proj", narrow, dim),
            ("v_proj", narrow, dim),
        ] {
            add(format!("layers.{i}.self_attn.{layer}"), &[n, k]);
        }
        add(format!("layers.{i}.self_attn.o_proj"), &[dim, wide]);
        for (layer, n, k) in [
            ("gate_proj", c.inner, dim),
            ("up_proj", c.inner, dim),
            ("down_proj", dim, c.inner),
        ] {
            add(format!("layers.{i}.mlp.{layer}"), &[n, k]);
        }
        add(format!("layers.{i}.input_layernorm"), &[dim]);
        add(format!("layers.{i}.post_attention_layernorm"), &[dim]);
    }
    add("norm".to_owned(), &[dim]);
}
