//! The vision transformer of SigLIP: patches in, one feature a patch out.

use super::attention::{join_heads, split_heads};
use super::mlp::{Activation, Mlp};
use crate::error::Result;
use crate::tensor::{Device, Mask, Tensor};
use crate::weights::{Bias, Weights};

/// Sizes of a vision transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct VitConfig {
    /// Width.
    pub dim: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width inside the feed-forward block.
    pub inner: usize,
    /// Pixels of a frame's side.
    pub image: usize,
    /// Pixels of a patch's side.
    pub patch: usize,
    /// Epsilon of every layer norm.
    pub eps: f32,
    /// Activation of the feed-forward block.
    pub activation: Activation,
}

impl VitConfig {
    /// Patches of a frame's side.
    #[must_use]
    pub const fn side(&self) -> usize {
        self.image / self.patch
    }
}

struct Norm<T> {
    weight: T,
    bias: T,
    eps: f32,
}

impl<T: Tensor> Norm<T> {
    fn load(weights: &Weights<'_, T>, dim: usize, eps: f32) -> Result<Self> {
        Ok(Self {
            weight: weights.tensor("weight", &[dim])?,
            bias: weights.tensor("bias", &[dim])?,
            eps,
        })
    }

    fn forward(&self, x: &T) -> Result<T> {
        x.layer_norm(&self.weight, &self.bias, self.eps)
    }
}

struct Block<T: Tensor> {
    norm1: Norm<T>,
    q: T::Linear,
    k: T::Linear,
    v: T::Linear,
    out: T::Linear,
    norm2: Norm<T>,
    mlp: Mlp<T>,
}

impl<T: Tensor> Block<T> {
    fn load(weights: &Weights<'_, T>, config: &VitConfig) -> Result<Self> {
        let dim = config.dim;
        let attention = weights.at("self_attn");
        Ok(Self {
            norm1: Norm::load(&weights.at("layer_norm1"), dim, config.eps)?,
            q: attention.linear_biased("q_proj", dim, dim)?,
            k: attention.linear_biased("k_proj", dim, dim)?,
            v: attention.linear_biased("v_proj", dim, dim)?,
            out: attention.linear_biased("out_proj", dim, dim)?,
            norm2: Norm::load(&weights.at("layer_norm2"), dim, config.eps)?,
            mlp: Mlp::load(&weights.at("mlp"), dim, config.inner, config.activation)?,
        })
    }

    fn forward(&self, x: &T, heads: usize) -> Result<T> {
        let normed = self.norm1.forward(x)?;
        let [q, k, v] =
            [&self.q, &self.k, &self.v].map(|layer| split_heads(&normed.linear(layer)?, heads));
        let (q, k, v) = (q?, k?, v?);
        let scale = (q.dims()[3] as f32).sqrt().recip();
        let x = x.add(&join_heads(&q.attention(&k, &v, scale, Mask::None)?)?.linear(&self.out)?)?;
        x.add(&self.mlp.forward(&self.norm2.forward(&x)?)?)
    }
}

/// Patch embedding, learned positions, blocks, closing norm.
pub struct Vit<T: Tensor> {
    patches: T::Linear,
    positions: T,
    blocks: Vec<Block<T>>,
    post: Norm<T>,
    config: VitConfig,
    on: T::Device,
}

impl<T: Tensor> Vit<T> {
    /// Reads `embeddings`, `encoder.layers.*` and `post_layernorm`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(weights: &Weights<'_, T>, config: VitConfig) -> Result<Self> {
        let embeddings = weights.at("embeddings");
        let (dim, tokens) = (config.dim, config.side() * config.side());
        let layers = weights.at("encoder.layers");
        Ok(Self {
            patches: embeddings.patch_embedding(
                "patch_embedding",
                dim,
                config.patch,
                Bias::Stored,
            )?,
            positions: embeddings
                .at("position_embedding")
                .tensor("weight", &[tokens, dim])?,
            blocks: (0..config.layers)
                .map(|i| Block::load(&layers.at(i), &config))
                .collect::<Result<_>>()?,
            post: Norm::load(&weights.at("post_layernorm"), dim, config.eps)?,
            config,
            on: weights.on().clone(),
        })
    }

    /// Pixels `[frames, image, image, 3]` -> `[frames, (image / patch)^2, dim]`, patches row by row.
    ///
    /// # Errors
    /// When the pixels have other sizes, or the library fails.
    pub fn forward(&self, pixels: &T) -> Result<T> {
        let frames = pixels.dims()[0];
        let side = self.config.side();
        let at_once = (self.on.batch_elements() / (side * side * self.config.inner)).max(1);
        let part = |start| self.part(&pixels.narrow(0, start, at_once.min(frames - start))?);
        let parts = (0..frames)
            .step_by(at_once)
            .map(part)
            .collect::<Result<Vec<_>>>()?;
        T::concat(&parts.iter().collect::<Vec<_>>(), 0)
    }

    fn part(&self, pixels: &T) -> Result<T> {
        let frames = pixels.dims()[0];
        let (side, patch) = (self.config.side(), self.config.patch);
        let grid = pixels.reshape(&[frames, side, patch, side, patch, 3])?;
        let rows = grid.permute(&[0, 1, 3, 2, 4, 5])?;
        let rows = rows.reshape(&[frames, side * side, patch * patch * 3])?;
        let mut x = rows.linear(&self.patches)?.add(&self.positions)?;
        for block in &self.blocks {
            x = block.forward(&x, self.config.heads)?;
        }
        self.post.forward(&x)
    }
}
