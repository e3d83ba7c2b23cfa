//! `config.json` of SmolVLM checkpoints. Published files leave out keys that equal transformers'
//! defaults, so the defaults stand here.

use std::path::Path;

use serde::Deserialize;

use crate::error::Result;
use crate::nn::llama::LlamaConfig;
use crate::nn::mlp::Activation;
use crate::nn::vit::{Family, VitConfig};
use crate::side_file::{format_error, read_json};

/// Sizes of a SmolVLM.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Vision tower.
    pub vision: VitConfig,
    /// Language model.
    pub text: LlamaConfig,
    /// Side of the square of patches merged into one token.
    pub shuffle: usize,
    /// Id whose positions take image features.
    pub image_token: u32,
}

impl Config {
    /// Tokens of one frame.
    #[must_use]
    pub const fn tokens_per_frame(&self) -> usize {
        let side = self.vision.side() / self.shuffle;
        side * side
    }

    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// [`crate::Error::Format`] naming the key that cannot be.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        let file: File = read_json(&path)?;
        file.check().map_err(|detail| format_error(&path, detail))
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default = "defaults::image_token")]
    image_token_id: u32,
    #[serde(default = "defaults::scale_factor")]
    scale_factor: usize,
    tie_word_embeddings: Option<bool>,
    text_config: Text,
    vision_config: Vision,
}

#[derive(Deserialize)]
struct Text {
    hidden_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    vocab_size: usize,
    #[serde(default = "defaults::text_layers")]
    num_hidden_layers: usize,
    #[serde(default = "defaults::text_eps")]
    rms_norm_eps: f32,
    #[serde(default = "defaults::rope_theta")]
    rope_theta: f64,
    #[serde(default = "defaults::max_len")]
    max_position_embeddings: usize,
    #[serde(default = "defaults::silu")]
    hidden_act: String,
    rope_scaling: Option<serde_json::Value>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
}

#[derive(Deserialize)]
struct Vision {
    #[serde(default = "defaults::vision_dim")]
    hidden_size: usize,
    #[serde(default = "defaults::vision_layers")]
    num_hidden_layers: usize,
    #[serde(default = "defaults::vision_layers")]
    num_attention_heads: usize,
    #[serde(default = "defaults::vision_inner")]
    intermediate_size: usize,
    image_size: usize,
    patch_size: usize,
    #[serde(default = "defaults::vision_eps")]
    layer_norm_eps: f32,
    #[serde(default = "defaults::gelu")]
    hidden_act: String,
}

/// Source: `configuration_idefics3.py`, `configuration_smolvlm.py` and `configuration_llama.py` of
/// transformers 4.47 to 5.23; rope theta and epsilon of the text model from SmolLM2's own files.
mod defaults {
    pub(super) fn image_token() -> u32 {
        49190
    }
    pub(super) fn scale_factor() -> usize {
        4
    }
    pub(super) fn text_layers() -> usize {
        32
    }
    pub(super) fn text_eps() -> f32 {
        1e-5
    }
    pub(super) fn rope_theta() -> f64 {
        10_000.0
    }
    pub(super) fn max_len() -> usize {
        8192
    }
    pub(super) fn silu() -> String {
        "silu".to_owned()
    }
    pub(super) fn vision_dim() -> usize {
        768
    }
    pub(super) fn vision_layers() -> usize {
        12
    }
    pub(super) fn vision_inner() -> usize {
        3072
    }
    pub(super) fn vision_eps() -> f32 {
        1e-6
    }
    pub(super) fn gelu() -> String {
        "gelu_pytorch_tanh".to_owned()
    }
}

/// Above any published size, below any that could overflow.
const MAX_SIZE: usize = 1 << 20;

impl File {
    fn check(self) -> Result<Config, String> {
        let (text, vision) = (
            self.text_config.check(self.tie_word_embeddings)?,
            self.vision_config.check()?,
        );
        let shuffle = self.scale_factor;
        if shuffle == 0 || !vision.side().is_multiple_of(shuffle) {
            return Err(format!(
                "scale_factor {shuffle} does not divide the {} patches of a side",
                vision.side()
            ));
        }
        if self.image_token_id as usize >= text.vocab {
            return Err(format!(
                "image_token_id {} is outside the vocabulary of {}",
                self.image_token_id, text.vocab
            ));
        }
        Ok(Config {
            vision,
            text,
            shuffle,
            image_token: self.image_token_id,
        })
    }
}

impl Text {
    fn check(self, tied: Option<bool>) -> Result<LlamaConfig, String> {
        let (dim, heads) = (self.hidden_size, self.num_attention_heads);
        let kv_heads = self.num_key_value_heads.unwrap_or(heads);
        let sizes = [
            dim,
            heads,
            kv_heads,
            self.intermediate_size,
            self.vocab_size,
            self.num_hidden_layers,
        ];
        sizes_within(
            "text_config",
            &[&sizes[..], &[self.max_position_embeddings]].concat(),
        )?;
        let head_dim = self.head_dim.unwrap_or(dim / heads);
        sizes_within("text_config.head_dim", &[head_dim])?;
        if !heads.is_multiple_of(kv_heads) || !head_dim.is_multiple_of(2) {
            return Err(format!(
                "text_config: {heads} heads of {head_dim} do not share {kv_heads} key heads"
            ));
        }
        supported("text_config.hidden_act", &self.hidden_act, "silu")?;
        if self.attention_bias || self.mlp_bias || self.rope_scaling.is_some_and(|v| !v.is_null()) {
            return Err(
                "text_config: attention_bias, mlp_bias and rope_scaling are not supported"
                    .to_owned(),
            );
        }
        Ok(LlamaConfig {
            dim,
            layers: self.num_hidden_layers,
            heads,
            kv_heads,
            head_dim,
            inner: self.intermediate_size,
            vocab: self.vocab_size,
            eps: self.rms_norm_eps,
            rope_theta: self.rope_theta,
            max_len: self.max_position_embeddings,
            tied: tied.unwrap_or(false),
        })
    }
}

impl Vision {
    fn check(self) -> Result<VitConfig, String> {
        let sizes = [
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.intermediate_size,
        ];
        sizes_within(
            "vision_config",
            &[&sizes[..], &[self.image_size, self.patch_size]].concat(),
        )?;
        if !self.image_size.is_multiple_of(self.patch_size)
            || !self.hidden_size.is_multiple_of(self.num_attention_heads)
        {
            return Err(
                "vision_config: patch_size must divide image_size, the heads hidden_size"
                    .to_owned(),
            );
        }
        supported(
            "vision_config.hidden_act",
            &self.hidden_act,
            "gelu_pytorch_tanh",
        )?;
        Ok(VitConfig {
            dim: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            inner: self.intermediate_size,
            image: self.image_size,
            patch: self.patch_size,
            eps: self.layer_norm_eps,
            activation: Activation::GeluTanh,
            family: Family::Siglip,
        })
    }
}

fn sizes_within(place: &str, sizes: &[usize]) -> Result<(), String> {
    match sizes.iter().find(|&&size| size == 0 || size > MAX_SIZE) {
        None => Ok(()),
        Some(size) => Err(format!("{place}: a size of {size} cannot be")),
    }
}

fn supported(key: &str, found: &str, known: &str) -> Result<(), String> {
    if found == known {
        Ok(())
    } else {
        Err(format!("{key} {found:?} is not supported, only {known:?}"))
    }
}
