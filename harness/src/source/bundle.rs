//! The datasets that the program carries along, unpacked by an installed one that is not started in a clone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::dummy::cache_dir;

/// Files of the datasets.
#[derive(Clone, Copy, Debug)]
pub struct Bundle {
    /// Changes with the files.
    pub key: &'static str,
    /// Name in the datasets' folder, and content.
    pub files: &'static [(&'static str, &'static [u8])],
}

static OFFERED: OnceLock<&'static Bundle> = OnceLock::new();

/// Tells the library what the program carries along. Only the program does, so that tests and benches do not
/// grow by all of it.
pub fn offer(bundle: &'static Bundle) {
    // A second offer would be of the same program.
    let _ = OFFERED.set(bundle);
}

/// The unpacked folder; none where the program carries nothing.
///
/// # Errors
/// When the cache folder cannot be written.
pub(super) fn unpacked() -> Result<Option<PathBuf>> {
    match OFFERED.get() {
        Some(bundle) if !bundle.files.is_empty() => unpack(bundle, &cache_dir()?).map(Some),
        _ => Ok(None),
    }
}

/// `CACHE/datasets-KEY`, made if it is not there: whole or not at all.
fn unpack(bundle: &Bundle, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join(format!("datasets-{}", bundle.key));
    if folder.is_dir() {
        return Ok(folder);
    }
    let partial = folder.with_extension(format!("partial-{}", std::process::id()));
    let made = write_all(bundle, &partial).and_then(|()| fs::rename(&partial, &folder));
    if made.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    match made {
        // Another process was first.
        Err(_) if folder.is_dir() => Ok(folder),
        made => {
            let cannot = || format!("{}: cannot unpack the datasets there", folder.display());
            made.map(|()| folder.clone()).with_context(cannot)
        }
    }
}

fn write_all(bundle: &Bundle, folder: &Path) -> io::Result<()> {
    for (name, bytes) in bundle.files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Bundle = Bundle {
        key: "k",
        files: &[("suites/a.toml", b"a"), ("scenes/images/b.png", b"b")],
    };

    #[test]
    fn files_are_unpacked_once() {
        let cache = tempfile::tempdir().unwrap();
        let folder = unpack(&TWO, &cache.path().join("deep")).unwrap();
        assert_eq!(fs::read(folder.join("suites/a.toml")).unwrap(), b"a");
        assert_eq!(fs::read(folder.join("scenes/images/b.png")).unwrap(), b"b");
        fs::write(folder.join("suites/a.toml"), "kept").unwrap();
        assert_eq!(unpack(&TWO, &cache.path().join("deep")).unwrap(), folder);
        assert_eq!(fs::read(folder.join("suites/a.toml")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = format!("{:#}", unpack(&TWO, &file).unwrap_err());
        assert!(error.contains("datasets-k: cannot unpack"), "{error}");
    }
}
