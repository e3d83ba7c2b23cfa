//! Phi-3.5-vision's picture preparation ("HD transform"): the picture on as many tiles as it may
//! fill, white above and below, and the whole of that once more in one frame.

use std::path::Path;

use crate::models::preprocessor::Preprocessor;
use crate::picture::{Filter, Frames, Normaliser, Picture};
use crate::{Error, Result};

/// Most tiles of a picture, more than any publication asks for (16).
const MAX_CROPS: u64 = 64;
/// Most pixels of all frames of a picture: 400 MB of f32.
const MAX_PIXELS: usize = 1 << 25;

/// What `preprocessor_config.json` asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageConfig {
    /// Side of a tile, and of the frame that shows all, in pixels.
    pub tile: usize,
    /// Most tiles.
    pub crops: usize,
    /// What 8-bit values become.
    pub normaliser: Normaliser,
}

impl ImageConfig {
    /// Reads `preprocessor_config.json` in `dir`, for a vision tower that takes frames of `tile` pixels.
    ///
    /// # Errors
    /// [`Error::Read`] without such a file; [`Error::Format`] naming file and key when a value makes no sense;
    /// [`Error::Unsupported`] when a step is switched off that the models need.
    pub fn load(dir: &Path, tile: usize) -> Result<Self> {
        const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73]; // CLIP's
        const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
        let keys = Preprocessor::load(dir)?;
        keys.needs(&["do_convert_rgb"])?;
        let crops = keys.get("num_crops").and_then(serde_json::Value::as_u64);
        let crops = crops
            .filter(|crops| (1..=MAX_CROPS).contains(crops))
            .ok_or_else(|| {
                let detail = format!("expected 1 to {MAX_CROPS} tiles of a picture");
                keys.error("num_crops", detail)
            })? as usize;
        if tile.saturating_mul(tile).saturating_mul(crops + 1) > MAX_PIXELS {
            let detail = format!("{crops} tiles of {tile} pixels a side are too many");
            return Err(keys.error("num_crops", detail));
        }
        Ok(Self {
            tile,
            crops,
            normaliser: keys.normaliser(MEAN, STD)?,
        })
    }
}

/// Prepares one picture. Frames: all of it, padding included, in one frame first, then its tiles row by row.
///
/// # Errors
/// [`Error::Picture`] when the picture is empty, or so thin that nothing of it would remain.
///
/// Source: `HD_transform` and `preprocess` in `image_processing_phi3_v.py` beside the published weights; golden
/// values in `tests/golden/`.
pub fn prepare(picture: &Picture, config: &ImageConfig) -> Result<Frames> {
    let original = (picture.width, picture.height);
    let sheet = if picture.width < picture.height {
        sheet(&picture.transposed(), config)?.transposed()
    } else {
        sheet(picture, config)?
    };
    let tile = config.tile;
    let (rows, cols) = (sheet.height / tile, sheet.width / tile);
    let tiles = config.normaliser.frames(&[&sheet], tile);
    let mut pixels = overview(&tiles, (rows, cols), tile);
    pixels.extend(tiles);
    Ok(Frames {
        side: tile,
        count: 1 + rows * cols,
        rows,
        cols,
        original,
        pixels,
    })
}

/// A picture no higher than wide, as wide as the most columns that leave it within its tiles, on white
/// that fills its last row of tiles.
fn sheet(picture: &Picture, config: &ImageConfig) -> Result<Picture> {
    let (width, height, tile) = (picture.width, picture.height, config.tile);
    let ratio = width as f64 / height as f64;
    let fits = |cols: &usize| *cols as f64 * (*cols as f64 / ratio).ceil() <= config.crops as f64;
    let cols = (1..=config.crops).take_while(fits).last().unwrap_or(0);
    let (wide, high) = (cols * tile, ((cols * tile) as f64 / ratio) as usize);
    if picture.rgb.is_empty() || high == 0 {
        let detail = format!("{width} x {height} pixels are too thin: crop it");
        return Err(Error::Picture(detail));
    }
    let resized = picture.resize(wide, high, Filter::Bilinear);
    let gap = high.next_multiple_of(tile) - high;
    let row = 3 * wide;
    let mut rgb = vec![u8::MAX; gap / 2 * row];
    rgb.extend(resized.rgb);
    rgb.resize((high + gap) * row, u8::MAX);
    Ok(Picture {
        width: wide,
        height: high + gap,
        rgb,
    })
}

/// The `rows * cols` tiles, `[rows * cols, side, side, 3]`, as one frame `[side, side, 3]`: torch's
/// `interpolate(mode="bicubic")`, without antialiasing, of the normalised values.
fn overview(tiles: &[f32], (rows, cols): (usize, usize), side: usize) -> Vec<f32> {
    let area = side * side;
    // Where a row of the whole picture, and a column of it, lie among the tiles' values.
    let row = |y: usize| 3 * (y / side * cols * area + y % side * side);
    let col = |x: usize| 3 * (x / side * area + x % side);
    let placed = |by: usize, place: &dyn Fn(usize) -> usize| -> Vec<Vec<(usize, f32)>> {
        let at = |i| taps(i, by, side).into_iter().map(|(i, w)| (place(i), w));
        (0..side).map(|i| at(i).collect()).collect()
    };
    let (down, across) = (placed(rows, &row), placed(cols, &col));
    let mut frame = Vec::with_capacity(3 * area);
    for down in &down {
        for across in &across {
            frame.extend((0..3).map(|channel| -> f32 {
                let mixed = |row: &usize| -> f32 {
                    let terms = across.iter().map(|(col, w)| w * tiles[row + col + channel]);
                    terms.sum()
                };
                down.iter().map(|(row, w)| w * mixed(row)).sum()
            }));
        }
    }
    frame
}

/// The inputs behind one output, and their weights, where `by` inputs go for each output: an odd number
/// has one in its middle, an even one has the middle between two of the four that are mixed by the cubic
/// kernel (a = -0.75) at its half. Inputs beyond the edge are the edge's.
fn taps(at: usize, by: usize, side: usize) -> Vec<(usize, f32)> {
    let middle = at * by + by / 2;
    if by % 2 == 1 {
        return vec![(middle, 1.0)];
    }
    let weights = [-3.0, 19.0, 19.0, -3.0].map(|w: f32| w / 32.0);
    let near = |i: usize| (middle + i).saturating_sub(2).min(by * side - 1);
    weights
        .into_iter()
        .enumerate()
        .map(|(i, w)| (near(i), w))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(crops: usize) -> ImageConfig {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("{{\"num_crops\": {crops}}}");
        std::fs::write(dir.path().join("preprocessor_config.json"), text).unwrap();
        ImageConfig::load(dir.path(), 336).unwrap()
    }

    fn grey(width: usize, height: usize) -> Picture {
        let rgb = vec![100; 3 * width * height];
        Picture { width, height, rgb }
    }

    #[test]
    fn sheets_follow_the_reference() {
        for (size, crops, (wide, high), (top, bottom)) in [
            ((640, 480), 4, (672, 504), (84, 84)),
            ((1920, 1080), 4, (672, 378), (147, 147)),
            ((1280, 640), 4, (672, 336), (0, 0)),
            ((1024, 1024), 4, (672, 672), (0, 0)),
            ((1920, 1080), 16, (1680, 945), (31, 32)),
            ((10, 10), 1, (336, 336), (0, 0)),
        ] {
            let sheet = sheet(&grey(size.0, size.1), &config(crops)).unwrap();
            let white = |row: &&[u8]| row.iter().all(|&byte| byte == 255);
            let rows: Vec<&[u8]> = sheet.rgb.chunks(3 * sheet.width).collect();
            let above = rows.iter().take_while(|row| white(row)).count();
            let below = rows.iter().rev().take_while(|row| white(row)).count();
            assert_eq!((above, below), (top, bottom), "{size:?}");
            let found = (sheet.width, sheet.height - above - below);
            assert_eq!(found, (wide, high), "{size:?}");
        }
    }

    #[test]
    fn thin_pictures_are_refused() {
        for (width, height) in [(4000, 1), (1, 4000), (0, 0)] {
            let error = prepare(&grey(width, height), &config(4)).unwrap_err();
            assert!(error.to_string().contains("too thin"), "{error}");
        }
        assert_eq!(prepare(&grey(1344, 1), &config(4)).unwrap().cols, 4);
    }

    #[test]
    fn scaling_is_division_by_255() {
        let by = config(1).normaliser.rescale;
        for value in 0..=255u8 {
            assert_eq!((f64::from(value) * by) as f32, f32::from(value) / 255.0);
        }
    }

    #[test]
    fn overviews_are_middles_and_cubic_halves() {
        assert_eq!(taps(5, 1, 9), [(5, 1.0)]);
        assert_eq!(taps(5, 3, 9), [(16, 1.0)]);
        let at = |taps: Vec<(usize, f32)>| -> Vec<usize> { taps.iter().map(|t| t.0).collect() };
        assert_eq!(at(taps(0, 2, 9)), [0, 0, 1, 2]);
        assert_eq!(at(taps(8, 2, 9)), [15, 16, 17, 17]);
        assert_eq!(at(taps(1, 4, 9)), [4, 5, 6, 7]);
        let sum: f32 = taps(3, 4, 9).iter().map(|t| t.1).sum();
        assert_eq!(sum, 1.0);
    }

    #[test]
    fn nonsense_names_the_key() {
        for (text, tile) in [
            ("{}", 336),
            (r#"{"num_crops": 0}"#, 336),
            (r#"{"num_crops": 65}"#, 336),
            (r#"{"num_crops": "4"}"#, 336),
            (r#"{"num_crops": 4}"#, 1 << 20),
        ] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("preprocessor_config.json"), text).unwrap();
            let error = ImageConfig::load(dir.path(), tile).unwrap_err().to_string();
            assert!(
                error.contains("preprocessor_config.json: num_crops: "),
                "{error}"
            );
        }
    }
}
