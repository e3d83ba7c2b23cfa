//! Suites: which models are measured with which probe set. TOML files in `datasets/suites/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use serde::Deserialize;
use store::toml_file::TomlFile;
use toml::Spanned;

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
    probes: Spanned<String>,
    /// Folder of the probe set.
    #[serde(skip)]
    pub probes_dir: PathBuf,
}

impl Suite {
    /// Reads a suite, or the embedded one.
    ///
    /// # Errors
    /// Names the file that is missing, or the line and field that are wrong.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let path = match file {
            Some(path) => path.to_owned(),
            None => datasets_dir()?.join("suites").join(DEFAULT),
        };
        let text = TomlFile::read(&path).map_err(Error::msg)?;
        let mut suite: Self = text.parse().map_err(Error::msg)?;
        suite
            .check()
            .map_err(|what| Error::msg(format!("{}: {what}", path.display())))?;
        let probes = suite.probes.get_ref();
        let beside = path.parent().unwrap_or(Path::new(".")).join(probes);
        let found = if file.is_some() && beside.is_dir() {
            beside
        } else {
            datasets_dir()?.join(probes)
        };
        let missing = || {
            let place = text.place(suite.probes.span().start);
            format!("{place}: probes: {}: no such folder", found.display())
        };
        suite.probes_dir = found.canonicalize().with_context(missing)?;
        Ok(suite)
    }

    /// The first field that is empty.
    fn check(&self) -> Result<(), &'static str> {
        let fields = [
            (self.name.trim().is_empty(), "name: must be given"),
            (self.models.is_empty(), "models: name at least one"),
            (
                self.probes.get_ref().trim().is_empty(),
                "probes: must be given",
            ),
        ];
        let empty = fields.into_iter().find(|(empty, _)| *empty);
        empty.map_or(Ok(()), |(_, what)| Err(what))
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
        let suite = check("name = \"mine\"\nmodels = [\"m\"]\nprobes = \"set\"").unwrap();
        assert!(suite.probes_dir.ends_with("set"));
        assert!(
            check("name = 1")
                .unwrap_err()
                .contains("mine.toml:1: name: ")
        );
        let missing = check("name = \"mine\"\nmodels = [\"m\"]\nprobes = \"gone\"").unwrap_err();
        assert!(missing.contains("mine.toml:3: probes: "), "{missing}");
        assert!(missing.contains("no such folder"), "{missing}");
        let none = check("name = \"mine\"\nmodels = []\nprobes = \"set\"").unwrap_err();
        assert!(
            none.ends_with("mine.toml: models: name at least one"),
            "{none}"
        );
        let unknown = check("name = \"mine\"\nmodel = []").unwrap_err();
        assert!(
            unknown.contains("mine.toml:2: unknown field `model`"),
            "{unknown}"
        );
    }
}
