//! Which revision a checkpoint is of, and whether its tokenizer is that revision's.
//!
//! Both were published under one name with the same tensors and `"config": {}`. What tells them apart,
//! first that speaks:
//!
//! | where | January (2025-01-09) | June (2025-06-21) |
//! |---|---|---|
//! | `config.tokenizer.bos_id` in `config.json`, else `bos_token_id` of `generation_config.json` | 50256 | 0 |
//! | `tokenizer.json` knows `<\|md_reserved_0\|>` | | yes |
//! | type of the stored weights | f16 | bf16 |

use std::path::Path;

use serde::Deserialize;

use super::config::Revision;
use super::prompt::Forms;
use crate::error::{Error, Result};
use crate::side_file::{format_error, read_json};
use crate::tensor::DType;
use crate::tokenizer::Tokenizer;

/// Ends texts in both tokenizers; they disagree on its id.
const END: &str = "<|endoftext|>";

#[derive(Default, Deserialize)]
struct File {
    config: Option<Parts>,
    bos_token_id: Option<u32>,
}

#[derive(Deserialize)]
struct Parts {
    tokenizer: Option<Tokens>,
}

#[derive(Deserialize)]
struct Tokens {
    bos_id: Option<u32>,
}

/// The revision of the checkpoint in `dir`, whose weights are stored as `stored`.
///
/// # Errors
/// When a file is broken, or nothing tells.
pub fn revision(dir: &Path, stored: DType, tokenizer: &Tokenizer) -> Result<Revision> {
    if let Some(revision) = declared(dir)? {
        return Ok(revision);
    }
    match (tokenizer.id("<|md_reserved_0|>"), stored) {
        (Some(_), _) | (None, DType::BF16) => Ok(Revision::June),
        (None, DType::F16) => Ok(Revision::January),
        (None, DType::F32 | DType::U32) => Err(Error::Unsupported(format!(
            "{}: {stored} weights of an unknown revision: write \"bos_token_id\" into generation_config.json, \
             50256 for 2025-01-09, 0 for 2025-06-21",
            dir.display()
        ))),
    }
}

/// What the side files say, without a look at the weights.
///
/// # Errors
/// When one of them is broken.
pub(super) fn declared(dir: &Path) -> Result<Option<Revision>> {
    let config: File = read_json(&dir.join("config.json"))?;
    let path = dir.join("generation_config.json");
    let generation: File = if path.is_file() {
        read_json(&path)?
    } else {
        File::default()
    };
    let tokens = config.config.and_then(|config| config.tokenizer);
    let bos = tokens
        .and_then(|tokens| tokens.bos_id)
        .or(generation.bos_token_id);
    Ok(match bos {
        Some(0) => Some(Revision::June),
        Some(50_256) => Some(Revision::January),
        _ => None,
    })
}

/// Refuses a vocabulary that the weights do not have: its ids would give fluent nonsense. The
/// `tokenizer.json` published beside June's weights is such a one, left over from January.
///
/// # Errors
/// [`Error::Format`] that says where the right one is.
pub(super) fn check_tokenizer(dir: &Path, tokenizer: &Tokenizer, forms: &Forms) -> Result<()> {
    let found = tokenizer.id(END);
    if found == Some(forms.bos) {
        return Ok(());
    }
    let found = found.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let remedy = match forms.revision {
        Revision::June => {
            "put tokenizer.json of moondream/starmie-v1 in its place, or use revision 2025-01-09"
        }
        Revision::January => "put tokenizer.json of revision 2025-01-09 in its place",
    };
    let wanted = forms.bos;
    Err(format_error(
        &dir.join("tokenizer.json"),
        format!(
            "not the vocabulary of these weights: {END} is {found} there, the model has it at {wanted}: {remedy}"
        ),
    ))
}
