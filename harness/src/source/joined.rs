//! A folder of links that joins a model's files with a tokenizer of another repository. The hub's
//! cache is shared with other programs, so nothing is replaced there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cache::link;

/// A folder below `into` that holds links to all files of `model`, its tokenizer replaced.
///
/// # Errors
/// When one cannot be read or the other not be written.
pub(super) fn joined(model: &Path, tokenizer: &Path, into: &Path) -> Result<PathBuf> {
    let join = || -> io::Result<()> {
        fs::create_dir_all(into)?;
        for entry in fs::read_dir(model)? {
            let entry = entry?;
            if entry.path().is_file() {
                link(&entry.path().canonicalize()?, &into.join(entry.file_name()))?;
            }
        }
        link(&tokenizer.canonicalize()?, &into.join("tokenizer.json"))
    };
    join().with_context(|| format!("{}: cannot join the model's files there", into.display()))?;
    Ok(into.to_owned())
}
