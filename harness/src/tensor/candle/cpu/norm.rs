//! Norms over the last axis.

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::{CHUNK, arch, read, write};

/// Sums kept side by side.
const SUMS: usize = 32;

/// See [`crate::tensor::Tensor::rms_norm`].
pub(in crate::tensor::candle) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    check(x, weight)?;
    read(weight, |weight| {
        by_row(x, |row, out| {
            let share = mean(row, |x| x * x) + eps;
            let share = 1.0 / share.sqrt();
            for ((out, x), w) in out.iter_mut().zip(row).zip(weight) {
                *out = x * share * w;
            }
        })
    })
}

/// See [`crate::tensor::Tensor::layer_norm`].
pub(in crate::tensor::candle) fn layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f32,
) -> Result<Tensor> {
    check(x, weight)?;
    check(x, bias)?;
    let norm = |weight: &[f32], bias: &[f32]| {
        by_row(x, |row, out| {
            let middle = mean(row, |x| x);
            // The spread around the mean itself: the mean of squares less its square would cancel.
            let spread = mean(row, |x| (x - middle) * (x - middle));
            let share = 1.0 / (spread + eps).sqrt();
            for ((out, x), (w, b)) in out.iter_mut().zip(row).zip(weight.iter().zip(bias)) {
                *out = (x - middle) * share * w + b;
            }
        })
    };
    read(weight, |weight| read(bias, |bias| norm(weight, bias)))
}

fn check(x: &Tensor, weight: &Tensor) -> Result<()> {
    match x.dims().last() {
        Some(&width) if weight.dims() == [width] => Ok(()),
        _ => bail!(
            "norm: weight {:?} does not fit {:?}",
            weight.dims(),
            x.dims()
        ),
    }
}

#[inline(always)]
fn mean(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (blocks, rest) = row.as_chunks::<SUMS>();
    let mut sums = [0f32; SUMS];
    for block in blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum += f(x);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(rest) {
        *sum += f(x);
    }
    sums.iter().sum::<f32>() / row.len() as f32
}

/// A function of each row of the last axis.
fn by_row(x: &Tensor, f: impl Fn(&[f32], &mut [f32]) + Send + Sync) -> Result<Tensor> {
    let width = x.dims().last().copied().unwrap_or(1).max(1);
    let out = read(x, |x| {
        let mut out = vec![0f32; x.len()];
        let rows = (CHUNK / width).max(1) * width;
        let chunks = out.par_chunks_mut(rows).zip(x.par_chunks(rows));
        chunks.for_each(|(out, x)| {
            arch().dispatch(
                #[inline(always)]
                || {
                    for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                        f(x, out);
                    }
                },
            );
        });
        Ok(out)
    })?;
    write(out, x.dims(), x.dtype())
}
