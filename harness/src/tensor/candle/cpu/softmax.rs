//! Softmax over the last axis.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::exp::exp;
use super::{CHUNK, arch, read, write};

/// Values looked at side by side.
const ABREAST: usize = 32;

/// See [`crate::tensor::Tensor::softmax`].
pub(in crate::tensor::candle) fn softmax(x: &Tensor) -> Result<Tensor> {
    let width = x.dims().last().copied().unwrap_or(1).max(1);
    let out = read(x, |x| {
        let mut out = x.to_vec();
        let rows = (CHUNK / width).max(1) * width;
        out.par_chunks_mut(rows).for_each(|rows| {
            arch().dispatch(
                #[inline(always)]
                || {
                    for row in rows.chunks_exact_mut(width) {
                        softmax_row(row, 1.0);
                    }
                },
            );
        });
        Ok(out)
    })?;
    write(out, x.dims(), x.dtype())
}

/// Turns scores into probabilities in place: `softmax(scale x)`.
#[inline(always)]
pub(super) fn softmax_row(row: &mut [f32], scale: f32) {
    let mut peaks = [f32::NEG_INFINITY; ABREAST];
    let (blocks, rest) = row.as_chunks::<ABREAST>();
    for block in blocks {
        for (peak, &x) in peaks.iter_mut().zip(block) {
            *peak = if x > *peak { x } else { *peak };
        }
    }
    let all = rest.iter().chain(&peaks);
    let top = all.fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let mut sums = [0f32; ABREAST];
    let (blocks, rest) = row.as_chunks_mut::<ABREAST>();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *x = exp((*x - top) * scale);
            *sum += *x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *x = exp((*x - top) * scale);
        *sum += *x;
    }
    let share = 1.0 / sums.iter().sum::<f32>();
    for x in row {
        *x *= share;
    }
}
