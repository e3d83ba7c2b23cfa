//! `config.json` of Moondream2 checkpoints, and which of the published revisions one is of.
//!
//! The published files say nothing (`"config": {}`): every number is a default of the code beside the
//! weights, so those defaults stand here.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::Forms;
use super::revision::declared;
use crate::error::Result;
use crate::models::config_file::{self, sizes_within};
use crate::nn::phi::PhiConfig;
use crate::picture::MAX_SIDE;
use crate::side_file::format_error;

/// A published revision. They have the same network, but talk otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// 2025-01-09: f16, the tokenizer of CodeGen, questions in words, no answers without a picture.
    January,
    /// 2025-06-21: bf16, a tokenizer and control tokens of its own.
    June,
}

/// Sizes of a Moondream2 and how it is talked to.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Vision tower, and how pictures are cut for it.
    pub vision: VisionConfig,
    /// Language model.
    pub text: PhiConfig,
    /// The decoder of places in the picture, which is not run.
    pub region: RegionConfig,
    /// Prompts.
    pub forms: Forms,
}

/// Sizes of the vision tower.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Width.
    pub dim: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width inside the feed-forward part.
    pub inner: usize,
    /// Pixels of a crop's side.
    pub crop: usize,
    /// Pixels of a patch's side.
    pub patch: usize,
    /// Patches of each side that a crop shares with its neighbour and that are its neighbour's.
    pub margin: usize,
    /// Crops aimed at, the whole picture's not counted.
    pub max_crops: usize,
    /// Width inside the projector.
    pub projector: usize,
    /// Epsilon of every norm.
    pub eps: f32,
}

impl VisionConfig {
    /// Patches of a crop's side, and features of a picture's side.
    #[must_use]
    pub const fn side(&self) -> usize {
        self.crop / self.patch
    }
}

/// Sizes of the decoder of places.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RegionConfig {
    /// Width.
    pub dim: usize,
    /// Features of a coordinate.
    pub coord_feat_dim: usize,
    /// Steps of a coordinate.
    pub coord_out_dim: usize,
    /// Features of a size.
    pub size_feat_dim: usize,
    /// Steps of a size.
    pub size_out_dim: usize,
    /// Width inside its feed-forward parts.
    pub inner_dim: usize,
}

impl Config {
    /// The sizes by the side files alone, which are the same in both revisions.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of_files(dir: &Path) -> Result<Self> {
        Self::load(dir, declared(dir)?.unwrap_or(Revision::June))
    }

    /// Reads and checks `config.json`; what it leaves out is as in that revision.
    ///
    /// # Errors
    /// [`crate::Error::Format`] naming the key that cannot be.
    pub fn load(dir: &Path, revision: Revision) -> Result<Self> {
        let path = dir.join("config.json");
        let file: File = config_file::load(&path, defaults(revision))?;
        let checked = file.config.check(revision);
        checked.map_err(|detail| format_error(&path, detail))
    }
}

/// Source: `config.py` in vikhyat/moondream at 44146f1 (June) and 8ac77eb (January); the epsilon of the
/// norms is torch's default, which the code leaves as it is.
fn defaults(revision: Revision) -> Value {
    json!({ "config": {
        "text": {
            "dim": 2048, "ff_dim": 8192, "n_layers": 24, "vocab_size": 51200, "max_context": 2048,
            "n_heads": 32, "n_kv_heads": 32, "prefix_attn": 730,
        },
        "vision": {
            "enc_dim": 1152, "enc_patch_size": 14, "enc_n_layers": 27, "enc_ff_dim": 4304, "enc_n_heads": 16,
            "proj_out_dim": 2048, "crop_size": 378, "in_channels": 3, "max_crops": 12, "overlap_margin": 4,
            "proj_inner_dim": 8192,
        },
        "region": {
            "dim": 2048, "coord_feat_dim": 256, "coord_out_dim": 1024, "size_feat_dim": 512,
            "size_out_dim": 2048, "inner_dim": 8192,
        },
        "tokenizer": match revision {
            Revision::June => json!({
                "bos_id": 0, "eos_id": 0, "answer_id": 3,
                "templates": {
                    "caption": { "short": [1, 32708, 2, 12492, 3], "normal": [1, 32708, 2, 6382, 3], "long": [1, 32708, 2, 4059, 3] },
                    "query": { "prefix": [1, 15381, 2], "suffix": [3] },
                },
            }),
            Revision::January => json!({
                "bos_id": 50256, "eos_id": 50256,
                "templates": {
                    "caption": { "short": [198, 198, 16438, 8305, 25], "normal": [198, 198, 24334, 1159, 25] },
                    "query": { "prefix": [198, 198, 24361, 25], "suffix": [198, 198, 33706, 25] },
                },
            }),
        },
    }})
}

#[derive(Deserialize)]
struct File {
    config: Parts,
}

#[derive(Deserialize)]
struct Parts {
    text: Text,
    vision: Vision,
    region: RegionConfig,
    tokenizer: Tokens,
}

#[derive(Deserialize)]
struct Text {
    dim: usize,
    ff_dim: usize,
    n_layers: usize,
    vocab_size: usize,
    max_context: usize,
    n_heads: usize,
    n_kv_heads: usize,
    prefix_attn: usize,
    group_size: Option<usize>,
}

#[derive(Deserialize)]
struct Vision {
    enc_dim: usize,
    enc_patch_size: usize,
    enc_n_layers: usize,
    enc_ff_dim: usize,
    enc_n_heads: usize,
    proj_out_dim: usize,
    crop_size: usize,
    in_channels: usize,
    max_crops: usize,
    overlap_margin: usize,
    proj_inner_dim: usize,
}

#[derive(Deserialize)]
struct Tokens {
    bos_id: u32,
    eos_id: u32,
    answer_id: Option<u32>,
    templates: Templates,
}

#[derive(Deserialize)]
struct Templates {
    caption: BTreeMap<String, Vec<u32>>,
    query: Query,
}

#[derive(Deserialize)]
struct Query {
    prefix: Vec<u32>,
    suffix: Vec<u32>,
}

impl Parts {
    fn check(self, revision: Revision) -> Result<Config, String> {
        let (width, prefix) = (self.vision.proj_out_dim, self.text.prefix_attn);
        let (text, vision) = (self.text.check()?, self.vision.check()?);
        if width != text.dim {
            return Err(format!(
                "vision.proj_out_dim {width} is not text.dim {}",
                text.dim
            ));
        }
        let fed = 1 + vision.side() * vision.side();
        if prefix != fed {
            return Err(format!(
                "text.prefix_attn {prefix}: a start token and the features of a picture are {fed} positions, \
                 other masks are not supported"
            ));
        }
        let forms = self.tokenizer.forms(revision);
        let outside = |id: &&u32| **id as usize >= text.vocab;
        if let Some(id) = forms.ids().iter().find(outside) {
            return Err(format!(
                "tokenizer: id {id} is outside the vocabulary of {}",
                text.vocab
            ));
        }
        let region = self.region;
        sizes_within(
            "region",
            &[
                region.dim,
                region.coord_feat_dim,
                region.coord_out_dim,
                region.size_feat_dim,
                region.size_out_dim,
                region.inner_dim,
            ],
        )?;
        Ok(Config {
            vision,
            text,
            region,
            forms,
        })
    }
}

impl Text {
    fn check(self) -> Result<PhiConfig, String> {
        let (dim, heads, kv_heads) = (self.dim, self.n_heads, self.n_kv_heads);
        let (inner, vocab, room) = (self.ff_dim, self.vocab_size, self.max_context);
        let sizes = [dim, heads, kv_heads, self.n_layers, inner, vocab, room];
        sizes_within("text", &sizes)?;
        if !dim.is_multiple_of(4 * heads) || !heads.is_multiple_of(kv_heads) {
            return Err(format!(
                "text: {heads} heads do not share a width of {dim} in fours, or {kv_heads} key heads"
            ));
        }
        if let Some(group) = self.group_size {
            return Err(format!(
                "text.group_size {group}: weights packed by torchao are not supported"
            ));
        }
        Ok(PhiConfig {
            dim,
            layers: self.n_layers,
            heads,
            kv_heads,
            inner,
            vocab,
            eps: 1e-5,
            turned: dim / heads / 2,
            rope_theta: 10_000.0,
            max_len: room,
        })
    }
}

/// Values of one picture's crops: a gigabyte of f32, twenty times what the published sizes can need.
const MOST_VALUES: usize = 1 << 28;

/// As many crops as any accepted picture is cut into: the side that would have less than one has one,
/// the other still `sqrt(aim * windows)`.
fn most_crops(window: usize, aim: usize) -> usize {
    aim.max((aim * (MAX_SIDE as usize).div_ceil(window)).isqrt())
}

impl Vision {
    fn check(self) -> Result<VisionConfig, String> {
        /// Eight times the published number: enlarged pictures of more crops would fill the memory.
        const MOST_CROPS: usize = 96;
        let (dim, heads, inner) = (self.enc_dim, self.enc_n_heads, self.enc_ff_dim);
        let (crop, patch, layers) = (self.crop_size, self.enc_patch_size, self.enc_n_layers);
        let sizes = [dim, heads, inner, crop, patch, layers, self.proj_inner_dim];
        sizes_within("vision", &sizes)?;
        if !crop.is_multiple_of(patch) || !dim.is_multiple_of(heads) {
            return Err(
                "vision: enc_patch_size must divide crop_size, enc_n_heads enc_dim".to_owned(),
            );
        }
        if self.in_channels != 3 {
            return Err(format!(
                "vision.in_channels {}: pictures have 3",
                self.in_channels
            ));
        }
        let (margin, side) = (self.overlap_margin, crop / patch);
        if margin >= side.div_ceil(2) {
            return Err(format!(
                "vision.overlap_margin {margin} leaves nothing of the {side} patches of a side"
            ));
        }
        if !(1..=MOST_CROPS).contains(&self.max_crops) {
            return Err(format!(
                "vision.max_crops {}: from 1 to {MOST_CROPS} are supported",
                self.max_crops
            ));
        }
        let crops = most_crops(crop - 2 * margin * patch, self.max_crops);
        if (crops + 1) * 3 * crop * crop > MOST_VALUES {
            return Err(format!(
                "vision.crop_size {crop}: {crops} crops of a picture would not fit into memory"
            ));
        }
        Ok(VisionConfig {
            dim,
            layers,
            heads,
            inner,
            crop,
            patch,
            margin,
            max_crops: self.max_crops,
            projector: self.proj_inner_dim,
            eps: 1e-5,
        })
    }
}

impl Tokens {
    fn forms(self, revision: Revision) -> Forms {
        let query = self.templates.query;
        Forms {
            bos: self.bos_id,
            eos: self.eos_id,
            answer: self.answer_id,
            captions: self.templates.caption.into_values().collect(),
            before: query.prefix,
            after: query.suffix.repeat(match revision {
                Revision::January => 1,
                Revision::June => super::prompt::SUFFIXES,
            }),
            revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patch: usize) -> Result<Config, String> {
        let mut file = defaults(Revision::June);
        let vision = &mut file["config"]["vision"];
        vision["enc_patch_size"] = json!(patch);
        vision["crop_size"] = json!(27 * patch);
        let file: File = serde_json::from_value(file).unwrap();
        file.config.check(Revision::June)
    }

    #[test]
    fn crops_that_no_memory_holds_are_refused() {
        assert_eq!(check(14).unwrap().vision.crop, 378);
        let error = check(1 << 14).unwrap_err();
        assert_eq!(
            error,
            "vision.crop_size 442368: 12 crops of a picture would not fit into memory"
        );
        // A window of one pixel: 16384 of them along a picture, of which sqrt(12 * 16384) are taken.
        assert_eq!(most_crops(1, 12), 443);
        assert_eq!(most_crops(266, 12), 27);
    }
}
