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
    models: Vec<Spanned<String>>,
    /// A probe set in `datasets/`, or a folder beside the suite's file.
    probes: Spanned<String>,
    /// Folder of the probe set.
    #[serde(skip)]
    pub probes_dir: PathBuf,
    /// `FILE:LINE: FIELD` of each model.
    #[serde(skip)]
    places: Vec<String>,
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
        suite.check().map_err(|(field, what)| {
            let place = text.place_of(0, field);
            Error::msg(format!("{place}: {field}: {what}"))
        })?;
        let place = |model: &Spanned<String>| format!("{}: models", text.place(model.span().start));
        suite.places = suite.models.iter().map(place).collect();
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

    /// Each model's name or folder, with its place in the file (`FILE:LINE: FIELD`) for what is wrong
    /// with it.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.models.iter().map(|name| name.get_ref().as_str());
        names.zip(self.places.iter().map(String::as_str))
    }

    /// The first field that is empty, and what it lacks.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let probes = self.probes.get_ref();
        let fields = [
            (self.name.trim().is_empty(), "name", "must be given"),
            (self.models.is_empty(), "models", "name at least one"),
            (probes.trim().is_empty(), "probes", "must be given"),
        ];
        let empty = fields.into_iter().find(|(empty, ..)| *empty);
        empty.map_or(Ok(()), |(_, field, what)| Err((field, what)))
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
        let several = "probes = \"set\"\nmodels = [\n  \"a\",\n  \"b\",\n]\nname = \"mine\"";
        let suite = check(several).unwrap();
        let places: Vec<_> = suite.models().collect();
        let place = |line| format!("{}:{line}: models", path.display());
        let (a, b) = (place(3), place(4));
        assert_eq!(places, [("a", a.as_str()), ("b", b.as_str())]);
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
            none.ends_with("mine.toml:2: models: name at least one"),
            "{none}"
        );
        let unknown = check("name = \"mine\"\nmodel = []").unwrap_err();
        assert!(
            unknown.contains("mine.toml:2: unknown field `model`"),
            "{unknown}"
        );
    }
}
