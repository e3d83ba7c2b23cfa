//! Reads `config.json`: published files leave out keys that equal the defaults of the code they were
//! made for, so each architecture states those defaults and this fills them in.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Result;
use crate::nn::llama::LlamaConfig;
use crate::nn::mlp::Activation;
use crate::nn::vit::{Family, VitConfig};
use crate::side_file::{format_error, read_json};

/// Above any published size, below any that could overflow.
const MAX_SIZE: usize = 1 << 20;

/// The file with `defaults` where a key is not there or null, as `F`.
///
/// # Errors
/// [`crate::Error::Format`] naming what cannot be.
pub(crate) fn load<F: DeserializeOwned>(path: &Path, defaults: Value) -> Result<F> {
    let mut whole = defaults;
    fill(&mut whole, read_json(path)?);
    serde_json::from_value(whole).map_err(|error| format_error(path, error.to_string()))
}

/// Puts what the file says over the defaults.
fn fill(whole: &mut Value, file: Value) {
    match (whole, file) {
        (Value::Object(whole), Value::Object(file)) => {
            for (key, value) in file {
                fill(whole.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => (),
        (whole, value) => *whole = value,
    }
}

/// The keys of a Llama or Mistral `text_config`.
#[derive(Deserialize)]
pub(crate) struct LlamaFile {
    hidden_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    vocab_size: usize,
    num_hidden_layers: usize,
    rms_norm_eps: f32,
    rope_theta: f64,
    pub(crate) max_position_embeddings: usize,
    hidden_act: String,
    pub(crate) rope_scaling: Option<Value>,
    rope_parameters: Option<RopeFile>,
    sliding_window: Option<usize>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    tie_word_embeddings: Option<bool>,
}

/// Where transformers 5 writes what `rope_theta` and `rope_scaling` said before. Other keys change the
/// angles.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RopeFile {
    rope_theta: f64,
    rope_type: String,
}

impl LlamaFile {
    /// The decoder that `place` of the file describes; `tied` is what the file says outside of it, which
    /// goes before what it says inside.
    pub(crate) fn check(self, place: &str, tied: Option<bool>) -> Result<LlamaConfig, String> {
        let (dim, heads) = (self.hidden_size, self.num_attention_heads);
        let kv_heads = self.num_key_value_heads.unwrap_or(heads);
        let (layers, room) = (self.num_hidden_layers, self.max_position_embeddings);
        let sizes = [
            dim,
            heads,
            kv_heads,
            layers,
            self.intermediate_size,
            self.vocab_size,
            room,
        ];
        sizes_within(place, &sizes)?;
        let head_dim = self.head_dim.unwrap_or(dim / heads);
        sizes_within(&format!("{place}: head_dim"), &[head_dim])?;
        if !heads.is_multiple_of(kv_heads) || !head_dim.is_multiple_of(2) {
            return Err(format!(
                "{place}: {heads} heads of {head_dim} do not share {kv_heads} key heads"
            ));
        }
        supported(&format!("{place}: hidden_act"), &self.hidden_act, "silu")?;
        if self.attention_bias || self.mlp_bias || self.rope_scaling.is_some() {
            return Err(format!(
                "{place}: attention_bias, mlp_bias and rope_scaling are not supported"
            ));
        }
        let rope_theta = match &self.rope_parameters {
            None => self.rope_theta,
            Some(rope) => {
                let key = format!("{place}: rope_parameters.rope_type");
                supported(&key, &rope.rope_type, "default")?;
                rope.rope_theta
            }
        };
        // A window never bites where the model has no more room than it.
        let max_len = self.sliding_window.map_or(room, |window| room.min(window));
        Ok(LlamaConfig {
            dim,
            layers,
            heads,
            kv_heads,
            head_dim,
            inner: self.intermediate_size,
            vocab: self.vocab_size,
            eps: self.rms_norm_eps,
            rope_theta,
            long_rope: None,
            max_len,
            tied: tied.or(self.tie_word_embeddings).unwrap_or(false),
        })
    }
}

/// The keys of a SigLIP or CLIP `vision_config`.
#[derive(Deserialize)]
pub(crate) struct VitFile {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    image_size: usize,
    patch_size: usize,
    layer_norm_eps: f32,
    hidden_act: String,
}

impl VitFile {
    /// The vision tower that `place` of the file describes, up to hidden state `state`, counted from 0 for what enters the first block,
    /// or from the end as transformers counts: -1 is what the last block gives.
    pub(crate) fn check(
        self,
        place: &str,
        family: Family,
        state: i64,
    ) -> Result<VitConfig, String> {
        let (dim, heads) = (self.hidden_size, self.num_attention_heads);
        let (image, patch) = (self.image_size, self.patch_size);
        let depth = self.num_hidden_layers;
        let sizes = [dim, depth, heads, self.intermediate_size, image, patch];
        sizes_within(place, &sizes)?;
        if image < patch || !dim.is_multiple_of(heads) {
            return Err(format!(
                "{place}: patch_size must fit into image_size, the heads divide hidden_size"
            ));
        }
        let states = depth as i64 + 1;
        let at = if state < 0 { states + state } else { state };
        if !(0..states).contains(&at) {
            return Err(format!(
                "{place}: features of hidden state {state}: there are {states}"
            ));
        }
        let (act, activation) = match family {
            Family::Siglip => ("gelu_pytorch_tanh", Activation::GeluTanh),
            Family::Clip => ("quick_gelu", Activation::QuickGelu),
        };
        supported(&format!("{place}: hidden_act"), &self.hidden_act, act)?;
        Ok(VitConfig {
            dim,
            layers: at as usize,
            depth,
            heads,
            inner: self.intermediate_size,
            image,
            patch,
            eps: self.layer_norm_eps,
            activation,
            family,
        })
    }
}

/// Refuses a size of nothing and one that no model has.
pub(crate) fn sizes_within(place: &str, sizes: &[usize]) -> Result<(), String> {
    match sizes.iter().find(|&&size| size == 0 || size > MAX_SIZE) {
        None => Ok(()),
        Some(size) => Err(format!("{place}: a size of {size} cannot be")),
    }
}

/// Refuses what this program has no code for.
pub(crate) fn supported(key: &str, found: &str, known: &str) -> Result<(), String> {
    if found == known {
        Ok(())
    } else {
        Err(format!("{key} {found:?} is not supported, only {known:?}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::models::smolvlm::config::Config;

    /// The small SmolVLM's language model with one key of its file changed.
    fn with(key: &str, value: Value) -> Result<LlamaConfig> {
        let checkpoints = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/checkpoints");
        let path = checkpoints.join("tiny-smolvlm-500m-instruct/config.json");
        let mut file: Value = read_json(&path)?;
        file["text_config"][key] = value;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), file.to_string()).unwrap();
        Config::load(dir.path()).map(|config| config.text)
    }

    #[test]
    fn rotary_bases_are_found_where_either_version_of_transformers_writes_them() {
        let five = json!({ "rope_theta": 5e5, "rope_type": "default" });
        for (key, value) in [("rope_theta", json!(5e5)), ("rope_parameters", five)] {
            assert_eq!(with(key, value).unwrap().rope_theta, 5e5, "{key}");
        }
        for (rope, says) in [
            (
                json!({ "rope_theta": 5e5, "rope_type": "llama3" }),
                "rope_type \"llama3\"",
            ),
            (
                json!({ "rope_theta": 5e5, "rope_type": "default", "factor": 8 }),
                "`factor`",
            ),
        ] {
            let error = with("rope_parameters", rope).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
