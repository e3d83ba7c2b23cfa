//! Whether files of the hub's cache still are what was fetched: there, content has its SHA-256 for a name.
//!
//! Gigabytes are hashed once. The stamp of a file that was what its name says is kept, and while the file
//! has that stamp it is not hashed again.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write, stderr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::address::is_hex;
use super::stamp::{Stamp, model_files};
use crate::dummy::{cache_dir, write_whole};
use crate::progress::Style;
use crate::progress::download::Display;
use crate::side_file::read_json;

/// Bytes from which hashing is shown: less takes a moment.
const SHOWN: u64 = 64 << 20;

/// Which files are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hashed {
    /// Those that were never found right, or changed since.
    Changed,
    /// All.
    All,
}

/// A file that is not what was fetched.
#[derive(Debug)]
pub(crate) struct Damaged {
    /// Its name in the snapshot.
    path: PathBuf,
    /// What that leads to.
    blob: PathBuf,
    wanted: String,
    found: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, found, wanted) = (self.path.display(), &self.found, &self.wanted);
        write!(
            f,
            "{path}: SHA-256 is {found}, {wanted} was fetched: it was cut short, altered or replaced since"
        )
    }
}

impl Damaged {
    /// Removes the content, which no program of the cache can want, so that it is fetched anew.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(&self) -> Result<()> {
        let cannot = || format!("{}: cannot remove", self.blob.display());
        fs::remove_file(&self.blob).with_context(cannot)
    }
}

/// The files of a model's folder that are not what was fetched. One that is no link to a content named by
/// its SHA-256 cannot be judged: a small one, which the hub names otherwise, or a copy.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn damaged(dir: &Path, which: Hashed) -> Result<Vec<Damaged>> {
    let book = Book {
        dir: cache_dir().ok().map(|dir| dir.join("verified")),
        now: SystemTime::now(),
    };
    let mut display = Display::new(stderr(), Style::of_stderr());
    let mut all = Vec::new();
    for path in model_files(dir)? {
        let cannot = || format!("{}: cannot read", path.display());
        let found = book.judge(&path, which, &mut display);
        all.extend(found.with_context(cannot)?);
    }
    Ok(all)
}

/// Stamps of what was found right.
struct Book {
    /// One file for each hash; none where there is no place for them.
    dir: Option<PathBuf>,
    now: SystemTime,
}

impl Book {
    fn judge(
        &self,
        path: &Path,
        which: Hashed,
        display: &mut Display<impl Write>,
    ) -> io::Result<Option<Damaged>> {
        let blob = path.canonicalize()?;
        let name = blob.file_name().and_then(|name| name.to_str());
        let Some(wanted) = name.filter(|name| is_hex(name, 64)).map(str::to_owned) else {
            return Ok(None);
        };
        let stamp = Stamp::of(&blob)?;
        if which == Hashed::Changed && self.known(&wanted) == Some(stamp) {
            return Ok(None);
        }
        let found = shown_sha256(path, display)?;
        if found != wanted {
            return Ok(Some(Damaged {
                path: path.to_owned(),
                blob,
                wanted,
                found,
            }));
        }
        if Stamp::of(&blob)? == stamp && stamp.is_settled(self.now) {
            self.keep(&wanted, stamp);
        }
        Ok(None)
    }

    fn page(&self, hash: &str) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join(format!("{hash}.json")))
    }

    fn known(&self, hash: &str) -> Option<Stamp> {
        read_json(&self.page(hash)?).ok()
    }

    /// A stamp that cannot be kept costs the next session the hash, and nothing else.
    fn keep(&self, hash: &str, stamp: Stamp) {
        let Some(page) = self.page(hash) else {
            return;
        };
        let dir = page.parent().unwrap_or(&page);
        let kept = fs::create_dir_all(dir)
            .is_ok()
            .then(|| write_whole(&page, |out| Ok(serde_json::to_writer(out, &stamp)?)));
        drop(kept);
    }
}

/// The hash of a file, its progress shown where it takes long.
fn shown_sha256(path: &Path, display: &mut Display<impl Write>) -> io::Result<String> {
    let bytes = fs::metadata(path)?.len();
    if bytes < SHOWN {
        return sha256(path, &mut |_| ());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    display.begin(&format!("checking {name}"), bytes, 0);
    let found = sha256(path, &mut |at| display.at(at));
    match found {
        Ok(_) => display.end(),
        Err(_) => display.abandon(),
    }
    found
}

/// SHA-256 of a file, in hex; told how many bytes are read.
pub(super) fn sha256(path: &Path, told: &mut dyn FnMut(u64)) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let (mut buffer, mut at) = (vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                at += read as u64;
                told(at);
            }
        }
    }
    let digest = hash.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CONTENT: &[u8] = b"weights";

    /// A snapshot of one file, and a book beside it in which that has long been still.
    struct Case {
        dir: tempfile::TempDir,
        path: PathBuf,
        blob: PathBuf,
        book: Book,
    }

    impl Case {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let hash = Sha256::digest(CONTENT);
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let (blob, path) = (dir.path().join(hash), dir.path().join("model.safetensors"));
            fs::write(&blob, CONTENT).unwrap();
            std::os::unix::fs::symlink(&blob, &path).unwrap();
            let book = Book {
                dir: Some(dir.path().join("deep/verified")),
                now: SystemTime::now() + Duration::from_secs(60),
            };
            Self {
                dir,
                path,
                blob,
                book,
            }
        }

        fn judge(&self, which: Hashed) -> Option<Damaged> {
            let mut display = Display::new(Vec::new(), Style::Plain);
            self.book.judge(&self.path, which, &mut display).unwrap()
        }

        /// Takes the file as it is now for right.
        fn lie(&self) {
            let hash = self.blob.file_name().unwrap().to_str().unwrap();
            self.book.keep(hash, Stamp::of(&self.blob).unwrap());
        }
    }

    #[test]
    fn what_was_found_right_is_hashed_again_only_when_it_changed() {
        let case = Case::new();
        assert!(case.judge(Hashed::Changed).is_none());
        fs::write(&case.blob, b"other weights").unwrap();
        let damaged = case.judge(Hashed::Changed).unwrap().to_string();
        assert!(
            damaged.contains("model.safetensors: SHA-256 is "),
            "{damaged}"
        );
        // That nothing is hashed shows where a wrong file has the stamp of a right one.
        case.lie();
        assert!(case.judge(Hashed::Changed).is_none());
        assert!(case.judge(Hashed::All).is_some());
        fs::write(&case.blob, CONTENT).unwrap();
        assert!(case.judge(Hashed::Changed).is_none());
    }

    #[test]
    fn the_stamp_of_what_has_just_changed_is_not_kept() {
        let mut case = Case::new();
        case.book.now = SystemTime::now();
        assert!(case.judge(Hashed::Changed).is_none());
        assert!(!case.dir.path().join("deep").exists());
    }

    #[test]
    fn without_a_place_for_stamps_all_is_hashed() {
        let mut case = Case::new();
        case.book.dir = None;
        fs::write(&case.blob, b"other weights").unwrap();
        case.lie();
        assert!(case.judge(Hashed::Changed).is_some());
        // Nor with one that cannot be written.
        case.book.dir = Some(case.blob.clone());
        case.lie();
        assert!(case.judge(Hashed::Changed).is_some());
    }

    #[test]
    fn what_has_no_hash_for_a_name_cannot_be_judged() {
        let case = Case::new();
        fs::remove_file(&case.path).unwrap();
        fs::write(&case.path, b"a copy").unwrap();
        assert!(case.judge(Hashed::All).is_none());
    }

    #[test]
    fn what_takes_long_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w");
        File::create(&path).unwrap().set_len(SHOWN).unwrap();
        let mut shown = Vec::new();
        shown_sha256(&path, &mut Display::new(&mut shown, Style::Plain)).unwrap();
        let text = String::from_utf8(shown).unwrap();
        assert!(text.starts_with("checking w  67.1 MB ...\n"), "{text}");
    }
}
