//! What a repository on the hub consists of, which of its files a model needs, and bringing those
//! into the cache. Everything a hub says is checked before it is used.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::address::{Address, Revision, is_commit, is_hex};
use super::cache::{Cache, Snapshot};
use super::download::{Download, Listed};
use super::http::{Client, Failure, Patience};
use crate::progress::download::Display;
use crate::side_file::{MAX_BYTES as MOST_SIDE_BYTES, read_json};

const INDEX: &str = "model.safetensors.index.json";
/// Written last, so that a snapshot that has it is whole.
const LAST: &str = "config.json";
/// Above any repository's listing.
const MOST_LISTING_BYTES: u64 = 16 << 20;
/// Above any shard that the hub accepts.
const MOST_WEIGHT_BYTES: u64 = 64 << 30;

/// The part of the hub's answer about a repository that is needed here.
#[derive(Debug, Deserialize)]
struct Repository {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    sha256: String,
}

/// What is needed of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// Everything that a model consists of.
    Model,
    /// One file.
    File(&'static str),
}

/// Brings what is needed into the cache, what is there already excepted.
///
/// # Errors
/// When the hub refuses, cannot be reached or sends something else than it lists, or the cache
/// cannot be written: the address and one line.
pub(super) fn fetch(
    address: &Address,
    needed: Needed,
    cache: &Cache,
    display: &mut Display<impl Write>,
) -> Result<Snapshot> {
    let client = Client::from_environment()?;
    let repository = list(&client, address).with_context(|| address.to_string())?;
    let job = Job {
        client: &client,
        address,
        cache,
        dir: cache.snapshot(address, &repository.sha),
        repository: &repository,
    };
    let done = match needed {
        Needed::Model => job.model(display),
        Needed::File(name) => job.file(name, display),
    };
    done.and_then(|()| cache.refer(address, &repository.sha))
        .with_context(|| address.to_string())?;
    Ok(Snapshot {
        dir: job.dir,
        commit: repository.sha,
    })
}

/// Asks the hub for the repository's files at that revision.
fn list(client: &Client, address: &Address) -> Result<Repository> {
    let revision = address.revision.text().replace('/', "%2F");
    let path = format!(
        "/api/models/{}/revision/{revision}?blobs=true",
        address.repository
    );
    let mut patience = Patience::default();
    let json = loop {
        match body(client, &path) {
            Ok(json) => break json,
            Err(failure) => patience.wait(failure)?,
        }
    };
    let repository: Repository = serde_json::from_slice(&json).with_context(|| {
        format!(
            "{} answers with something else than a repository",
            client.endpoint()
        )
    })?;
    if !is_commit(&repository.sha) {
        bail!(
            "the hub says it is at {:?}, which is no commit",
            repository.sha
        );
    }
    let leaving = |file: &&Sibling| !stays_inside(&file.rfilename);
    if let Some(file) = repository.siblings.iter().find(leaving) {
        let name = &file.rfilename;
        bail!("the hub lists a file {name:?}: refused, it would leave the cache");
    }
    match &address.revision {
        Revision::Commit(commit) if *commit != repository.sha => {
            bail!("the hub answers for commit {} instead", repository.sha)
        }
        _ => Ok(repository),
    }
}

fn body(client: &Client, path: &str) -> Result<Vec<u8>, Failure> {
    let answer = client.get(path, 0)?;
    let mut json = Vec::new();
    let mut reader = answer
        .into_body()
        .into_reader()
        .take(MOST_LISTING_BYTES + 1);
    match reader.read_to_end(&mut json) {
        Ok(read) if read as u64 > MOST_LISTING_BYTES => {
            Err(anyhow!("its listing has more than {MOST_LISTING_BYTES} bytes").into())
        }
        Ok(_) => Ok(json),
        Err(error) => Err(Failure::passing(format!("the connection broke: {error}"))),
    }
}

impl Sibling {
    /// The file as it is kept.
    ///
    /// # Errors
    /// When sizes or hashes are missing or no such.
    fn listed(&self) -> Result<Listed> {
        let name = self.rfilename.clone();
        let missing = |what: &str| anyhow!("the hub lists {name:?} without a valid {what}");
        let bytes = self.size.ok_or_else(|| missing("size"))?;
        let is_weight = name.ends_with(".safetensors");
        let most = if is_weight {
            MOST_WEIGHT_BYTES
        } else {
            MOST_SIDE_BYTES
        };
        if bytes > most {
            bail!("the hub lists {name:?} with {bytes} bytes: at most {most} are fetched");
        }
        let sha256 = self.lfs.as_ref().map(|lfs| lfs.sha256.clone());
        let blob = match (&sha256, &self.blob_id) {
            (Some(sha256), _) if is_hex(sha256, 64) => sha256.clone(),
            (None, Some(id)) if is_hex(id, 40) && !is_weight => id.clone(),
            _ => return Err(missing(if is_weight { "SHA-256" } else { "hash" })),
        };
        Ok(Listed {
            name,
            bytes,
            blob,
            sha256,
        })
    }
}

/// Whether it is relative and stays in its folder. Folders are allowed, though nothing is fetched
/// from one.
fn stays_inside(name: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    name.len() <= 1024 && name.split('/').all(plain)
}

/// Files that the program reads besides weights: configurations, tokenizers, templates.
pub(super) fn is_side_file(name: &str) -> bool {
    !name.contains('/')
        && !name.starts_with('.')
        && (name.ends_with(".json") || name.ends_with(".jinja"))
}

fn is_weight_file(name: &str) -> bool {
    !name.contains('/') && !name.starts_with('.') && name.ends_with(".safetensors")
}

/// One repository at one commit, on its way into the cache.
struct Job<'a> {
    client: &'a Client,
    address: &'a Address,
    cache: &'a Cache,
    dir: PathBuf,
    repository: &'a Repository,
}

impl Job<'_> {
    fn model(&self, display: &mut Display<impl Write>) -> Result<()> {
        if self.listed(|name| name == LAST)?.is_empty() {
            bail!("holds no {LAST}, so it is no model in the published layout");
        }
        for index in self.listed(|name| name == INDEX)? {
            self.bring(&index, display)?;
        }
        let weights = self.weights()?;
        let mut files = self.listed(|name| is_side_file(name) || weights.contains(name))?;
        files.sort_by_key(|file| file.name == LAST);
        files.iter().try_for_each(|file| self.bring(file, display))
    }

    fn file(&self, name: &str, display: &mut Display<impl Write>) -> Result<()> {
        match &self.listed(|listed| listed == name)?[..] {
            [] => bail!("holds no {name}"),
            files => files.iter().try_for_each(|file| self.bring(file, display)),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let siblings = self.repository.siblings.iter();
        siblings.map(|sibling| sibling.rfilename.as_str())
    }

    fn listed(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Listed>> {
        let siblings = self.repository.siblings.iter();
        let wanted = siblings.filter(|sibling| wanted(&sibling.rfilename));
        wanted.map(Sibling::listed).collect()
    }

    /// The weight files to fetch: the shards that the index names, where there is one, else all.
    fn weights(&self) -> Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: HashMap<String, String>,
        }
        let all: BTreeSet<_> = self.names().filter(|name| is_weight_file(name)).collect();
        if all.is_empty() {
            bail!("holds no *.safetensors file: only such weights are read");
        }
        if !self.names().any(|name| name == INDEX) {
            return Ok(all.into_iter().map(str::to_owned).collect());
        }
        let index: Index = read_json(&self.dir.join(INDEX))?;
        let shards: BTreeSet<_> = index.weight_map.into_values().collect();
        match shards.iter().find(|shard| !all.contains(shard.as_str())) {
            Some(shard) => bail!("its index names a file {shard:?} that it does not hold"),
            None => Ok(shards),
        }
    }

    /// One file: fetched if its content is not here yet, then linked under its name.
    fn bring(&self, file: &Listed, display: &mut Display<impl Write>) -> Result<()> {
        let download = Download {
            client: self.client,
            path: format!(
                "/{}/resolve/{}/{}",
                self.address.repository,
                self.repository.sha,
                escaped(&file.name)
            ),
            file,
            blobs: self.cache.blobs(self.address),
        };
        if !download.is_here() {
            let done = download.run(display);
            match done {
                Ok(()) => display.end(),
                Err(_) => display.abandon(),
            }
            done.with_context(|| file.name.clone())?;
        }
        self.cache
            .link(&self.dir, &file.name, &file.blob)
            .with_context(|| format!("{}: cannot write", self.dir.display()))
    }
}

/// A plain file name in an address: everything but letters, digits and `-._~` as `%` and its bytes.
fn escaped(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    name.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_folder_are_known() {
        for name in [
            "../x", "/x", "a/../b", "a//b", "a\\b", "c:x", "a\0", "", ".",
        ] {
            assert!(!stays_inside(name), "{name:?}");
        }
        assert!(stays_inside("onnx/model.onnx") && stays_inside(".gitattributes"));
    }

    #[test]
    fn only_what_is_read_is_fetched() {
        for name in [
            "config.json",
            "tokenizer.json",
            "chat_template.jinja",
            INDEX,
        ] {
            assert!(is_side_file(name), "{name}");
        }
        for name in [
            "a.py",
            "model.bin",
            "x.gguf",
            "README.md",
            "onnx/config.json",
            ".x.json",
        ] {
            assert!(!is_side_file(name) && !is_weight_file(name), "{name}");
        }
        assert_eq!(escaped("a b%.json"), "a%20b%25.json");
    }
}
