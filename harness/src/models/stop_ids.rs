//! Which ids end an answer, as a checkpoint's own files say.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::side_file::read_json;

#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Default, Deserialize)]
struct Config {
    eos_token_id: Option<Ids>,
    text_config: Option<Box<Config>>,
}

/// The `eos_token_id` of `generation_config.json`, else of `config.json`, else of its text part.
///
/// The tokenizer's end-of-sequence token is not asked: SmolVLM's is another than its stop id.
///
/// # Errors
/// When a file is broken, or none names an id.
pub fn stop_ids(dir: &Path) -> Result<Vec<u32>> {
    let path = dir.join("generation_config.json");
    let generation = if path.is_file() {
        read_json(&path)?
    } else {
        Config::default()
    };
    let config: Config = read_json(&dir.join("config.json"))?;
    let below = config.text_config.and_then(|text| text.eos_token_id);
    match generation.eos_token_id.or(config.eos_token_id).or(below) {
        Some(Ids::One(id)) => Ok(vec![id]),
        Some(Ids::Many(ids)) if !ids.is_empty() => Ok(ids),
        _ => Err(Error::Format {
            path,
            detail: "names no eos_token_id, so answers would never end".to_owned(),
        }),
    }
}
