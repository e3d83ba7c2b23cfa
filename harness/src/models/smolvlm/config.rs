//! `config.json` of SmolVLM checkpoints.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::models::config_file::{self, LlamaFile, VitFile};
use crate::nn::llama::LlamaConfig;
use crate::nn::vit::{Family, VitConfig};
use crate::side_file::format_error;

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
        let file: File = config_file::load(&path, defaults())?;
        file.check().map_err(|detail| format_error(&path, detail))
    }
}

/// Source: `configuration_idefics3.py`, `configuration_smolvlm.py` and `configuration_llama.py` of
/// transformers 4.47 to 5.23; epsilon of the text model from SmolLM2's own files.
fn defaults() -> Value {
    json!({
        "image_token_id": 49190,
        "scale_factor": 4,
        "text_config": {
            "num_hidden_layers": 32,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "max_position_embeddings": 8192,
            "hidden_act": "silu",
        },
        "vision_config": {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "layer_norm_eps": 1e-6,
            "hidden_act": "gelu_pytorch_tanh",
        },
    })
}

#[derive(Deserialize)]
struct File {
    image_token_id: u32,
    scale_factor: usize,
    tie_word_embeddings: Option<bool>,
    text_config: LlamaFile,
    vision_config: VitFile,
}

impl File {
    fn check(self) -> Result<Config, String> {
        let text = self
            .text_config
            .check("text_config", self.tie_word_embeddings)?;
        let vision = self
            .vision_config
            .check("vision_config", Family::Siglip, -1)?;
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
