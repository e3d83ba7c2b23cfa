//! Separable resampling in integer arithmetic, as PIL's `Resample.c` does it for 8-bit pictures.
//!
//! Weights are computed in f64, normalised and turned into integers of 22 fractional bits; one axis is resized, the
//! result rounded to 8 bits, then the other. An axis that keeps its size is skipped.

use std::f64::consts::PI;
use std::ops::Range;
use std::thread;

use super::Picture;

/// Fractional bits of a weight: 32 less 8 for the pixel less 2 for the overshoot.
const FRACTION: u32 = 22;
/// Multiplications below which a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 1 << 20;

/// A resampling kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Windowed sinc, 3 lobes.
    Lanczos,
    /// Cubic convolution with a = -0.5.
    Bicubic,
    /// Triangle.
    Bilinear,
}

impl Filter {
    /// Half the kernel's width, in pixels of the larger grid.
    fn support(self) -> f64 {
        match self {
            Self::Lanczos => 3.0,
            Self::Bicubic => 2.0,
            Self::Bilinear => 1.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
            Self::Bicubic => cubic(x.abs()),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// The input pixels behind one output pixel.
struct Window {
    start: usize,
    weights: Range<usize>,
}

/// All windows of one axis; their integer weights lie in one array.
struct Axis {
    windows: Vec<Window>,
    weights: Vec<i32>,
}

impl Axis {
    fn new(from: usize, to: usize, filter: Filter) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let (mut windows, mut weights) = (Vec::with_capacity(to), Vec::new());
        let mut exact = Vec::new();
        for x in 0..to {
            let center = (x as f64 + 0.5) * scale;
            // Conversions saturate: a negative start becomes 0.
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            exact.clear();
            exact.extend(
                (start..end).map(|k| filter.weight((k as f64 - center + 0.5) * (1.0 / stretch))),
            );
            let sum: f64 = exact.iter().sum();
            let first = weights.len();
            weights.extend(
                exact
                    .iter()
                    .map(|w| fixed(if sum == 0.0 { *w } else { w / sum })),
            );
            windows.push(Window {
                start,
                weights: first..weights.len(),
            });
        }
        Self { windows, weights }
    }

    fn longest(&self) -> usize {
        self.windows
            .iter()
            .map(|window| window.weights.len())
            .max()
            .unwrap_or(0)
    }
}

/// Rounds half away from zero.
fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << FRACTION);
    (if weight < 0.0 {
        scaled - 0.5
    } else {
        scaled + 0.5
    }) as i32
}

fn to_byte(sum: i32) -> u8 {
    (sum >> FRACTION).clamp(0, 255) as u8
}

pub(super) fn resize(picture: &Picture, width: usize, height: usize, filter: Filter) -> Picture {
    let across = |picture: &Picture| horizontal(picture, &Axis::new(picture.width, width, filter));
    let down = |picture: &Picture| vertical(picture, &Axis::new(picture.height, height, filter));
    match (width != picture.width, height != picture.height) {
        (false, false) => picture.clone(),
        (true, false) => across(picture),
        (false, true) => down(picture),
        (true, true) if vertical_first(picture, width, height) => across(&down(picture)),
        (true, true) => down(&across(picture)),
    }
}

/// Whether Pillow 13 runs the vertical pass first, which changes the rounding in between: when more than two rows
/// go for every column that goes.
///
/// Found by comparing `Image.resize` with two resizes of one axis each, over thousands of sizes and all three
/// filters; `tests/golden/make_pictures.py` keeps cases of both orders. Earlier versions start horizontally.
fn vertical_first(picture: &Picture, width: usize, height: usize) -> bool {
    // Both sides of `rows lost > 2 * columns lost`, moved so that nothing is negative.
    height < picture.height && picture.height + 2 * width > height + 2 * picture.width
}

fn horizontal(picture: &Picture, axis: &Axis) -> Picture {
    let (width, height) = (axis.windows.len(), picture.height);
    let mut rgb = vec![0; 3 * width * height];
    let row_cost = 3 * axis.weights.len();
    each_row(&mut rgb, 3 * width, row_cost, |y, out| {
        let row = &picture.rgb[3 * picture.width * y..][..3 * picture.width];
        horizontal_row(row, axis, out);
    });
    Picture { width, height, rgb }
}

fn horizontal_row(row: &[u8], axis: &Axis, out: &mut [u8]) {
    for (pixel, window) in out.chunks_exact_mut(3).zip(&axis.windows) {
        let weights = &axis.weights[window.weights.clone()];
        let mut sum = [1 << (FRACTION - 1); 3];
        for (source, weight) in row[3 * window.start..].chunks_exact(3).zip(weights) {
            for (sum, value) in sum.iter_mut().zip(source) {
                *sum += weight * i32::from(*value);
            }
        }
        pixel.copy_from_slice(&sum.map(to_byte));
    }
}

fn vertical(picture: &Picture, axis: &Axis) -> Picture {
    let (width, height) = (picture.width, axis.windows.len());
    let mut rgb = vec![0; 3 * width * height];
    let row_cost = 3 * width * axis.longest();
    each_row(&mut rgb, 3 * width, row_cost, |y, out| {
        let window = &axis.windows[y];
        let rows = &picture.rgb[3 * width * window.start..];
        vertical_row(rows, &axis.weights[window.weights.clone()], out);
    });
    Picture { width, height, rgb }
}

/// Blocks of this many bytes: their sums stay in the first-level cache while all rows are added.
const BLOCK: usize = 1024;

fn vertical_row(rows: &[u8], weights: &[i32], out: &mut [u8]) {
    let stride = out.len();
    for (index, block) in out.chunks_mut(BLOCK).enumerate() {
        let mut sums = [1 << (FRACTION - 1); BLOCK];
        let sums = &mut sums[..block.len()];
        for (row, weight) in rows.chunks_exact(stride).zip(weights) {
            let source = &row[BLOCK * index..][..block.len()];
            for (sum, value) in sums.iter_mut().zip(source) {
                *sum += weight * i32::from(*value);
            }
        }
        for (byte, sum) in block.iter_mut().zip(sums) {
            *byte = to_byte(*sum);
        }
    }
}

/// Calls `fill(y, row)` for each row of `rgb`, on all cores when the rows are worth it.
fn each_row(
    rgb: &mut [u8],
    stride: usize,
    row_cost: usize,
    fill: impl Fn(usize, &mut [u8]) + Sync,
) {
    let rows = rgb.len() / stride;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (row_cost.saturating_mul(rows) / WORTH_A_THREAD).clamp(1, cores);
    let share = rows.div_ceil(threads);
    let fill_part = |part: usize, chunk: &mut [u8]| {
        for (offset, row) in chunk.chunks_exact_mut(stride).enumerate() {
            fill(part * share + offset, row);
        }
    };
    if threads == 1 {
        return fill_part(0, rgb);
    }
    thread::scope(|scope| {
        for (part, chunk) in rgb.chunks_mut(share * stride).enumerate() {
            let fill_part = &fill_part;
            scope.spawn(move || fill_part(part, chunk));
        }
    });
}
