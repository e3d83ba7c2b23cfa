//! Where a model's files are: embedded in the datasets, in a folder of the user, on the hub or in its
//! local cache, or made of random weights.

pub mod address;
mod blobs;
pub mod bundle;
pub mod cache;
mod download;
mod http;
mod hub;
mod joined;
mod stamp;

use std::io::stderr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use crate::dummy;
use crate::models::published::{PUBLISHED, Published, find};
use crate::progress::Style;
use crate::progress::download::Display;
use crate::served::Server;
use crate::weights::weight_files;
use address::Address;
pub(crate) use blobs::{Hashed, damaged};
use cache::{Cache, Snapshot};
use hub::Needed;
pub use stamp::Seal;

/// Which weights a named model gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsChoice {
    /// The true ones.
    Published,
    /// Random ones of the same shapes.
    Dummy,
}

/// Whether the hub may be asked for what is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Allowed,
    /// Nothing is sent anywhere.
    Off,
}

/// A model whose files are at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Name in tables.
    pub name: String,
    /// What it was asked for by: a name, a folder, a repository.
    pub argument: String,
    /// Folder in the published layout.
    pub dir: PathBuf,
    /// `embedded`, `published`, `local`, `dummy` or `served`.
    pub weights: &'static str,
    /// A commit, or a digest of the weights.
    pub revision: String,
    /// Its weight files.
    pub weight_files: Vec<PathBuf>,
    /// Their bytes.
    pub weight_bytes: u64,
    /// Its files as they were when it was found; none where it is no folder.
    pub seal: Option<Seal>,
    /// The server that holds it, where it is no folder.
    pub server: Option<Server>,
}

impl Model {
    /// A folder's model. `revision` reads the weights where they have none of their own: after the seal,
    /// so that what changes meanwhile breaks it.
    fn at(
        name: impl Into<String>,
        dir: PathBuf,
        weights: &'static str,
        revision: impl FnOnce(&[PathBuf]) -> Result<String>,
    ) -> Result<Self> {
        let name = name.into();
        let seal = Seal::of(&dir)?;
        let weight_files = weight_files(&dir)?;
        let weight_bytes = weight_files
            .iter()
            .filter_map(|f| f.metadata().ok())
            .map(|f| f.len())
            .sum();
        Ok(Self {
            argument: name.clone(),
            name,
            dir,
            weights,
            revision: revision(&weight_files)?,
            weight_files,
            weight_bytes,
            seal: Some(seal),
            server: None,
        })
    }
}

/// The `datasets` folder: of the nearest ancestor that has one, else of the source tree in which this
/// program lies, else what it carries along, unpacked in the cache folder.
///
/// # Errors
/// When there is none of them.
pub fn datasets_dir() -> Result<PathBuf> {
    let here = std::env::current_dir().context("no current folder")?;
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    let near = here.ancestors().map(|dir| dir.join("datasets"));
    let is_ours = |dir: &PathBuf| dir.join("suites").is_dir() && dir.join("checkpoints").is_dir();
    let own = is_in_checkout().then(|| built.clone());
    if let Some(found) = near.chain(own).find(is_ours) {
        return Ok(found);
    }
    let carried = bundle::unpacked()?;
    let found = carried.or_else(|| Some(built).filter(is_ours));
    found.context("no datasets folder: run inside a checkout of vlm-bench")
}

/// Whether this program lies where cargo built it. One that was copied elsewhere, as installing does, goes
/// by what it carries: the checkout may be another one by now.
fn is_in_checkout() -> bool {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let both = std::env::current_exe().and_then(std::fs::canonicalize);
    let both = both.and_then(|program| Ok((program, std::fs::canonicalize(checkout)?)));
    both.is_ok_and(|(program, checkout)| program.starts_with(checkout))
}

/// Names of the embedded checkpoints, sorted.
///
/// # Errors
/// When the datasets are not at hand.
pub fn embedded_names() -> Result<Vec<String>> {
    let dir = datasets_dir()?.join("checkpoints");
    let entries =
        std::fs::read_dir(&dir).with_context(|| format!("{}: cannot read", dir.display()))?;
    let folders = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("config.json").is_file());
    let mut names: Vec<_> = folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Finds a model: a folder, the name of a published or embedded model, or a repository on the hub.
///
/// Names of published models and repositories take `@REVISION`. What is whole in the hub's local
/// cache is taken from there and nothing is asked; else it is fetched, if the network may be used.
///
/// # Errors
/// When it is not known, or known but cannot be had: one line that says what to do.
pub fn resolve(wanted: &str, weights: WeightsChoice, network: Network) -> Result<Model> {
    Ok(Model {
        argument: wanted.to_owned(),
        ..found(wanted, weights, network)?
    })
}

fn found(wanted: &str, weights: WeightsChoice, network: Network) -> Result<Model> {
    let is_path = wanted.contains(['/', '\\']) || wanted == "." || wanted == "..";
    if is_path && Path::new(wanted).is_dir() {
        return folder(PathBuf::from(wanted), "local", weights);
    }
    if let Some((model, revision)) = published_name(wanted) {
        return match weights {
            WeightsChoice::Dummy if revision.is_some() => {
                bail!("{wanted:?}: random weights are of no revision: leave it out")
            }
            WeightsChoice::Dummy => dummy_model(model),
            WeightsChoice::Published => published(wanted, model, revision, network),
        };
    }
    let embedded = datasets_dir()?.join("checkpoints").join(wanted);
    if !is_path && !wanted.is_empty() && embedded.join("config.json").is_file() {
        return folder(embedded, "embedded", weights);
    }
    if Path::new(wanted).is_dir() {
        return folder(PathBuf::from(wanted), "local", weights);
    }
    match address_of(wanted) {
        Some(_) if weights == WeightsChoice::Dummy => Err(own_weights(wanted)),
        Some((name, address)) => from_hub(wanted, name, &address, network),
        None => Err(unknown(wanted)?),
    }
}

/// Finds a model to compute with: as [`resolve`], but one of the hub is refused where a file is not what was
/// fetched.
///
/// # Errors
/// As [`resolve`], and naming the file with both hashes.
pub fn obtain(wanted: &str, weights: WeightsChoice, network: Network) -> Result<Model> {
    let model = resolve(wanted, weights, network)?;
    if model.weights == "published"
        && let Some(file) = damaged(&model.dir, Hashed::Changed)?.first()
    {
        bail!("{file}; run harness fetch {wanted}");
    }
    Ok(model)
}

/// The published model that `NAME`, `REPOSITORY` or one of them with `@REVISION` names.
fn published_name(wanted: &str) -> Option<(&'static Published, Option<&str>)> {
    let (name, revision) = match wanted.split_once('@') {
        Some((name, revision)) => (name, Some(revision)),
        None => (wanted, None),
    };
    Some((find(name)?, revision))
}

/// A repository on the hub, and its name without the owner.
fn address_of(wanted: &str) -> Option<(&str, Address)> {
    let (repository, revision) = match wanted.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision)),
        None => (wanted, None),
    };
    let address = Address::new(repository, revision).ok()?;
    Some((repository.split_once('/')?.1, address))
}

fn unknown(wanted: &str) -> Result<anyhow::Error> {
    let published = PUBLISHED.iter().map(|model| model.name.to_owned());
    let known: Vec<_> = published.chain(embedded_names()?).collect();
    Ok(anyhow!(
        "unknown model {wanted:?}: name a folder in the published layout, a repository on the hub (OWNER/NAME, with @REVISION if need be), or one of {}",
        known.join(", ")
    ))
}

fn own_weights(wanted: &str) -> anyhow::Error {
    anyhow!("{wanted:?} has weights of its own: --weights dummy takes a published model's name")
}

fn folder(dir: PathBuf, kind: &'static str, weights: WeightsChoice) -> Result<Model> {
    if weights == WeightsChoice::Dummy {
        return Err(own_weights(&dir.to_string_lossy()));
    }
    if !dir.join("config.json").is_file() {
        bail!(
            "{}: holds no config.json, so it is no model's folder",
            dir.display()
        );
    }
    let full = dir
        .canonicalize()
        .with_context(|| format!("{}: cannot be resolved", dir.display()))?;
    let name = full.file_name().unwrap_or(dir.as_os_str());
    let name = name.to_string_lossy().into_owned();
    Model::at(name, full, kind, digest)
}

fn dummy_model(model: &Published) -> Result<Model> {
    let shapes = datasets_dir()?.join("published").join(model.name);
    let dir = dummy::ensure(model, &shapes)?;
    let seed = |_: &[PathBuf]| Ok(format!("seed-{}", dummy::SEED));
    Model::at(model.name, dir, "dummy", seed)
}

/// A published model at the revision asked for, else at its pinned one.
fn published(
    wanted: &str,
    model: &Published,
    revision: Option<&str>,
    network: Network,
) -> Result<Model> {
    let address =
        |repository, revision| Address::new(repository, revision).map_err(anyhow::Error::msg);
    let weights = address(model.repository, revision.or(model.revision))?;
    let found = from_hub(wanted, model.name, &weights, network)?;
    match (model.tokenizer, revision) {
        (Some((repository, commit)), None) => {
            let tokenizer =
                tokenizer_from_hub(wanted, &address(repository, Some(commit))?, network)?;
            let name = format!("{}-{}", model.name, found.revision);
            let into = dummy::cache_dir()?.join("joined").join(name);
            let dir = joined::joined(&found.dir, &tokenizer, &into)?;
            Model::at(model.name, dir, found.weights, |_| Ok(found.revision))
        }
        _ => Ok(found),
    }
}

fn tokenizer_from_hub(wanted: &str, address: &Address, network: Network) -> Result<PathBuf> {
    const NAME: &str = "tokenizer.json";
    let cache = Cache::from_environment()?;
    if let Some(path) = cache.find_file(address, NAME) {
        return Ok(path);
    }
    if network == Network::Off {
        return Err(not_here(wanted, address));
    }
    let mut display = Display::new(stderr(), Style::of_stderr());
    let found = hub::fetch(address, Needed::File(NAME), &cache, &mut display)?;
    Ok(found.dir.join(NAME))
}

/// The snapshot in the hub's local cache, fetched if need be.
fn from_hub(wanted: &str, name: &str, address: &Address, network: Network) -> Result<Model> {
    let cache = Cache::from_environment()?;
    let Snapshot { dir, commit } = match (cache.find(address), network) {
        (Some(snapshot), _) => snapshot,
        (None, Network::Allowed) => {
            let mut display = Display::new(stderr(), Style::of_stderr());
            hub::fetch(address, Needed::Model, &cache, &mut display)?
        }
        (None, Network::Off) => return Err(not_here(wanted, address)),
    };
    Model::at(name, dir, "published", |_| Ok(commit))
}

fn not_here(wanted: &str, address: &Address) -> anyhow::Error {
    anyhow!("{address}: not in the hub's local cache: run harness fetch {wanted}")
}

/// Twelve hex digits of the SHA-256 over the weight files in order.
fn digest(files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for path in files {
        let mut file = std::fs::File::open(path)
            .with_context(|| format!("{}: cannot open", path.display()))?;
        std::io::copy(&mut file, &mut HashWriter(&mut hash))
            .with_context(|| format!("{}: cannot read", path.display()))?;
    }
    Ok(hash
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
