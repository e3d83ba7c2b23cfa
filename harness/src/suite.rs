//! Suites: which models are measured with which probe set. TOML files in `datasets/suites/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::source::datasets_dir;

/// What a run measures where it is told nothing.
const DEFAULT: &str = "embedded.toml";

/// A suite's file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// Names or folders of models.
    pub models: Vec<String>,
    /// A probe set in `datasets/`, or a folder beside the suite's file.
    probes: String,
    /// Folder of the probe set.
    #[serde(skip)]
    pub probes_dir: PathBuf,
}

impl Suite {
    /// Reads a suite, or the embedded one.
    ///
    /// # Errors
    /// Names the file that is missing or not a suite.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let path = match file {
            Some(path) => path.to_owned(),
            None => datasets_dir()?.join("suites").join(DEFAULT),
        };
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        let mut suite: Self =
            toml::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {}", path.display(), error.message()))?;
        let beside = path.parent().unwrap_or(Path::new(".")).join(&suite.probes);
        let found = if file.is_some() && beside.is_dir() { beside } else { datasets_dir()?.join(&suite.probes) };
        let missing = || format!("{}: probe set {}: no such folder", path.display(), found.display());
        suite.probes_dir = found.canonicalize().with_context(missing)?;
        Ok(suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_suite_is_there() {
        let suite = Suite::load(None).unwrap();
        assert_eq!(suite.name, "embedded");
        assert!(suite.probes_dir.join("items.toml").is_file());
    }

    #[test]
    fn a_suite_names_a_probe_set_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Suite::load(Some(&path)).map_err(|error| format!("{error:#}"))
        };
        std::fs::create_dir(dir.path().join("set")).unwrap();
        let suite = check("name = \"mine\"\nmodels = []\nprobes = \"set\"").unwrap();
        assert!(suite.probes_dir.ends_with("set"));
        assert!(check("name = 1").unwrap_err().contains("mine.toml: "));
        let missing = check("name = \"mine\"\nmodels = []\nprobes = \"gone\"").unwrap_err();
        assert!(missing.contains("no such folder"), "{missing}");
    }
}
