//! Checkpoints of random weights at published shapes: the speed and memory of a full-size model
//! without a download.

mod random;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::models::listing::Stored;
use crate::models::published::{Layout, Published};
use crate::models::{self, smolvlm};

/// Changes whenever the numbers or files would come out otherwise.
pub const SEED: u64 = 1;

/// The folder of a model's dummy checkpoint, made if it is not there yet.
///
/// # Errors
/// When the cache folder cannot be written or the shapes are not at hand.
pub fn ensure(model: &Published, shapes: &Path) -> Result<PathBuf> {
    let dir = cache_dir()?.join(format!("dummy-{SEED}")).join(model.name);
    fs::create_dir_all(&dir)
        .with_context(|| format!("{}: cannot make the cache folder", dir.display()))?;
    for name in [
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "generation_config.json",
        "chat_template.json",
    ] {
        let from = shapes.join(name);
        fs::copy(&from, dir.join(name))
            .with_context(|| format!("{}: cannot copy", from.display()))?;
    }
    let config = smolvlm::config::Config::load(&dir)?;
    write_tokenizer(&dir, &config)?;
    let weights = dir.join("model.safetensors");
    let tensors = models::tensors(&dir, model.form)?;
    let (header, data_bytes) = header(&tensors, model.form.layout);
    let whole = (8 + header.len()) as u64 + data_bytes;
    if weights.metadata().is_ok_and(|file| file.len() == whole) {
        return Ok(dir);
    }
    eprintln!(
        "making {} ({} MB of random weights, once)",
        weights.display(),
        whole / 1_000_000
    );
    write_whole(&weights, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        tensors
            .iter()
            .try_for_each(|tensor| random::write(out, tensor))
    })?;
    Ok(dir)
}

/// `$VLM_BENCH_CACHE`, else `vlm-bench` in `$XDG_CACHE_HOME` or `~/.cache`.
fn cache_dir() -> Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let user = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let found = set("VLM_BENCH_CACHE").or_else(|| Some(user()?.join("vlm-bench")));
    found.context("no cache folder: set VLM_BENCH_CACHE")
}

/// Writes beside the target and renames, so that a file of that name is always whole.
fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&partial)?);
        fill(&mut out)?;
        out.into_inner()?.sync_all()?;
        fs::rename(&partial, path)
    };
    write()
        .inspect_err(|_| drop(fs::remove_file(&partial)))
        .with_context(|| format!("{}: cannot write", path.display()))
}

/// The safetensors header, and how many bytes of data follow it.
fn header(tensors: &[Stored], layout: Layout) -> (String, u64) {
    let format = match layout {
        Layout::HuggingFace => "pt",
        Layout::Mlx => "mlx",
    };
    let mut map = Map::new();
    map.insert("__metadata__".to_owned(), json!({ "format": format }));
    let mut at = 0u64;
    for tensor in tensors {
        let end = at + (tensor.dtype.size() * tensor.dims.iter().product::<usize>()) as u64;
        let dtype = tensor.dtype.name().to_uppercase();
        map.insert(
            tensor.name.clone(),
            json!({ "dtype": dtype, "shape": tensor.dims, "data_offsets": [at, end] }),
        );
        at = end;
    }
    let mut text = Value::Object(map).to_string();
    if layout == Layout::HuggingFace {
        text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    }
    (text, at)
}

/// The true tokenizer from the folder `$VLM_BENCH_TOKENIZERS` names, else a stand-in.
fn write_tokenizer(dir: &Path, config: &smolvlm::config::Config) -> Result<()> {
    let path = dir.join("tokenizer.json");
    let known = std::env::var_os("VLM_BENCH_TOKENIZERS")
        .map(|at| Path::new(&at).join("smolvlm/tokenizer.json"));
    if let Some(known) = known.filter(|file| file.is_file()) {
        fs::copy(&known, &path).with_context(|| format!("{}: cannot copy", known.display()))?;
        return Ok(());
    }
    write_whole(&path, |out| {
        out.write_all(stand_in(config.text.vocab).to_string().as_bytes())
    })
}

/// A byte-level tokenizer without merges: special tokens at their published ids, one token a byte,
/// the rest of the vocabulary unused. Text costs more tokens than with the true one; pictures cost
/// the same.
fn stand_in(vocab: usize) -> Value {
    const SPECIAL: usize = 49_152; // where the published added tokens begin
    let mut tokens: Vec<String> = (0..vocab).map(|id| format!("<unused_{id}>")).collect();
    let mut name = |id: usize, token: String| {
        if let Some(slot) = tokens.get_mut(id) {
            *slot = token;
        }
    };
    for (id, token) in ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        .into_iter()
        .enumerate()
    {
        name(id, token.to_owned());
    }
    for (i, letter) in byte_letters().into_iter().enumerate() {
        name(17 + i, letter.to_string());
    }
    name(SPECIAL, "<global-img>".to_owned());
    for row in 1..=6 {
        for col in 1..=6 {
            name(
                SPECIAL + 1 + (row - 1) * 6 + col - 1,
                format!("<row_{row}_col_{col}>"),
            );
        }
    }
    name(SPECIAL + 37, "<fake_token_around_image>".to_owned());
    name(SPECIAL + 38, "<image>".to_owned());
    name(vocab - 1, "<end_of_utterance>".to_owned());
    let special = (0..3).chain(SPECIAL..vocab);
    let added: Vec<Value> = special
        .map(|id| json!({ "id": id, "content": tokens[id], "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true }))
        .collect();
    let ids: Map<String, Value> = tokens[..SPECIAL.min(vocab)]
        .iter()
        .enumerate()
        .map(|(id, t)| (t.clone(), json!(id)))
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": ids, "merges": [] },
    })
}

/// The printable letter that byte-level tokenizers write for each byte: itself where it is a
/// visible Latin-1 character, else the next free one from U+0100 on (GPT-2's rule).
fn byte_letters() -> Vec<char> {
    let mut next = 0x100;
    let mut letter = |byte: u32| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => byte,
        _ => {
            next += 1;
            next - 1
        }
    };
    (0..256)
        .filter_map(|byte| char::from_u32(letter(byte)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::published::PUBLISHED;

    fn shapes(model: &Published) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../datasets/published")
            .join(model.name)
    }

    #[test]
    fn files_have_the_published_sizes() {
        for model in PUBLISHED {
            let tensors = models::tensors(&shapes(model), model.form).unwrap();
            let (header, data) = header(&tensors, model.form.layout);
            assert_eq!(
                (tensors.len(), data),
                (489, 2 * 507_482_304),
                "{}",
                model.name
            );
            if model.form.layout == Layout::HuggingFace {
                assert_eq!(8 + header.len() as u64 + data, 1_015_025_832);
            } // MLX writes tensors in the order of a hash table, which moves digits in the header
        }
    }

    #[test]
    fn the_stand_in_tokenizer_knows_the_published_ids() {
        let dir = tempfile::tempdir().unwrap();
        let json = stand_in(49_280).to_string();
        fs::write(dir.path().join("tokenizer.json"), json).unwrap();
        let tokenizer = crate::tokenizer::Tokenizer::load(dir.path()).unwrap();
        for (token, id) in [
            ("<|im_start|>", 1),
            ("<row_6_col_6>", 49_188),
            ("<image>", 49_190),
            ("<end_of_utterance>", 49_279),
        ] {
            assert_eq!(tokenizer.id(token), Some(id));
        }
        let text = "<|im_start|>User: née 犬\n";
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(
            (ids[0], ids.len()),
            (1, 1 + text.len() - "<|im_start|>".len())
        );
        assert_eq!(tokenizer.decode(&ids).unwrap(), "User: née 犬\n");
    }
}
