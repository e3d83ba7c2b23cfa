//! `config.json` of LLaVA-NeXT checkpoints.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::models::config_file::{self, LlamaFile, VitFile, supported};
use crate::nn::llama::LlamaConfig;
use crate::nn::vit::{Family, VitConfig};
use crate::side_file::format_error;

/// Sizes of a LLaVA-NeXT.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Vision tower.
    pub vision: VitConfig,
    /// Language model.
    pub text: LlamaConfig,
    /// Id that stands for a picture, once before expansion, at each of its positions after it.
    pub image_token: u32,
}

impl Config {
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

/// Source: `configuration_llava_next.py` of transformers with CLIP ViT-L/14-336 and the values of
/// Mistral-7B-Instruct-v0.2, which conversions leave out where they equal their own code's.
fn defaults() -> Value {
    json!({
        "image_token_index": 32_000,
        "projector_hidden_act": "gelu",
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
        "text_config": {
            "model_type": "mistral",
            "hidden_size": 4096,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "intermediate_size": 14_336,
            "vocab_size": 32_064,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1_000_000.0,
            "max_position_embeddings": 32_768,
            "hidden_act": "silu",
        },
        "vision_config": {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "image_size": 336,
            "patch_size": 14,
            "layer_norm_eps": 1e-5,
            "hidden_act": "quick_gelu",
        },
    })
}

#[derive(Deserialize)]
struct File {
    image_token_index: u32,
    projector_hidden_act: String,
    vision_feature_layer: i64,
    vision_feature_select_strategy: String,
    tie_word_embeddings: Option<bool>,
    text_config: Text,
    vision_config: VitFile,
}

#[derive(Deserialize)]
struct Text {
    model_type: String,
    #[serde(flatten)]
    llama: LlamaFile,
}

impl File {
    fn check(self) -> Result<Config, String> {
        if !["mistral", "llama"].contains(&self.text_config.model_type.as_str()) {
            let kind = &self.text_config.model_type;
            return Err(format!(
                "text_config.model_type {kind:?} is not supported, only mistral and llama"
            ));
        }
        supported("projector_hidden_act", &self.projector_hidden_act, "gelu")?;
        let strategy = &self.vision_feature_select_strategy;
        supported("vision_feature_select_strategy", strategy, "default")?;
        let text = self
            .text_config
            .llama
            .check("text_config", self.tie_word_embeddings)?;
        if self.image_token_index as usize >= text.vocab {
            return Err(format!(
                "image_token_index {} is outside the vocabulary of {}",
                self.image_token_index, text.vocab
            ));
        }
        Ok(Config {
            vision: self.vision_config.check(
                "vision_config",
                Family::Clip,
                self.vision_feature_layer,
            )?,
            text,
            image_token: self.image_token_index,
        })
    }
}
