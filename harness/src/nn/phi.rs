//! The decoder of Phi-1.5: one norm a block, before attention and feed-forward part alike; biases
//! everywhere; rotary positions on a part of each head.
//!
//! Source: `text.py` in vikhyat/moondream; golden values in `tests/golden/`.

use super::KvCache;
use super::attention::{Qkv, join_heads};
use super::mlp::{Activation, Mlp};
use super::norm::LayerNorm;
use crate::error::Result;
use crate::models::listing::Place;
use crate::models::published::Layout;
use crate::tensor::{DType, Mask, RopeSpec, Tensor};
use crate::weights::Weights;

/// The table and the blocks as published (sic: the table has no `.weight`), and in MLX conversions.
const TABLE: &str = "wte";
const BLOCKS: &str = "blocks";
const MLX_TABLE: &str = "embed_tokens";
const MLX_BLOCKS: &str = "layers";

/// Sizes of a Phi-1.5 decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct PhiConfig {
    /// Width.
    pub dim: usize,
    /// Blocks.
    pub layers: usize,
    /// Query heads, `dim / heads` wide.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width inside the feed-forward part.
    pub inner: usize,
    /// Ids.
    pub vocab: usize,
    /// Epsilon of every norm.
    pub eps: f32,
    /// Leading dimensions of a head that carry its position.
    pub turned: usize,
    /// Base of the rotary angles.
    pub rope_theta: f64,
    /// Positions the model was made for.
    pub max_len: usize,
}

impl PhiConfig {
    /// Width of a head.
    #[must_use]
    pub const fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    /// Columns of queries, keys and values together.
    const fn packed(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim()
    }

    /// Lists what [`Phi::load`] reads, the head left out.
    pub fn list(&self, at: &mut Place<'_>) {
        let blocks = match at.layout() {
            Layout::HuggingFace => {
                at.tensor(TABLE, &[self.vocab, self.dim]);
                BLOCKS
            }
            Layout::Mlx => {
                at.embedding(MLX_TABLE, self.vocab, self.dim);
                MLX_BLOCKS
            }
        };
        for i in 0..self.layers {
            let mut block = at.at(format!("{blocks}.{i}"));
            block.norm_biased("ln", self.dim);
            block.biased("attn.qkv", self.packed(), self.dim);
            block.biased("attn.proj", self.dim, self.dim);
            block.biased("mlp.fc1", self.inner, self.dim);
            block.biased("mlp.fc2", self.dim, self.inner);
        }
        at.norm_biased("post_ln", self.dim);
    }
}

struct Block<T: Tensor> {
    norm: LayerNorm<T>,
    qkv: Qkv<T>,
    out: T::Linear,
    mlp: Mlp<T>,
}

impl<T: Tensor> Block<T> {
    fn load(weights: &Weights<'_, T>, c: &PhiConfig) -> Result<Self> {
        let attention = weights.at("attn");
        Ok(Self {
            norm: LayerNorm::load(&weights.at("ln"), c.dim, c.eps)?,
            qkv: Qkv::Packed(attention.linear_biased("qkv", c.packed(), c.dim)?),
            out: attention.linear_biased("proj", c.dim, c.dim)?,
            mlp: Mlp::load(&weights.at("mlp"), c.dim, c.inner, Activation::GeluTanh)?,
        })
    }

    /// Attention and feed-forward part side by side, both added to what came in.
    fn forward(&self, x: &T, at: &Step<'_, T>, cache: &mut KvCache<T>) -> Result<T> {
        let (c, normed) = (at.config, self.norm.forward(x)?);
        let [q, k, v] = self.qkv.forward(&normed, c.heads, c.kv_heads)?;
        let offset = cache.len();
        let q = q.rope(at.rope, offset)?;
        let (k, v) = cache.append(&k.rope(at.rope, offset)?, &v)?;
        let scale = (c.head_dim() as f32).sqrt().recip();
        let attended = join_heads(&q.attention(&k, &v, scale, at.mask)?)?;
        x.add(&attended.linear(&self.out)?)?
            .add(&self.mlp.forward(&normed)?)
    }
}

/// What all blocks of one pass share.
struct Step<'a, T: Tensor> {
    config: &'a PhiConfig,
    rope: &'a T::Rope,
    mask: Mask,
}

/// Embeddings in, logits out.
pub struct Phi<T: Tensor> {
    embeddings: T::Linear,
    blocks: Vec<Block<T>>,
    norm: LayerNorm<T>,
    head: T::Linear,
    /// Bytes of weights that one step reads.
    step_bytes: u64,
    rope: T::Rope,
    config: PhiConfig,
    dtype: DType,
    on: T::Device,
}

impl<T: Tensor> Phi<T> {
    /// Reads the embedding table, the blocks and `post_ln` below `weights`, and the head
    /// `[vocab, dim]`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(
        weights: &Weights<'_, T>,
        head: &Weights<'_, T>,
        config: PhiConfig,
    ) -> Result<Self> {
        let (c, dtype) = (&config, weights.dtype());
        let mlx = weights.has(&format!("{MLX_TABLE}.weight"));
        let (embeddings, blocks) = if mlx {
            let table = weights.linear(MLX_TABLE, c.vocab, c.dim)?;
            (table, weights.at(MLX_BLOCKS))
        } else {
            let table = weights.bare_linear(TABLE, c.vocab, c.dim)?;
            (table, weights.at(BLOCKS))
        };
        let before = weights.held();
        Ok(Self {
            embeddings,
            blocks: (0..c.layers)
                .map(|i| Block::load(&blocks.at(i), c))
                .collect::<Result<_>>()?,
            norm: LayerNorm::load(&weights.at("post_ln"), c.dim, c.eps)?,
            head: head.linear_biased("lm_head", c.vocab, c.dim)?,
            step_bytes: weights.held() - before,
            rope: T::rope_new(
                &RopeSpec::plain(c.turned, c.rope_theta, c.max_len),
                dtype,
                weights.on(),
            )?,
            dtype,
            on: weights.on().clone(),
            config,
        })
    }

    /// Sizes.
    #[must_use]
    pub const fn config(&self) -> &PhiConfig {
        &self.config
    }

    /// Bytes of weights that one step reads: all but the embedding table.
    #[must_use]
    pub const fn step_bytes(&self) -> u64 {
        self.step_bytes
    }

    /// An empty cache for each layer with room for `capacity` positions.
    ///
    /// # Errors
    /// When the library has no room for it.
    pub fn cache(&self, capacity: usize) -> Result<Vec<KvCache<T>>> {
        let c = &self.config;
        let one = || KvCache::new(c.kv_heads, capacity, c.head_dim(), self.dtype, &self.on);
        (0..c.layers).map(|_| one()).collect()
    }

    /// Ids `[t]` -> `[t, dim]`.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<T> {
        T::embed(&self.embeddings, &T::from_u32(ids, &[ids.len()], &self.on)?)
    }

    /// Feeds `[t, dim]` after what the cache holds: what leaves the last block, `[1, t, dim]`.
    ///
    /// # Errors
    /// When the cache is full, or the library fails.
    pub fn feed(&self, embeddings: &T, cache: &mut [KvCache<T>], mask: Mask) -> Result<T> {
        let (config, rope) = (&self.config, &self.rope);
        let step = Step { config, rope, mask };
        let mut x = embeddings.reshape(&[1, embeddings.dims()[0], config.dim])?;
        for (block, cache) in self.blocks.iter().zip(cache) {
            x = block.forward(&x, &step, cache)?;
        }
        Ok(x)
    }

    /// Logits of the last position of what [`Self::feed`] gave, `[vocab]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn logits(&self, fed: &T) -> Result<T> {
        let last = self.norm.forward(&fed.narrow(1, fed.dims()[1] - 1, 1)?)?;
        last.linear(&self.head)?.reshape(&[self.config.vocab])
    }
}
