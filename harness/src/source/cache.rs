//! The hub's local cache, shared with every other program that follows its layout:
//! `models--OWNER--NAME/{blobs,refs,snapshots}`, where a snapshot's files are links to blobs.
//!
//! Source: the layout of `huggingface_hub`, as the crate `hf-hub` lays it out.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hf_hub::{Repo, RepoType};

use super::address::{Address, Revision, is_commit};
use crate::weights::weight_files;

/// The cache folder.
#[derive(Clone, Debug)]
pub struct Cache {
    layout: hf_hub::Cache,
}

/// A repository's files at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Their folder.
    pub dir: PathBuf,
    /// The commit, 40 hex digits.
    pub commit: String,
}

impl Cache {
    /// `$HF_HUB_CACHE`, else `hub` in `$HF_HOME`, else in `huggingface` in `$XDG_CACHE_HOME` or
    /// `~/.cache`.
    ///
    /// # Errors
    /// When none of them is set and there is no home.
    pub fn from_environment() -> Result<Self> {
        let set = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let user = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        let home = || set("HF_HOME").or_else(|| Some(user()?.join("huggingface")));
        let dir = set("HF_HUB_CACHE").or_else(|| Some(home()?.join("hub")));
        let dir = dir.context("no folder for the hub's cache: set HF_HOME")?;
        Ok(Self {
            layout: hf_hub::Cache::new(dir),
        })
    }

    fn repository(&self, address: &Address) -> hf_hub::CacheRepo {
        let revision = address.revision.text().to_owned();
        self.layout.repo(Repo::with_revision(
            address.repository.clone(),
            RepoType::Model,
            revision,
        ))
    }

    /// The whole snapshot of that address, if it is here: what a reference names, else, where no
    /// commit was asked for, the only one.
    #[must_use]
    pub fn find(&self, address: &Address) -> Option<Snapshot> {
        let found = self.known(address)?;
        let whole = found.dir.join("config.json").is_file() && weight_files(&found.dir).is_ok();
        whole.then_some(found)
    }

    /// One file of it, if that is here.
    #[must_use]
    pub fn find_file(&self, address: &Address, name: &str) -> Option<PathBuf> {
        let path = self.known(address)?.dir.join(name);
        path.is_file().then_some(path)
    }

    fn known(&self, address: &Address) -> Option<Snapshot> {
        let commit = match &address.revision {
            Revision::Commit(commit) => commit.clone(),
            Revision::Name(name) => self
                .referenced(address, name)
                .or_else(|| self.only(address))?,
        };
        let dir = self.snapshot(address, &commit);
        Some(Snapshot { dir, commit })
    }

    /// The folder of a snapshot.
    #[must_use]
    pub fn snapshot(&self, address: &Address, commit: &str) -> PathBuf {
        self.repository(address).pointer_path(commit)
    }

    /// Where contents are kept under their hashes.
    #[must_use]
    pub fn blobs(&self, address: &Address) -> PathBuf {
        self.folder(address).join("blobs")
    }

    fn folder(&self, address: &Address) -> PathBuf {
        let repo = Repo::model(address.repository.clone());
        self.layout.path().join(repo.folder_name())
    }

    fn referenced(&self, address: &Address, name: &str) -> Option<String> {
        let path = self.folder(address).join("refs").join(name);
        let short = path.metadata().is_ok_and(|file| file.len() <= 64);
        let text = short.then(|| fs::read_to_string(path).ok())??;
        Some(text.trim().to_owned()).filter(|text| is_commit(text))
    }

    fn only(&self, address: &Address) -> Option<String> {
        let entries = fs::read_dir(self.folder(address).join("snapshots")).ok()?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut commits = names.filter(|name| is_commit(name));
        let only = commits.next()?;
        commits.next().is_none().then_some(only)
    }

    /// Notes which commit a branch or tag is at.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn refer(&self, address: &Address, commit: &str) -> Result<()> {
        match &address.revision {
            Revision::Commit(_) => Ok(()),
            Revision::Name(_) => self
                .repository(address)
                .create_ref(commit)
                .with_context(|| format!("{}: cannot write", self.folder(address).display())),
        }
    }

    /// Makes `name` in a snapshot a link to the blob, in place of any file of that name.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn link(&self, snapshot: &Path, name: &str, blob: &str) -> io::Result<()> {
        fs::create_dir_all(snapshot)?;
        let target = Path::new("../../blobs").join(blob);
        link(&target, &snapshot.join(name))
    }
}

/// Makes `at` a link to `target`, in place of any file there; who reads meanwhile finds one of them.
pub(super) fn link(target: &Path, at: &Path) -> io::Result<()> {
    if fs::read_link(at).is_ok_and(|now| now == target) {
        return Ok(());
    }
    let mut name = OsString::from(".");
    name.push(at.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let fresh = at.with_file_name(name);
    std::os::unix::fs::symlink(target, &fresh)?;
    fs::rename(&fresh, at).inspect_err(|_| drop(fs::remove_file(&fresh)))
}
