//! Functions of one element, or of one element of each of two tensors.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::activation::silu;
use super::{CHUNK, arch, read, write};

/// `f` of each element.
pub(super) fn map(x: &Tensor, f: impl Fn(f32) -> f32 + Copy + Send + Sync) -> Result<Tensor> {
    let out = read(x, |x| {
        let mut out = vec![0f32; x.len()];
        let chunks = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        chunks.for_each(|(out, x)| {
            arch().dispatch(
                #[inline(always)]
                || {
                    for (out, &x) in out.iter_mut().zip(x) {
                        *out = f(x);
                    }
                },
            );
        });
        Ok(out)
    })?;
    write(out, x.dims(), x.dtype())
}

/// `f` of each pair of elements; the second tensor repeats where its axes are fewer.
fn both(
    x: &Tensor,
    y: &Tensor,
    f: impl Fn(f32, f32) -> f32 + Copy + Send + Sync,
) -> Result<Option<Tensor>> {
    if y.elem_count() == 0 || !x.dims().ends_with(y.dims()) {
        return Ok(None);
    }
    let pair = |x: &[f32], y: &[f32]| {
        let mut out = vec![0f32; x.len()];
        let part = y.len() * (CHUNK / y.len()).max(1);
        let part = if y.len() < x.len() { part } else { CHUNK };
        let chunks = out.par_chunks_mut(part).zip(x.par_chunks(part));
        chunks.enumerate().for_each(|(i, (out, x))| {
            let y = if y.len() <= part {
                y
            } else {
                &y[i * part % y.len()..]
            };
            arch().dispatch(
                #[inline(always)]
                || {
                    for (out, x) in out.chunks_mut(y.len()).zip(x.chunks(y.len())) {
                        for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                            *out = f(x, y);
                        }
                    }
                },
            );
        });
        Ok(out)
    };
    let out = read(x, |x| read(y, |y| pair(x, y)))?;
    write(out, x.dims(), x.dtype()).map(Some)
}

/// Sum; broadcasts.
pub(in crate::tensor::candle) fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    match both(x, y, |x, y| x + y)? {
        Some(sum) => Ok(sum),
        None => x.broadcast_add(y),
    }
}

/// Product; broadcasts.
pub(in crate::tensor::candle) fn mul(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    match both(x, y, |x, y| x * y)? {
        Some(product) => Ok(product),
        None => x.broadcast_mul(y),
    }
}

/// `silu(gate) * up`.
pub(in crate::tensor::candle) fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    match both(gate, up, |gate, up| silu(gate) * up)? {
        Some(gated) if gate.dims() == up.dims() => Ok(gated),
        _ => candle_core::bail!("swiglu: {:?} does not fit {:?}", gate.dims(), up.dims()),
    }
}
