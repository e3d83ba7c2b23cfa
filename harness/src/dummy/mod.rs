//! Checkpoints of random weights at published shapes: the speed and memory of a full-size model
//! without a download.

mod random;
mod tokenizer;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::models;
use crate::models::listing::Stored;
use crate::models::published::{Layout, Published};
use tokenizer::Family;

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
    copy_side_files(shapes, &dir)?;
    let tokenizer = Family::of(&models::model_type(&dir)?)?.json()?;
    write_anew(&dir.join("tokenizer.json"), tokenizer.as_bytes())?;
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

fn copy_side_files(from: &Path, to: &Path) -> Result<()> {
    let cannot = || format!("{}: cannot copy", from.display());
    for entry in fs::read_dir(from).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let bytes = fs::read(entry.path()).with_context(cannot)?;
        write_anew(&to.join(entry.file_name()), &bytes)?;
    }
    Ok(())
}

/// Writes a file that holds something else, or is not there: another session may be measuring with it.
fn write_anew(path: &Path, bytes: &[u8]) -> Result<()> {
    match fs::read(path).is_ok_and(|found| found == bytes) {
        true => Ok(()),
        false => write_whole(path, |out| out.write_all(bytes)),
    }
}

/// `$VLM_BENCH_CACHE`, else `vlm-bench` in `$XDG_CACHE_HOME` or `~/.cache`.
pub(crate) fn cache_dir() -> Result<PathBuf> {
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
pub(crate) fn write_whole(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::published::find;

    fn shapes(model: &Published) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../datasets/published")
            .join(model.name)
    }

    /// Names of tensors, their number and bytes are facts of the published files.
    fn check(name: &str, tensors: usize, data_bytes: u64) -> u64 {
        let model = find(name).unwrap();
        let found = models::tensors(&shapes(model), model.form).unwrap();
        let (header, data) = header(&found, model.form.layout);
        assert_eq!((found.len(), data), (tensors, data_bytes), "{name}");
        8 + header.len() as u64 + data
    }

    #[test]
    fn files_have_the_published_sizes() {
        let whole = check("SmolVLM-500M-Instruct", 489, 2 * 507_482_304);
        assert_eq!(whole, 1_015_025_832);
        // MLX writes tensors in the order of a hash table, which moves digits in the header.
        check("SmolVLM2-500M-Video-Instruct", 489, 2 * 507_482_304);
        check("LLaVA-v1.6-Mistral-7B-MLX", 1433, 4_258_028_096);
        let whole = check("Moondream2", 592, 2 * 1_927_237_104);
        assert_eq!(whole, 3_854_538_968);
    }
}
