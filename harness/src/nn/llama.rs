//! The Llama decoder: RMS norms, rotary positions, grouped-query attention, gated MLP.
//!
//! Mistral is the same; Phi-3 packs its projections and has LongRoPE, whose angles depend on how many
//! positions are fed in all. The rule is the reference's: up to [`LongRope::original`] positions
//! every one is turned by the short angles, beyond that every one by the long ones. The token that
//! goes beyond is therefore fed together with all before it once more, so that whatever the cache
//! holds, logits are those of one pass over the whole text.

use super::KvCache;
use super::attention::{Qkv, join_heads};
use super::mlp::GatedMlp;
use super::rope::LongRope;
use crate::error::Result;
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
    /// What stretches them over long texts, where anything does.
    pub long_rope: Option<LongRope>,
    /// Positions the model was made for.
    pub max_len: usize,
    /// Whether the head is the embedding table.
    pub tied: bool,
}

/// How checkpoints hold the layers that read the same input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projections {
    /// Each by itself: `q_proj`, `k_proj`, `v_proj`; `gate_proj`, `up_proj`.
    Apart,
    /// One after the other: `qkv_proj`; `gate_up_proj`.
    Packed,
}

impl LlamaConfig {
    /// Lists what [`Llama::load`] reads, the head left out.
    pub fn list(&self, projections: Projections, at: &mut Place<'_>) {
        let (dim, wide) = (self.dim, self.heads * self.head_dim);
        let narrow = self.kv_heads * self.head_dim;
        at.embedding("embed_tokens", self.vocab, dim);
        for i in 0..self.layers {
            let mut layer = at.at(format!("layers.{i}"));
            let mut attention = layer.at("self_attn");
            match projections {
                Projections::Apart => {
                    attention.linear("q_proj", wide, dim);
                    attention.linear("k_proj", narrow, dim);
                    attention.linear("v_proj", narrow, dim);
                    layer.at("mlp").linear("gate_proj", self.inner, dim);
                    layer.at("mlp").linear("up_proj", self.inner, dim);
                }
                Projections::Packed => {
                    attention.linear("qkv_proj", wide + 2 * narrow, dim);
                    layer.at("mlp").linear("gate_up_proj", 2 * self.inner, dim);
                }
            }
            layer.at("self_attn").linear("o_proj", dim, wide);
            layer.at("mlp").linear("down_proj", dim, self.inner);
            layer.norm("input_layernorm", dim);
            layer.norm("post_attention_layernorm", dim);
        }
        at.norm("norm", dim);
    }
}

struct Block<T: Tensor> {
    norm1: T,
    qkv: Qkv<T>,
    out: T::Linear,
    norm2: T,
    mlp: GatedMlp<T>,
}

impl<T: Tensor> Block<T> {
    fn load(weights: &Weights<'_, T>, c: &LlamaConfig) -> Result<Self> {
        let attention = weights.at("self_attn");
        let (wide, narrow) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let qkv = if attention.has("qkv_proj.weight") {
            Qkv::Packed(attention.linear("qkv_proj", wide + 2 * narrow, c.dim)?)
        } else {
            let part = |name, n| attention.linear(name, n, c.dim);
            Qkv::Apart([
                part("q_proj", wide)?,
                part("k_proj", narrow)?,
                part("v_proj", narrow)?,
            ])
        };
        Ok(Self {
            norm1: weights.tensor("input_layernorm.weight", &[c.dim])?,
            qkv,
            out: attention.linear("o_proj", c.dim, wide)?,
            norm2: weights.tensor("post_attention_layernorm.weight", &[c.dim])?,
            mlp: GatedMlp::load(&weights.at("mlp"), c.dim, c.inner)?,
        })
    }

    fn forward(&self, x: &T, c: &LlamaConfig, rope: &T::Rope, cache: &mut KvCache<T>) -> Result<T> {
        let normed = x.rms_norm(&self.norm1, c.eps)?;
        let offset = cache.len();
        let [q, k, v] = self.qkv.forward(&normed, c.heads, c.kv_heads)?;
        let q = q.rope(rope, offset)?;
        let (k, v) = cache.append(&k.rope(rope, offset)?, &v)?;
        let scale = (c.head_dim as f32).sqrt().recip();
        let attended = join_heads(&q.attention(&k, &v, scale, Mask::Causal)?)?;
        let x = x.add(&attended.linear(&self.out)?)?;
        x.add(&self.mlp.forward(&x.rms_norm(&self.norm2, c.eps)?)?)
    }
}

/// What a conversation has been fed.
pub struct Cache<T: Tensor> {
    layers: Vec<KvCache<T>>,
    far: Option<Far<T>>,
}

/// What it takes to go over to LongRoPE's long angles.
struct Far<T: Tensor> {
    /// The last number of positions for the short ones.
    from: usize,
    rope: T::Rope,
    /// All that was fed at the short ones, `[t, dim]` each.
    fed: Vec<T>,
}

/// Embeddings in, logits out.
pub struct Llama<T: Tensor> {
    embeddings: T::Linear,
    blocks: Vec<Block<T>>,
    norm: T,
    head: Option<T::Linear>,
    /// Bytes of weights that one step reads.
    step_bytes: u64,
    rope: T::Rope,
    config: LlamaConfig,
    dtype: DType,
    on: T::Device,
}

impl<T: Tensor> Llama<T> {
    /// Reads `layers.*` and `norm` below `weights`, the embeddings `[vocab, dim]` at `table`, and
    /// `lm_head`, likewise, below `head`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(
        weights: &Weights<'_, T>,
        table: &Weights<'_, T>,
        head: &Weights<'_, T>,
        config: LlamaConfig,
    ) -> Result<Self> {
        let (layers, c) = (weights.at("layers"), &config);
        let spec = match &c.long_rope {
            None => RopeSpec::plain(c.head_dim, c.rope_theta, c.max_len),
            Some(long) => long.near(c.rope_theta),
        };
        let embeddings = table.linear("", c.vocab, c.dim)?;
        let before = weights.held();
        let read = |table: &T::Linear| if c.tied { T::linear_bytes(table) } else { 0 };
        Ok(Self {
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
            step_bytes: weights.held() - before + read(&embeddings) as u64,
            embeddings,
            dtype: weights.dtype(),
            on: weights.on().clone(),
            config,
        })
    }

    /// Bytes of weights that one step reads: all but an embedding table that is not the head.
    #[must_use]
    pub const fn step_bytes(&self) -> u64 {
        self.step_bytes
    }

    /// Sizes.
    #[must_use]
    pub const fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// An empty cache with room for `capacity` positions.
    ///
    /// # Errors
    /// When the library has no room for it.
    pub fn cache(&self, capacity: usize) -> Result<Cache<T>> {
        let c = &self.config;
        let one = || KvCache::new(c.kv_heads, capacity, c.head_dim, self.dtype, &self.on);
        let long = c.long_rope.as_ref().filter(|l| capacity > l.original);
        let far = |long: &LongRope| -> Result<Far<T>> {
            let spec = long.far(c.rope_theta, capacity);
            Ok(Far {
                from: long.original,
                rope: T::rope_new(&spec, self.dtype, &self.on)?,
                fed: Vec::new(),
            })
        };
        Ok(Cache {
            layers: (0..c.layers).map(|_| one()).collect::<Result<_>>()?,
            far: long.map(far).transpose()?,
        })
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
    pub fn forward(&self, embeddings: &T, cache: &mut Cache<T>) -> Result<T> {
        let Cache { layers, far } = cache;
        let Some(far) = far else {
            return self.feed(embeddings, &self.rope, layers);
        };
        let before = layers.first().map_or(0, KvCache::len);
        if before + embeddings.dims()[0] <= far.from {
            far.fed.push(embeddings.clone());
            return self.feed(embeddings, &self.rope, layers);
        }
        let mut again = std::mem::take(&mut far.fed);
        if again.is_empty() {
            return self.feed(embeddings, &far.rope, layers);
        }
        layers.iter_mut().for_each(KvCache::clear);
        again.push(embeddings.clone());
        let all = T::concat(&again.iter().collect::<Vec<_>>(), 0)?;
        self.feed(&all, &far.rope, layers)
    }

    fn feed(&self, embeddings: &T, rope: &T::Rope, layers: &mut [KvCache<T>]) -> Result<T> {
        let (len, dim) = (embeddings.dims()[0], self.config.dim);
        let mut x = embeddings.reshape(&[1, len, dim])?;
        for (block, cache) in self.blocks.iter().zip(layers) {
            x = block.forward(&x, &self.config, rope, cache)?;
        }
        let last = x
            .narrow(1, len - 1, 1)?
            .rms_norm(&self.norm, self.config.eps)?;
        last.linear(self.head.as_ref().unwrap_or(&self.embeddings))?
            .reshape(&[self.config.vocab])
    }
}
