//! What a repository on the hub consists of, which of its files a model needs, and bringing those
//! into the cache. Everything a hub says is checked before it is used.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

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

/// Brings everything a model needs into the cache, what is there already excepted.
///
/// # Errors
/// When the hub refuses, cannot be reached or sends something else than it lists, or the cache
/// cannot be written: the address and one line.
pub(super) fn fetch(
    address: &Address,
    cache: &Cache,
    display: &mut Display<impl Write>,
) -> Result<Snapshot> {
    let client = Client::from_environment()?;
    let repository = list(&client, address).with_context(|| address.to_string())?;
    let job = Job {
        client: &client,
        address,
        cache,
        commit: &repository.sha,
    };
    job.run(&repository, display)
        .with_context(|| address.to_string())
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
fn is_side_file(name: &str) -> bool {
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
    commit: &'a str,
}

impl Job<'_> {
    fn run(&self, repository: &Repository, display: &mut Display<impl Write>) -> Result<Snapshot> {
        let names: Vec<_> = repository.siblings.iter().map(|s| &s.rfilename).collect();
        if let Some(name) = names.iter().find(|name| !stays_inside(name)) {
            bail!("the hub lists a file {name:?}: refused, it would leave the cache");
        }
        if !names.iter().any(|name| *name == LAST) {
            bail!("holds no {LAST}, so it is no model in the published layout");
        }
        let dir = self.cache.snapshot(self.address, self.commit);
        let find = |wanted: &dyn Fn(&str) -> bool| -> Result<Vec<Listed>> {
            let wanted = repository.siblings.iter().filter(|s| wanted(&s.rfilename));
            wanted.map(Sibling::listed).collect()
        };
        for file in find(&|name| name == INDEX)? {
            self.bring(&file, &dir, display)?;
        }
        let weights = weights(&names, &dir.join(INDEX))?;
        let mut files = find(&|name| is_side_file(name) || weights.contains(name))?;
        files.sort_by_key(|file| file.name == LAST);
        for file in &files {
            self.bring(file, &dir, display)?;
        }
        self.cache.refer(self.address, self.commit)?;
        Ok(Snapshot {
            dir,
            commit: self.commit.to_owned(),
        })
    }

    /// One file: fetched if its content is not here yet, then linked under its name.
    fn bring(&self, file: &Listed, dir: &Path, display: &mut Display<impl Write>) -> Result<()> {
        let download = Download {
            client: self.client,
            path: format!(
                "/{}/resolve/{}/{}",
                self.address.repository,
                self.commit,
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
            .link(dir, &file.name, &file.blob)
            .with_context(|| format!("{}: cannot write", dir.display()))
    }
}

/// The weight files to fetch: the shards that the index names, where there is one, else all.
fn weights(names: &[&String], index: &Path) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::HashMap<String, String>,
    }
    let all: BTreeSet<String> = names
        .iter()
        .filter(|name| is_weight_file(name))
        .map(|name| (*name).clone())
        .collect();
    if all.is_empty() {
        bail!("holds no *.safetensors file: only such weights are read");
    }
    if !names.iter().any(|name| *name == INDEX) {
        return Ok(all);
    }
    let index: Index = read_json(index)?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    match shards.iter().find(|shard| !all.contains(*shard)) {
        Some(shard) => bail!("its index names a file {shard:?} that it does not hold"),
        None => Ok(shards),
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
