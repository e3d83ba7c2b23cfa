//! The Llama decoder: RMS norms, rotary positions, grouped-query attention, gated MLP.

use super::KvCache;
use super::attention::{join_heads, split_heads};
use super::mlp::GatedMlp;
use crate::error::{Error, Result};
use crate::models::listing::Place;
use crate::tensor::{DType, Mask, RopeSpec, Tensor};
use crate::weights::Weights;

/// Sizes of a Llama decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaConfig {
    /// Width.
    pub dim: usize,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width inside the gated MLP.
    pub inner: usize,
    /// Ids.
    pub vocab: usize,
    /// Epsilon of every norm.
    pub eps: f32,
    /// Base of the rotary angles.
    pub rope_theta: f64,
    /// Positions the model was made for.
    pub max_len: usize,
    /// Whether the head is the embedding table.
    pub tied: bool,
}

impl LlamaConfig {
    /// Lists what [`Llama::load`] reads, the head left out.
    pub fn list(&self, at: &mut Place<'_>) {
        let (dim, wide) = (self.dim, self.heads * self.head_dim);
        let narrow = self.kv_heads * self.head_dim;
        at.embedding("embed_tokens", self.vocab, dim);
        for i in 0..self.layers {
            let mut layer = at.at(format!("layers.{i}"));
            let mut attention = layer.at("self_attn");
            attention.linear("q_proj", wide, dim);
            attention.linear("k_proj", narrow, dim);
            attention.linear("v_proj", narrow, dim);
            attention.linear("o_proj", dim, wide);
            let mut mlp = layer.at("mlp");
            mlp.linear("gate_proj", self.inner, dim);
            mlp.linear("up_proj", self.inner, dim);
            mlp.linear("down_proj", dim, self.inner);
            layer.norm("input_layernorm", dim);
            layer.norm("post_attention_layernorm", dim);
        }
        at.norm("norm", dim);
    }
}

struct Block<T: Tensor> {
    norm1: T,
    q: T::Linear,
    k: T::Linear,
    v: T::Linear,
    out: T::Linear,
    norm2: T,
    mlp: GatedMlp<T>,
}

impl<T: Tensor> Block<T> {
    fn load(weights: &Weights<'_, T>, c: &LlamaConfig) -> Result<Self> {
        let attention = weights.at("self_attn");
        let (wide, narrow) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        Ok(Self {
            norm1: weights.tensor("input_layernorm.weight", &[c.dim])?,
            q: attention.linear("q_proj", wide, c.dim)?,
            k: attention.linear("k_proj", narrow, c.dim)?,
            v: attention.linear("v_proj", narrow, c.dim)?,
            out: attention.linear("o_proj", c.dim, wide)?,
            norm2: weights.tensor("post_attention_layernorm.weight", &[c.dim])?,
            mlp: GatedMlp::load(&weights.at("mlp"), c.dim, c.inner)?,
        })
    }

    fn forward(&self, x: &T, c: &LlamaConfig, rope: &T::Rope, cache: &mut KvCache<T>) -> Result<T> {
        let normed = x.rms_norm(&self.norm1, c.eps)?;
        let offset = cache.len();
        let q = split_heads(&normed.linear(&self.q)?, c.heads)?.rope(rope, offset)?;
        let k = split_heads(&normed.linear(&self.k)?, c.kv_heads)?.rope(rope, offset)?;
        let v = split_heads(&normed.linear(&self.v)?, c.kv_heads)?;
        let (k, v) = cache.append(&k, &v)?;
        let scale = (c.head_dim as f32).sqrt().recip();
        let attended = join_heads(&q.attention(&k, &v, scale, Mask::Causal)?)?;
        let x = x.add(&attended.linear(&self.out)?)?;
        x.add(&self.mlp.forward(&x.rms_norm(&self.norm2, c.eps)?)?)
    }
}

/// Embeddings in, logits out.
pub struct Llama<T: Tensor> {
    embeddings: T::Linear,
    blocks: Vec<Block<T>>,
    norm: T,
    head: Option<T::Linear>,
    rope: T::Rope,
    config: LlamaConfig,
    dtype: DType,
    on: T::Device,
}

impl<T: Tensor> Llama<T> {
    /// Reads `embed_tokens`, `layers.*` and `norm` below `weights`, and the head `[vocab, dim]`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(
        weights: &Weights<'_, T>,
        head: &Weights<'_, T>,
        config: LlamaConfig,
    ) -> Result<Self> {
        let (layers, c) = (weights.at("layers"), &config);
        let spec = RopeSpec::plain(c.head_dim, c.rope_theta, c.max_len);
        Ok(Self {
            embeddings: weights.linear("embed_tokens", c.vocab, c.dim)?,
            blocks: (0..c.layers)
                .map(|i| Block::load(&layers.at(i), c))
                .collect::<Result<_>>()?,
            norm: weights.tensor("norm.weight", &[c.dim])?,
            head: if c.tied {
                None
            } else {
                Some(head.linear("lm_head", c.vocab, c.dim)?)
            },
            rope: T::rope_new(&spec, weights.dtype(), weights.on())?,
            dtype: weights.dtype(),
            on: weights.on().clone(),
            config,
        })
    }

    /// Sizes.
    #[must_use]
    pub const fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// An empty cache for each layer with room for `capacity` positions.
    ///
    /// # Errors
    /// [`Error::Prompt`] when that is more than the model was made for.
    pub fn cache(&self, capacity: usize) -> Result<Vec<KvCache<T>>> {
        let (c, room) = (&self.config, self.config.max_len);
        if capacity > room {
            return Err(Error::Prompt(format!(
                "{capacity} positions with the answer, the model has room for {room}"
            )));
        }
        let one = || KvCache::new(c.kv_heads, capacity, c.head_dim, self.dtype, &self.on);
        (0..c.layers).map(|_| one()).collect()
    }

    /// Ids `[t]` -> `[t, dim]`.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<T> {
        T::embed(&self.embeddings, &T::from_u32(ids, &[ids.len()], &self.on)?)
    }

    /// Feeds `[t, dim]` after what the cache holds; logits of the last position, `[vocab]`.
    ///
    /// # Errors
    /// When the cache is full, or the library fails.
    pub fn forward(&self, embeddings: &T, cache: &mut [KvCache<T>]) -> Result<T> {
        let (len, dim) = (embeddings.dims()[0], self.config.dim);
        let mut x = embeddings.reshape(&[1, len, dim])?;
        for (block, cache) in self.blocks.iter().zip(cache) {
            x = block.forward(&x, &self.config, &self.rope, cache)?;
        }
        let last = x
            .narrow(1, len - 1, 1)?
            .rms_norm(&self.norm, self.config.eps)?;
        last.linear(self.head.as_ref().unwrap_or(&self.embeddings))?
            .reshape(&[self.config.vocab])
    }
}
