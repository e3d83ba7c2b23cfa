//! Moondream2's picture preparation: the whole picture in one crop, then overlapping crops of it
//! enlarged.

use crate::picture::{ByteTable, Filter, Frames, Picture};
use crate::tensor::DType;
use crate::{Error, Result};

/// How pictures are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageConfig {
    /// Pixels of a crop's side.
    pub crop: usize,
    /// Pixels by which a crop goes on beyond its own part of the picture, on each side.
    pub margin: usize,
    /// Crops aimed at, the whole picture's not counted.
    pub max_crops: usize,
    /// The type that pixels are computed in, each step rounded: that of the stored weights.
    pub dtype: DType,
}

impl ImageConfig {
    /// Pixels of a crop's own part, less than a crop.
    const fn window(&self) -> usize {
        self.crop - 2 * self.margin
    }
}

/// Prepares one picture.
///
/// Frame 0 is the original, stretched to the square. The picture is then stretched to `rows x cols`
/// windows and a margin all around; a crop is a window with its margin, so that neighbours overlap by
/// two margins. Frames 1 on are those crops, row by row. Resized as PIL does it: the reference's other
/// way, libvips, is taken only where pyvips is installed and gives slightly other pixels.
///
/// # Errors
/// [`Error::Picture`] when the picture holds no pixels.
///
/// Source: `image_crops.py` and `prepare_crops` of `vision.py` in vikhyat/moondream; golden values in
/// `tests/golden/`.
pub fn prepare(picture: &Picture, config: &ImageConfig) -> Result<Frames> {
    let (width, height) = (picture.width, picture.height);
    if picture.rgb.is_empty() || picture.rgb.len() != 3 * width * height {
        return Err(Error::Picture(format!(
            "{} bytes of RGB do not make {width} x {height} pixels",
            picture.rgb.len(),
        )));
    }
    let (rows, cols) = tiling(width, height, config);
    let (side, window) = (config.crop, config.window());
    let both = 2 * config.margin;
    let whole = picture.resize(cols * window + both, rows * window + both, Filter::Lanczos);
    let mut sheets = vec![picture.resize(side, side, Filter::Lanczos)];
    for k in 0..rows * cols {
        sheets.push(whole.crop(k % cols * window, k / cols * window, side, side)?);
    }
    let pixels = ByteTable::same(pixel_values(config.dtype));
    Ok(Frames {
        side,
        count: sheets.len(),
        rows,
        cols,
        original: (width, height),
        pixels: pixels.frames(&sheets.iter().collect::<Vec<_>>(), side),
    })
}

/// Rows and columns of the crops.
///
/// The operations and their order are the reference's, because their rounding decides. Very long
/// pictures get more crops than `max_crops`, as they do there.
fn tiling(width: usize, height: usize, config: &ImageConfig) -> (usize, usize) {
    let (window, both) = (config.window(), 2 * config.margin);
    let (w, h) = (width.saturating_sub(both), height.saturating_sub(both));
    if h <= window || w <= window {
        return (1, 1);
    }
    let most = config.max_crops;
    let (least_rows, least_cols) = (h.div_ceil(window), w.div_ceil(window));
    if least_rows * least_cols > most {
        let ratio = (most as f64 / (least_rows * least_cols) as f64).sqrt();
        let scaled = |least: usize| ((least as f64 * ratio) as usize).max(1);
        return (scaled(least_rows), scaled(least_cols));
    }
    let fitting = |along: usize, across: usize| ((most * along) as f64 / across as f64).sqrt();
    let mut rows = (fitting(h, w) as usize).max(least_rows);
    let mut cols = (fitting(w, h) as usize).max(least_cols);
    if rows * cols > most {
        if cols > rows {
            cols = most / rows;
        } else {
            rows = most / cols;
        }
    }
    (rows.max(1), cols.max(1))
}

/// What each 8-bit value becomes: over 255, less a half, over a half, rounded to `dtype` every time.
fn pixel_values(dtype: DType) -> [f32; 256] {
    let round = |value: f32| match dtype {
        DType::F16 => half::f16::from_f32(value).to_f32(),
        DType::BF16 => half::bf16::from_f32(value).to_f32(),
        DType::F32 | DType::U32 => value,
    };
    std::array::from_fn(|value| round(round(round(value as f32 / 255.0) - 0.5) / 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: ImageConfig = ImageConfig {
        crop: 378,
        margin: 56,
        max_crops: 12,
        dtype: DType::BF16,
    };

    #[test]
    fn tilings_follow_the_reference() {
        for ((width, height), wanted) in [
            ((640, 480), (2, 4)),
            ((1920, 1080), (2, 4)),
            ((480, 640), (4, 2)),
            ((1024, 1024), (3, 3)),
            ((378, 378), (1, 1)),
            ((378, 5000), (1, 1)),
            ((379, 379), (3, 3)),
            ((1, 1), (1, 1)),
            ((4000, 4000), (3, 3)),
            ((600, 26_600), (24, 1)),
        ] {
            assert_eq!(
                tiling(width, height, &PUBLISHED),
                wanted,
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn every_step_is_rounded() {
        // 248 / 255 in bf16 is 0.97265625; in f16 0.97265625 lies above 0.9726 by less.
        assert_eq!(pixel_values(DType::BF16)[248], 0.945_312_5);
        assert_eq!(pixel_values(DType::F16)[248], 0.945_312_5);
        assert_eq!(pixel_values(DType::BF16)[1], -0.992_187_5);
        assert_eq!(pixel_values(DType::F16)[1], -0.992_187_5);
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let values = pixel_values(dtype);
            assert_eq!((values[0], values[255]), (-1.0, 1.0));
        }
    }

    #[test]
    fn a_picture_without_pixels_is_refused() {
        for (width, rgb) in [(0, Vec::new()), (2, vec![0; 9])] {
            let picture = Picture {
                width,
                height: width,
                rgb,
            };
            assert!(matches!(
                prepare(&picture, &PUBLISHED),
                Err(Error::Picture(_))
            ));
        }
    }
}
