//! What the system says of a file and changes whenever that is written to or replaced: read in a moment,
//! where a hash takes seconds.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::hub::is_side_file;
use crate::weights::weight_files;

/// The coarsest clock of a file system that is in use, FAT's.
const TICK: Duration = Duration::from_secs(2);

/// Which file it is, how long, and when it last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// When it was written to: seconds and nanoseconds since 1970. A program may set it at will.
    modified: (i64, i64),
    /// When anything about it changed, this stamp's other parts included. No program sets it.
    changed: (i64, i64),
}

impl Stamp {
    /// Of what `path` leads to.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    /// The same without which file it is, of which servers and some file systems tell something else from
    /// time to time.
    const fn anywhere(self) -> Self {
        Self {
            device: 0,
            inode: 0,
            ..self
        }
    }

    /// Whether the last change is so long ago that another one gets another time.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let seconds = u64::try_from(self.changed.0).unwrap_or(u64::MAX);
        let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let since = changed.and_then(|changed| now.duration_since(changed).ok());
        since.is_some_and(|since| since > TICK)
    }
}

/// Every file that a model is read from, without what else lies in its folder.
pub(super) fn model_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("{}: cannot read", dir.display());
    let mut files = weight_files(dir)?;
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        if entry.file_name().to_str().is_some_and(is_side_file) && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// A model's files as they were when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    dir: PathBuf,
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Seal {
    pub(super) fn of(dir: &Path) -> Result<Self> {
        let files = model_files(dir)?.into_iter();
        Ok(Self {
            stamps: files
                .map(|path| {
                    let stamp = Stamp::of(&path).ok().map(Stamp::anywhere);
                    (path, stamp)
                })
                .collect(),
            dir: dir.to_owned(),
        })
    }

    /// The first file that is not as it was: written to, replaced, gone or new.
    #[must_use]
    pub fn broken(&self) -> Option<PathBuf> {
        let Ok(now) = Self::of(&self.dir) else {
            return Some(self.dir.clone());
        };
        let mut files = self.stamps.keys().chain(now.stamps.keys());
        let differs = |path: &&PathBuf| self.stamps.get(*path) != now.stamps.get(*path);
        files.find(differs).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors", "README.md"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        dir
    }

    #[test]
    fn a_seal_is_broken_by_whatever_the_model_is_read_from() {
        let check = |change: &dyn Fn(&Path), expected: Option<&str>| {
            let dir = folder();
            let seal = Seal::of(dir.path()).unwrap();
            assert_eq!(seal.broken(), None);
            change(dir.path());
            let name = seal
                .broken()
                .map(|path| path.file_name().unwrap().to_owned());
            assert_eq!(name.as_deref(), expected.map(AsRef::as_ref));
        };
        let weights = "model.safetensors";
        check(&|_| (), None);
        check(
            &|dir| fs::write(dir.join("README.md"), "other").unwrap(),
            None,
        );
        check(
            &|dir| fs::write(dir.join(weights), "longer than it was").unwrap(),
            Some(weights),
        );
        check(
            &|dir| fs::write(dir.join("config.json"), "{}").unwrap(),
            Some("config.json"),
        );
        check(
            &|dir| fs::write(dir.join("tokenizer.json"), "{}").unwrap(),
            Some("tokenizer.json"),
        );
        check(
            &|dir| fs::remove_file(dir.join("config.json")).unwrap(),
            Some("config.json"),
        );
        let replaced = |dir: &Path| {
            fs::write(dir.join("new"), "another model's").unwrap();
            fs::rename(dir.join("new"), dir.join(weights)).unwrap();
        };
        check(&replaced, Some(weights));
        // The same length at the same time: what a program that keeps times leaves behind.
        let kept = |dir: &Path| {
            let path = dir.join(weights);
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            let set = fs::FileTimes::new().set_modified(time - Duration::from_secs(9));
            file.set_times(set).unwrap();
        };
        check(&kept, Some(weights));
    }

    #[test]
    fn a_folder_that_is_gone_breaks_its_seal() {
        let dir = folder();
        let seal = Seal::of(dir.path()).unwrap();
        fs::remove_file(dir.path().join("model.safetensors")).unwrap();
        assert_eq!(seal.broken().as_deref(), Some(dir.path()));
    }

    #[test]
    fn what_has_just_changed_may_change_unseen() {
        let dir = folder();
        let stamp = Stamp::of(&dir.path().join("config.json")).unwrap();
        let check = |seconds: i64, settled| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.changed.0 as u64);
            let now = match seconds.is_negative() {
                true => at - Duration::from_secs(seconds.unsigned_abs()),
                false => at + Duration::from_secs(seconds.unsigned_abs()),
            };
            assert_eq!(stamp.is_settled(now), settled, "{seconds}");
        };
        check(0, false);
        check(2, false);
        check(3, true);
        // A clock that was set back.
        check(-60, false);
    }
}
