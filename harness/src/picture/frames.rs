//! From 8-bit pictures to the normalised squares that vision towers take.

use std::thread;

use super::Picture;

/// A picture ready for a vision tower: cut or scaled into squares, normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames {
    /// Height and width of every frame, in pixels.
    pub side: usize,
    /// Frames in all.
    pub count: usize,
    /// Tiles from top to bottom; 0 when the picture was not cut.
    pub rows: usize,
    /// Tiles from left to right; 0 when the picture was not cut.
    pub cols: usize,
    /// Width and height of the picture as it was given.
    pub original: (usize, usize),
    /// `[count, side, side, 3]`; in which order, the architecture says.
    pub pixels: Vec<f32>,
}

/// What 8-bit values become: `(value * rescale - mean) / std`, each channel its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Normaliser {
    /// Subtracted from each channel after scaling by `rescale`.
    pub mean: [f32; 3],
    /// Divides each channel after that.
    pub std: [f32; 3],
    /// Multiplies each 8-bit value.
    pub rescale: f64,
}

impl Normaliser {
    /// Cuts each sheet into squares of `side` pixels, row by row, one sheet after the other, and
    /// normalises them on all cores: `[count, side, side, 3]`. What does not fill a square is left out.
    #[must_use]
    pub fn frames(&self, sheets: &[&Picture], side: usize) -> Vec<f32> {
        ByteTable::new(self).frames(sheets, side)
    }
}

/// What each of the 256 values of a channel becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct ByteTable([[f32; 256]; 3]);

impl ByteTable {
    /// The same for every channel.
    #[must_use]
    pub const fn same(values: [f32; 256]) -> Self {
        Self([values; 3])
    }

    /// Computed once, in the references' precision.
    fn new(normaliser: &Normaliser) -> Self {
        Self(std::array::from_fn(|channel| {
            std::array::from_fn(|value| {
                let scaled = (value as f64 * normaliser.rescale) as f32;
                (scaled - normaliser.mean[channel]) / normaliser.std[channel]
            })
        }))
    }

    /// As [`Normaliser::frames`].
    #[must_use]
    pub fn frames(&self, sheets: &[&Picture], side: usize) -> Vec<f32> {
        let tiles: Vec<Tile<'_>> = sheets.iter().flat_map(|sheet| tiles(sheet, side)).collect();
        let frame_len = side * side * 3;
        let mut pixels = vec![0.0; tiles.len() * frame_len];
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = tiles.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            for (chunk, tiles) in pixels
                .chunks_mut(share * frame_len)
                .zip(tiles.chunks(share))
            {
                scope.spawn(move || {
                    for (frame, tile) in chunk.chunks_exact_mut(frame_len).zip(tiles) {
                        tile.normalise(self, frame);
                    }
                });
            }
        });
        pixels
    }

    fn apply(&self, bytes: &[u8], row: &mut [f32]) {
        for (out, pixel) in row.chunks_exact_mut(3).zip(bytes.chunks_exact(3)) {
            for ((out, byte), values) in out.iter_mut().zip(pixel).zip(&self.0) {
                *out = values[usize::from(*byte)];
            }
        }
    }
}

/// A square of a sheet.
struct Tile<'a> {
    sheet: &'a Picture,
    left: usize,
    top: usize,
    side: usize,
}

fn tiles(sheet: &Picture, side: usize) -> impl Iterator<Item = Tile<'_>> {
    let (cols, rows) = (sheet.width / side, sheet.height / side);
    (0..rows * cols).map(move |k| Tile {
        sheet,
        left: k % cols * side,
        top: k / cols * side,
        side,
    })
}

impl Tile<'_> {
    /// Fills `frame`, `[side, side, 3]`.
    fn normalise(&self, table: &ByteTable, frame: &mut [f32]) {
        let width = 3 * self.side;
        for (y, row) in frame.chunks_exact_mut(width).enumerate() {
            let start = 3 * ((self.top + y) * self.sheet.width + self.left);
            table.apply(&self.sheet.rgb[start..][..width], row);
        }
    }
}
