//! `x W^T + b` on stored weights: each value is widened where it is used, never the whole matrix.
//!
//! Few rows: dot products with the stored rows, bound by reading them once. Many: blocks of weight
//! rows are widened into a panel that stays in the cache of one core and serves all rows of `x`.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::arch;
use super::rows::{Prepared, Rows};
use super::tile::{HIGH, WIDE, pack, tile};

/// Rows of `x` up to which each is multiplied by itself: from here on panels are faster.
const FEW: usize = 4;
/// Stored values a task of dot products is worth handing over for.
const TASK: usize = 32 * 1024;
/// Weight rows of a block: four panels.
const BLOCK: usize = 4 * WIDE;
/// Columns of a block: 256 KiB of f32 with [`BLOCK`] rows, half of a small second-level cache.
const DEPTH: usize = 512;
/// Rows of `x` that one widening of a block serves at least, where there are so many.
const SERVED: usize = 512;

/// `x`: `[m, k]`, the bias `[n]` -> `[m, n]`.
pub(in crate::tensor::candle) fn product(
    rows: impl Rows,
    x: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (n, k) = rows.sizes();
    let m = x.len().checked_div(k).unwrap_or(0);
    let mut out = vec![0f32; m * n];
    if out.is_empty() {
        return out;
    }
    if m <= FEW {
        few(rows, x, bias, &mut out);
    } else {
        many(rows, x, bias, &mut out);
    }
    out
}

struct Prepare<'a, R>(R, &'a [f32]);

impl<'a, R: Rows> WithSimd for Prepare<'a, R> {
    type Output = Prepared<'a>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Prepared<'a> {
        self.0.prepare(simd, self.1)
    }
}

/// Dot products of some weight rows with a few vectors.
struct Dots<'a, 'o, R> {
    rows: R,
    x: &'a [Prepared<'a>],
    first: usize,
    out: Vec<&'o mut [f32]>,
    bias: Option<&'a [f32]>,
}

impl<R: Rows> WithSimd for Dots<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (x, out) in self.x.iter().zip(self.out) {
            self.rows.dots(simd, x, self.first, out);
            let bias = self.bias.unwrap_or_default().iter().skip(self.first);
            for (out, bias) in out.iter_mut().zip(bias) {
                *out += bias;
            }
        }
    }
}

fn few<R: Rows>(rows: R, x: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    let (n, k) = rows.sizes();
    let x: Vec<_> = x
        .chunks_exact(k)
        .map(|x| arch().dispatch(Prepare(rows, x)))
        .collect();
    let share = n.div_ceil(4 * rayon::current_num_threads());
    let share = share.max(TASK / k.max(1)).clamp(1, n);
    let run = |(i, out)| {
        let first = i * share;
        let x = &x[..];
        arch().dispatch(Dots {
            rows,
            x,
            first,
            out,
            bias,
        });
    };
    let tasks = cut(out, n, share);
    if tasks.len() == 1 {
        tasks.into_iter().enumerate().for_each(run);
    } else {
        tasks.into_par_iter().enumerate().for_each(run);
    }
}

/// Cuts rows of `n` values into parts of `share` columns: for each part its piece of every row.
fn cut(out: &mut [f32], n: usize, share: usize) -> Vec<Vec<&mut [f32]>> {
    let mut parts: Vec<_> = (0..n.div_ceil(share)).map(|_| Vec::new()).collect();
    for row in out.chunks_exact_mut(n) {
        for (part, piece) in parts.iter_mut().zip(row.chunks_mut(share)) {
            part.push(piece);
        }
    }
    parts
}

/// A block of weight rows for some rows of `x`.
struct Block<'a, 'o, R> {
    rows: R,
    x: &'a [f32],
    first: usize,
    out: Vec<&'o mut [f32]>,
    bias: Option<&'a [f32]>,
}

impl<R: Rows> WithSimd for Block<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (_, k) = self.rows.sizes();
        let width = self.out.first().map_or(0, |piece| piece.len());
        for out in &mut self.out {
            if let Some(bias) = self.bias {
                out.copy_from_slice(&bias[self.first..][..width]);
            }
        }
        let step = self.rows.step();
        let depth = (DEPTH / step).max(1) * step;
        let (mut panels, mut lines) = (Vec::new(), Vec::new());
        for from in (0..k).step_by(depth) {
            let columns = depth.min(k - from);
            panels.resize(width.div_ceil(WIDE) * columns * WIDE, 0.0);
            for (i, panel) in panels.chunks_exact_mut(columns * WIDE).enumerate() {
                let at = (self.first + i * WIDE, from);
                pack(simd, &self.rows, at, panel, &mut lines);
            }
            self.add(simd, &panels, from..from + columns);
        }
    }
}

impl<R: Rows> Block<'_, '_, R> {
    /// Adds the products with the columns that the panels hold.
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, panels: &[f32], columns: std::ops::Range<usize>) {
        let (_, k) = self.rows.sizes();
        let x = self.x.chunks(HIGH * k);
        for (x, out) in x.zip(self.out.chunks_mut(HIGH)) {
            let mut a = [&x[..0]; HIGH];
            for (a, x) in a.iter_mut().zip(x.chunks_exact(k)) {
                *a = &x[columns.clone()];
            }
            for (i, panel) in panels.chunks_exact(columns.len() * WIDE).enumerate() {
                let mut c = [[0f32; WIDE]; HIGH];
                tile(simd, &a[..out.len()], panel, &mut c);
                for (out, c) in out.iter_mut().zip(&c) {
                    let out = &mut out[i * WIDE..];
                    for (out, c) in out.iter_mut().zip(c) {
                        *out += c;
                    }
                }
            }
        }
    }
}

fn many<R: Rows>(rows: R, x: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    let (n, k) = rows.sizes();
    let m = out.len() / n;
    let share = BLOCK.min(n);
    // Enough tasks for all threads, but not so many that widening counts.
    let blocks = n.div_ceil(share);
    let wanted = (4 * rayon::current_num_threads()).div_ceil(blocks);
    let height = m.div_ceil(wanted).max(SERVED).next_multiple_of(HIGH);
    let parts = out.chunks_mut(height * n).zip(x.chunks(height * k));
    let tasks: Vec<_> = parts
        .flat_map(|(out, x)| {
            let blocks = cut(out, n, share).into_iter().enumerate();
            blocks.map(move |(i, out)| Block {
                rows,
                x,
                first: i * share,
                out,
                bias,
            })
        })
        .collect();
    tasks.into_par_iter().for_each(|task| arch().dispatch(task));
}
