//! Pictures on the host: decoding, cropping, and resizing equal to PIL's, bit for bit.
//!
//! Done once in plain Rust for all backends, because the models were trained on what PIL makes of a file.

mod decode;
mod frames;
mod resample;

pub(crate) use decode::MAX_SIDE;
pub use frames::{ByteTable, Frames, Normaliser};
pub use resample::Filter;

use crate::{Error, Result};

/// A picture as 8-bit RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels a row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// `[height, width, 3]`, row-major, red first.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// The picture at `width` x `height` pixels, equal to `PIL.Image.resize` with the same filter.
    ///
    /// A side given as 0 is taken as 1: no picture is empty.
    #[must_use]
    pub fn resize(&self, width: usize, height: usize, filter: Filter) -> Self {
        resample::resize(self, width.max(1), height.max(1), filter)
    }

    /// Rows as columns.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let (width, height) = (self.height, self.width);
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for x in 0..self.width {
            for row in self.rgb.chunks_exact(3 * self.width) {
                rgb.extend_from_slice(&row[3 * x..3 * x + 3]);
            }
        }
        Self { width, height, rgb }
    }

    /// The `width` x `height` pixels whose upper left corner is (`left`, `top`).
    ///
    /// # Errors
    /// [`Error::Picture`] when that rectangle is empty or leaves the picture.
    pub fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Result<Self> {
        let ends_inside = |start: usize, len: usize, side: usize| {
            len > 0 && start.checked_add(len).is_some_and(|end| end <= side)
        };
        if !ends_inside(left, width, self.width) || !ends_inside(top, height, self.height) {
            return Err(Error::Picture(format!(
                "a crop of {width} x {height} at ({left}, {top}) leaves the {} x {} pixels there are",
                self.width, self.height
            )));
        }
        let rows = self.rgb.chunks_exact(3 * self.width).skip(top).take(height);
        let rgb = rows
            .flat_map(|row| &row[3 * left..3 * (left + width)])
            .copied()
            .collect();
        Ok(Self { width, height, rgb })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: usize, height: usize) -> Picture {
        let rgb = (0..3 * width * height).map(|i| (i % 251) as u8).collect();
        Picture { width, height, rgb }
    }

    #[test]
    fn crop_takes_the_rectangle() {
        let part = numbered(4, 3).crop(1, 1, 2, 2).unwrap();
        assert_eq!(part.rgb, [15, 16, 17, 18, 19, 20, 27, 28, 29, 30, 31, 32]);
    }

    #[test]
    fn transposing_swaps_rows_and_columns() {
        let turned = numbered(3, 2).transposed();
        assert_eq!((turned.width, turned.height), (2, 3));
        let wanted = [0, 1, 2, 9, 10, 11, 3, 4, 5, 12, 13, 14, 6, 7, 8, 15, 16, 17];
        assert_eq!(turned.rgb, wanted);
    }

    #[test]
    fn crop_refuses_what_is_outside() {
        for (left, top, width, height) in [
            (3, 0, 2, 1),
            (0, 3, 1, 1),
            (0, 0, 0, 1),
            (usize::MAX, 0, 2, 1),
        ] {
            let error = numbered(4, 3)
                .crop(left, top, width, height)
                .unwrap_err()
                .to_string();
            assert!(error.contains("leaves the 4 x 3 pixels"), "{error}");
        }
    }
}
