//! The vision transformers of SigLIP and CLIP: patches in, one feature a patch out.
//!
//! CLIP puts a class token before the patches and norms what enters the blocks; features are taken
//! before its last blocks, so neither those nor the closing norm are read or run.
//!
//! Source: `modeling_siglip.py`, `modeling_clip.py` in transformers.

pub use super::attention::Qkv;
use super::attention::join_heads;
use super::mlp::{Activation, Mlp};
use super::norm::LayerNorm;
use crate::error::Result;
use crate::models::listing::Place;
use crate::tensor::{Device, Mask, Tensor};
use crate::weights::{Bias, Weights};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Patch kernel with bias, closing norm.
    Siglip,
    /// Class token, norm before the blocks, none after them.
    Clip,
}

/// Sizes of a vision transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct VitConfig {
    /// Width.
    pub dim: usize,
    /// Blocks that are run.
    pub layers: usize,
    /// Blocks that checkpoints hold.
    pub depth: usize,
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
    /// What stands before and after the blocks.
    pub family: Family,
}

impl VitConfig {
    /// Whole patches of a frame's side.
    #[must_use]
    pub const fn side(&self) -> usize {
        self.image / self.patch
    }

    /// Lists what checkpoints hold, of which [`Vit::load`] reads what it needs.
    pub fn list(&self, at: &mut Place<'_>) {
        let (dim, tokens) = (self.dim, self.side() * self.side());
        let mut embeddings = at.at("embeddings");
        match self.family {
            Family::Siglip => {
                embeddings.patch_embedding("patch_embedding", dim, self.patch, Bias::Stored);
                embeddings.embedding("position_embedding", tokens, dim);
            }
            Family::Clip => {
                embeddings.tensor("class_embedding", &[dim]);
                embeddings.patch_embedding("patch_embedding", dim, self.patch, Bias::None);
                embeddings.embedding("position_embedding", tokens + 1, dim);
                at.norm_biased("pre_layrnorm", dim);
            }
        }
        at.norm_biased("post_layernorm", dim);
        for i in 0..self.depth {
            let mut layer = at.at(format!("encoder.layers.{i}"));
            layer.norm_biased("layer_norm1", dim);
            layer.norm_biased("layer_norm2", dim);
            for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                layer.at("self_attn").biased(name, dim, dim);
            }
            layer.at("mlp").biased("fc1", self.inner, dim);
            layer.at("mlp").biased("fc2", dim, self.inner);
        }
    }
}

/// A block: attention, then feed-forward, each after a norm and added to what came in.
pub struct Block<T: Tensor> {
    /// Before attention.
    pub norm1: LayerNorm<T>,
    /// Into attention.
    pub qkv: Qkv<T>,
    /// Out of attention, `[dim, dim]`.
    pub out: T::Linear,
    /// Before the feed-forward part.
    pub norm2: LayerNorm<T>,
    /// The feed-forward part.
    pub mlp: Mlp<T>,
}

impl<T: Tensor> Block<T> {
    fn load(weights: &Weights<'_, T>, config: &VitConfig) -> Result<Self> {
        let dim = config.dim;
        let attention = weights.at("self_attn");
        let square = |name| attention.linear_biased(name, dim, dim);
        Ok(Self {
            norm1: LayerNorm::load(&weights.at("layer_norm1"), dim, config.eps)?,
            qkv: Qkv::Apart([square("q_proj")?, square("k_proj")?, square("v_proj")?]),
            out: square("out_proj")?,
            norm2: LayerNorm::load(&weights.at("layer_norm2"), dim, config.eps)?,
            mlp: Mlp::load(&weights.at("mlp"), dim, config.inner, config.activation)?,
        })
    }

    /// `[b, t, dim] -> [b, t, dim]`; every position sees all of its frame.
    ///
    /// # Errors
    /// When the library fails.
    pub fn forward(&self, x: &T, heads: usize) -> Result<T> {
        let [q, k, v] = self.qkv.forward(&self.norm1.forward(x)?, heads, heads)?;
        let scale = (q.dims()[3] as f32).sqrt().recip();
        let x = x.add(&join_heads(&q.attention(&k, &v, scale, Mask::None)?)?.linear(&self.out)?)?;
        x.add(&self.mlp.forward(&self.norm2.forward(&x)?)?)
    }
}

/// What `tower` makes of `pixels` `[frames, ..]`, as many frames at once as the device likes, where the
/// largest activation of one has `elements` elements.
///
/// # Errors
/// Those of `tower`, and when the library fails.
pub fn in_parts<T: Tensor>(
    pixels: &T,
    elements: usize,
    on: &T::Device,
    tower: impl Fn(&T) -> Result<T>,
) -> Result<T> {
    let frames = pixels.dims()[0];
    let at_once = (on.batch_elements() / elements).max(1);
    let part = |start| tower(&pixels.narrow(0, start, at_once.min(frames - start))?);
    let parts = (0..frames)
        .step_by(at_once)
        .map(part)
        .collect::<Result<Vec<_>>>()?;
    T::concat(&parts.iter().collect::<Vec<_>>(), 0)
}

/// Patch embedding, learned positions, blocks.
pub struct Vit<T: Tensor> {
    patches: T::Linear,
    positions: T,
    /// CLIP's class token `[1, 1, dim]` and the norm before its blocks.
    opening: Option<(T, LayerNorm<T>)>,
    blocks: Vec<Block<T>>,
    closing: Option<LayerNorm<T>>,
    config: VitConfig,
    on: T::Device,
}

impl<T: Tensor> Vit<T> {
    /// Reads `embeddings`, `encoder.layers.*` and the norms of the family.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(weights: &Weights<'_, T>, config: VitConfig) -> Result<Self> {
        let embeddings = weights.at("embeddings");
        let (dim, tokens) = (config.dim, config.side() * config.side());
        let norm = |name| LayerNorm::load(&weights.at(name), dim, config.eps);
        let (bias, tokens, opening, closing) = match config.family {
            Family::Siglip => (Bias::Stored, tokens, None, Some(norm("post_layernorm")?)),
            Family::Clip => {
                let class = embeddings.tensor("class_embedding", &[dim])?;
                // Sic: the published weights spell it so.
                let opening = (class.reshape(&[1, 1, dim])?, norm("pre_layrnorm")?);
                (Bias::None, tokens + 1, Some(opening), None)
            }
        };
        let layers = weights.at("encoder.layers");
        Ok(Self {
            patches: embeddings.patch_embedding("patch_embedding", dim, config.patch, bias)?,
            positions: embeddings.table("position_embedding", tokens, dim)?,
            opening,
            blocks: (0..config.layers)
                .map(|i| Block::load(&layers.at(i), &config))
                .collect::<Result<_>>()?,
            closing,
            config,
            on: weights.on().clone(),
        })
    }

    /// Pixels `[frames, image, image, 3]` -> `[frames, (image / patch)^2, dim]`, patches row by row.
    ///
    /// # Errors
    /// When the pixels have other sizes, or the library fails.
    pub fn forward(&self, pixels: &T) -> Result<T> {
        let side = self.config.side();
        in_parts(pixels, side * side * self.config.inner, &self.on, |part| {
            self.part(part)
        })
    }

    fn part(&self, pixels: &T) -> Result<T> {
        let mut x = self.embed(pixels)?;
        for block in &self.blocks {
            x = block.forward(&x, self.config.heads)?;
        }
        match &self.closing {
            Some(norm) => norm.forward(&x),
            // The class token's own feature is not wanted.
            None => x.narrow(1, 1, self.config.side() * self.config.side()),
        }
    }

    /// Pixels to what enters the first block.
    fn embed(&self, pixels: &T) -> Result<T> {
        let frames = pixels.dims()[0];
        let (side, patch, dim) = (self.config.side(), self.config.patch, self.config.dim);
        let (image, whole) = (self.config.image, side * patch);
        // Pixels that fill no patch are left out, as by a convolution without padding.
        let pixels = pixels.reshape(&[frames, image, image, 3])?;
        let pixels = pixels.narrow(1, 0, whole)?.narrow(2, 0, whole)?;
        let grid = pixels.reshape(&[frames, side, patch, side, patch, 3])?;
        let rows = grid.permute(&[0, 1, 3, 2, 4, 5])?;
        let rows = rows.reshape(&[frames, side * side, patch * patch * 3])?;
        let patches = rows.linear(&self.patches)?;
        match &self.opening {
            None => patches.add(&self.positions),
            Some((class, norm)) => {
                let classes = T::zeros(&[frames, 1, dim], patches.dtype(), &self.on)?.add(class)?;
                norm.forward(&T::concat(&[&classes, &patches], 1)?.add(&self.positions)?)
            }
        }
    }
}
