//! Reads `preprocessor_config.json`: every value checked, every error names file and key.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::picture::{Filter, Normaliser};
use crate::side_file::{format_error, read_json};
use crate::{Error, Result};

/// The references scale no picture beyond this, so a larger setting would mean something else there.
pub(crate) const MAX_EDGE: usize = 4096;

/// The file's keys.
pub(crate) struct Preprocessor {
    root: Value,
    path: PathBuf,
}

impl Preprocessor {
    /// Reads the file in `dir`.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("preprocessor_config.json");
        let root = read_json(&path)?;
        Ok(Self { root, path })
    }

    /// [`Error::Format`] about one key.
    pub(crate) fn error(&self, key: &str, detail: String) -> Error {
        format_error(&self.path, format!("{key}: {detail}"))
    }

    /// What stands under a key, if anything.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.root.get(key).filter(|value| !value.is_null())
    }

    /// [`Error::Unsupported`] where one of these steps is switched off.
    pub(crate) fn needs(&self, steps: &[&str]) -> Result<()> {
        for step in steps {
            if !self.flag(step)? {
                let detail = format!("{}: {step} is false", self.path.display());
                return Err(Error::Unsupported(detail));
            }
        }
        Ok(())
    }

    /// A switch; on where it is not there.
    pub(crate) fn flag(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            None => Ok(true),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.error(key, format!("expected true or false, found {other}"))),
        }
    }

    /// Pixels of `key.part`, which must be there.
    pub(crate) fn pixels(&self, key: &str, part: &str) -> Result<usize> {
        let name = format!("{key}.{part}");
        let Some(value) = self.get(key).and_then(|size| size.get(part)) else {
            return Err(self.error(&name, "missing".into()));
        };
        value
            .as_u64()
            .and_then(|pixels| usize::try_from(pixels).ok())
            .filter(|pixels| (1..=MAX_EDGE).contains(pixels))
            .ok_or_else(|| {
                let detail = format!("expected 1 to {MAX_EDGE} pixels, found {value}");
                self.error(&name, detail)
            })
    }

    /// Rescaling, mean and deviation; 1/255 and the given defaults where they are not there.
    pub(crate) fn normaliser(&self, mean: [f32; 3], std: [f32; 3]) -> Result<Normaliser> {
        let normaliser = Normaliser {
            mean: self.channels("image_mean", mean)?,
            std: self.channels("image_std", std)?,
            rescale: self.rescale()?,
        };
        if normaliser.std.iter().any(|&std| std <= 0.0) {
            return Err(self.error("image_std", "must be above zero".into()));
        }
        Ok(normaliser)
    }

    fn channels(&self, key: &str, default: [f32; 3]) -> Result<[f32; 3]> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let number = |item: &Value| item.as_f64().map(|n| n as f32);
        let numbers: Option<Vec<f32>> = value
            .as_array()
            .and_then(|list| list.iter().map(number).collect());
        numbers
            .and_then(|list| <[f32; 3]>::try_from(list).ok())
            .filter(|list| list.iter().all(|number| number.is_finite()))
            .ok_or_else(|| self.error(key, format!("expected three numbers, found {value}")))
    }

    fn rescale(&self) -> Result<f64> {
        let key = "rescale_factor";
        let Some(value) = self.get(key) else {
            return Ok(1.0 / 255.0);
        };
        value
            .as_f64()
            .filter(|factor| *factor > 0.0 && *factor <= 1.0)
            .ok_or_else(|| {
                let detail = format!("expected a number above 0, at most 1, found {value}");
                self.error(key, detail)
            })
    }

    /// The resampling kernel; the numbers are PIL's.
    pub(crate) fn filter(&self, default: Filter) -> Result<Filter> {
        match self.get("resample").map(Value::as_u64) {
            None => Ok(default),
            Some(Some(1)) => Ok(Filter::Lanczos),
            Some(Some(2)) => Ok(Filter::Bilinear),
            Some(Some(3)) => Ok(Filter::Bicubic),
            Some(_) => Err(self.error(
                "resample",
                "expected 1 (Lanczos), 2 (bilinear) or 3 (bicubic)".into(),
            )),
        }
    }
}
