//! `preprocessor_config.json`, checked.

use std::path::Path;

use serde_json::Value;

use crate::picture::Filter;
use crate::side_file::{format_error, read_json};
use crate::{Error, Result};

/// The reference scales no picture beyond this, so a larger setting would mean something else there.
const MAX_EDGE: usize = 4096;
/// Most tiles a side. Published vocabularies have marks for 6.
const MAX_TILES: usize = 16;

/// What `preprocessor_config.json` asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageConfig {
    /// The longer side is scaled to this many pixels, up or down.
    pub longest_edge: usize,
    /// Side of a tile, and of the global frame, in pixels.
    pub tile: usize,
    /// Whether pictures are cut into tiles at all.
    pub split: bool,
    /// Subtracted from each channel after scaling by `rescale`.
    pub mean: [f32; 3],
    /// Divides each channel after that.
    pub std: [f32; 3],
    /// Multiplies each 8-bit value.
    pub rescale: f64,
    /// The resampling kernel of all steps.
    pub filter: Filter,
}

impl ImageConfig {
    /// Reads `preprocessor_config.json` in `dir`. Keys that are not there have the defaults of the reference
    /// (split, 1/255, 0.5, Lanczos); the two sizes must be there.
    ///
    /// # Errors
    /// [`Error::Read`] without such a file; [`Error::Format`] naming file and key when a value makes no sense;
    /// [`Error::Unsupported`] when a step is switched off that the models need.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("preprocessor_config.json");
        let keys = Keys {
            root: read_json(&path)?,
            path: &path,
        };
        for step in ["do_resize", "do_rescale", "do_normalize"] {
            if !keys.flag(step)? {
                return Err(Error::Unsupported(format!(
                    "{}: {step} is false",
                    path.display()
                )));
            }
        }
        let config = Self {
            longest_edge: keys.pixels("size")?,
            tile: keys.pixels("max_image_size")?,
            split: keys.flag("do_image_splitting")?,
            mean: keys.channels("image_mean")?,
            std: keys.channels("image_std")?,
            rescale: keys.rescale()?,
            filter: keys.filter()?,
        };
        config.check(&keys)?;
        Ok(config)
    }

    fn check(&self, keys: &Keys<'_>) -> Result<()> {
        let Self {
            longest_edge, tile, ..
        } = *self;
        if tile > longest_edge {
            return Err(keys.error(
                "max_image_size.longest_edge",
                format!("a tile of {tile} pixels is larger than the picture (size.longest_edge {longest_edge})"),
            ));
        }
        if self.split && longest_edge.div_ceil(tile) > MAX_TILES {
            return Err(keys.error(
                "max_image_size.longest_edge",
                format!("tiles of {tile} pixels cut {longest_edge} into more than {MAX_TILES}"),
            ));
        }
        if self.std.iter().any(|&std| std <= 0.0) {
            return Err(keys.error("image_std", "must be above zero".into()));
        }
        Ok(())
    }
}

/// A JSON object with the file it came from.
struct Keys<'a> {
    root: Value,
    path: &'a Path,
}

impl Keys<'_> {
    fn error(&self, key: &str, detail: String) -> Error {
        format_error(self.path, format!("{key}: {detail}"))
    }

    fn flag(&self, key: &str) -> Result<bool> {
        match self.root.get(key) {
            None | Some(Value::Null) => Ok(true),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.error(key, format!("expected true or false, found {other}"))),
        }
    }

    fn pixels(&self, key: &str) -> Result<usize> {
        let name = format!("{key}.longest_edge");
        let Some(value) = self.root.get(key).and_then(|size| size.get("longest_edge")) else {
            return Err(self.error(&name, "missing".into()));
        };
        value
            .as_u64()
            .and_then(|pixels| usize::try_from(pixels).ok())
            .filter(|pixels| (1..=MAX_EDGE).contains(pixels))
            .ok_or_else(|| {
                self.error(
                    &name,
                    format!("expected 1 to {MAX_EDGE} pixels, found {value}"),
                )
            })
    }

    fn channels(&self, key: &str) -> Result<[f32; 3]> {
        let Some(value) = self.root.get(key) else {
            return Ok([0.5; 3]);
        };
        let numbers: Option<Vec<f32>> = value.as_array().and_then(|list| {
            list.iter()
                .map(|item| item.as_f64().map(|n| n as f32))
                .collect()
        });
        numbers
            .and_then(|list| <[f32; 3]>::try_from(list).ok())
            .filter(|list| list.iter().all(|number| number.is_finite()))
            .ok_or_else(|| self.error(key, format!("expected three numbers, found {value}")))
    }

    fn rescale(&self) -> Result<f64> {
        let key = "rescale_factor";
        let Some(value) = self.root.get(key) else {
            return Ok(1.0 / 255.0);
        };
        value
            .as_f64()
            .filter(|factor| *factor > 0.0 && *factor <= 1.0)
            .ok_or_else(|| {
                self.error(
                    key,
                    format!("expected a number above 0, at most 1, found {value}"),
                )
            })
    }

    /// The numbers are PIL's.
    fn filter(&self) -> Result<Filter> {
        match self.root.get("resample").map(Value::as_u64) {
            None | Some(Some(1)) => Ok(Filter::Lanczos),
            Some(Some(2)) => Ok(Filter::Bilinear),
            Some(Some(3)) => Ok(Filter::Bicubic),
            Some(_) => Err(self.error(
                "resample",
                "expected 1 (Lanczos), 2 (bilinear) or 3 (bicubic)".into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PUBLISHED: &str = r#"{"do_resize": true, "do_image_splitting": true, "resample": 1,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "rescale_factor": 0.00392156862745098,
        "max_image_size": {"longest_edge": 512}, "size": {"longest_edge": 2048}}"#;

    fn load(text: &str) -> Result<ImageConfig> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("preprocessor_config.json"), text).unwrap();
        ImageConfig::load(dir.path())
    }

    #[test]
    fn published_settings_are_the_defaults() {
        let published = load(PUBLISHED).unwrap();
        assert_eq!(
            (published.longest_edge, published.tile, published.split),
            (2048, 512, true)
        );
        let bare = r#"{"max_image_size": {"longest_edge": 512}, "size": {"longest_edge": 2048}}"#;
        assert_eq!(load(bare).unwrap(), published);
    }

    #[test]
    fn nonsense_names_file_and_key() {
        for (from, to, key) in [
            ("512", "0", "max_image_size.longest_edge"),
            ("512", "-4", "max_image_size.longest_edge"),
            ("512", "4096", "max_image_size.longest_edge"),
            ("512", "100", "max_image_size.longest_edge"),
            ("2048", "1e99", "size.longest_edge"),
            ("2048", "99999999999999999999", "size.longest_edge"),
            ("2048", "\"2048\"", "size.longest_edge"),
            ("\"size\"", "\"sizes\"", "size.longest_edge"),
            ("\"resample\": 1", "\"resample\": 0", "resample"),
            ("0.00392156862745098", "-1", "rescale_factor"),
            (
                "\"image_std\": [0.5, 0.5, 0.5]",
                "\"image_std\": [0.5, 0, 0.5]",
                "image_std",
            ),
            (
                "\"image_mean\": [0.5, 0.5, 0.5]",
                "\"image_mean\": [0.5, 0.5]",
                "image_mean",
            ),
            (
                "\"do_image_splitting\": true",
                "\"do_image_splitting\": 1",
                "do_image_splitting",
            ),
        ] {
            let error = load(&PUBLISHED.replace(from, to)).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(&format!("preprocessor_config.json: {key}: ")),
                "{text}"
            );
            assert_eq!(text.lines().count(), 1, "{text}");
        }
        let off = load(&PUBLISHED.replace("\"do_resize\": true", "\"do_resize\": false"));
        assert!(matches!(off, Err(Error::Unsupported(_))));
    }
}
