//! `config.json` of Phi-3-vision and Phi-3.5-vision checkpoints.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::models::config_file::{self, LlamaFile, VitFile, supported};
use crate::nn::llama::LlamaConfig;
use crate::nn::rope::LongRope;
use crate::nn::vit::{Family, VitConfig};
use crate::side_file::format_error;

/// Side of the square of patches merged into one token.
pub const MERGED: usize = 2;

/// Sizes of a Phi-3.5-vision.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Vision tower; its frames are the tiles.
    pub vision: VitConfig,
    /// Language model.
    pub text: LlamaConfig,
}

impl Config {
    /// Tokens of a tile's side, separators not among them.
    #[must_use]
    pub const fn side(&self) -> usize {
        self.vision.side() / MERGED
    }

    /// Width of a token before the projection.
    #[must_use]
    pub const fn wide(&self) -> usize {
        MERGED * MERGED * self.vision.dim
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

/// Source: `configuration_phi3_v.py` beside the published weights, whose `modeling_phi3_v.py` has the
/// sizes of CLIP ViT-L/14-336 in code, whatever the file says.
fn defaults() -> Value {
    json!({
        "hidden_size": 3072,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "intermediate_size": 8192,
        "vocab_size": 32_064,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096,
        "partial_rotary_factor": 1.0,
        "hidden_act": "silu",
        "img_processor": {
            "name": "clip_vision_model",
            "model_name": CLIP,
            "image_dim_out": 1024,
            "num_img_tokens": 144,
            "layer_idx": -2,
            "type_feature": "patch",
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "image_size": 336,
            "patch_size": 14,
            "layer_norm_eps": 1e-5,
            "hidden_act": "quick_gelu",
        },
        "embd_layer": {
            "embedding_cls": "image",
            "hd_transform_order": "glb_sub",
            "projection_cls": "linear",
            "use_hd_transform": false,
            "with_learnable_separator": false,
        },
    })
}

const CLIP: &str = "openai/clip-vit-large-patch14-336";

#[derive(Deserialize)]
struct File {
    #[serde(flatten)]
    llama: LlamaFile,
    original_max_position_embeddings: usize,
    partial_rotary_factor: f64,
    img_processor: Processor,
    embd_layer: Embedding,
}

#[derive(Deserialize)]
struct Processor {
    name: String,
    model_name: String,
    image_dim_out: usize,
    num_img_tokens: usize,
    layer_idx: i64,
    type_feature: String,
    #[serde(flatten)]
    vit: VitFile,
}

#[derive(Deserialize)]
struct Embedding {
    embedding_cls: String,
    hd_transform_order: String,
    projection_cls: String,
    use_hd_transform: bool,
    with_learnable_separator: bool,
}

/// The key `rope_scaling`. Related models have more keys in it, which change the angles.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scaling {
    #[serde(alias = "rope_type")]
    r#type: String,
    short_factor: Vec<f32>,
    long_factor: Vec<f32>,
    original_max_position_embeddings: Option<usize>,
}

impl File {
    fn check(mut self) -> Result<Config, String> {
        if self.partial_rotary_factor != 1.0 {
            let factor = self.partial_rotary_factor;
            return Err(format!(
                "partial_rotary_factor {factor} is not supported, only 1"
            ));
        }
        self.embd_layer.check()?;
        let vision = self.img_processor.check()?;
        let (scaling, room) = (
            self.llama.rope_scaling.take(),
            self.llama.max_position_embeddings,
        );
        let original = self.original_max_position_embeddings;
        let mut text = self.llama.check("language model", None)?;
        if let Some(scaling) = scaling {
            let scaling: Scaling = serde_json::from_value(scaling)
                .map_err(|error| format!("rope_scaling: {error}"))?;
            let long = scaling.check(text.head_dim / 2, original, room)?;
            text.long_rope = Some(long);
        }
        Ok(Config { vision, text })
    }
}

impl Scaling {
    /// `pairs`: of dimensions that turn together, one factor each.
    fn check(self, pairs: usize, original: usize, room: usize) -> Result<LongRope, String> {
        let kind = &self.r#type;
        if !["su", "longrope"].contains(&kind.as_str()) {
            return Err(format!(
                "rope_scaling.type {kind:?} is not supported, only \"su\" and \"longrope\""
            ));
        }
        let lists = [
            ("short_factor", &self.short_factor),
            ("long_factor", &self.long_factor),
        ];
        for (key, factors) in lists {
            let usable = |factor: &f32| factor.is_finite() && *factor > 0.0;
            if factors.len() != pairs || !factors.iter().all(usable) {
                return Err(format!(
                    "rope_scaling.{key}: expected {pairs} numbers above 0, found {factors:.2?}"
                ));
            }
        }
        let original = self.original_max_position_embeddings.unwrap_or(original);
        if original < 2 {
            return Err(format!(
                "original_max_position_embeddings {original}: expected 2 at least"
            ));
        }
        Ok(LongRope {
            short: self.short_factor,
            long: self.long_factor,
            original,
            room,
        })
    }
}

impl Processor {
    fn check(self) -> Result<VitConfig, String> {
        supported("img_processor.name", &self.name, "clip_vision_model")?;
        supported("img_processor.model_name", &self.model_name, CLIP)?;
        supported("img_processor.type_feature", &self.type_feature, "patch")?;
        let vision = self
            .vit
            .check("img_processor", Family::Clip, self.layer_idx)?;
        if self.image_dim_out != vision.dim {
            return Err(format!(
                "img_processor.image_dim_out {}: the vision tower's width is {}",
                self.image_dim_out, vision.dim
            ));
        }
        let side = vision.side() / MERGED;
        if !vision.side().is_multiple_of(MERGED) || self.num_img_tokens != side * side {
            return Err(format!(
                "img_processor.num_img_tokens {}: {} patches a side merged by {MERGED} make {}",
                self.num_img_tokens,
                vision.side(),
                side * side
            ));
        }
        Ok(vision)
    }
}

impl Embedding {
    fn check(&self) -> Result<(), String> {
        for (key, found, known) in [
            ("embedding_cls", &self.embedding_cls, "image"),
            ("hd_transform_order", &self.hd_transform_order, "sub_glb"),
            ("projection_cls", &self.projection_cls, "mlp"),
        ] {
            supported(&format!("embd_layer.{key}"), found, known)?;
        }
        for (key, switch) in [
            ("use_hd_transform", self.use_hd_transform),
            ("with_learnable_separator", self.with_learnable_separator),
        ] {
            if !switch {
                return Err(format!("embd_layer.{key} false is not supported"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The small checkpoint's file with one key changed.
    fn with(pointer: &str, value: Value) -> Result<Config> {
        let checkpoints = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/checkpoints");
        let path = checkpoints.join("tiny-phi-3.5-vision-instruct-4bit/config.json");
        let mut file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (place, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(place).unwrap()[key] = value;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), file.to_string()).unwrap();
        Config::load(dir.path())
    }

    #[test]
    fn spellings_of_long_rope_are_one() {
        let (su, long) = ("/rope_scaling/type", json!("longrope"));
        assert_eq!(with(su, long).unwrap(), with(su, json!("su")).unwrap());
        let plain = with("/rope_scaling", Value::Null).unwrap();
        assert_eq!(plain.text.long_rope, None);
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (pointer, value, says) in [
            (
                "/rope_scaling/type",
                json!("yarn"),
                "rope_scaling.type \"yarn\"",
            ),
            ("/rope_scaling/long_mscale", json!(1.2), "long_mscale"),
            (
                "/rope_scaling/short_factor",
                json!([1.0]),
                "rope_scaling.short_factor: expected 16",
            ),
            (
                "/rope_scaling/long_factor",
                json!(vec![0.0; 16]),
                "rope_scaling.long_factor: expected 16",
            ),
            ("/rope_scaling/long_factor", json!("x"), "rope_scaling: "),
            ("/rope_scaling", json!("su"), "rope_scaling: "),
            (
                "/original_max_position_embeddings",
                json!(1),
                "original_max_position_embeddings 1",
            ),
            (
                "/partial_rotary_factor",
                json!(0.4),
                "partial_rotary_factor 0.4",
            ),
            ("/hidden_act", json!("gelu"), "hidden_act"),
            ("/num_attention_heads", json!(0), "size of 0"),
            ("/hidden_size", json!(u64::MAX), "size of"),
            ("/num_key_value_heads", json!(4), "key heads"),
            (
                "/embd_layer/hd_transform_order",
                json!("glb_sub"),
                "embd_layer.hd_transform_order",
            ),
            (
                "/embd_layer/projection_cls",
                json!("linear"),
                "embd_layer.projection_cls",
            ),
            (
                "/embd_layer/use_hd_transform",
                json!(false),
                "embd_layer.use_hd_transform",
            ),
            ("/embd_layer", json!("default"), "config.json: "),
            ("/img_processor/name", json!("siglip"), "img_processor.name"),
            (
                "/img_processor/type_feature",
                json!("cls_patch"),
                "img_processor.type_feature",
            ),
            ("/img_processor/layer_idx", json!(-9), "hidden state -9"),
            (
                "/img_processor/image_dim_out",
                json!(64),
                "img_processor.image_dim_out",
            ),
            (
                "/img_processor/num_img_tokens",
                json!(576),
                "img_processor.num_img_tokens",
            ),
            (
                "/img_processor/patch_size",
                json!(16),
                "img_processor.num_img_tokens",
            ),
            ("/img_processor/patch_size", json!(0), "size of 0"),
            ("/vocab_size", json!(-1), "config.json: "),
        ] {
            let error = with(pointer, value).unwrap_err().to_string();
            assert!(error.contains("config.json: "), "{error}");
            assert!(error.contains(says), "{pointer}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
