//! Where a model's files are: embedded in the datasets, in a folder of the user, in the hub's local
//! cache, or made of random weights.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::dummy;
use crate::models::published::{PUBLISHED, Published, find};
use crate::weights::weight_files;

/// Which weights a named model gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsChoice {
    /// The true ones.
    Published,
    /// Random ones of the same shapes.
    Dummy,
}

/// A model whose files are at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Name in tables.
    pub name: String,
    /// Folder in the published layout.
    pub dir: PathBuf,
    /// `embedded`, `published`, `local` or `dummy`.
    pub weights: &'static str,
    /// A commit or a digest of the weights.
    pub revision: String,
    /// Its weight files.
    pub weight_files: Vec<PathBuf>,
    /// Their bytes.
    pub weight_bytes: u64,
}

impl Model {
    fn at(
        name: impl Into<String>,
        dir: PathBuf,
        weights: &'static str,
        revision: String,
    ) -> Result<Self> {
        let weight_files = weight_files(&dir)?;
        let weight_bytes = weight_files
            .iter()
            .filter_map(|f| f.metadata().ok())
            .map(|f| f.len())
            .sum();
        Ok(Self {
            name: name.into(),
            dir,
            weights,
            revision,
            weight_files,
            weight_bytes,
        })
    }
}

/// The `datasets` folder: of the nearest ancestor that has one, else of the source tree this
/// program was built from.
///
/// # Errors
/// When there is neither.
pub fn datasets_dir() -> Result<PathBuf> {
    let here = std::env::current_dir().context("no current folder")?;
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    let near = here.ancestors().map(|dir| dir.join("datasets"));
    let is_ours = |dir: &PathBuf| dir.join("suites").is_dir() && dir.join("checkpoints").is_dir();
    let found = near.chain([built]).find(is_ours);
    found.context("no datasets folder: run inside a checkout of vlm-bench")
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

/// Finds a model by name, repository or folder.
///
/// # Errors
/// When it is not known, or known but not at hand: one line that says what to do.
pub fn resolve(wanted: &str, weights: WeightsChoice) -> Result<Model> {
    if let Some(model) = find(wanted) {
        return match weights {
            WeightsChoice::Dummy => dummy_model(model),
            WeightsChoice::Published => cached_model(model),
        };
    }
    let embedded = datasets_dir()?.join("checkpoints").join(wanted);
    let is_name =
        !wanted.is_empty() && !wanted.contains(['/', '\\']) && wanted != "." && wanted != "..";
    let (dir, kind) = match is_name && embedded.join("config.json").is_file() {
        true => (embedded, "embedded"),
        false => (PathBuf::from(wanted), "local"),
    };
    if !dir.is_dir() {
        let known: Vec<_> = PUBLISHED
            .iter()
            .map(|model| model.name.to_owned())
            .chain(embedded_names()?)
            .collect();
        bail!(
            "unknown model {wanted:?}: name a folder in the published layout, or one of {}",
            known.join(", ")
        );
    }
    if weights == WeightsChoice::Dummy {
        bail!("{wanted:?} has weights of its own: --weights dummy takes a published model's name");
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
    let name = full.file_name().map_or_else(
        || wanted.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let revision = digest(&weight_files(&dir)?)?;
    Model::at(name, full, kind, revision)
}

fn dummy_model(model: &Published) -> Result<Model> {
    let shapes = datasets_dir()?.join("published").join(model.name);
    let dir = dummy::ensure(model, &shapes)?;
    Model::at(model.name, dir, "dummy", format!("seed-{}", dummy::SEED))
}

/// The pinned snapshot in the hub's local cache.
fn cached_model(model: &Published) -> Result<Model> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = set("HF_HOME").or_else(|| Some(set("HOME")?.join(".cache/huggingface")));
    let folder = format!("models--{}", model.repository.replace('/', "--"));
    let revision = model.revision.unwrap_or("main");
    let snapshot = home.map(|home| {
        home.join("hub")
            .join(folder)
            .join("snapshots")
            .join(revision)
    });
    match snapshot.filter(|dir| dir.join("config.json").exists()) {
        Some(dir) => Model::at(model.name, dir, "published", revision.to_owned()),
        None => bail!(
            "{}: revision {revision} is not in the hub's local cache: name its folder with --model, or use --weights dummy",
            model.name,
        ),
    }
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
