//! SmolVLM's picture preparation: scaled, cut into square tiles, normalised.

use std::path::Path;
use std::thread;

use serde_json::Value;

use crate::picture::{Filter, Picture};
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

/// A picture ready for the vision tower.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames {
    /// Height and width of every frame, in pixels.
    pub side: usize,
    /// Frames: `rows * cols + 1`, or 1 when not split.
    pub count: usize,
    /// Tiles from top to bottom; 0 when not split.
    pub rows: usize,
    /// Tiles from left to right; 0 when not split.
    pub cols: usize,
    /// `[count, side, side, 3]`: tiles row-major, the global frame last.
    pub pixels: Vec<f32>,
}

/// Prepares one picture.
///
/// The longer side is scaled to `longest_edge`; both sides are then scaled up to multiples of `tile` (this may
/// distort), the result is cut into tiles, and itself scaled to one tile for the global frame. Not split, or fitting
/// one tile, the picture is one frame, stretched to the square.
///
/// # Errors
/// [`Error::Picture`] when the picture holds no pixels.
///
/// Source: `Idefics3ImageProcessorPil` in transformers; golden values in `tests/golden/`.
pub fn prepare(picture: &Picture, config: &ImageConfig) -> Result<Frames> {
    if picture.rgb.is_empty() || picture.rgb.len() != 3 * picture.width * picture.height {
        return Err(Error::Picture(format!(
            "{} bytes of RGB do not make {} x {} pixels",
            picture.rgb.len(),
            picture.width,
            picture.height
        )));
    }
    let ImageConfig { tile, filter, .. } = *config;
    let scaled = scaled_size(picture.width, picture.height, config.longest_edge);
    let fitted = if config.split {
        tiled_size(scaled.0, scaled.1, tile)
    } else {
        (tile, tile)
    };
    let mut whole = picture.resize(scaled.0, scaled.1, filter);
    if fitted != scaled {
        whole = whole.resize(fitted.0, fitted.1, filter);
    }
    let (cols, rows) = (fitted.0 / tile, fitted.1 / tile);
    if (rows, cols) == (1, 1) {
        let pixels = normalise(&[&whole], 1, config);
        return Ok(Frames {
            side: tile,
            count: 1,
            rows: 0,
            cols: 0,
            pixels,
        });
    }
    let global = whole.resize(tile, tile, filter);
    let count = rows * cols + 1;
    let pixels = normalise(&[&whole, &global], count, config);
    Ok(Frames {
        side: tile,
        count,
        rows,
        cols,
        pixels,
    })
}

/// Width and height with the longer side at `edge`; the shorter is cut to a whole number, then made even.
///
/// The operations and their order are the reference's, because their rounding decides.
fn scaled_size(width: usize, height: usize, edge: usize) -> (usize, usize) {
    let aspect = width as f64 / height as f64;
    if width >= height {
        (edge, even((edge as f64 / aspect) as usize).max(1))
    } else {
        (even((edge as f64 * aspect) as usize).max(1), edge)
    }
}

fn even(pixels: usize) -> usize {
    pixels + pixels % 2
}

/// Width and height rounded up to multiples of `tile`, the shorter one from the already rounded longer one.
fn tiled_size(width: usize, height: usize, tile: usize) -> (usize, usize) {
    let aspect = width as f64 / height as f64;
    if width >= height {
        let width = width.next_multiple_of(tile);
        (
            width,
            ((width as f64 / aspect) as usize)
                .next_multiple_of(tile)
                .max(tile),
        )
    } else {
        let height = height.next_multiple_of(tile);
        (
            ((height as f64 * aspect) as usize)
                .next_multiple_of(tile)
                .max(tile),
            height,
        )
    }
}

/// Cuts the sheets into `count` frames, one sheet after the other, and normalises them.
///
/// Each of the 256 values of a channel is computed once, in the reference's precision.
fn normalise(sheets: &[&Picture], count: usize, config: &ImageConfig) -> Vec<f32> {
    let table: [[f32; 256]; 3] = std::array::from_fn(|channel| {
        std::array::from_fn(|value| {
            let scaled = (value as f64 * config.rescale) as f32;
            (scaled - config.mean[channel]) / config.std[channel]
        })
    });
    let tile = config.tile;
    let frames: Vec<(&Picture, usize, usize)> = sheets
        .iter()
        .flat_map(|&sheet| {
            let across = sheet.width / tile;
            (0..across * (sheet.height / tile))
                .map(move |k| (sheet, k % across * tile, k / across * tile))
        })
        .collect();
    let mut pixels = vec![0.0; count * tile * tile * 3];
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(count);
    let share = count.div_ceil(threads);
    thread::scope(|scope| {
        for (chunk, frames) in pixels
            .chunks_mut(share * tile * tile * 3)
            .zip(frames.chunks(share))
        {
            let table = &table;
            scope.spawn(move || {
                for (frame, &(sheet, left, top)) in
                    chunk.chunks_exact_mut(tile * tile * 3).zip(frames)
                {
                    for (y, row) in frame.chunks_exact_mut(tile * 3).enumerate() {
                        let start = 3 * ((top + y) * sheet.width + left);
                        normalise_row(&sheet.rgb[start..][..3 * tile], table, row);
                    }
                }
            });
        }
    });
    pixels
}

fn normalise_row(bytes: &[u8], table: &[[f32; 256]; 3], row: &mut [f32]) {
    for (out, pixel) in row.chunks_exact_mut(3).zip(bytes.chunks_exact(3)) {
        for channel in 0..3 {
            out[channel] = table[channel][usize::from(pixel[channel])];
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

    #[test]
    fn sizes_follow_the_reference() {
        for (from, scaled, tiled) in [
            ((640, 480), (2048, 1536), (2048, 1536)),
            ((1920, 1080), (2048, 1152), (2048, 1536)),
            ((480, 640), (1536, 2048), (1536, 2048)),
            ((1024, 1024), (2048, 2048), (2048, 2048)),
            ((4000, 1), (2048, 1), (2048, 512)),
            ((1, 4000), (1, 2048), (512, 2048)),
            ((1000, 333), (2048, 682), (2048, 1024)),
            ((16_384, 4096), (2048, 512), (2048, 512)),
        ] {
            assert_eq!(scaled_size(from.0, from.1, 2048), scaled, "{from:?}");
            assert_eq!(tiled_size(scaled.0, scaled.1, 512), tiled, "{from:?}");
        }
    }

    #[test]
    fn a_picture_without_pixels_is_refused() {
        let config = load(PUBLISHED).unwrap();
        let empty = Picture {
            width: 0,
            height: 0,
            rgb: Vec::new(),
        };
        let short = Picture {
            width: 2,
            height: 2,
            rgb: vec![0; 9],
        };
        for picture in [empty, short] {
            assert!(matches!(prepare(&picture, &config), Err(Error::Picture(_))));
        }
    }
}
