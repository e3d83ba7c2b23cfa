//! SmolVLM's picture preparation: scaled, cut into square tiles, normalised.

mod config;

use crate::picture::{Frames, Picture};
use crate::{Error, Result};

pub use config::ImageConfig;

/// Prepares one picture.
///
/// The longer side is scaled to `longest_edge`; both sides are then scaled up to multiples of `tile` (this may
/// distort), the result is cut into tiles, and itself scaled to one tile for the global frame. Not split, or fitting
/// one tile, the picture is one frame, stretched to the square. Frames: tiles row-major, the global frame last.
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
        let pixels = config.normaliser.frames(&[&whole], tile);
        return Ok(Frames {
            side: tile,
            count: 1,
            rows: 0,
            cols: 0,
            original: (picture.width, picture.height),
            pixels,
        });
    }
    let global = whole.resize(tile, tile, filter);
    let count = rows * cols + 1;
    let pixels = config.normaliser.frames(&[&whole, &global], tile);
    Ok(Frames {
        side: tile,
        count,
        rows,
        cols,
        original: (picture.width, picture.height),
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let config = ImageConfig {
            longest_edge: 64,
            tile: 32,
            split: true,
            normaliser: crate::picture::Normaliser {
                mean: [0.5; 3],
                std: [0.5; 3],
                rescale: 1.0 / 255.0,
            },
            filter: crate::picture::Filter::Lanczos,
        };
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
