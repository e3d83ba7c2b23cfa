//! LLaVA-NeXT's picture preparation ("anyres"): the canvas among a given few that keeps most of the
//! picture, cut into tiles, and the whole picture once more in one frame.

use std::path::Path;

use crate::models::preprocessor::Preprocessor;
use crate::picture::{Filter, Frames, Normaliser, Picture};
use crate::{Error, Result};

/// Most tiles of a canvas, more than any publication has (36).
const MAX_TILES: usize = 64;

/// What `preprocessor_config.json` asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageConfig {
    /// Side of a tile, and of the frame that shows all, in pixels.
    pub tile: usize,
    /// Canvases: rows and columns of tiles. The earlier wins a tie.
    pub canvases: Vec<(usize, usize)>,
    /// What 8-bit values become.
    pub normaliser: Normaliser,
    /// The resampling kernel of both resizings.
    pub filter: Filter,
}

impl ImageConfig {
    /// Reads `preprocessor_config.json` in `dir`; keys that are not there have the defaults of the reference.
    ///
    /// # Errors
    /// [`Error::Read`] without such a file; [`Error::Format`] naming file and key when a value makes no sense;
    /// [`Error::Unsupported`] when a step is switched off that the models need.
    pub fn load(dir: &Path) -> Result<Self> {
        const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73]; // CLIP's
        const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
        let keys = Preprocessor::load(dir)?;
        keys.needs(&["do_resize", "do_rescale", "do_normalize"])?;
        let tile = match keys.get("crop_size") {
            Some(_) => keys.pixels("crop_size", "height")?,
            None => 336,
        };
        if keys
            .get("size")
            .is_some_and(|size| size.get("shortest_edge").is_some())
        {
            let edge = keys.pixels("size", "shortest_edge")?;
            if edge != tile {
                let detail = format!("{edge} pixels, the tiles have {tile}");
                return Err(keys.error("size.shortest_edge", detail));
            }
        }
        Ok(Self {
            tile,
            canvases: canvases(&keys, tile)?,
            normaliser: keys.normaliser(MEAN, STD)?,
            filter: keys.filter(Filter::Bicubic)?,
        })
    }
}

/// `image_grid_pinpoints`, pairs of height and width in pixels, as tiles.
fn canvases(keys: &Preprocessor, tile: usize) -> Result<Vec<(usize, usize)>> {
    let key = "image_grid_pinpoints";
    let Some(list) = keys.get(key) else {
        return Ok(vec![(1, 2), (2, 1), (2, 2), (3, 1), (1, 3)]);
    };
    let points: Option<Vec<[usize; 2]>> = serde_json::from_value(list.clone()).ok();
    let points = points.filter(|points| !points.is_empty()).ok_or_else(|| {
        keys.error(
            key,
            format!("expected pairs of height and width, found {list}"),
        )
    })?;
    let canvas = |[height, width]: [usize; 2]| {
        let (rows, cols) = (height / tile, width / tile);
        let whole = (rows * tile, cols * tile) == (height, width);
        let few = rows
            .checked_mul(cols)
            .is_some_and(|tiles| (1..=MAX_TILES).contains(&tiles));
        (whole && few).then_some((rows, cols)).ok_or_else(|| {
            let detail = format!(
                "{height} x {width} is no canvas of 1 to {MAX_TILES} tiles of {tile} pixels"
            );
            keys.error(key, detail)
        })
    };
    points.into_iter().map(canvas).collect()
}

/// Prepares one picture. Frames: the whole picture stretched to the square first, then the canvas' tiles
/// row by row, the picture in its middle at its own proportions, black around it.
///
/// # Errors
/// [`Error::Picture`] when the picture holds no pixels.
///
/// Source: `LlavaNextImageProcessorPil` in transformers; golden values in `tests/golden/`.
pub fn prepare(picture: &Picture, config: &ImageConfig) -> Result<Frames> {
    let (width, height, tile) = (picture.width, picture.height, config.tile);
    if picture.rgb.is_empty() || picture.rgb.len() != 3 * width * height {
        let detail = format!(
            "{} bytes of RGB do not make {width} x {height} pixels",
            picture.rgb.len()
        );
        return Err(Error::Picture(detail));
    }
    let (rows, cols) = best_canvas((width, height), config);
    let canvas = (cols * tile, rows * tile);
    let fitted = fitted((width, height), canvas);
    let inside = picture.resize(fitted.0, fitted.1, config.filter);
    let sheet = centred(&inside, canvas);
    let base = picture.resize(tile, tile, config.filter);
    Ok(Frames {
        side: tile,
        count: 1 + rows * cols,
        rows,
        cols,
        original: (width, height),
        pixels: config.normaliser.frames(&[&base, &sheet], tile),
    })
}

/// Rows and columns of the canvas on which most of the picture's own pixels remain; among those, the one
/// with least around it.
fn best_canvas((width, height): (usize, usize), config: &ImageConfig) -> (usize, usize) {
    let mut best = (1, 1);
    let mut best_value = None;
    for &(rows, cols) in &config.canvases {
        let (w, h) = (cols * config.tile, rows * config.tile);
        let scale = f64::min(w as f64 / width as f64, h as f64 / height as f64);
        let (dw, dh) = (
            (width as f64 * scale) as usize,
            (height as f64 * scale) as usize,
        );
        let kept = (dw * dh).min(width * height);
        let value = (kept, std::cmp::Reverse(w * h - kept.min(w * h)));
        if best_value.is_none_or(|before| value > before) {
            (best, best_value) = ((rows, cols), Some(value));
        }
    }
    best
}

/// Width and height of the picture scaled to touch the canvas' nearer sides.
fn fitted((width, height): (usize, usize), (w, h): (usize, usize)) -> (usize, usize) {
    let (scale_w, scale_h) = (w as f64 / width as f64, h as f64 / height as f64);
    if scale_w < scale_h {
        (w, ((height as f64 * scale_w).ceil() as usize).min(h))
    } else {
        (((width as f64 * scale_h).ceil() as usize).min(w), h)
    }
}

/// `inside` in the middle of a black sheet; what cannot be halved goes right and below.
fn centred(inside: &Picture, (width, height): (usize, usize)) -> Picture {
    let (left, top) = ((width - inside.width) / 2, (height - inside.height) / 2);
    let mut rgb = vec![0; 3 * width * height];
    for (y, row) in inside.rgb.chunks_exact(3 * inside.width).enumerate() {
        let start = 3 * ((top + y) * width + left);
        rgb[start..start + row.len()].copy_from_slice(row);
    }
    Picture { width, height, rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> ImageConfig {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("preprocessor_config.json"), "{}").unwrap();
        ImageConfig::load(dir.path()).unwrap()
    }

    #[test]
    fn canvas_and_size_follow_the_reference() {
        let config = published();
        for (picture, canvas, inside) in [
            ((640, 480), (2, 2), (672, 504)),
            ((1920, 1080), (2, 2), (672, 378)),
            ((480, 640), (2, 2), (504, 672)),
            ((1024, 1024), (2, 2), (672, 672)),
            ((336, 336), (1, 2), (336, 336)),
            ((899, 1024), (2, 2), (590, 672)),
            ((10, 4000), (3, 1), (3, 1008)),
            ((1, 4000), (1, 2), (1, 336)), // keeps no pixel anywhere: the first canvas
        ] {
            assert_eq!(best_canvas(picture, &config), canvas, "{picture:?}");
            let pixels = (canvas.1 * 336, canvas.0 * 336);
            assert_eq!(fitted(picture, pixels), inside, "{picture:?}");
        }
    }

    #[test]
    fn nonsense_names_the_key() {
        for (text, key) in [
            (r#"{"image_grid_pinpoints": []}"#, "image_grid_pinpoints"),
            (
                r#"{"image_grid_pinpoints": [[336, 600]]}"#,
                "image_grid_pinpoints",
            ),
            (
                r#"{"image_grid_pinpoints": [[0, 336]]}"#,
                "image_grid_pinpoints",
            ),
            (
                r#"{"image_grid_pinpoints": [[33600000, 33600000]]}"#,
                "image_grid_pinpoints",
            ),
            (r#"{"image_grid_pinpoints": 3}"#, "image_grid_pinpoints"),
            (r#"{"crop_size": {"height": 0}}"#, "crop_size.height"),
            (r#"{"size": {"shortest_edge": 224}}"#, "size.shortest_edge"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("preprocessor_config.json"), text).unwrap();
            let error = ImageConfig::load(dir.path()).unwrap_err().to_string();
            assert!(
                error.contains(&format!("preprocessor_config.json: {key}: ")),
                "{error}"
            );
        }
    }
}
