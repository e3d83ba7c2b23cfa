//! `preprocessor_config.json`, checked.

use std::path::Path;

use crate::Result;
use crate::models::preprocessor::Preprocessor;
use crate::picture::{Filter, Normaliser};

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
    /// What 8-bit values become.
    pub normaliser: Normaliser,
    /// The resampling kernel of all steps.
    pub filter: Filter,
}

impl ImageConfig {
    /// Reads `preprocessor_config.json` in `dir`. Keys that are not there have the defaults of the reference
    /// (split, 1/255, 0.5, Lanczos); the two sizes must be there.
    ///
    /// # Errors
    /// [`crate::Error::Read`] without such a file; [`crate::Error::Format`] naming file and key when a value makes no sense;
    /// [`crate::Error::Unsupported`] when a step is switched off that the models need.
    pub fn load(dir: &Path) -> Result<Self> {
        let keys = Preprocessor::load(dir)?;
        keys.needs(&["do_resize", "do_rescale", "do_normalize"])?;
        let config = Self {
            longest_edge: keys.pixels("size", "longest_edge")?,
            tile: keys.pixels("max_image_size", "longest_edge")?,
            split: keys.flag("do_image_splitting")?,
            normaliser: keys.normaliser([0.5; 3], [0.5; 3])?,
            filter: keys.filter(Filter::Lanczos)?,
        };
        config.check(&keys)?;
        Ok(config)
    }

    fn check(&self, keys: &Preprocessor) -> Result<()> {
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
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Error;

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
